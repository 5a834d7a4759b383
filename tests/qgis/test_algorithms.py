"""The algorithms inside of QGIS: what they say, how they are canceled, and what they put into the project."""

import os
import time
import unittest

import harness
from harness import NETWORK

ALL = '1,2,3,4'


def slow(**more):
    """A run of many small tiles."""
    return dict({'INPUT': harness.real_scene(), 'BANDS': '3,2,1', 'TILE': 64, 'OVERLAP': '60'}, **more)


class Algorithms(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        cls.provider = harness.qgis()

    def run_it(self, name, feedback=None, context=None, **values):
        """Runs an algorithm as Processing does."""
        import processing

        return processing.run('rsseg:' + name, values, feedback=feedback or harness.feedback(), context=context)

    def infer(self, **more):
        values = {'INPUT': harness.scene(), 'MODEL': NETWORK, 'BANDS': ALL,
                  'OUTPUT': os.path.join(harness.folder(), 'classes.tif')}
        return self.run_it('infer', **dict(values, **more))

    def test_the_provider_tells_its_version(self):
        version = harness.description()['version']
        self.assertEqual(self.provider.versionInfo(), version)
        self.assertEqual(self.provider.longName(), 'rs-seg ' + version)
        self.assertFalse(self.provider.icon().isNull())

    def test_inputs_and_results_have_the_names_of_qgis_and_few_are_shown_at_once(self):
        from qgis.core import QgsProcessingParameterDefinition as Definition

        infer = self.provider.algorithm('infer')
        names = [one.name() for one in infer.parameterDefinitions() if not one.flags() & Definition.FlagAdvanced]
        for name in ('INPUT', 'MODEL', 'EXTENT', 'BANDS', 'OUTPUT'):
            self.assertIn(name, names)
        self.assertLess(len(names), 14)
        advanced = infer.parameterDefinition('BLEND')
        self.assertTrue(advanced.flags() & Definition.FlagAdvanced)
        self.assertEqual(advanced.options()[0], 'hann')
        self.assertIn('raised cosine', advanced.help())
        self.assertEqual((infer.group(), infer.displayName()), ('Classes', 'Segment rasters of any size'))
        for algorithm in self.provider.algorithms():
            self.assertTrue(algorithm.shortHelpString(), algorithm.id())
            if algorithm.id() in ('rsseg:infer', 'rsseg:train', 'rsseg:eval'):
                self.assertIsNotNone(algorithm.parameterDefinition('DEVICE'), algorithm.id())

    def test_devices_are_those_of_doctor(self):
        from qgis.core import QgsApplication

        created = QgsApplication.processingRegistry().createAlgorithmById('rsseg:infer')
        self.assertEqual(created.parameterDefinition('DEVICE').options()[:2], ['auto', 'cpu'])

    def test_progress_grows_to_100_and_the_log_is_told(self):
        feedback = harness.feedback()
        results = self.infer(feedback=feedback)
        self.assertTrue(os.path.isfile(results['OUTPUT']))
        self.assertEqual(feedback.percent, sorted(feedback.percent))
        self.assertEqual(feedback.percent[-1], 100)
        log = '\n'.join(feedback.texts)
        self.assertIn('infer --progress=json', log)
        self.assertIn('workers', log, 'the plan is told')
        self.assertIn('vegetation', log, 'the result is told')

    def test_warnings_are_told(self):
        feedback = harness.feedback()
        self.infer(feedback=feedback, MODEL='default', BANDS='4,4,4')
        self.assertTrue(feedback.warnings)

    def test_what_is_no_parameter_is_told(self):
        feedback = harness.feedback()
        self.infer(feedback=feedback, POLYGON='x.gpkg')
        self.assertIn('POLYGON is no parameter of rsseg:infer.', feedback.warnings)

    def test_a_failure_is_an_exception_with_its_hint(self):
        from qgis.core import QgsProcessingException

        with self.assertRaisesRegex(QgsProcessingException, '(?s)cannot read /no/such.pt.*Hint: '):
            self.infer(MODEL='/no/such.pt')

    def test_layers_that_gdal_does_not_open_are_refused(self):
        from qgis.core import QgsProcessingException, QgsRasterLayer

        address = 'http%3A%2F%2Flocalhost%2F%7Bz%7D%2F%7Bx%7D%2F%7By%7D.png'
        tiles = QgsRasterLayer('type=xyz&url={}&zmin=0&zmax=1'.format(address), 'tiles of a server', 'wms')
        self.assertTrue(tiles.isValid())
        with self.assertRaisesRegex(QgsProcessingException, '"tiles of a server".*wms.*\n.*export it'):
            self.infer(INPUT=tiles)

    def test_a_canceled_run_leaves_nothing(self):
        folder = harness.folder()
        self.cancel(after=60, INPUT=harness.tall(), OUTPUT=os.path.join(folder, 'classes.tif'), OVERLAP='32')
        self.assertEqual(os.listdir(folder), [])

    def test_a_canceled_run_that_was_to_be_kept_is_resumed(self):
        folder = harness.folder()
        values = {'INPUT': harness.tall(), 'OUTPUT': os.path.join(folder, 'classes.tif'), 'OVERLAP': '32'}
        done = self.cancel(after=60, KEEP_FOR_RESUME=True, **values)
        self.assertLess(done, 100)
        kept = os.listdir(folder)
        self.assertEqual(len(kept), 1, kept)
        self.assertNotIn('classes.tif', kept)
        self.run_it('infer', **slow(RESUME=True, **values))
        self.assertIn('classes.tif', os.listdir(folder))
        self.assertNotIn(kept[0], os.listdir(folder))

    def cancel(self, after=0, **values):
        """Cancels a run after so many percent; tells how far it was."""
        from qgis.core import QgsProcessingException

        feedback = harness.feedback()

        def when_begun(percent):
            if percent > after:
                feedback.cancel()

        feedback.progressChanged.connect(when_begun)
        with self.assertRaisesRegex(QgsProcessingException, 'canceled'):
            self.run_it('infer', feedback=feedback, **slow(**values))
        return max(feedback.percent)

    def test_a_box_in_another_system_and_polygons_of_any_layer_bound_a_run(self):
        from osgeo import gdal
        from qgis.core import QgsFeature, QgsGeometry, QgsProcessingFeatureSourceDefinition, QgsProject, \
            QgsRectangle, QgsVectorLayer

        left, top = harness.LEFT, harness.TOP
        box = 'POLYGON(({0} {1},{2} {1},{2} {3},{0} {3},{0} {1}))'.format(left, top - 24, left + 24, top)
        areas = QgsVectorLayer('Polygon?crs=EPSG:32632', 'in memory', 'memory')
        for wkt in (box, QgsGeometry.fromRect(QgsRectangle(left + 24, top - 48, left + 48, top)).asWkt()):
            feature = QgsFeature()
            feature.setGeometry(QgsGeometry.fromWkt(wkt))
            areas.dataProvider().addFeature(feature)
        QgsProject.instance().addMapLayer(areas)
        self.addCleanup(QgsProject.instance().clear)
        areas.selectByIds([1])
        selected = QgsProcessingFeatureSourceDefinition(areas.id(), True)
        wanted = (96 * 96) // 4

        def measured(**more):
            data = gdal.Open(self.infer(**more)['OUTPUT']).ReadAsArray()
            return int((data != 255).sum())

        self.assertEqual(measured(AOI=selected), wanted)
        self.assertEqual(measured(AOI=areas), 3 * wanted)
        self.assertEqual(measured(EXTENT='{},{},{},{} [EPSG:32632]'.format(left, left + 24, top - 24, top)), wanted)
        # The same place in degrees: a box there is no box here, so its edges are a pixel or so off.
        from qgis.core import QgsCoordinateReferenceSystem, QgsCoordinateTransform
        way = QgsCoordinateTransform(
            QgsCoordinateReferenceSystem('EPSG:32632'), QgsCoordinateReferenceSystem('EPSG:4326'), QgsProject.instance())
        degrees = way.transformBoundingBox(QgsRectangle(left, top - 24, left + 24, top))
        text = '{},{},{},{} [EPSG:4326]'.format(
            degrees.xMinimum(), degrees.xMaximum(), degrees.yMinimum(), degrees.yMaximum())
        self.assertAlmostEqual(measured(EXTENT=text), wanted, delta=200)

    def test_several_rasters_are_one_mosaic(self):
        from osgeo import gdal

        first = harness.scene()
        beside = os.path.join(harness.folder(), 'beside.tif')
        raster = gdal.GetDriverByName('GTiff').CreateCopy(beside, gdal.Open(first))
        raster.SetGeoTransform((harness.LEFT + 48, 0.5, 0, harness.TOP, 0, -0.5))
        raster = None
        out = gdal.Open(self.infer(INPUT=first, MORE_INPUTS=[beside])['OUTPUT'])
        self.assertEqual((out.RasterXSize, out.RasterYSize), (192, 96))

    def test_an_instance_runs_again_as_in_a_batch(self):
        from qgis.core import QgsApplication, QgsProcessingContext

        algorithm = QgsApplication.processingRegistry().createAlgorithmById('rsseg:infer')
        for name in ('one.tif', 'two.tif'):
            values = {'INPUT': harness.scene(name), 'MODEL': NETWORK, 'BANDS': ALL, 'OUTPUT': 'TEMPORARY_OUTPUT'}
            results, done = algorithm.run(values, QgsProcessingContext(), harness.feedback())
            self.assertTrue(done)
            self.assertTrue(os.path.isfile(results['OUTPUT']))

    def test_two_runs_at_once(self):
        from qgis.core import QgsApplication, QgsProcessingAlgRunnerTask, QgsProcessingContext

        tasks, outcomes, kept = [], {}, []
        for name in ('a', 'b'):
            algorithm = QgsApplication.processingRegistry().createAlgorithmById('rsseg:infer')
            context, feedback = QgsProcessingContext(), harness.feedback()
            out = os.path.join(harness.folder(), name + '.tif')
            values = slow(OUTPUT=out, OVERLAP='32')
            task = QgsProcessingAlgRunnerTask(algorithm, values, context, feedback)
            task.executed.connect(lambda done, results, name=name: outcomes.update({name: (done, results)}))
            kept += [algorithm, context, feedback]
            tasks.append(task)
        for task in tasks:
            QgsApplication.taskManager().addTask(task)
        deadline = time.monotonic() + 240
        while len(outcomes) < 2 and time.monotonic() < deadline:
            QgsApplication.processEvents()
            time.sleep(0.02)
        for name in ('a', 'b'):
            done, results = outcomes[name]
            self.assertTrue(done)
            self.assertTrue(os.path.isfile(results['OUTPUT']))

    def test_a_model_of_the_builder_runs_it(self):
        from qgis.core import (
            QgsProcessingContext, QgsProcessingModelAlgorithm, QgsProcessingModelChildAlgorithm,
            QgsProcessingModelChildParameterSource as Source, QgsProcessingModelOutput, QgsProcessingModelParameter,
            QgsProcessingParameterRasterLayer)

        model = QgsProcessingModelAlgorithm('segmented', 'tests')
        model.addModelParameter(QgsProcessingParameterRasterLayer('SCENE', 'Scene'), QgsProcessingModelParameter('SCENE'))
        child = QgsProcessingModelChildAlgorithm('rsseg:infer')
        child.setChildId('infer')
        child.addParameterSources('INPUT', [Source.fromModelParameter('SCENE')])
        child.addParameterSources('MODEL', [Source.fromStaticValue(NETWORK)])
        child.addParameterSources('BANDS', [Source.fromStaticValue(ALL)])
        output = QgsProcessingModelOutput('Segmented', 'Segmented')
        output.setChildId('infer')
        output.setChildOutputName('OUTPUT')
        child.setModelOutputs({'Segmented': output})
        model.addChildAlgorithm(child)
        model.updateDestinationParameters()
        # As it is stored and read again.
        path = os.path.join(harness.folder(), 'segmented.model3')
        self.assertTrue(model.toFile(path))
        model = QgsProcessingModelAlgorithm()
        self.assertTrue(model.fromFile(path))
        model.initAlgorithm()
        out = os.path.join(harness.folder(), 'model.tif')
        results, done = model.run(
            {'SCENE': harness.scene(), 'infer:Segmented': out}, QgsProcessingContext(), harness.feedback())
        self.assertTrue(done)
        self.assertTrue(os.path.isfile(out), results)

    def test_chips_and_a_report_of_classes(self):
        source = harness.scene()
        truth = self.infer(INPUT=source)['OUTPUT']
        legend = os.path.join(harness.folder(), 'legend.toml')
        with open(os.path.join(harness.DATA, 'nearest-color.toml'), encoding='utf-8') as file:
            classes = file.read()
        with open(legend, 'w', encoding='utf-8') as file:
            file.write(classes[classes.index('[[class]]'):])
        chips = self.run_it(
            'tile', INPUT=source, LABELS=truth, LEGEND=legend, SIZE=32, OVERLAP=0, OUTPUT='TEMPORARY_OUTPUT')
        self.assertTrue(os.path.isfile(os.path.join(chips['OUTPUT'], 'manifest.jsonl')))
        feedback = harness.feedback()
        report = self.run_it(
            'eval', feedback=feedback, PRED=[truth], TRUTH=[truth], LEGEND=legend, OUTPUT='TEMPORARY_OUTPUT')
        self.assertIn('1.0000', '\n'.join(feedback.texts))
        self.assertIn('report.json', os.listdir(report['OUTPUT']))
        page = os.path.join(report['OUTPUT'], 'report.html')
        if not os.path.isfile(page):
            self.skipTest('the program writes no report.html, so that none could be opened')
        self.assertEqual(report['REPORT'], page)

    def test_a_folder_with_something_in_it_is_replaced_only_where_that_is_ticked(self):
        from qgis.core import QgsProcessingException

        folder = harness.folder()
        self.run_it('tile', INPUT=harness.scene(), SIZE=32, OUTPUT=os.path.join(folder, 'chips'))
        with self.assertRaisesRegex(QgsProcessingException, 'chips'):
            self.run_it('tile', INPUT=harness.scene(), SIZE=32, OUTPUT=os.path.join(folder, 'chips'))
        self.run_it('tile', INPUT=harness.scene(), SIZE=32, OUTPUT=os.path.join(folder, 'chips'), OVERWRITE=True)
