"""rs-seg in QGIS: a provider of Processing that calls the program rs-seg, and needs no other Python than QGIS's own."""


def classFactory(iface):
    """What QGIS calls; under qgis_process `iface` is None."""
    from .plugin import RsSegPlugin

    return RsSegPlugin()
