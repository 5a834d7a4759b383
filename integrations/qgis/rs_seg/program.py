"""Where the program is, what it can do, and what is wrong with it."""

import json
import os
import re
import shutil
import subprocess
import tempfile

from processing.core.ProcessingConfig import ProcessingConfig
from qgis.core import QgsApplication

SETTING = 'RSSEG_PROGRAM'
# Wins over the setting; for tests and for those who start QGIS from a script.
VARIABLE = 'RS_SEG'
# The oldest program whose description this plugin understands.
OLDEST = (0, 1)
# Where desktops do not look, though installations put programs there.
FOLDERS = ('~/.local/bin', '~/.cargo/bin', '/usr/local/bin', '/opt/rs-seg/bin')
# Commands about the program itself: nothing for a toolbox.
LEFT_OUT = 'program'
SECONDS_TO_ANSWER = 30
# What `--device` takes on one machine or another.
ALL_DEVICES = ['auto', 'cpu'] + ['cuda:{}'.format(number) for number in range(8)]
HOW_TO_GET_IT = (
    'Install rs-seg so that it is on PATH, or tell where it is: '
    'Settings > Options > Processing > Providers > rs-seg.'
)


class Program:
    """The program, or the reason why there is none; what it describes is known in both cases."""

    def __init__(self, path, description, problem=''):
        self.path = path
        self.description = description
        # In words for the user; empty where all is well.
        self.problem = problem
        self._devices = None

    @classmethod
    def find(cls):
        """The program that the variable or the setting names, else the one on PATH."""
        named, by = os.environ.get(VARIABLE), 'the variable ' + VARIABLE
        if not named:
            named, by = ProcessingConfig.getSetting(SETTING), 'the setting of Processing'
        path = _on_path(named) if named else _on_path('rs-seg') or _in_usual_folders()
        if path is None:
            what = 'The program rs-seg was not found'
            what += ': {} names {}.'.format(by, named) if named else '.'
            return cls(None, _last_description(), '{} {}'.format(what, HOW_TO_GET_IT))
        try:
            return cls(path, _description_of(path))
        except Unusable as problem:
            return cls(path, _last_description(), '{} {}'.format(problem, HOW_TO_GET_IT))

    @property
    def version(self):
        """Of the program itself, not of a description that stands in."""
        return '' if self.problem else self.description['version']

    def commands(self):
        """What the toolbox gets, as the program describes it."""
        return [command for command in self.description['commands'] if command.get('group') != LEFT_OUT]

    def devices(self):
        """Names for `--device` on this machine, the ones that can be used first; the program is asked once."""
        if self._devices is None:
            self._devices = ['auto', 'cpu']
            if not self.problem:
                try:
                    answer = json.loads(_ask(self.path, 'doctor', '--json'))
                    found = sorted(answer['devices'], key=lambda device: not device['usable'])
                    self._devices += [device['id'] for device in found if device['id'] not in self._devices]
                except (Unusable, ValueError, KeyError, TypeError):
                    # Whoever runs a network is told what is wrong, in the program's own words.
                    pass
        return self._devices


class Unusable(Exception):
    """A program that is there but cannot be used."""


def child_environment():
    """The environment for the program: QGIS's own, without what is for QGIS's libraries alone."""
    for_qgis = ('PYTHONHOME', 'PYTHONPATH', 'GDAL_DRIVER_PATH')
    return {name: value for name, value in os.environ.items() if name not in for_qgis}


def encoded(arguments):
    """Arguments in UTF-8, whatever the locale in which QGIS was started."""
    if os.name != 'posix':
        return arguments
    return [argument.encode('utf-8', 'surrogateescape') for argument in arguments]


def _on_path(name):
    """A program by name or path."""
    return shutil.which(os.path.expanduser(name))


def _in_usual_folders():
    return shutil.which('rs-seg', path=os.pathsep.join(os.path.expanduser(folder) for folder in FOLDERS))


def _ask(path, *arguments):
    """What the program prints."""
    try:
        done = subprocess.run(
            encoded([path] + list(arguments)), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, env=child_environment(), timeout=SECONDS_TO_ANSWER)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unusable('{} cannot be started: {}.'.format(path, error))
    if done.returncode != 0:
        said = done.stderr.decode('utf-8', 'replace').strip() or 'no reason was told'
        raise Unusable('{} cannot be used: {}.'.format(path, said))
    return done.stdout.decode('utf-8', 'replace')


def _description_of(path):
    """What the program can do; kept in the profile until the program changes."""
    facts = os.stat(path)
    identity = [os.path.realpath(path), facts.st_size, facts.st_mtime_ns]
    kept = _read(_kept_file()) or {}
    if kept.get('identity') != identity:
        try:
            kept = {'identity': identity, 'description': json.loads(_ask(path, 'describe', '--json'))}
        except ValueError:
            raise Unusable('{} does not describe what it can do: is it rs-seg?'.format(path))
        _check(path, kept['description'])
        _keep(kept)
    return kept['description']


def _check(path, description):
    """Refuses what is not rs-seg, and what is older than this plugin understands."""
    try:
        version, commands = description['version'], description['commands']
        numbers = tuple(int(number) for number in re.findall(r'\d+', version)[:2])
    except (KeyError, TypeError):
        raise Unusable('{} does not describe what it can do: is it rs-seg?'.format(path))
    if numbers < OLDEST or not commands:
        needed = '.'.join(str(number) for number in OLDEST)
        raise Unusable('{} is rs-seg {}; this plugin needs {} or newer.'.format(path, version, needed))


def _last_description():
    """That of the program that was here last, else of the one that this plugin was made with."""
    kept = _read(_kept_file())
    if kept:
        return kept['description']
    return _read(os.path.join(os.path.dirname(__file__), 'description.json')) or {'commands': []}


def _kept_file():
    return os.path.join(QgsApplication.qgisSettingsDirPath(), 'rs_seg', 'description.json')


def _read(path):
    try:
        with open(path, encoding='utf-8') as file:
            return json.load(file)
    except (OSError, ValueError):
        return None


def _keep(kept):
    """Whole or not at all: other windows of QGIS read the file too. What cannot be kept is asked for again."""
    path = _kept_file()
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with tempfile.NamedTemporaryFile('w', dir=os.path.dirname(path), delete=False, encoding='utf-8') as file:
            json.dump(kept, file)
        os.replace(file.name, path)
    except OSError:
        pass
