"""Runs the tests of the QGIS plugin with QGIS's own Python; `scripts/test-qgis` calls it.

RS_SEG is the program to test, RS_SEG_PLUGIN the packed plugin. Everything is written to a folder of its own.
"""

import os
import sys
import unittest

import harness


def main():
    harness.set_up()
    folder = os.path.dirname(os.path.abspath(__file__))
    suite = unittest.defaultTestLoader.discover(folder, pattern=sys.argv[1] if len(sys.argv) > 1 else 'test_*.py')
    outcome = unittest.TextTestRunner(verbosity=2).run(suite)
    harness.tear_down()
    for test, why in outcome.skipped:
        print('NOT RUN: {}: {}'.format(test.id(), why))
    sys.stdout.flush()
    sys.stderr.flush()
    # Taking down QGIS in a script crashes now and then, after all is done.
    os._exit(0 if outcome.wasSuccessful() and outcome.testsRun else 1)


if __name__ == '__main__':
    main()
