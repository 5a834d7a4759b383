"""The files of examples/cluster: well-formed, with flags that rs-seg has, and what the Slurm script does."""

import json
import os
import pathlib
import re
import subprocess
import time
import unittest

import yaml

from harness import Case

CLUSTER = pathlib.Path(__file__).resolve().parents[2] / 'examples' / 'cluster'
RS_SEG = os.environ.get('RS_SEG')
STUB = """#!/usr/bin/env bash
printf '%s|' "{name}" "$@" >>"$LOG"; echo >>"$LOG"
{then}
"""


def flags_of(words):
    return {word.split('=')[0] for word in words if word.startswith('--')}


class Flags(unittest.TestCase):
    """Every flag against the program's own description."""

    @classmethod
    def setUpClass(cls):
        if not RS_SEG:
            raise unittest.SkipTest('RS_SEG names no program')
        described = json.loads(subprocess.check_output([RS_SEG, 'describe', '--json']))
        common = {f'--{parameter["long"]}' for parameter in described['global'] if parameter['long']}
        cls.known = {
            command['name']: common | {f'--{parameter["long"]}' for parameter in command['parameters'] if parameter['long']}
            for command in described['commands']
        }

    def assert_known(self, command, flags):
        self.assertIn(command, self.known)
        self.assertEqual(flags - self.known[command], set(), f'rs-seg {command} has no such flag')

    def test_the_jobs_of_kubernetes(self):
        jobs = list(yaml.safe_load_all((CLUSTER / 'infer-job.yaml').read_text()))
        for job in jobs:
            args = job['spec']['template']['spec']['containers'][0]['args']
            self.assertTrue(all(isinstance(arg, str) for arg in args), args)
            self.assert_known(args[0], flags_of(args))

    def test_the_script_of_slurm(self):
        text = (CLUSTER / 'infer-array.sbatch').read_text().replace('\\\n', ' ')
        found = re.findall(r'"\$RS_SEG" (infer|merge) (.*?)(?:\)\n|&\n|\n)', text)
        self.assertEqual(sorted(command for command, _ in found), ['infer', 'merge'])
        for command, rest in found:
            self.assert_known(command, flags_of(rest.split()))

    def test_the_texts(self):
        for path in [CLUSTER / 'README.md', CLUSTER.parent / 'country.md', CLUSTER.parents[1] / 'integrations/dask/README.md']:
            text = path.read_text().replace('\\\n', ' ')
            called = re.findall(r'^(?:\$ )?rs-seg (infer|merge|plan)\b(.*)$', text, re.M)
            called += re.findall(r"command=(infer|merge)([^']*)'", text.replace(',', ' '))
            self.assertTrue(called or 'dask' in str(path), path)
            for command, rest in called:
                self.assert_known(command, flags_of(rest.split('#')[0].split('>')[0].split()))

    def test_what_dask_gives_to_the_program(self):
        import sys

        from harness import PACKAGE

        sys.path.insert(0, str(PACKAGE))
        from rs_seg_dask import cli

        arguments = cli.parser().parse_args(['a.tif', '--out', 'c.tif', '--local', '2', '--vector', 'v.gpkg'])
        self.assert_known('infer', flags_of(cli.infer_command(arguments, [], '0/2', 1)) - {'--'})
        self.assert_known('merge', flags_of(cli.merge_command(arguments, [])) | set(cli.BOTH) | set(cli.MERGE_ONLY))
        self.assertLessEqual({'--list', '--each'} | set(cli.BOTH), self.known['infer'])


class Kubernetes(unittest.TestCase):
    def test_shards_are_as_many_as_completions(self):
        infer, merge = yaml.safe_load_all((CLUSTER / 'infer-job.yaml').read_text())
        spec = infer['spec']
        self.assertEqual((infer['kind'], infer['apiVersion']), ('Job', 'batch/v1'))
        self.assertEqual(spec['completionMode'], 'Indexed')
        args = spec['template']['spec']['containers'][0]['args']
        self.assertEqual(args[args.index('--shard') + 1], f'auto/{spec["completions"]}')
        self.assertGreaterEqual(spec['backoffLimit'], spec['completions'])
        self.assertEqual(spec['template']['spec']['restartPolicy'], 'Never')
        container = spec['template']['spec']['containers'][0]['name']
        self.assertEqual(spec['podFailurePolicy']['rules'][0]['onExitCodes']['containerName'], container)
        self.assertTrue(merge['spec']['suspend'])
        out = args[args.index('--out') + 1]
        merged = merge['spec']['template']['spec']['containers'][0]['args']
        self.assertEqual(merged[:4], ['merge', f'{out}.rs-seg-parts', '--out', out])
        for job in (infer, merge):
            pod = job['spec']['template']['spec']
            volumes = {volume['name'] for volume in pod['volumes']}
            self.assertLessEqual({mount['name'] for mount in pod['containers'][0]['volumeMounts']}, volumes)


class Slurm(Case):
    """The script with stand-ins for Slurm's commands and for rs-seg."""

    script = CLUSTER / 'infer-array.sbatch'

    def setUp(self):
        super().setUp()
        self.stub('sbatch', 'echo "17;cluster"')
        self.stub('scontrol', 'true')
        self.stub('rs-seg', 'trap "exit 130" TERM; for i in $(seq 100); do sleep 0.1; done')

    def stub(self, name, then):
        path = self.folder / name
        path.write_text(STUB.format(name=name, then=then))
        path.chmod(0o755)

    def script_in(self, *arguments, **environment):
        own = {'PATH': f'{self.folder}:{os.environ["PATH"]}', 'LOG': str(self.folder / 'log.txt'), **environment}
        process = subprocess.Popen(
            ['bash', str(self.script), *arguments], env=own, cwd=self.folder, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )
        self.addCleanup(self._end, process)
        return process

    def calls(self):
        return [line.rstrip('|').split('|') for line in self.log()]

    def test_it_is_bash(self):
        subprocess.run(['bash', '-n', str(self.script)], check=True)

    def test_it_hands_in_an_array_and_a_merge_after_it(self):
        process = self.script_in('a b.vrt', 'c d.tif', '40', '--tta', 'flip', MERGE_FLAGS='--of COG')
        _, error = process.communicate(timeout=20)
        self.assertEqual(process.returncode, 0, error)
        array, merge = self.calls()
        self.assertEqual(array, ['sbatch', '--parsable', '--array=0-39%20', str(self.script), 'a b.vrt', 'c d.tif', '40', '--tta', 'flip'])
        self.assertIn('--dependency=afterok:17', merge)
        self.assertEqual(merge[-1].split(), 'rs-seg merge c\\ d.tif.rs-seg-parts --out c\\ d.tif --remove-parts --of COG'.split())

    def test_a_job_without_time_is_put_back(self):
        job = {'SLURM_ARRAY_TASK_ID': '3', 'SLURM_ARRAY_JOB_ID': '17', 'SLURM_CPUS_PER_TASK': '8'}
        process = self.script_in('a.vrt', 'c.tif', '40', '--tta', 'flip', **job)
        self.wait_for(self.log, 'the program')
        time.sleep(0.3)
        process.terminate()
        _, error = process.communicate(timeout=20)
        self.assertEqual(process.returncode, 130, error)
        program, requeue = self.calls()
        self.assertEqual(program[:7], ['rs-seg', 'infer', 'a.vrt', '--out', 'c.tif', '--shard', 'auto'])
        self.assertEqual(program[-2:], ['--tta', 'flip'])
        self.assertEqual(requeue, ['scontrol', 'requeue', '17_3'])

    def test_a_job_that_fails_is_not_put_back(self):
        self.stub('rs-seg', 'exit 1')
        process = self.script_in('a.vrt', 'c.tif', '40', SLURM_ARRAY_TASK_ID='3', SLURM_ARRAY_JOB_ID='17')
        process.communicate(timeout=20)
        self.assertEqual((process.returncode, len(self.calls())), (1, 1))

    def test_without_arguments_it_says_how(self):
        process = self.script_in()
        _, error = process.communicate(timeout=20)
        self.assertEqual(process.returncode, 2)
        self.assertIn('usage: ', error)


if __name__ == '__main__':
    unittest.main()
