"""What the tests share: a profile of their own, a scene whose classes are known, QGIS in this process and as a program."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
DATA = os.path.join(ROOT, 'examples', 'data')
PROGRAM = os.path.abspath(os.environ['RS_SEG'])
PLUGIN = os.path.abspath(os.environ['RS_SEG_PLUGIN'])
STAND_IN = os.path.join(ROOT, 'tests', 'qgis', 'stand_in.py')
# Debian 12's qgis_process hands on an option that it does not know; the program behind it works.
QGIS_PROCESS = shutil.which('qgis_process.bin') or shutil.which('qgis_process')
# Blanks, an umlaut and a dash; the last sign is no hexadecimal digit, which Qt's settings would take for part of it.
WORK = tempfile.mkdtemp(prefix='rs-seg qgis ä –_')
# A network that gives each pixel the class whose color is nearest, so that every test knows what has to come out.
NETWORK = os.path.join(DATA, 'nearest-color.pt')
# Quarters of the scene: class, its color in the legend, and pixels of it in red, green, blue and near infrared.
QUARTERS = [
    ('vegetation', '#6abf4b', (78, 87, 80, 130)),
    ('dry grass and soil', '#a58f5b', (103, 101, 98, 86)),
    ('bare ground', '#d1b280', (131, 131, 123, 123)),
    ('gravel and roofs', '#b8b8b8', (169, 166, 158, 131)),
]
CLASSES = 6
SIDE, PIXEL, LEFT, TOP = 96, 0.5, 500000.0, 5300000.0
_application = []


def set_up():
    """A home of its own, so that no setting of the user counts and none is changed."""
    for name in ('HOME', 'XDG_RUNTIME_DIR', 'XDG_CONFIG_HOME', 'XDG_DATA_HOME', 'XDG_CACHE_HOME'):
        os.environ[name] = os.path.join(WORK, 'home', name.lower())
        os.makedirs(os.environ[name], mode=0o700)
    os.environ.update(QT_QPA_PLATFORM='offscreen', LC_ALL='C.UTF-8', RS_SEG=PROGRAM, CUDA_VISIBLE_DEVICES='-1')
    for name in ('QGIS_CUSTOM_CONFIG_PATH', 'QGIS_PLUGINPATH', 'RS_SEG_LIBTORCH', 'RS_SEG_LOG'):
        os.environ.pop(name, None)


def tear_down():
    shutil.rmtree(WORK, ignore_errors=True)


def folder():
    """A new folder for a test."""
    return tempfile.mkdtemp(dir=WORK)


def description():
    """What the program can do."""
    return json.loads(subprocess.check_output([PROGRAM, 'describe', '--json']).decode())


def scene(name='scene.tif', where=None):
    """A raster of four quarters in a folder of its own."""
    import numpy
    from osgeo import gdal, osr

    path = os.path.join(where or folder(), name)
    half = SIDE // 2
    raster = gdal.GetDriverByName('GTiff').Create(path, SIDE, SIDE, 4, gdal.GDT_Byte)
    raster.SetGeoTransform((LEFT, PIXEL, 0, TOP, 0, -PIXEL))
    system = osr.SpatialReference()
    system.ImportFromEPSG(32632)
    raster.SetProjection(system.ExportToWkt())
    for band in range(4):
        top, bottom = [numpy.repeat([QUARTERS[i][2][band], QUARTERS[i + 1][2][band]], half) for i in (0, 2)]
        raster.GetRasterBand(band + 1).WriteArray(
            numpy.vstack([numpy.tile(top, (half, 1)), numpy.tile(bottom, (half, 1))]).astype(numpy.uint8))
    raster = None
    return path


def real_scene():
    """A copy of the scene of the examples: QGIS writes statistics beside what it opens."""
    return shutil.copy(os.path.join(DATA, 'haiti.tif'), folder())


def tall():
    """A raster of so many rows that some are done, and stored, long before the last."""
    from osgeo import gdal

    path = os.path.join(folder(), 'tall.tif')
    gdal.Translate(path, os.path.join(DATA, 'haiti.tif'), width=256, height=1600)
    return path


def centers():
    """The middle of each quarter, with the color that it has to have."""
    near, far = SIDE * PIXEL / 4, SIDE * PIXEL * 3 / 4
    places = [(near, near), (far, near), (near, far), (far, far)]
    return [(LEFT + x, TOP - y, color) for (x, y), (_, color, _) in zip(places, QUARTERS)]


class Profile:
    """A profile of QGIS in which qgis_process runs."""

    def __init__(self):
        self.home = folder()
        self.profile = os.path.join(self.home, '.local', 'share', 'QGIS', 'QGIS3', 'profiles', 'default')

    def install(self):
        """Unpacks the plugin as "Install from ZIP" does, and enables it."""
        with zipfile.ZipFile(PLUGIN) as archive:
            archive.extractall(os.path.join(self.profile, 'python', 'plugins'))
        self.run('plugins', 'enable', 'rs_seg', check=True)
        return self

    def environment(self, **changes):
        """Of qgis_process; a change to None takes a variable away."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith('XDG_')}
        environment.update(HOME=self.home, XDG_RUNTIME_DIR=os.environ['XDG_RUNTIME_DIR'])
        environment.update(changes)
        return {name: value for name, value in environment.items() if value is not None}

    def run(self, *arguments, check=False, where=None, **changes):
        """Runs qgis_process to its end."""
        done = subprocess.run(
            [QGIS_PROCESS] + list(arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=where or self.home,
            env=self.environment(**changes), timeout=300)
        done.out, done.err = done.stdout.decode(), done.stderr.decode()
        if check and done.returncode != 0:
            raise AssertionError('{}\n{}\n{}'.format(arguments, done.out, done.err))
        return done


def qgis():
    """QGIS in this process, with the provider; started once."""
    if not _application:
        from qgis.core import QgsApplication

        application = QgsApplication([], True, os.path.join(WORK, 'in-process'))
        application.initQgis()
        with zipfile.ZipFile(PLUGIN) as archive:
            archive.extractall(os.path.join(WORK, 'plugins'))
        sys.path[:0] = [os.path.join(WORK, 'plugins'), os.path.join(QgsApplication.pkgDataPath(), 'python', 'plugins')]
        from processing.core.Processing import Processing

        Processing.initialize()
        from rs_seg import classFactory

        plugin = classFactory(None)
        plugin.initGui()
        _application.extend([application, plugin])
    return _application[1].provider


def feedback():
    """What an algorithm says, for a test to look at."""
    from qgis.core import QgsProcessingFeedback

    class Heard(QgsProcessingFeedback):
        def __init__(self):
            super().__init__(False)
            self.percent, self.warnings, self.errors, self.texts = [], [], [], []
            self.progressChanged.connect(self.percent.append)

        def pushWarning(self, warning):
            self.warnings.append(warning)

        def reportError(self, error, fatalError=False):
            self.errors.append(error)

        def pushInfo(self, info):
            self.texts.append(info)

        pushConsoleInfo = pushCommandInfo = pushInfo

    return Heard()


def render(layers, path):
    """Draws layers as QGIS does, without smoothing, and tells the color at places of the map."""
    from qgis.PyQt.QtCore import QSize
    from qgis.PyQt.QtGui import QColor
    from qgis.core import QgsMapRendererParallelJob, QgsMapSettings, QgsPointXY

    settings = QgsMapSettings()
    settings.setLayers(layers)
    settings.setDestinationCrs(layers[-1].crs())
    settings.setExtent(layers[-1].extent())
    settings.setOutputSize(QSize(384, 384))
    settings.setBackgroundColor(QColor('#ff00ff'))
    settings.setFlag(QgsMapSettings.Antialiasing, False)
    job = QgsMapRendererParallelJob(settings)
    job.start()
    job.waitForFinished()
    image = job.renderedImage()
    image.save(path)

    def color(x, y):
        at = settings.mapToPixel().transform(QgsPointXY(x, y))
        return image.pixelColor(int(at.x()), int(at.y())).name()

    return color
