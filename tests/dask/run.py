"""Runs the tests of rs-seg-dask; `scripts/test-dask` calls it. RS_SEG is the program to test."""

import pathlib
import sys
import unittest


def main():
    folder = pathlib.Path(__file__).resolve().parent
    pattern = sys.argv[1] if len(sys.argv) > 1 else 'test_*.py'
    suite = unittest.defaultTestLoader.discover(str(folder), pattern=pattern)
    outcome = unittest.TextTestRunner(verbosity=2).run(suite)
    for test, why in outcome.skipped:
        print(f'NOT RUN: {test.id()}: {why}')
    return 0 if outcome.wasSuccessful() and outcome.testsRun else 1


if __name__ == '__main__':
    sys.exit(main())
