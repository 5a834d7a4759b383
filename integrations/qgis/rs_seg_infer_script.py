"""Segments a raster with rs-seg: a script for Processing, for those who want no plugin.

Add it by Processing > Toolbox > Scripts > Add Script to Toolbox, or put it into `processing/scripts` of the profile.
It needs the program rs-seg on PATH, or the variable RS_SEG with its path, and no Python packages.
"""

import json
import os
import queue
import shlex
import shutil
import subprocess
import tempfile
import threading

from qgis.core import (
    QgsProcessing,
    QgsProcessingAlgorithm,
    QgsProcessingException,
    QgsProcessingLayerPostProcessorInterface,
    QgsProcessingParameterDefinition,
    QgsProcessingParameterExtent,
    QgsProcessingParameterFile,
    QgsProcessingParameterRasterDestination,
    QgsProcessingParameterRasterLayer,
    QgsProcessingParameterString,
    QgsProcessingParameterVectorDestination,
    QgsVectorLayer,
)

NAME_AND_STYLE = []


class RsSegInfer(QgsProcessingAlgorithm):
    """`rs-seg infer`; what has no parameter here goes to EXTRA as on the command line."""

    def name(self):
        return 'rs_seg_infer'

    def displayName(self):
        return 'Segment a raster (rs-seg)'

    def group(self):
        return 'Segmentation'

    def groupId(self):
        return 'segmentation'

    def shortHelpString(self):
        return ('Gives every pixel of a raster of any size a class, with the network that comes with rs-seg or one of '
                'your own. `rs-seg infer --help` tells what else can go into the additional arguments.')

    def createInstance(self):
        return RsSegInfer()

    def canExecute(self):
        return (True, '') if program() else (False, 'The program rs-seg was not found on PATH.')

    def initAlgorithm(self, configuration=None):
        networks = 'Networks (*.safetensors *.pt);;All files (*)'
        self.addParameter(QgsProcessingParameterRasterLayer('INPUT', 'Raster to segment'))
        self.addParameter(QgsProcessingParameterFile(
            'MODEL', 'Network (empty: the one that comes with rs-seg)', optional=True, fileFilter=networks))
        self.addParameter(QgsProcessingParameterExtent('EXTENT', 'Segment only what lies in a box', optional=True))
        self.addParameter(QgsProcessingParameterString(
            'BANDS', 'Bands to read, in the model\'s order, such as 4,3,2', optional=True))
        extra = QgsProcessingParameterString('EXTRA', 'More arguments for the command line', optional=True)
        extra.setFlags(extra.flags() | QgsProcessingParameterDefinition.FlagAdvanced)
        self.addParameter(extra)
        self.addParameter(QgsProcessingParameterRasterDestination('OUTPUT', 'Classes'))
        self.addParameter(QgsProcessingParameterVectorDestination(
            'POLYGONS', 'Polygons', QgsProcessing.TypeVectorPolygon, optional=True, createByDefault=False))

    def prepareAlgorithm(self, parameters, context, feedback):
        """Looks up the layer, in the thread of its project."""
        layer = self.parameterAsRasterLayer(parameters, 'INPUT', context)
        if layer is None:
            raise QgsProcessingException(self.invalidRasterError(parameters, 'INPUT'))
        if layer.providerType() != 'gdal':
            raise QgsProcessingException(
                'The layer "{}" is of the kind "{}", and rs-seg reads what GDAL opens: export it to a GeoTIFF.'.format(
                    layer.name(), layer.providerType()))
        self.layer_name, self.source = layer.name(), layer.source().split('|option:')[0]
        self.options = []
        for flag, name in (('--model', 'MODEL'), ('--bands', 'BANDS')):
            value = self.parameterAsString(parameters, name, context)
            self.options += ['{}={}'.format(flag, value)] if value else []
        box = self.parameterAsExtent(parameters, 'EXTENT', context)
        if parameters.get('EXTENT') and not box.isNull():
            sides = (box.xMinimum(), box.yMinimum(), box.xMaximum(), box.yMaximum())
            self.options.append('--bbox=' + ','.join(repr(side) for side in sides))
            crs = self.parameterAsExtentCrs(parameters, 'EXTENT', context)
            self.options += ['--bbox-crs=' + (crs.authid() or crs.toWkt())] if crs.isValid() else []
        return True

    def processAlgorithm(self, parameters, context, feedback):
        classes = self.parameterAsOutputLayer(parameters, 'OUTPUT', context)
        polygons = self.parameterAsOutputLayer(parameters, 'POLYGONS', context)
        arguments = ['infer', '--progress=json', '--overwrite', '--discard-on-cancel', '--out=' + classes]
        arguments += self.options + (['--vector=' + polygons] if polygons else [])
        arguments += shlex.split(self.parameterAsString(parameters, 'EXTRA', context))
        run(arguments + ['--', self.source], feedback)
        results = {'OUTPUT': classes}
        if polygons:
            results['POLYGONS'] = polygons
        for what, path in (('Classes', classes), ('Polygons', polygons)):
            if path and context.willLoadLayerOnCompletion(path):
                name = '{}: {}'.format(what, self.layer_name)
                context.layerToLoadOnCompletionDetails(path).setPostProcessor(NameAndStyle(name, path))
        return results


class NameAndStyle(QgsProcessingLayerPostProcessorInterface):
    """Gives a result a name, and the style that lies beside it."""

    def __init__(self, name, path):
        super().__init__()
        self.name, self.style = name, os.path.splitext(path)[0] + '.qml'
        # QGIS keeps no reference to it.
        NAME_AND_STYLE.append(self)

    def postProcessLayer(self, layer, context, feedback):
        layer.setName(self.name)
        if os.path.isfile(self.style):
            layer.loadNamedStyle(self.style)
        elif isinstance(layer, QgsVectorLayer):
            layer.loadDefaultStyle()
        layer.triggerRepaint()


def program():
    """Where rs-seg is, if it is anywhere."""
    return shutil.which(os.environ.get('RS_SEG') or 'rs-seg')


def run(arguments, feedback):
    """Runs rs-seg and tells what it says on standard error: one JSON object a line."""
    path = program()
    if path is None:
        raise QgsProcessingException('The program rs-seg was not found on PATH.')
    feedback.pushCommandInfo(' '.join(shlex.quote(word) for word in [path] + arguments))
    command = [word.encode('utf-8', 'surrogateescape') for word in [path] + arguments]
    said, failure = [], ''
    with tempfile.TemporaryFile() as stdout:
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=stdout, stderr=subprocess.PIPE)
        lines = queue.Queue()
        threading.Thread(target=read, args=(child.stderr, lines), daemon=True).start()
        asked_to_stop = False
        while True:
            if feedback.isCanceled() and not asked_to_stop:
                asked_to_stop = True
                child.terminate()
            try:
                line = lines.get(timeout=0.1)
            except queue.Empty:
                continue
            if line is None:
                break
            line = line.decode('utf-8', 'replace').rstrip()
            event = json.loads(line) if line.startswith('{') else {'event': 'line'}
            if event['event'] == 'progress':
                feedback.setProgress(event['percent'])
            elif event['event'] == 'warning':
                feedback.pushWarning(event['message'])
            elif event['event'] == 'log':
                feedback.pushInfo(event['message'])
            elif event['event'] == 'error':
                failure = '\n'.join(filter(None, [event['message'], event.get('hint')]))
            elif event['event'] == 'line':
                said.append(line)
        status = child.wait()
        stdout.seek(0)
        feedback.pushInfo(stdout.read().decode('utf-8', 'replace'))
    if asked_to_stop and status != 0:
        raise QgsProcessingException('rs-seg was canceled.')
    if status != 0:
        raise QgsProcessingException(failure or '\n'.join(said) or 'rs-seg ended with status {}'.format(status))


def read(stream, lines):
    """Puts all lines into a queue, then None."""
    with stream:
        for line in stream:
            lines.put(line)
    lines.put(None)
