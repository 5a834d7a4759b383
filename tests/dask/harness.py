"""Runs rs-seg-dask as a user does, in a process of its own."""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time
import unittest

HERE = pathlib.Path(__file__).resolve().parent
PACKAGE = HERE.parents[1] / 'integrations' / 'dask'
STAND_IN = HERE / 'stand_in.py'
# Of anything here: beyond it something hangs.
LONGEST_S = 120


class Case(unittest.TestCase):
    """A folder, and rs-seg-dask in it."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix='rs-seg-dask-')
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def start(self, *arguments, program=STAND_IN, **more):
        environment = {**os.environ, 'PYTHONPATH': str(PACKAGE), 'PYTHONUNBUFFERED': '1'}
        command = [sys.executable, '-m', 'rs_seg_dask', '--rs-seg', str(program), *arguments]
        process = subprocess.Popen(
            command, cwd=self.folder, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **more
        )
        self.addCleanup(self._end, process)
        return process

    def run_dask(self, *arguments, **more):
        """Standard output, standard error and exit status."""
        process = self.start(*arguments, **more)
        out, error = process.communicate(timeout=LONGEST_S)
        self.assertNotIn('Traceback', error)
        return out, error, process.returncode

    def mode(self, **mode):
        (self.folder / 'mode.json').write_text(json.dumps(mode))

    def log(self):
        path = self.folder / 'log.txt'
        return path.read_text().splitlines() if path.exists() else []

    def processes(self):
        """Those of the program that were ever started here."""
        return [int(line.split()[2]) for line in self.log() if ' pid ' in line]

    def wait_for(self, condition, what):
        until = time.monotonic() + LONGEST_S
        while not condition():
            self.assertLess(time.monotonic(), until, f'nothing came of it: {what}')
            time.sleep(0.05)

    def assert_none_runs(self, within=10):
        until = time.monotonic() + within
        while any(alive(pid) for pid in self.processes()):
            self.assertLess(time.monotonic(), until, 'a program goes on that nobody watches')
            time.sleep(0.1)

    @staticmethod
    def _end(process):
        if process.poll() is None:
            process.kill()
        process.wait()
        for pipe in (process.stdout, process.stderr):
            pipe.close()


def alive(pid):
    """Whether a process is there and no zombie."""
    try:
        text = pathlib.Path(f'/proc/{pid}/stat').read_text()
    except OSError:
        return False
    return text.rpartition(')')[2].split()[0] != 'Z'


def events(text):
    return [json.loads(line) for line in text.splitlines()]
