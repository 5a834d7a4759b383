"""The plugin in qgis_process, from an empty profile on."""

import json
import os
import shutil
import signal
import subprocess
import time
import unittest

import harness
from harness import NETWORK, PROGRAM, STAND_IN


def infer(source, out, **more):
    """Arguments of a run; what is given twice is given otherwise."""
    values = dict({'INPUT': source, 'MODEL': NETWORK, 'BANDS': '1,2,3,4', 'OUTPUT': out}, **more)
    return ['run', 'rsseg:infer', '--'] + ['{}={}'.format(name, value) for name, value in values.items()]


class QgisProcess(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        cls.profile = harness.Profile().install()

    def test_every_command_is_an_algorithm(self):
        listed = self.profile.run('list', check=True).out
        for command in harness.description()['commands']:
            name = 'rsseg:{}\t{}'.format(command['name'].replace(' ', ''), command['title'])
            assertion = self.assertNotIn if command['group'] == 'program' else self.assertIn
            assertion(name, listed)

    def test_a_run_writes_classes_polygons_and_style_and_tells_progress(self):
        source = harness.scene('scène ü.tif')
        out = os.path.join(harness.folder(), 'klassen ä ö.tif')
        polygons = os.path.join(os.path.dirname(out), 'flächen.gpkg')
        done = self.profile.run(*infer(source, out, POLYGONS=polygons), check=True)
        self.assertEqual(sorted(os.listdir(os.path.dirname(out))), [
            'flächen.gpkg', 'klassen ä ö.qml', 'klassen ä ö.tif', 'klassen ä ö.tif.aux.xml', 'klassen ä ö.tif.json'])
        self.assertIn('100 - done', done.out)
        self.assertIn('POLYGONS:\t' + polygons, done.out)
        self.assertIn('OUTPUT:\t' + out, done.out)
        self.assertIn('vegetation', done.out, 'the table of classes is told')

    def test_results_come_as_json_too(self):
        out = os.path.join(harness.folder(), 'classes.tif')
        done = self.profile.run('--json', *infer(harness.scene(), out), check=True)
        self.assertEqual(json.loads(done.out)['results'], {'OUTPUT': out})
        told = json.loads(self.profile.run('--json', 'run', 'rsseg:modelinfo', '--', 'MODEL=default', check=True).out)
        self.assertIn('bemseg-small', told['results']['RESULT'])

    def test_relative_names_and_names_like_flags_are_names(self):
        where = harness.folder()
        harness.scene('-x.tif', where)
        self.profile.run(*infer('-x.tif', '--out.tif'), where=where, check=True)
        self.assertTrue(os.path.isfile(os.path.join(where, '--out.tif')))

    def test_an_error_is_told_with_its_hint(self):
        out = os.path.join(harness.folder(), 'classes.tif')
        failed = self.profile.run(*infer(harness.scene(), out, MODEL='/no/such.safetensors'))
        self.assertEqual(failed.returncode, 1)
        self.assertIn('cannot read /no/such.safetensors', failed.err)
        self.assertIn('Hint: check the path', failed.err)
        self.assertFalse(os.path.exists(out))

    def test_wrong_usage_is_told(self):
        out = os.path.join(harness.folder(), 'classes.tif')
        failed = self.profile.run(*infer(harness.scene(), out, EXTRA='--no-such-flag'))
        self.assertEqual(failed.returncode, 1)
        self.assertIn("unexpected argument '--no-such-flag'", failed.err)
        # The number of a choice, as help of QGIS 3.22 has it, is refused and not another choice.
        failed = self.profile.run(*infer(harness.scene(), out, BLEND='1'))
        self.assertEqual(failed.returncode, 1)
        self.assertIn('BLEND', failed.err)

    def test_what_is_given_twice_is_refused_unless_it_can_be(self):
        out = os.path.join(harness.folder(), 'classes.tif')
        failed = self.profile.run(*infer(harness.scene(), out), 'BANDS=4,3,2,1')
        self.assertEqual(failed.returncode, 1)
        self.assertIn('BANDS was given more than once', failed.err)
        options = ('CO=COMPRESS=LZW', 'CO=BLOCKXSIZE=64|BLOCKYSIZE=64')
        done = self.profile.run(*infer(harness.scene(), out), *options, check=True)
        self.assertIn('--co=COMPRESS=LZW --co=BLOCKXSIZE=64 --co=BLOCKYSIZE=64', done.out)

    def test_without_a_program_everything_is_listed_and_says_what_is_missing(self):
        profile = harness.Profile().install()
        without = {'RS_SEG': None, 'PATH': '/usr/bin:/bin'}
        listed = profile.run('list', check=True, **without).out
        for name in ('infer', 'tile', 'eval', 'train', 'modelinfo'):
            self.assertIn('rsseg:' + name, listed)
        failed = profile.run(*infer(harness.scene(), '/nowhere.tif'), **without)
        self.assertEqual(failed.returncode, 1)
        self.assertIn('rs-seg was not found', failed.err)
        self.assertIn('Settings > Options > Processing > Providers > rs-seg', failed.err)

    def test_a_program_on_path_or_in_the_settings_is_found(self):
        where = harness.folder()
        os.symlink(PROGRAM, os.path.join(where, 'rs-seg'))
        out = os.path.join(where, 'by-path.tif')
        self.profile.run(*infer(harness.scene(), out), RS_SEG=None, PATH=where + ':/usr/bin:/bin', check=True)
        self.assertTrue(os.path.isfile(out))

        profile = harness.Profile().install()
        link = os.path.join(where, 'segmenter ä')
        os.symlink(PROGRAM, link)
        with open(os.path.join(profile.profile, 'QGIS', 'QGIS3.ini'), 'a', encoding='utf-8') as file:
            # As Qt writes letters beyond ASCII.
            name = link.replace('ä', '\\xe4').replace('–', '\\x2013')
            file.write('\n[Processing]\nConfiguration\\RSSEG_PROGRAM={}\n'.format(name))
        out = os.path.join(where, 'by-setting.tif')
        done = profile.run(*infer(harness.scene(), out), RS_SEG=None, PATH='/usr/bin:/bin', check=True)
        self.assertIn('segmenter', done.out)
        self.assertTrue(os.path.isfile(out))

    def test_a_program_that_is_another_or_too_old_is_refused(self):
        failed = self.profile.run(*infer(harness.scene(), '/nowhere.tif'), RS_SEG='/bin/true')
        self.assertEqual(failed.returncode, 1)
        self.assertIn('is it rs-seg?', failed.err)
        older = {'RS_SEG': STAND_IN, 'STAND_IN_FOR': PROGRAM, 'STAND_IN_VERSION': '0.0.9'}
        failed = harness.Profile().install().run(*infer(harness.scene(), '/nowhere.tif'), **older)
        self.assertEqual(failed.returncode, 1)
        self.assertIn('is rs-seg 0.0.9; this plugin needs 0.1 or newer', failed.err)

    def test_a_flag_to_come_is_a_parameter_without_a_change_of_the_plugin(self):
        changes = {'RS_SEG': STAND_IN, 'STAND_IN_FOR': PROGRAM}
        told = self.profile.run('help', 'rsseg:infer', check=True, **changes).out
        self.assertIn('COMING_SOON: How far things to come reach (pixels)', told)
        out = os.path.join(harness.folder(), 'classes.tif')
        self.profile.run(*infer(harness.scene(), out, COMING_SOON=7), check=True, **changes)
        with open(out + '.coming') as file:
            self.assertEqual(file.read(), '--coming-soon=7')

    def test_the_program_is_asked_once_and_not_at_every_start(self):
        log = os.path.join(harness.folder(), 'log')
        changes = {'RS_SEG': STAND_IN, 'STAND_IN_FOR': PROGRAM, 'STAND_IN_LOG': log}
        profile = harness.Profile().install()
        for _ in range(2):
            profile.run('list', check=True, **changes)
        with open(log) as file:
            self.assertEqual(file.read(), 'describe ')
        failed = profile.run(*infer(harness.scene(), '/nowhere.tif', DEVICE='cuda:7'), **changes)
        self.assertEqual(failed.returncode, 1)
        self.assertIn('DEVICE is cuda:7, and can be auto, cpu', failed.err)
        with open(log) as file:
            self.assertEqual(file.read(), 'describe doctor ')

    def test_a_program_that_was_killed_is_told(self):
        changes = {'RS_SEG': STAND_IN, 'STAND_IN_FOR': PROGRAM}
        failed = self.profile.run(*infer(harness.scene(), '/nowhere.tif', BANDS='CRASH'), **changes)
        self.assertEqual(failed.returncode, 1)
        self.assertIn('ended by SIGKILL', failed.err)

    def test_a_killed_qgis_takes_the_program_with_it(self):
        out = os.path.join(harness.folder(), 'classes.tif')
        arguments = infer(harness.real_scene(), out, TILE=32, OVERLAP=31, THREADS=1)
        command = [harness.QGIS_PROCESS] + list(arguments)
        running = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=self.profile.environment())
        self.addCleanup(running.stdout.close)
        begun = time.monotonic()
        while not child_of(running.pid) or not os.listdir(os.path.dirname(out)):
            self.assertLess(time.monotonic(), begun + 60, 'the program was not started')
            self.assertIsNone(running.poll())
            time.sleep(0.05)
        child = child_of(running.pid)
        running.send_signal(signal.SIGTERM)
        running.wait()
        begun = time.monotonic()
        while os.path.exists('/proc/{}/exe'.format(child)):
            self.assertLess(time.monotonic(), begun + 60, 'the program goes on without its caller')
            time.sleep(0.05)
        self.assertEqual(os.listdir(os.path.dirname(out)), [])

    def test_the_script_does_the_same_without_the_plugin(self):
        profile = harness.Profile()
        scripts = os.path.join(profile.profile, 'processing', 'scripts')
        os.makedirs(scripts)
        shutil.copy(os.path.join(harness.ROOT, 'integrations', 'qgis', 'rs_seg_infer_script.py'), scripts)
        out = os.path.join(harness.folder(), 'klassen ä.tif')

        def infer_by_script(**more):
            return ['run', 'script:rs_seg_infer'] + infer(harness.scene('scène.tif'), out, EXTRA='--tile 64', **more)[2:]

        done = profile.run(*infer_by_script(), check=True)
        self.assertIn('OUTPUT:\t' + out, done.out)
        self.assertIn('100 - done', done.out)
        self.assertTrue(os.path.isfile(out[:-4] + '.qml'))
        failed = profile.run(*infer_by_script(MODEL='/no/such.pt'))
        self.assertEqual(failed.returncode, 1)
        self.assertIn('/no/such.pt', failed.err)
        failed = profile.run(*infer_by_script(), RS_SEG='/no/such')
        self.assertEqual(failed.returncode, 1)
        self.assertIn('rs-seg was not found', failed.err)


def child_of(pid):
    """The first child of a process, if it has one."""
    try:
        with open('/proc/{0}/task/{0}/children'.format(pid)) as file:
            children = file.read().split()
    except OSError:
        return None
    return children[0] if children else None
