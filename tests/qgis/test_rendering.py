"""Results in the project: their names, their styles, and the colors in the rendered map."""

import os
import unittest

import harness
from harness import CLASSES, NETWORK, QUARTERS


class Rendering(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        cls.provider = harness.qgis()

    def tearDown(self):
        from qgis.core import QgsProject

        QgsProject.instance().clear()

    def load(self, name='', algorithm=None, **more):
        """Runs infer and loads its results into the project."""
        from qgis.core import QgsApplication

        algorithm = algorithm or QgsApplication.processingRegistry().createAlgorithmById('rsseg:infer')
        values = {'INPUT': harness.scene('Straße 1.tif'), 'MODEL': NETWORK, 'BANDS': '1,2,3,4', 'OUTPUT': 'out ä.tif'}
        return self.load_results(algorithm, name, dict(values, **more))

    def load_results(self, algorithm, name, values):
        """Runs an algorithm and loads its results as Processing does; the layers by their files, and the results."""
        from qgis.core import QgsProcessingContext, QgsProcessingOutputLayerDefinition, QgsProject
        from processing.gui.Postprocessing import handleAlgorithmResults

        project, context, feedback = QgsProject.instance(), QgsProcessingContext(), harness.feedback()
        context.setProject(project)
        for output in ('OUTPUT', 'POLYGONS', 'CONFIDENCE'):
            if output in values:
                path = os.path.join(harness.folder(), values[output])
                values[output] = QgsProcessingOutputLayerDefinition(path, project)
                values[output].destinationName = name
        results, done = algorithm.run(values, context, feedback)
        self.assertTrue(done, feedback.errors)
        self.assertTrue(handleAlgorithmResults(algorithm, context, feedback))
        self.assertEqual(feedback.errors, [])
        return {os.path.realpath(layer.source().split('|')[0]): layer for layer in project.mapLayers().values()}, results

    def test_classes_have_name_legend_and_colors(self):
        layers, results = self.load(CONFIDENCE='confidence.tif')
        classes = layers[os.path.realpath(results['OUTPUT'])]
        self.assertEqual(classes.name(), 'Classes: Straße 1')
        self.assertEqual(layers[os.path.realpath(results['CONFIDENCE'])].name(), 'Confidence: Straße 1')
        self.assertEqual(classes.renderer().type(), 'paletted')
        shown = {entry.label: entry.color.name() for entry in classes.renderer().classes()}
        self.assertEqual(len(shown), CLASSES, 'the real classes and no others')
        for name, color, _ in QUARTERS:
            self.assertEqual(shown[name], color)
        picture = os.path.join(harness.folder(), 'classes.png')
        color = harness.render([classes], picture)
        for x, y, expected in harness.centers():
            self.assertEqual(color(x, y), expected)

    def test_the_renderer_is_seen_to_be_wrong_without_a_style(self):
        """That the colors above come from the style, and that a wrong one would be seen."""
        from qgis.core import QgsRasterLayer, QgsSingleBandGrayRenderer

        layers, results = self.load()
        gray = QgsRasterLayer(results['OUTPUT'], 'gray')
        gray.setRenderer(QgsSingleBandGrayRenderer(gray.dataProvider(), 1))
        color = harness.render([gray], os.path.join(harness.folder(), 'gray.png'))
        self.assertTrue(any(color(x, y) != expected for x, y, expected in harness.centers()))

    def test_a_name_that_the_user_gave_stays(self):
        layers, results = self.load(name='Mine')
        self.assertEqual(layers[os.path.realpath(results['OUTPUT'])].name(), 'Mine')

    def test_what_was_not_measured_is_not_drawn(self):
        left, top = harness.LEFT, harness.TOP
        layers, results = self.load(EXTENT='{},{},{},{} [EPSG:32632]'.format(left, left + 24, top - 24, top))
        classes = layers[os.path.realpath(results['OUTPUT'])]
        color = harness.render([classes], os.path.join(harness.folder(), 'part.png'))
        (x, y, expected), *others = harness.centers()
        self.assertEqual(color(x, y), expected)
        self.assertEqual({color(x, y) for x, y, _ in others}, {'#ff00ff'})

    def test_polygons_have_name_legend_and_colors(self):
        layers, results = self.load(POLYGONS='polygons ö.gpkg')
        self.check_polygons(layers[os.path.realpath(results['POLYGONS'])], 'Polygons: Straße 1')

    def test_polygons_of_a_class_raster_have_them_too(self):
        from qgis.core import QgsApplication

        vectorize = QgsApplication.processingRegistry().createAlgorithmById('rsseg:vectorize')
        layers, results = self.load()
        classes = layers[os.path.realpath(results['OUTPUT'])]
        layers, results = self.load_results(vectorize, '', {'INPUT': classes, 'OUTPUT': 'polygons.gpkg', 'SIMPLIFY': '2px'})
        self.check_polygons(layers[os.path.realpath(results['OUTPUT'])], 'Polygons: Straße 1')

    def check_polygons(self, polygons, name):
        self.assertEqual(polygons.name(), name)
        self.assertEqual(polygons.renderer().type(), 'categorizedSymbol')
        shown = {category.label(): category.symbol().color().name() for category in polygons.renderer().categories()}
        for what, color, _ in QUARTERS:
            self.assertEqual(shown[what], color)
        color = harness.render([polygons], os.path.join(harness.folder(), 'polygons.png'))
        for x, y, expected in harness.centers():
            self.assertEqual(color(x, y), expected)

    def test_the_script_names_and_styles_them_as_well(self):
        from processing.script import ScriptUtils

        path = os.path.join(harness.ROOT, 'integrations', 'qgis', 'rs_seg_infer_script.py')
        script = ScriptUtils.loadAlgorithm('rs_seg_infer_script', path).create()
        layers, results = self.load(algorithm=script, POLYGONS='polygons.gpkg')
        self.check_polygons(layers[os.path.realpath(results['POLYGONS'])], 'Polygons: Straße 1')
        classes = layers[os.path.realpath(results['OUTPUT'])]
        self.assertEqual(classes.name(), 'Classes: Straße 1')
        color = harness.render([classes], os.path.join(harness.folder(), 'by-script.png'))
        for x, y, expected in harness.centers():
            self.assertEqual(color(x, y), expected)
