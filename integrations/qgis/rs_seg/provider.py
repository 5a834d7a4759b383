"""The provider `rsseg`: one algorithm for each command that the program describes."""

import os

from processing.core.ProcessingConfig import ProcessingConfig, Setting, settingsWatcher
from qgis.PyQt.QtGui import QIcon
from qgis.core import QgsProcessingProvider

from .algorithm import RsSegAlgorithm
from .program import Program, SETTING

ACTIVE = 'RSSEG_ACTIVE'
ICON = os.path.join(os.path.dirname(__file__), 'icon.svg')


class RsSegProvider(QgsProcessingProvider):
    """Processing's view of rs-seg."""

    def __init__(self):
        super().__init__()
        self.program = None

    def id(self):
        return 'rsseg'

    def name(self):
        return 'rs-seg'

    def longName(self):
        version = self.versionInfo()
        return 'rs-seg {}'.format(version) if version else 'rs-seg'

    def versionInfo(self):
        """The program's version; empty where there is no program."""
        return self.program.version if self.program else ''

    def icon(self):
        return QIcon(ICON)

    def svgIconPath(self):
        return ICON

    def load(self):
        group = self.name()
        ProcessingConfig.settingIcons[group] = self.icon()
        ProcessingConfig.addSetting(Setting(group, ACTIVE, 'Activate', True))
        text = 'The program rs-seg (empty: the one on PATH)'
        ProcessingConfig.addSetting(Setting(group, SETTING, text, '', valuetype=Setting.FILE))
        ProcessingConfig.readSettings()
        settingsWatcher.settingsChanged.connect(self.refreshAlgorithms)
        self.refreshAlgorithms()
        return True

    def unload(self):
        settingsWatcher.settingsChanged.disconnect(self.refreshAlgorithms)
        for name in (ACTIVE, SETTING):
            ProcessingConfig.removeSetting(name)

    def isActive(self):
        return bool(ProcessingConfig.getSetting(ACTIVE))

    def setActive(self, active):
        ProcessingConfig.setSettingValue(ACTIVE, active)

    def loadAlgorithms(self):
        self.program = Program.find()
        for command in self.program.commands():
            self.addAlgorithm(RsSegAlgorithm(self.program, command))

    def supportsNonFileBasedOutput(self):
        """The program writes files, no layers in memory or in databases."""
        return False

    def supportedOutputRasterLayerExtensions(self):
        return ['tif']

    def supportedOutputVectorLayerExtensions(self):
        return ['gpkg', 'geojson', 'fgb', 'shp']

    def defaultVectorFileExtension(self, hasGeometry=True):
        return 'gpkg'
