"""A command of the program as an algorithm of Processing."""

import html
import shlex

from qgis.core import (
    QgsProcessingAlgorithm,
    QgsProcessingException,
    QgsProcessingOutputHtml,
    QgsProcessingOutputString,
    QgsProcessingParameterDefinition,
    QgsProcessingParameterString,
)

from . import child
from .dialog import Dialog
from .program import ALL_DEVICES

GROUPS = {'classes': 'Classes', 'training': 'Training and testing', 'networks': 'Networks'}
EXTRA, RESULT, REPORT = 'EXTRA', 'RESULT', 'REPORT'


class RsSegAlgorithm(QgsProcessingAlgorithm):
    """One command."""

    def __init__(self, program, command, devices=lambda: ALL_DEVICES):
        super().__init__()
        self._program = program
        self._command = command
        self._devices = devices
        self._dialog = None
        self._inputs = []
        self._source = ''
        self._refused = None

    def createInstance(self):
        # Only who opens a dialog or runs something waits for the program to look for devices, not who starts QGIS.
        return RsSegAlgorithm(self._program, self._command, self._program.devices)

    def name(self):
        return self._command['name'].replace(' ', '')

    def displayName(self):
        return self._command.get('title') or self._command['about'].splitlines()[0]

    def group(self):
        return GROUPS.get(self.groupId(), self.groupId().capitalize())

    def groupId(self):
        return self._command.get('group') or 'classes'

    def icon(self):
        return self.provider().icon()

    def svgIconPath(self):
        return self.provider().svgIconPath()

    def tags(self):
        return ['rs-seg', 'segmentation', 'classification', 'land cover', 'deep learning', self._command['name']]

    def shortDescription(self):
        return self._command['about']

    def shortHelpString(self):
        paragraphs = (self._command.get('details') or self._command['about']).split('\n\n')
        text = ''.join('<p>{}</p>'.format(html.escape(paragraph)) for paragraph in paragraphs)
        # What few need tells its help where the mouse rests on it.
        for field in (field for field in self._fields() if field.basic):
            text += '<p><b>{}</b><br>{}</p>'.format(html.escape(field.label()), field.help_as_html())
        return text

    def _fields(self):
        return self._dialog.fields if self._dialog else []

    def canExecute(self):
        return not self._program.problem, self._program.problem

    def initAlgorithm(self, configuration=None):
        self._dialog = Dialog(self._command, self._program, self._devices)
        for field in self._dialog.fields:
            self.addParameter(field.definition())
        extra = QgsProcessingParameterString(EXTRA, 'More arguments for the command line', '', False, True)
        extra.setFlags(extra.flags() | QgsProcessingParameterDefinition.FlagAdvanced)
        self.addParameter(extra)
        if not self._dialog.outputs:
            self.addOutput(QgsProcessingOutputString(RESULT, 'What rs-seg printed'))
        if self._dialog.has_report:
            self.addOutput(QgsProcessingOutputHtml(REPORT, 'Report'))

    def prepareAlgorithm(self, parameters, context, feedback):
        """Looks up layers, in the thread of their project."""
        for name in parameters:
            if self.parameterDefinition(name) is None:
                # QGIS lets such names pass in silence.
                feedback.pushWarning('{} is no parameter of {}.'.format(name, self.id()))
        try:
            if self._program.problem:
                raise QgsProcessingException(self._program.problem)
            self._inputs = [field.words(self, parameters, context, feedback) for field in self._dialog.inputs]
            self._source = self._dialog.source(self, parameters, context)
            self._refused = None
        except QgsProcessingException as refused:
            # Callers get the words of an exception only where it comes out of the run itself.
            self._refused = refused
        return True

    def processAlgorithm(self, parameters, context, feedback):
        """Runs the command."""
        if self._refused:
            raise self._refused
        dialog = self._dialog
        paths = [field.path(self, parameters, context) for field in dialog.outputs]
        extra = shlex.split(self.parameterAsString(parameters, EXTRA, context))
        arguments = dialog.command_line(self._inputs, paths, extra)
        result = child.run(self._program.path, arguments, feedback)
        results = dialog.results(paths, result, self._source, context)
        if not dialog.outputs:
            results[RESULT] = result.text
        return results
