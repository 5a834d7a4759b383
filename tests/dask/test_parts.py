"""Arguments, progress and the check of files, without workers of their own."""

import io
import json
import sys
import unittest

from harness import PACKAGE, Case

sys.path.insert(0, str(PACKAGE))

from rs_seg_dask import cli, driver  # noqa: E402
from rs_seg_dask.progress import Progress  # noqa: E402


class Arguments(unittest.TestCase):
    def parsed(self, *own):
        return cli.parser().parse_args(['--out', 'c.tif', '--local', '2', *own])

    def test_flags_after_two_dashes_are_infer_s(self):
        own, flags = cli.split(['a.tif', '--out', 'c.tif', '--', '--tta', 'flip'])
        self.assertEqual((own, flags), (['a.tif', '--out', 'c.tif'], ['--tta', 'flip']))
        command = cli.infer_command(self.parsed('a.tif', 'b.tif'), flags, '3/8', 1)
        self.assertEqual(command[:6], ['rs-seg', 'infer', '--out', 'c.tif', '--shard', '3/8'])
        self.assertEqual(command[-7:], ['--threads', '1', '--tta', 'flip', '--', 'a.tif', 'b.tif'])
        own = cli.infer_command(self.parsed('a.tif'), ['--threads=4'], '0/1', 1)
        self.assertEqual([flag for flag in own if flag.startswith('--threads')], ['--threads=4'])

    def test_merging_gets_what_concerns_its_files(self):
        flags = ['--tta', 'flip', '--of', 'COG', '--co', 'A=B', '--co=C=D', '--overwrite', '--probabilities', 'p.tif']
        expected = ['--of', 'COG', '--co', 'A=B', '--co=C=D', '--overwrite', '--probabilities', 'p.tif']
        self.assertEqual(cli.shared(flags), expected)
        # A shard has no format, and refuses flags that say one.
        kept = ['--tta', 'flip', '--overwrite', '--probabilities', 'p.tif']
        self.assertEqual(cli.for_shards(flags), kept)
        self.assertNotIn('--of', cli.infer_command(self.parsed('a.tif'), flags, '0/2', 1))
        each = self.parsed('--list', 'l.txt', '--each')
        self.assertIn('--of', cli.infer_command(each, flags, '0/2', 1))
        merge = cli.merge_command(self.parsed('a.tif', '--vector', 'v.gpkg', '--keep-parts'), flags)
        self.assertEqual(merge[:5], ['rs-seg', 'merge', 'c.tif.rs-seg-parts', '--out', 'c.tif'])
        self.assertIn('v.gpkg', merge)
        self.assertNotIn('--remove-parts', merge)

    def test_what_cannot_be_is_told(self):
        for own, flags, words in [
            ([], [], 'no INPUT'),
            (['a.tif', '--each'], [], '--each goes with --list'),
            (['a.tif'], ['--shard', '0/2'], '--shard after the two dashes'),
            (['a.tif'], ['--out=x.tif'], '--out after the two dashes'),
            (['--list', 'l', '--each', '--vector', 'v'], [], '--vector'),
        ]:
            self.assertIn(words, cli.wrong(self.parsed(*own), flags), own)
        self.assertIsNone(cli.wrong(self.parsed('a.tif'), ['--tta', 'flip']))


class Told(unittest.TestCase):
    def test_lines_come_at_growing_intervals(self):
        out = io.StringIO()
        progress = Progress('auto', merges=True, out=out)
        progress.start(2)
        progress._started -= 100.0
        for percent in (10.0, 20.0, 30.0):
            progress.shard('a', percent)
            progress.tick(1)
        self.assertEqual(len(out.getvalue().splitlines()), 1, out.getvalue())
        self.assertIn('0 of 2 shards done, 1 running; about', out.getvalue())

    def test_json_is_one_object_a_line(self):
        out = io.StringIO()
        progress = Progress('json', merges=True, out=out)
        progress.start(1)
        progress.shard('a', 50.0)
        progress.tick(1)
        progress.tick(1)
        progress.finished('a')
        progress.merging(100.0)
        progress.tick(0)
        progress.error('it failed', 'do something')
        told = [json.loads(line) for line in out.getvalue().splitlines()]
        self.assertEqual([event.get('percent') for event in told[1:3]], [47.5, 100.0])
        self.assertEqual(told[-1], {'event': 'error', 'code': 'failed', 'message': 'it failed', 'hint': 'do something'})

    def test_a_shard_that_begins_again_takes_nothing_back(self):
        progress = Progress('none', merges=False, out=io.StringIO())
        progress.start(1)
        progress.shard('a', 60.0)
        progress.shard('a', 10.0)
        self.assertEqual(progress.percent(), 60.0)


class Files(Case):
    def test_workers_that_do_not_see_the_files_are_refused(self):
        from distributed import Client, LocalCluster

        progress = Progress('none', merges=True, out=io.StringIO())
        with LocalCluster(n_workers=1, processes=False, dashboard_address=None) as cluster, Client(cluster) as client:
            token = driver.make_token(self.folder)
            seeing = driver.Driver(client, progress, str(self.folder), str(token), 0)
            seeing.check_workers()
            token.unlink()
            with self.assertRaises(driver.Failure) as refused:
                seeing.check_workers()
            self.assertIn("does not see the driver's files", refused.exception.message)
            self.assertIn('a file system in common', refused.exception.hint)
            # The same of a worker that comes later.
            with self.assertRaises(driver.Failure):
                seeing.run([driver.Task('shard 0 of 1', ['true'])], lambda *_: None, lambda *_: None)


if __name__ == '__main__':
    unittest.main()
