"""What QGIS does for `scripts/qgis-screenshot`: the three clicks of the README, without a hand."""

import os
import traceback

from qgis.PyQt.QtCore import QTimer
from qgis.PyQt.QtWidgets import QDockWidget, QLineEdit
from qgis.core import QgsProject, QgsRasterLayer
from qgis.utils import iface

SCENE, MODEL, PICTURES = (os.environ[name] for name in ('SCENE', 'MODEL', 'PICTURES'))
STEPS = []


def step(milliseconds):
    """A function that is called so long after the one before."""
    def add(function):
        STEPS.append((milliseconds, function))
        return function
    return add


def picture(widget, name):
    widget.grab().save(os.path.join(PICTURES, 'qgis-{}.png'.format(name)))


@step(3000)
def open_the_scene():
    iface.mainWindow().resize(1240, 760)
    for dock in iface.mainWindow().findChildren(QDockWidget):
        dock.setVisible(dock.objectName() in ('Layers', 'ProcessingToolbox'))
    scene = QgsRasterLayer(SCENE, 'haiti')
    renderer = scene.renderer().clone()
    for band, choose in ((3, renderer.setRedBand), (2, renderer.setGreenBand), (1, renderer.setBlueBand)):
        choose(band)
    scene.setRenderer(renderer)
    scene.setDefaultContrastEnhancement()
    QgsProject.instance().addMapLayer(scene)
    QgsProject.instance().setCrs(scene.crs())
    iface.mapCanvas().setExtent(scene.extent())
    toolbox = iface.mainWindow().findChild(QDockWidget, 'ProcessingToolbox')
    toolbox.setMinimumWidth(330)
    toolbox.findChild(QLineEdit).setText('rs-seg')


@step(3000)
def open_the_dialog():
    import processing

    values = {'INPUT': QgsProject.instance().mapLayersByName('haiti')[0], 'MODEL': MODEL, 'BANDS': '3,2,1'}
    dialog = processing.createAlgorithmDialog('rsseg:infer', values)
    dialog.resize(880, 640)
    dialog.show()
    STEPS.dialog = dialog


@step(3000)
def show_the_dialog():
    picture(STEPS.dialog, 'dialog')
    STEPS.dialog.runButton().click()


@step(15000)
def show_the_result():
    STEPS.dialog.close()
    classes, = QgsProject.instance().mapLayersByName('Classes: haiti')
    tree = QgsProject.instance().layerTreeRoot()
    tree.findLayer(classes.id()).setExpanded(True)


@step(4000)
def leave():
    picture(iface.mainWindow(), 'result')


class Steps(list):
    """The list, with the dialog that goes from step to step."""

    dialog = None


STEPS = Steps(STEPS)


def go_on():
    if not STEPS:
        os._exit(0)
    milliseconds, function = STEPS.pop(0)

    def now():
        try:
            function()
        except Exception:
            traceback.print_exc()
            os._exit(1)
        go_on()

    QTimer.singleShot(milliseconds, now)


go_on()
