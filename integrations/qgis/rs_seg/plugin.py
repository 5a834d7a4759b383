"""Brings the provider into QGIS and takes it out again."""

from qgis.core import QgsApplication

from .provider import RsSegProvider


class RsSegPlugin:
    """The plugin: nothing but a provider."""

    def __init__(self):
        self.provider = None

    def initProcessing(self):
        """Called by qgis_process, without initGui."""
        if self.provider is None:
            self.provider = RsSegProvider()
            QgsApplication.processingRegistry().addProvider(self.provider)

    def initGui(self):
        self.initProcessing()

    def unload(self):
        if self.provider is not None:
            QgsApplication.processingRegistry().removeProvider(self.provider)
            self.provider = None
