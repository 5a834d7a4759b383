"""Parameters of a dialog, and the words that their values are on the command line.

Each is made of one parameter of the program's description. Values of layers are looked up while Processing prepares
a run, in the thread of the project; all others could be at any time.
"""

import html
import re

from qgis.core import (
    QgsProcessing,
    QgsProcessingException,
    QgsProcessingParameterBoolean,
    QgsProcessingParameterCrs,
    QgsProcessingParameterDefinition,
    QgsProcessingParameterEnum,
    QgsProcessingParameterExtent,
    QgsProcessingParameterFeatureSource,
    QgsProcessingParameterFile,
    QgsProcessingParameterMapLayer,
    QgsProcessingParameterMultipleLayers,
    QgsProcessingParameterNumber,
    QgsProcessingParameterRasterLayer,
    QgsProcessingParameterString,
)

from . import layers

NETWORKS = 'Networks (*.safetensors *.pt *.pth *.toml)'
LEGENDS = 'Legends (*.toml)'
ALL_FILES = 'All files (*)'


class Field:
    """One parameter."""

    def __init__(self, described, name=None):
        self.described = described
        self.name = name or described['name'].upper().replace('-', '_')

    @property
    def flag(self):
        """As on the command line; None for an argument without a flag."""
        return '--' + self.described['long'] if self.described.get('long') else None

    @property
    def optional(self):
        """What is needed only without another flag may be left out; the program tells if neither is there."""
        return not (self.described['required'] or self.described.get('position'))

    @property
    def basic(self):
        return self.described.get('basic', not self.described['advanced'])

    def label(self):
        """The help up to its first comma, colon or bracket, and the unit unless that names it."""
        first = re.split(r'[:;,]\s| [\[(]', self.described['help'])[0]
        # Text that carries its unit, such as 2GiB, needs none in the label.
        unit = self.described.get('unit') if self.described['type'] in ('integer', 'number') else None
        return first if not unit or unit in first else '{} ({})'.format(first, unit)

    def help(self):
        """All that the program says about it."""
        texts = [self.described['help'], self.described.get('details') or '']
        if texts[0] in texts[1]:
            texts.pop(0)
        choices = ['{}: {}'.format(c['value'], c['help']) for c in self.described['choices'] if c['help']]
        flag = ['({})'.format(self.flag)] if self.flag else []
        return '\n'.join(text for text in texts + choices + flag if text)

    def help_as_html(self):
        return html.escape(self.help()).replace('\n', '<br>')

    def definition(self):
        """For Processing."""
        definition = self._definition()
        definition.setHelp(self.help())
        if not self.basic:
            definition.setFlags(definition.flags() | QgsProcessingParameterDefinition.FlagAdvanced)
        return definition

    def words(self, algorithm, parameters, context, feedback):
        """What is added to the command line."""
        return [self._word(value) for value in self._values(algorithm, parameters, context, feedback)]

    def _text(self, algorithm, parameters, context):
        """Its value as text; qgis_process makes a list of what is given more than once."""
        if isinstance(parameters.get(self.name), (list, tuple)):
            raise QgsProcessingException('{} was given more than once.'.format(self.name))
        return algorithm.parameterAsString(parameters, self.name, context).strip()

    def _word(self, value):
        return '{}={}'.format(self.flag, value) if self.flag else value


class FlagField(Field):
    """On or off."""

    def _definition(self):
        return QgsProcessingParameterBoolean(self.name, self.label(), False)

    def words(self, algorithm, parameters, context, feedback):
        return [self.flag] if algorithm.parameterAsBool(parameters, self.name, context) else []


class KeepField(FlagField):
    """Whether a canceled run stays to be resumed: the opposite of the program's flag, since people expect neither."""

    def label(self):
        return 'Keep what is done for RESUME when this run is canceled'

    def help(self):
        return 'Unless ticked, a canceled run leaves nothing behind ({}).'.format(self.flag)

    def words(self, algorithm, parameters, context, feedback):
        return [] if super().words(algorithm, parameters, context, feedback) else [self.flag]


class CountField(Field):
    """A flag that is given so many times."""

    def _definition(self):
        number = QgsProcessingParameterNumber.Integer
        return QgsProcessingParameterNumber(self.name, self.label(), number, 0, False, 0, 3)

    def words(self, algorithm, parameters, context, feedback):
        return [self.flag] * algorithm.parameterAsInt(parameters, self.name, context)


class NumberField(Field):
    """A number."""

    def _definition(self):
        whole = self.described['type'] == 'integer'
        kind = QgsProcessingParameterNumber.Integer if whole else QgsProcessingParameterNumber.Double
        default = self.described['default']
        default = default if default is None else (int if whole else float)(default)
        optional = self.optional and default is None
        if whole:
            return QgsProcessingParameterNumber(self.name, self.label(), kind, default, optional, 0)
        return QgsProcessingParameterNumber(self.name, self.label(), kind, default, optional)

    def _values(self, algorithm, parameters, context, feedback):
        if parameters.get(self.name) is None:
            return []
        if self.described['type'] == 'integer':
            return [str(algorithm.parameterAsInt(parameters, self.name, context))]
        return [repr(algorithm.parameterAsDouble(parameters, self.name, context))]


class ChoiceField(Field):
    """One of some words."""

    def __init__(self, described, words=None):
        super().__init__(described)
        self._words = words or [choice['value'] for choice in described['choices']]

    def _definition(self):
        default = self.described['default']
        optional = self.optional and default is None
        return QgsProcessingParameterEnum(
            self.name, self.label(), self._words, False, default, optional, True)

    def _values(self, algorithm, parameters, context, feedback):
        value = algorithm.parameterAsEnumString(parameters, self.name, context)
        given = parameters.get(self.name)
        if isinstance(given, str) and given and given != value:
            # QGIS takes the default in place of a word that it does not know.
            raise QgsProcessingException('{} is {}, and can be {}.'.format(self.name, given, ', '.join(self._words)))
        return [value] if value and value != self.described['default'] else []


class TextField(Field):
    """Text; where the program takes several, one a line, and settings also with | between as elsewhere in QGIS."""

    @property
    def several(self):
        """Whether there is more than one; lists with commas are one text."""
        return self.described['multiple'] and ',' not in (self.described.get('value_name') or '')

    def label(self):
        return super().label() + (' (one a line)' if self.several else '')

    def _definition(self):
        default = self.described['default']
        optional = self.optional or default is not None
        return QgsProcessingParameterString(
            self.name, self.label(), default, self.several, optional)

    def _values(self, algorithm, parameters, context, feedback):
        if not self.several:
            text = self._text(algorithm, parameters, context)
            return [text] if text and text != self.described['default'] else []
        given = parameters.get(self.name)
        text = '\n'.join(given) if isinstance(given, (list, tuple)) else self._text(algorithm, parameters, context)
        parts = re.split(r'[\n|]' if self.described['type'] == 'key-value' else r'\n', text)
        return [part.strip() for part in parts if part.strip() and text != self.described['default']]


class CrsField(Field):
    """A coordinate reference system."""

    def _definition(self):
        return QgsProcessingParameterCrs(self.name, self.label(), self.described['default'], True)

    def _values(self, algorithm, parameters, context, feedback):
        if not parameters.get(self.name):
            return []
        return [layers.name_of_crs(algorithm.parameterAsCrs(parameters, self.name, context))]


class ExtentField(Field):
    """A box, together with the flag for its CRS."""

    def __init__(self, described, crs_flag):
        super().__init__(described, 'EXTENT')
        self._crs_flag = crs_flag

    def _definition(self):
        return QgsProcessingParameterExtent(self.name, self.label(), None, True)

    def words(self, algorithm, parameters, context, feedback):
        box = algorithm.parameterAsExtent(parameters, self.name, context)
        if not parameters.get(self.name) or box.isNull():
            return []
        sides = (box.xMinimum(), box.yMinimum(), box.xMaximum(), box.yMaximum())
        words = [self._word(','.join(repr(side) for side in sides))]
        crs = algorithm.parameterAsExtentCrs(parameters, self.name, context)
        if crs.isValid():
            words.append('{}={}'.format(self._crs_flag, layers.name_of_crs(crs)))
        return words


class FileField(Field):
    """A file or folder, or a name in its place, such as that of a network or a legend."""

    def _definition(self):
        content = (self.described.get('file') or {}).get('content')
        behavior = QgsProcessingParameterFile.Folder if content == 'folder' else QgsProcessingParameterFile.File
        kinds = {'model': NETWORKS, 'config': LEGENDS.replace('Legends', 'Configurations'), 'legend': LEGENDS}
        patterns = ';;'.join(kind for kind in (kinds.get(content), ALL_FILES) if kind)
        default = self.described['default']
        definition = QgsProcessingParameterFile(
            self.name, self.label(), behavior, '', default, self.optional or default is not None)
        if content != 'folder':
            definition.setFileFilter(patterns)
        return definition

    def _values(self, algorithm, parameters, context, feedback):
        value = self._text(algorithm, parameters, context)
        return [value] if value and value != self.described['default'] else []


class RasterField(Field):
    """A raster."""

    def _definition(self):
        return QgsProcessingParameterRasterLayer(self.name, self.label(), None, self.optional)

    def _values(self, algorithm, parameters, context, feedback):
        return layers.named(self, algorithm, parameters, context, feedback)


class RastersField(Field):
    """Several rasters."""

    def __init__(self, described, name=None, label=None):
        super().__init__(described, name)
        self._label = label

    @property
    def optional(self):
        return True

    def label(self):
        return self._label or super().label()

    def _kind(self):
        return QgsProcessing.TypeRaster

    def _definition(self):
        return QgsProcessingParameterMultipleLayers(self.name, self.label(), self._kind(), None, True)

    def _values(self, algorithm, parameters, context, feedback):
        return layers.several_named(self, algorithm, parameters, context, feedback)


class LabelsField(RastersField):
    """Rasters or polygons: one, or several."""

    def _kind(self):
        return QgsProcessing.TypeMapLayer

    def _definition(self):
        if self.described['multiple']:
            return super()._definition()
        kinds = [QgsProcessing.TypeRaster, QgsProcessing.TypeVectorPolygon]
        return QgsProcessingParameterMapLayer(self.name, self.label(), None, self.optional, kinds)

    def _values(self, algorithm, parameters, context, feedback):
        if self.described['multiple']:
            return super()._values(algorithm, parameters, context, feedback)
        return layers.named(self, algorithm, parameters, context, feedback)


class PolygonsField(Field):
    """Polygons; from any layer, all of them or the selected ones."""

    def _definition(self):
        kinds = [QgsProcessing.TypeVectorPolygon]
        return QgsProcessingParameterFeatureSource(self.name, self.label(), kinds, None, self.optional)

    def _values(self, algorithm, parameters, context, feedback):
        if not parameters.get(self.name):
            return []
        return [algorithm.parameterAsCompatibleSourceLayerPath(
            parameters, self.name, context, layers.VECTOR_ENDINGS, 'gpkg', feedback)]


def field_for(described, devices):
    """The field of an input or a setting."""
    kind, value_name = described['type'], described.get('value_name')
    content = (described.get('file') or {}).get('content')
    if kind == 'flag':
        return (KeepField(described, 'KEEP_FOR_RESUME') if described['name'] == 'discard-on-cancel'
                else FlagField(described))
    if content == 'raster':
        return RastersField(described) if described['multiple'] else RasterField(described)
    if content == 'labels':
        return LabelsField(described)
    if content == 'polygons':
        return PolygonsField(described)
    if content and not described['multiple']:
        return FileField(described)
    if kind == 'count':
        return CountField(described)
    if kind == 'choice':
        return ChoiceField(described)
    if kind == 'device':
        return ChoiceField(described, devices())
    if kind in ('integer', 'number') and not described['multiple']:
        return NumberField(described)
    if value_name == 'CRS':
        return CrsField(described)
    return TextField(described)
