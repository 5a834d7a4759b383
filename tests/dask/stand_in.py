#!/usr/bin/env python3
"""Stands in for rs-seg: computes shards strip by strip, and fails as the file `mode.json` beside the output says.

Every strip takes a moment and is a file; `log.txt` beside the output has a line for all that was done.
"""

import json
import os
import signal
import sys
import time

STRIPS = 5


def main():
    command, arguments = sys.argv[1], sys.argv[2:]
    out = value(arguments, '--out')
    beside = os.path.dirname(os.path.abspath(out))
    mode = {}
    if os.path.exists(os.path.join(beside, 'mode.json')):
        with open(os.path.join(beside, 'mode.json')) as file:
            mode = json.load(file)
    if '--nonsense' in arguments:
        print("error: unexpected argument '--nonsense' found\n\nFor more information, try '--help'.", file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(130))

    def log(text):
        with open(os.path.join(beside, 'log.txt'), 'a') as file:
            file.write(f'{text}\n')

    log(f'{command} pid {os.getpid()} parent {os.getppid()} {" ".join(arguments)}')
    return {'infer': infer, 'merge': merge}[command](arguments, out, mode, log)


def infer(arguments, out, mode, log):
    index, of = value(arguments, '--shard').split('/')
    part = f'{out}.rs-seg-parts/{index}-of-{of}'
    if '--each' in arguments:
        part = f'{out}/{index}-of-{of}'
    os.makedirs(part, exist_ok=True)
    tell({'event': 'start', 'command': 'infer', 'stages': ['infer']})
    tell({'event': 'warning', 'message': 'the raster looks odd'})
    for strip in range(STRIPS):
        path = os.path.join(part, f'{strip}.strip')
        if not os.path.exists(path):
            time.sleep(mode.get('strip_s', 0.05))
            trouble(mode, index, part)
            with open(path, 'w') as file:
                file.write(f'{index}:{strip}\n')
            log(f'strip {index} {strip}')
        done = {'stage': 'infer', 'done': strip + 1, 'total': STRIPS, 'percent': 100.0 * (strip + 1) / STRIPS}
        tell({'event': 'progress', **done})
    with open(os.path.join(part, 'done'), 'w'):
        pass
    print(json.dumps({'outputs': {'part': part}, 'shard': {'index': int(index), 'of': int(of)}}))
    return 0


def trouble(mode, index, part):
    """Fails the first `times` that shard `shard` is about to write a strip."""
    if mode.get('shard') != int(index):
        return
    count = os.path.join(part, 'troubles')
    troubles = os.path.getsize(count) if os.path.exists(count) else 0
    if troubles >= mode.get('times', 10**9):
        return
    with open(count, 'a') as file:
        file.write('x')
    if mode['fails'] == 'killed':
        os.kill(os.getpid(), signal.SIGKILL)
    if mode['fails'] == 'worker':
        os.kill(os.getppid(), signal.SIGKILL)
        time.sleep(0.2)
        return
    tell({'event': 'error', 'code': 'failed', 'message': 'cannot read a.tif: the network is down', 'hint': 'try later'})
    sys.exit(1)


def merge(arguments, out, mode, log):
    parts = arguments[0]
    text = ''
    for name in sorted(os.listdir(parts), key=lambda name: int(name.split('-')[0])):
        if not os.path.exists(os.path.join(parts, name, 'done')):
            message = f'{name} is not finished'
            tell({'event': 'error', 'code': 'failed', 'message': message, 'hint': None})
            return 1
        for strip in range(STRIPS):
            with open(os.path.join(parts, name, f'{strip}.strip')) as file:
                text += file.read()
    with open(out, 'w') as file:
        file.write(text)
    tell({'event': 'progress', 'stage': 'merge', 'done': 1, 'total': 1, 'percent': 100.0})
    print(json.dumps({'outputs': {'classes': out}}))
    return 0


def tell(event):
    try:
        print(json.dumps(event), file=sys.stderr, flush=True)
    except OSError:
        os._exit(1)


def value(arguments, name):
    return arguments[arguments.index(name) + 1]


if __name__ == '__main__':
    sys.exit(main())
