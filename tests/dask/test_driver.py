"""Retries, cancel and errors, with a program that fails on demand."""

import json
import os
import signal
import subprocess
import sys
import unittest

from harness import LONGEST_S, Case, alive, events

EXPECTED = ''.join(f'{shard}:{strip}\n' for shard in range(6) for strip in range(5))
LOCAL = ('a.tif', '--out', 'classes.tif', '--local', '2', '--shards', '6')


class Runs(Case):
    def strips(self):
        return [line for line in self.log() if line.startswith('strip')]

    def test_shards_are_merged_and_progress_never_falls(self):
        out, error, code = self.run_dask(*LOCAL, '--progress', 'json', '--', '--co', 'COMPRESS=ZSTD')
        self.assertEqual(code, 0, error)
        self.assertEqual(out, 'classes.tif\n')
        self.assertEqual((self.folder / 'classes.tif').read_text(), EXPECTED)
        told = events(error)
        self.assertEqual(told[0], {'event': 'start', 'command': 'rs-seg-dask', 'shards': 6})
        self.assertEqual(told[-1], {'event': 'result', 'outputs': {'classes': 'classes.tif'}})
        percents = [event['percent'] for event in told if event['event'] == 'progress']
        self.assertEqual(percents, sorted(percents))
        self.assertGreater(len(set(percents)), 3)
        warnings = [event for event in told if event['event'] == 'warning']
        self.assertEqual(len(warnings), 1, 'what every shard says is told once')
        merge = next(line for line in self.log() if line.startswith('merge'))
        self.assertIn('--remove-parts', merge)
        self.assertIn('--co COMPRESS=ZSTD', merge)
        left = [path.name for path in self.folder.iterdir() if path.name.startswith('.rs-seg-dask')]
        self.assertEqual(left, [])

    def test_a_killed_worker_s_shard_goes_on_elsewhere(self):
        self.mode(strip_s=0.3, fails='worker', shard=1, times=1)
        _, error, code = self.run_dask(*LOCAL)
        self.assertEqual(code, 0, error)
        self.assertEqual((self.folder / 'classes.tif').read_text(), EXPECTED)
        again = [line for line in self.log() if '--shard 1/6' in line]
        self.assertEqual(len(again), 2, 'it was begun twice')
        # One strip may be computed twice: the one that was being written when the worker died.
        self.assertLessEqual(len(self.strips()), 6 * 5 + 2)
        self.assert_none_runs()

    def test_a_shard_that_fails_is_tried_again(self):
        self.mode(fails='error', shard=3, times=2)
        _, error, code = self.run_dask(*LOCAL)
        self.assertEqual(code, 0, error)
        self.assertIn('shard 3 of 6 is tried again, 2 of 2 times: cannot read a.tif', error)
        self.assertEqual((self.folder / 'classes.tif').read_text(), EXPECTED)

    def test_a_killed_program_is_tried_again(self):
        self.mode(fails='killed', shard=2, times=1)
        _, error, code = self.run_dask(*LOCAL)
        self.assertEqual(code, 0, error)
        self.assertIn('killed by signal 9 (SIGKILL)', error)

    def test_an_error_is_the_program_s_own_and_told_once(self):
        self.mode(fails='error', shard=0)
        out, error, code = self.run_dask(*LOCAL, '--retries', '0')
        self.assertEqual((code, out), (1, ''))
        self.assertEqual(error.count('cannot read a.tif: the network is down'), 1, error)
        self.assertTrue(error.endswith('error: cannot read a.tif: the network is down\nhint: try later\n'), error)
        self.assert_none_runs()
        self.assertFalse((self.folder / 'classes.tif').exists())

    def test_wrong_usage_is_told_in_the_program_s_words_and_not_tried_again(self):
        _, error, code = self.run_dask(*LOCAL, '--', '--nonsense')
        self.assertEqual(code, 2)
        self.assertEqual(error.count("error: unexpected argument '--nonsense' found"), 1, error)
        self.assertNotIn('tried again', error)

    def test_a_cancelled_run_leaves_no_process_and_the_same_command_goes_on(self):
        self.mode(strip_s=0.5)
        process = self.start(*LOCAL)
        self.wait_for(lambda: len(self.strips()) >= 2, 'strips')
        process.send_signal(signal.SIGINT)
        _, error = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 130, error)
        self.assertNotIn('Traceback', error)
        self.assertIn('interrupted', error)
        self.assertFalse([pid for pid in self.processes() if alive(pid)])
        before = len(self.strips())
        self.mode()
        # Without --shards: an earlier run's folders tell into how many it was cut.
        _, error, code = self.run_dask(*LOCAL[:5])
        self.assertEqual(code, 0, error)
        self.assertEqual((self.folder / 'classes.tif').read_text(), EXPECTED)
        self.assertEqual(len(self.strips()), 30)
        self.assertGreater(before, 0)

    def test_a_killed_driver_leaves_no_process(self):
        self.mode(strip_s=0.5)
        process = self.start(*LOCAL)
        self.wait_for(lambda: len(self.strips()) >= 1, 'a strip')
        process.kill()
        process.wait()
        self.assert_none_runs(within=30)

    def test_nobody_hearing_ends_the_run(self):
        self.mode(strip_s=0.5)
        process = self.start(*LOCAL, '--progress', 'json')
        self.wait_for(lambda: len(self.strips()) >= 1, 'a strip')
        process.stderr.close()
        self.assertEqual(process.wait(60), 1)
        self.assert_none_runs()

    def test_a_program_that_is_not_there_is_told(self):
        _, error, code = self.run_dask(*LOCAL, program='no-such-program')
        self.assertEqual(code, 1)
        self.assertIn('error: cannot run no-such-program: No such file or directory', error)
        self.assertIn('hint: install rs-seg on', error)

    def test_a_list_is_not_merged(self):
        (self.folder / 'sheets.txt').write_text('a.tif\nb.tif\n')
        (self.folder / 'classes').mkdir()
        arguments = ('--list', 'sheets.txt', '--each', '--out', 'classes', '--local', '1', '--shards', '2')
        out, error, code = self.run_dask(*arguments)
        self.assertEqual((out, code), ('classes\n', 0), error)
        self.assertEqual([line for line in self.log() if line.startswith('merge')], [])
        self.assertTrue(all('--list sheets.txt --each' in line for line in self.log() if line.startswith('infer')))

    def test_a_scheduler_that_is_not_there_is_told(self):
        _, error, code = self.run_dask('a.tif', '--out', 'c.tif', '--scheduler', 'nonsense://x')
        self.assertEqual(code, 1)
        self.assertIn('error: cannot reach the scheduler nonsense://x', error)
        self.assertIn('hint: ', error)

    def test_an_output_that_exists_is_refused_before_anything_runs(self):
        (self.folder / 'classes.tif').write_text('mine')
        _, error, code = self.run_dask(*LOCAL)
        self.assertEqual((code, self.log()), (1, []))
        self.assertIn('error: classes.tif exists\nhint: -- --overwrite replaces it', error)
        self.assertEqual((self.folder / 'classes.tif').read_text(), 'mine')

    def test_an_output_in_no_folder_is_told_before_anything_runs(self):
        for arguments in (('a.tif', '--out', 'no/c.tif'), ('--list', 'sheets.txt', '--each', '--out', 'no')):
            _, error, code = self.run_dask(*arguments, '--local', '1')
            self.assertEqual(code, 1)
            self.assertIn(f'hint: make it: mkdir -p {self.folder.resolve() / "no"}', error)
            self.assertEqual(self.log(), [])


class Cluster(Case):
    """A scheduler and workers that know nothing of rs-seg-dask."""

    def setUp(self):
        super().setUp()
        scheduler = self.folder / 'scheduler.json'
        self.part('scheduler', '--port', '0', '--scheduler-file', str(scheduler), '--no-dashboard')
        self.wait_for(scheduler.exists, 'a scheduler')
        self.address = json.loads(scheduler.read_text())['address']

    def part(self, kind, *arguments):
        (self.folder / 'elsewhere').mkdir(exist_ok=True)
        environment = {name: value for name, value in os.environ.items() if name != 'PYTHONPATH'}
        process = subprocess.Popen(
            [sys.executable, '-m', 'distributed.cli.dask_' + kind, *arguments], cwd=self.folder / 'elsewhere', env=environment,
            text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )
        self.addCleanup(self._end, process)
        return process

    def worker(self, *more):
        return self.part('worker', self.address, '--nthreads', '1', '--no-nanny', '--no-dashboard', *more)

    def test_workers_need_no_package_and_may_come_late(self):
        process = self.worker('--name', 'first')
        self.mode(strip_s=0.3)
        driver = self.start('a.tif', '--out', 'c.tif', '--scheduler', self.address, '--shards', '3')
        self.wait_for(lambda: len(self.log()) > 1, 'a strip')
        # The only worker goes, as a machine does; another one comes.
        process.kill()
        self.worker('--name', 'second')
        out, error = driver.communicate(timeout=LONGEST_S)
        self.assertEqual((out, driver.returncode), ('c.tif\n', 0), error)
        self.assertEqual((self.folder / 'c.tif').read_text(), ''.join(EXPECTED.splitlines(True)[:15]))
        self.assert_none_runs()

    def test_workers_that_run_several_shards_at_once_are_told(self):
        self.part('worker', self.address, '--nthreads', '2', '--no-nanny', '--no-dashboard')
        _, error, code = self.run_dask('a.tif', '--out', 'c.tif', '--scheduler', self.address, '--shards', '1')
        self.assertEqual(code, 0, error)
        self.assertIn('start workers with --nthreads 1', error)

    def test_without_workers_it_says_so(self):
        _, error, code = self.run_dask('a.tif', '--out', 'c.tif', '--scheduler', self.address)
        self.assertEqual(code, 1)
        self.assertIn('error: the scheduler has no workers', error)


if __name__ == '__main__':
    unittest.main()
