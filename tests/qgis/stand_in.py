#!/usr/bin/python3
"""Stands in for the program where a test needs one that differs from the one that was built.

It hands everything on to the program that STAND_IN_FOR names, but
  describe: says that its version is STAND_IN_VERSION, if that is set, and that infer has the flag `--coming-soon`
  infer --coming-soon: writes a file of that name beside the output
  writes the name of each command into the file STAND_IN_LOG, if that is set
  infer --bands=CRASH: is ended by a signal
"""

import json
import os
import signal
import subprocess
import sys

PROGRAM = os.environ['STAND_IN_FOR']
COMING = {
    'name': 'coming-soon', 'long': 'coming-soon', 'short': None, 'position': None, 'value_name': 'PX',
    'help': 'How far things to come reach, such as 3', 'details': None, 'type': 'integer', 'default': None,
    'choices': [], 'required': False, 'required_unless': None, 'multiple': False, 'file': None, 'unit': 'pixels',
    'advanced': False, 'basic': False,
}


def describe(arguments):
    described = json.loads(subprocess.check_output([PROGRAM] + arguments).decode())
    infer = [command for command in described['commands'] if command['name'] == 'infer'][0]
    infer['parameters'].append(COMING)
    described['version'] = os.environ.get('STAND_IN_VERSION', described['version'])
    print(json.dumps(described))
    return 0


def main(arguments):
    if 'STAND_IN_LOG' in os.environ:
        with open(os.environ['STAND_IN_LOG'], 'a') as log:
            log.write(arguments[0] + ' ')
    if arguments[:1] == ['describe']:
        return describe(arguments)
    if '--bands=CRASH' in arguments:
        os.kill(os.getpid(), signal.SIGKILL)
    values = dict(argument.split('=', 1) for argument in arguments if '=' in argument)
    status = subprocess.call([PROGRAM] + [word for word in arguments if not word.startswith('--coming-soon=')])
    if '--coming-soon' in values:
        with open(values['--out'] + '.coming', 'w') as file:
            file.write('--coming-soon=' + values['--coming-soon'])
    return status


sys.exit(main(sys.argv[1:]))
