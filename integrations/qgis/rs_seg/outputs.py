"""Results of an algorithm: where they go, and what becomes of them in the project."""

import os

from qgis.core import (
    QgsProcessing,
    QgsProcessingParameterFileDestination,
    QgsProcessingParameterFolderDestination,
    QgsProcessingParameterRasterDestination,
    QgsProcessingParameterVectorDestination,
)

from .fields import ALL_FILES, Field
from .layers import NameAndStyle

# What QGIS users know under another name.
NAMES = {'out': 'OUTPUT', 'vector': 'POLYGONS'}


class OutputField(Field):
    """A file that the program writes."""

    def __init__(self, described):
        super().__init__(described, NAMES.get(described['name']))

    @property
    def content(self):
        return self.described['file']['content']

    @property
    def optional(self):
        """`--out` may be left out for a plan only, which is not what a toolbox is for."""
        return not (self.described['required'] or self.described.get('required_unless'))

    def words_for(self, path):
        """What is added to the command line."""
        return [self._word(path)] if path else []

    def path(self, algorithm, parameters, context):
        """Where it goes; empty where it is not wanted. To be asked once: temporary files are others every time."""
        return algorithm.parameterAsFileOutput(parameters, self.name, context)

    def loads(self, path, names, context):
        """Whatever is to be done once it is there."""

    def _definition(self):
        kinds = {'png': 'PNG (*.png)', 'model': 'Networks (*.safetensors *.pt)'}
        kind = kinds.get(self.content, ALL_FILES)
        return QgsProcessingParameterFileDestination(
            self.name, self.label(), kind, None, self.optional, not self.optional)


class FolderOutput(OutputField):
    """A folder; reports go to one, so it is made unless somebody does not want it."""

    def _definition(self):
        wanted = not self.optional or self.name == 'OUTPUT'
        return QgsProcessingParameterFolderDestination(self.name, self.label(), None, self.optional, wanted)


class LayerOutput(OutputField):
    """A layer."""

    # What is in it, where that is always the same.
    what = None

    def path(self, algorithm, parameters, context):
        return algorithm.parameterAsOutputLayer(parameters, self.name, context)

    def loads(self, path, names, context):
        """Gives the layer a name, unless whoever runs the algorithm gave it one, and its style."""
        if context.willLoadLayerOnCompletion(path):
            details = context.layerToLoadOnCompletionDetails(path)
            own = details.name in ('', self.label(), self.name)
            details.setPostProcessor(NameAndStyle(names.of(path, self.what) if own else '', path))


class RasterOutput(LayerOutput):
    """A raster."""

    def _definition(self):
        return QgsProcessingParameterRasterDestination(
            self.name, self.label(), None, self.optional, not self.optional)


class PolygonsOutput(LayerOutput):
    """Polygons."""

    what = 'polygons'

    def _definition(self):
        return QgsProcessingParameterVectorDestination(
            self.name, self.label(), QgsProcessing.TypeVectorPolygon, None, self.optional, not self.optional)


class Names:
    """Names for layers: what is in them, as the program calls it, and what they were made of."""

    def __init__(self, outputs, source):
        self._outputs = outputs
        # Of layers that have such a name already.
        self._source = source.split(': ')[-1]

    def of(self, path, what=None):
        """Of the layer of a file."""
        same = [word for word, other in self._outputs.items()
                if isinstance(other, str) and os.path.realpath(other) == os.path.realpath(path)]
        what = what or (same + [os.path.splitext(os.path.basename(path))[0]])[0]
        what = (what[:1].upper() + what[1:]).replace('_', ' ')
        return '{}: {}'.format(what, self._source) if self._source else what


def output_for(described):
    """The field of a result."""
    kinds = {'raster': RasterOutput, 'polygons': PolygonsOutput, 'folder': FolderOutput}
    return kinds.get(described['file']['content'], OutputField)(described)
