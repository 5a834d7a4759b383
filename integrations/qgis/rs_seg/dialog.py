"""Which parameters an algorithm has, and the command line of their values."""

from .fields import ExtentField, FlagField, RasterField, RastersField, field_for
from .outputs import FolderOutput, Names, output_for

# What the plugin says itself, or what has no meaning here: layers instead of a list of names, results instead of a plan.
OWN = {'json', 'progress', 'log-format', 'quiet', 'overwrite', 'list', 'dry-run', 'bbox-crs'}
EVENTS = '--progress=json'
OVERWRITE = '--overwrite'


class Dialog:
    """The parameters of a command."""

    def __init__(self, command, program, devices):
        described = {parameter['name']: parameter for parameter in command['parameters']}
        self._command = command
        self.inputs = []
        self.outputs = []
        for parameter in command['parameters']:
            if parameter['name'] not in OWN:
                self._add(parameter, described, devices)
        runs_networks = any(_content(parameter) in ('model', 'config') for parameter in command['parameters'])
        for parameter in program.description.get('global', []):
            name = parameter['name']
            # Files are replaced, as QGIS asks before; folders hold more than a dialog knows of.
            if name == 'overwrite' and self._writes_a_folder():
                self.inputs.append(FlagField(parameter))
            elif name not in OWN and (name != 'device' or runs_networks):
                self.inputs.append(field_for(parameter, devices))

    @property
    def fields(self):
        """All of them, results last."""
        return self.inputs + self.outputs

    @property
    def has_report(self):
        """Whether there is something to read."""
        return self._command['name'] == 'eval'

    def command_line(self, inputs, paths, extra):
        """All arguments: the words of each input, the path of each output."""
        outputs = [field.words_for(path) for field, path in zip(self.outputs, paths)]
        options, operands = [], []
        for field, words in zip(self.fields, inputs + outputs):
            (options if field.flag else operands).extend(words)
        if self.outputs and not self._writes_a_folder():
            options.append(OVERWRITE)
        # Names that begin with a dash are no flags.
        return self._command['name'].split(' ') + [EVENTS] + options + extra + ['--'] * bool(operands) + operands

    def source(self, algorithm, parameters, context):
        """What results are named after: the first raster."""
        for field in self.inputs:
            if isinstance(field, RasterField) and parameters.get(field.name):
                layer = algorithm.parameterAsRasterLayer(parameters, field.name, context)
                return layer.name() if layer else ''
        return ''

    def results(self, paths, result, source, context):
        """What the algorithm made, by name."""
        names = Names(result.outputs, source)
        results = {}
        for field, path in zip(self.outputs, paths):
            if path:
                results[field.name] = path
                field.loads(path, names, context)
        if self.has_report:
            pages = [path for path in result.outputs.values() if str(path).endswith('.html')]
            results.update({'REPORT': path for path in pages[:1]})
        return results

    def _add(self, parameter, described, devices):
        if parameter.get('file') and parameter['file']['direction'] == 'output':
            self.outputs.append(output_for(parameter))
        elif parameter['type'] == 'bounds' and 'bbox-crs' in described:
            self.inputs.append(ExtentField(parameter, '--bbox-crs'))
        elif _content(parameter) == 'raster' and parameter.get('position'):
            name = 'INPUT' if parameter['name'] == 'input' or 'input' not in described else None
            self.inputs.append(RasterField(parameter, name))
            if parameter['multiple']:
                more = dict(parameter, basic=False)
                self.inputs.append(RastersField(more, 'MORE_INPUTS', 'More rasters beside the first'))
        else:
            self.inputs.append(field_for(parameter, devices))

    def _writes_a_folder(self):
        return any(isinstance(field, FolderOutput) for field in self.outputs)


def _content(parameter):
    return (parameter.get('file') or {}).get('content')
