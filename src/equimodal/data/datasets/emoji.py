"""Emoji: a small picture, and its name with keywords."""

from equimodal.data.catalogue import DATASETS, BuiltIn


@DATASETS.register("emoji")
class Emoji(BuiltIn):
    """1906 emoji in 9 categories, each a 32 x 32 picture and its name with keywords."""

    title = "Emoji: picture and name, 9 categories"
    source = "npm package emoji-datasource-google 16.0.0 (Cal Henderson); pictures: Google Noto Emoji"
    licence = "MIT (names), Apache-2.0 (pictures)"
    modalities = ("image", "text")
    pairing = "natural: the picture and the name of one emoji; variants of one emoji share a group"
    headroom = "real: the two complete each other, most of all with few labels (Flags are trivial for text)"
    checksum = "b92dec8fbfa71d72ea26fc45b3a199e80e58688bc18e9f1224118c32128084db"
