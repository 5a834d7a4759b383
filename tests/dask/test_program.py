"""The same with the program itself: bytes of one run, whatever happens on the way."""

import hashlib
import os
import pathlib
import signal
import subprocess
import unittest

from harness import LONGEST_S, Case, alive

RS_SEG = os.environ.get('RS_SEG')
DATA = pathlib.Path(__file__).resolve().parents[2] / 'examples' / 'data'
# Small tiles: they take little, and a shard has many.
FLAGS = ('--tile', '128', '--overlap', '32', '--bands', '3,2,1')


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


@unittest.skipUnless(RS_SEG, 'RS_SEG names no program')
class Program(Case):
    def setUp(self):
        super().setUp()
        # Large enough for four shards, which begin with blocks of 512 pixels.
        larger = ['gdal_translate', '-q', '-outsize', '2060', '1612', str(DATA / 'haiti.tif'), 'scene.tif']
        subprocess.run(larger, cwd=self.folder, check=True)

    def dask(self, *own, flags=FLAGS):
        arguments = ('scene.tif', '--out', 'classes.tif', '--local', '2', '--shards', '4', *own, '--', *flags)
        return self.start(*arguments, program=RS_SEG)

    def ended(self, process):
        out, error = process.communicate(timeout=LONGEST_S)
        self.assertNotIn('Traceback', error)
        return out, error, process.returncode

    def children(self):
        """Processes of the program that work in this folder."""
        found = []
        for entry in pathlib.Path('/proc').iterdir():
            if entry.name.isdigit():
                try:
                    words = (entry / 'cmdline').read_bytes().split(b'\0')
                    inside = os.readlink(entry / 'cwd') == str(self.folder.resolve())
                except OSError:
                    continue
                if inside and words[0] == RS_SEG.encode() and alive(int(entry.name)):
                    found.append(int(entry.name))
        return found

    def parent(self, pid):
        return int(pathlib.Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()[1])

    def computing(self):
        return [path for path in self.folder.glob('classes.tif.rs-seg-parts/*/run.json')]

    def test_a_worker_that_is_killed_changes_no_byte(self):
        # The same names: a layer has its file's.
        one = self.folder / 'one'
        one.mkdir()
        outputs = ['--out', 'classes.tif', '--vector', 'classes.geojson']
        whole = [RS_SEG, 'infer', '../scene.tif', *outputs, '--quiet', *FLAGS]
        subprocess.run(whole, cwd=one, check=True, stdout=subprocess.DEVNULL)
        process = self.dask('--vector', 'classes.geojson')
        self.wait_for(lambda: self.computing() and self.children(), 'a shard')
        victim = self.parent(self.children()[0])
        os.kill(victim, signal.SIGKILL)
        out, error, code = self.ended(process)
        self.assertEqual(code, 0, error)
        self.assertIn('classes.tif\n', out)
        for name in ('tif', 'geojson'):
            self.assertEqual(digest(self.folder / f'classes.{name}'), digest(one / f'classes.{name}'), name)
        self.assertFalse((self.folder / 'classes.tif.rs-seg-parts').exists(), 'parts are removed')
        self.assertEqual(self.children(), [])

    def test_cancel_leaves_no_process(self):
        process = self.dask()
        self.wait_for(lambda: self.computing() and self.children(), 'a shard')
        process.send_signal(signal.SIGINT)
        _, error, code = self.ended(process)
        self.assertEqual(code, 130, error)
        self.assertEqual(self.children(), [])
        self.assertFalse((self.folder / 'classes.tif').exists())

    def test_a_wrong_flag_is_told_in_the_program_s_words(self):
        _, error, code = self.ended(self.dask(flags=('--tile', 'large')))
        self.assertEqual(code, 2)
        self.assertEqual(error.count("error: invalid value 'large' for '--tile <PX>'"), 1, error)

    def test_an_error_of_the_program_has_its_hint(self):
        _, error, code = self.ended(self.dask('--retries', '0', flags=('--bands', '1,2,9')))
        self.assertEqual(code, 1)
        self.assertEqual(error.count('error: band 9 was asked for'), 1, error)
        self.assertIn('hint: bands are numbered from 1 to', error)

    def test_every_raster_of_a_list_by_itself(self):
        (self.folder / 'list.txt').write_text('scene.tif\n')
        (self.folder / 'made').mkdir()
        arguments = ('--list', 'list.txt', '--each', '--out', 'made', '--local', '1', '--shards', '1', '--', *FLAGS)
        _, error, code = self.ended(self.start(*arguments, program=RS_SEG))
        self.assertEqual(code, 0, error)
        self.assertTrue((self.folder / 'made' / 'scene.tif').exists())


if __name__ == '__main__':
    unittest.main()
