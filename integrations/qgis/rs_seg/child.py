"""Runs the program and tells Processing what it says.

`subprocess`, not QgsBlockingProcess: in QGIS 3.22 to 3.44 that one aborts when a handler is missing, keeps no
reference to its handlers, and under qgis_process tells progress only when the program has ended.
"""

import collections
import json
import queue
import re
import shlex
import signal
import subprocess
import tempfile
import threading
import time

from qgis.core import QgsProcessingException

from .program import child_environment, encoded

# How often cancelling is looked for, in seconds.
TICK = 0.1
# How long a canceled program may finish what is on its way, and how long it may take to end after that.
PATIENCE = (60, 5)
# Lines that are not events, kept for a program that ends without telling an error.
LAST_LINES = 20
END = object()


class Result:
    """What a run left: its files by what is in them, and the text of its result."""

    def __init__(self, outputs, text):
        self.outputs = outputs
        self.text = text


def run(path, arguments, feedback):
    """Runs the program to its end. Raises QgsProcessingException where it fails or is canceled."""
    command = [path] + arguments
    feedback.pushCommandInfo(' '.join(shlex.quote(argument) for argument in command))
    with tempfile.TemporaryFile() as stdout:
        try:
            child = subprocess.Popen(
                encoded(command), stdin=subprocess.DEVNULL, stdout=stdout, stderr=subprocess.PIPE,
                env=child_environment())
        except OSError as error:
            raise QgsProcessingException('{} cannot be started: {}'.format(path, error))
        listener = _Listener(feedback)
        canceled = _listen(child, listener, feedback)
        stdout.seek(0)
        text = stdout.read().decode('utf-8', 'replace').rstrip()
    # What was finished before the signal came is whole.
    if canceled and child.returncode != 0:
        raise QgsProcessingException('rs-seg was canceled.')
    if child.returncode != 0 or listener.error:
        raise QgsProcessingException(listener.error or _ended(child.returncode, listener.lines))
    for line in text.splitlines():
        # Logs show runs of spaces as one; columns need them.
        feedback.pushConsoleInfo(re.sub('  +', lambda spaces: '\u00a0' * len(spaces.group()), line))
    return Result(listener.outputs, text)


class _Listener:
    """Turns what the program says on standard error into feedback."""

    def __init__(self, feedback):
        self.feedback = feedback
        self.outputs = {}
        self.error = None
        self.lines = collections.deque(maxlen=LAST_LINES)
        self._stage = None

    def hear(self, line):
        """One line."""
        try:
            event = json.loads(line)
            kind = event['event']
        except (ValueError, KeyError, TypeError):
            if line:
                self.lines.append(line)
                self.feedback.pushConsoleInfo(line)
            return
        handle = getattr(self, '_on_' + kind, None)
        if handle:
            handle(event)

    def _on_start(self, event):
        self.feedback.pushInfo('rs-seg {}'.format(event.get('version', '')))

    def _on_progress(self, event):
        # Each text is a line of the log, so only stages are told.
        if event.get('stage') != self._stage:
            self._stage = event['stage']
            self.feedback.setProgressText(self._stage)
        self.feedback.setProgress(event['percent'])

    def _on_warning(self, event):
        self.feedback.pushWarning(event['message'])

    def _on_log(self, event):
        quiet = event.get('level') in ('debug', 'trace')
        (self.feedback.pushDebugInfo if quiet else self.feedback.pushInfo)(event['message'])

    def _on_error(self, event):
        self.error = event['message']
        if event.get('hint'):
            self.error += '\nHint: ' + event['hint']

    def _on_result(self, event):
        self.outputs = event.get('outputs') or {}


def _listen(child, listener, feedback):
    """Hears the program out; tells whether it was canceled."""
    lines = queue.Queue()
    threading.Thread(target=_read, args=(child.stderr, lines), daemon=True).start()
    canceled = False
    # The first signal asks rs-seg to stop, the second ends it at once; nothing survives the third.
    steps = [(0, child.terminate)] + list(zip(PATIENCE, (child.terminate, child.kill)))
    due = 0
    while True:
        canceled = canceled or feedback.isCanceled()
        if canceled and steps and time.monotonic() >= due:
            steps.pop(0)[1]()
            due = time.monotonic() + (steps[0][0] if steps else 0)
        try:
            line = lines.get(timeout=TICK)
        except queue.Empty:
            continue
        if line is END:
            child.wait()
            return canceled
        listener.hear(line)


def _read(stream, lines):
    for line in stream:
        lines.put(line.decode('utf-8', 'replace').rstrip('\r\n'))
    stream.close()
    lines.put(END)


def _ended(status, lines):
    """Why a program ended that did not tell."""
    said = '\n'.join(lines)
    if status < 0:
        try:
            name = signal.Signals(-status).name
        except ValueError:
            name = 'signal {}'.format(-status)
        more = ', as the system does when memory runs out: try a smaller MAX_MEMORY' if name == 'SIGKILL' else ''
        return 'rs-seg was ended by {}{}\n{}'.format(name, more, said).strip()
    return said or 'rs-seg ended with status {} and did not tell why'.format(status)
