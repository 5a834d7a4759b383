"""The plugin's files: complete for plugins.qgis.org, and of nothing but QGIS's own Python."""

import ast
import configparser
import os
import re
import sys
import unittest
import zipfile

import harness

SOURCE = os.path.join(harness.ROOT, 'integrations', 'qgis')
# QGIS 3.22 on macOS has Python 3.8.
OLDEST_PYTHON = (3, 8)
# What QGIS brings along.
OF_QGIS = {'qgis', 'processing'}


def sources():
    """All files of Python, with their text."""
    for folder, _, names in os.walk(SOURCE):
        for name in sorted(names):
            if name.endswith('.py'):
                path = os.path.join(folder, name)
                with open(path, encoding='utf-8') as file:
                    yield path, file.read()


def imported(tree):
    """Modules that a file imports, but for the plugin's own."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for name in node.names:
                yield name.name
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.module


class Files(unittest.TestCase):

    def test_metadata_is_complete_and_fits_the_program(self):
        metadata = configparser.ConfigParser(interpolation=None)
        metadata.read(os.path.join(SOURCE, 'rs_seg', 'metadata.txt'), encoding='utf-8')
        general = metadata['general']
        for key in ('name', 'description', 'about', 'version', 'author', 'email', 'homepage', 'tracker', 'repository',
                    'category', 'tags'):
            self.assertTrue(general.get(key), key)
        self.assertEqual((general['qgisMinimumVersion'], general['qgisMaximumVersion']), ('3.22', '4.99'))
        self.assertEqual(general['hasProcessingProvider'], 'yes')
        self.assertEqual(general['version'], harness.description()['version'])
        self.assertTrue(os.path.isfile(os.path.join(SOURCE, 'rs_seg', general['icon'])))

    def test_the_archive_holds_one_folder_with_license_and_description(self):
        with zipfile.ZipFile(harness.PLUGIN) as archive:
            names = archive.namelist()
        self.assertEqual({name.split('/')[0] for name in names}, {'rs_seg'})
        for name in ('__init__.py', 'metadata.txt', 'LICENSE', 'icon.svg', 'description.json'):
            self.assertIn('rs_seg/' + name, names)

    def test_nothing_is_imported_but_qgis_and_python_itself(self):
        known = OF_QGIS | set(getattr(sys, 'stdlib_module_names', ()))
        self.assertIn('json', known)
        for path, text in sources():
            for module in imported(ast.parse(text)):
                self.assertIn(module.split('.')[0], known, path)

    def test_old_python_and_both_qt_understand_it(self):
        # Names of one Qt only, and of QGIS 3.36 and later.
        forbidden = re.compile(r'\bPyQt[56]\b|\.exec_\(|\bQVariant\b|\bQgis\.|\bpushFormattedMessage\b')
        for path, text in sources():
            ast.parse(text, feature_version=OLDEST_PYTHON)
            self.assertIsNone(forbidden.search(text), path)
