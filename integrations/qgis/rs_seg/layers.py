"""From layers of a project to names that GDAL opens, and from results to layers with name and style."""

import os

from qgis.core import (
    QgsProcessingException,
    QgsProcessingLayerPostProcessorInterface,
    QgsProcessingUtils,
    QgsVectorLayer,
)

# What the program reads as it is; polygons of other kinds, in memory or in databases are exported for it.
VECTOR_ENDINGS = ['gpkg', 'geojson', 'json', 'shp', 'fgb']


def name_of_crs(crs):
    """Short where an authority knows it."""
    return crs.authid() or crs.toWkt()


def named(field, algorithm, parameters, context, feedback):
    """The name of the one layer of a parameter; none where it is left out."""
    value = parameters.get(field.name)
    if not value:
        return []
    layer = algorithm.parameterAsLayer(parameters, field.name, context)
    if layer is None:
        return [_folder(value) or _refuse(algorithm, parameters, field)]
    return [_name(layer, context, feedback)]


def several_named(field, algorithm, parameters, context, feedback):
    """The names of all layers of a parameter."""
    value = parameters.get(field.name)
    if not value:
        return []
    if _folder(value):
        return [value]
    found = algorithm.parameterAsLayerList(parameters, field.name, context)
    if not found or isinstance(value, (list, tuple)) and len(found) != len(value):
        _refuse(algorithm, parameters, field)
    return [_name(layer, context, feedback) for layer in found]


def _refuse(algorithm, parameters, field):
    raise QgsProcessingException(algorithm.invalidSourceError(parameters, field.name))


def _folder(value):
    return value if isinstance(value, str) and os.path.isdir(value) else None


def _name(layer, context, feedback):
    """What GDAL opens instead of a layer."""
    if isinstance(layer, QgsVectorLayer):
        return QgsProcessingUtils.convertToCompatibleFormat(
            layer, False, 'polygons', VECTOR_ENDINGS, 'gpkg', context, feedback)
    if layer.providerType() != 'gdal':
        raise QgsProcessingException(
            'The layer "{}" is of the kind "{}", and rs-seg reads what GDAL opens.\n'
            'Hint: export it to a GeoTIFF (Layer > Save As...) and take that.'.format(
                layer.name(), layer.providerType()))
    name, *options = layer.source().split('|option:')
    if options:
        feedback.pushWarning('{}: options of opening are left out: {}'.format(layer.name(), ', '.join(options)))
    return name


class NameAndStyle(QgsProcessingLayerPostProcessorInterface):
    """Gives a result its name, and the style that the program wrote beside it."""

    # QGIS keeps no reference to a post-processor: without this list it would be gone, silently, before its call.
    _kept = []

    def __init__(self, name, path):
        super().__init__()
        self._name = name
        self._style = os.path.splitext(path)[0] + '.qml'
        self._kept.append(self)

    def postProcessLayer(self, layer, context, feedback):
        if self._name:
            layer.setName(self._name)
        if os.path.isfile(self._style):
            message, loaded = layer.loadNamedStyle(self._style)
            if not loaded:
                feedback.reportError('The style {} cannot be used: {}'.format(self._style, message))
        elif isinstance(layer, QgsVectorLayer):
            # That of the file itself, such as a GeoPackage's `layer_styles`: Processing loads layers without it.
            layer.loadDefaultStyle()
        layer.triggerRepaint()
