#!/usr/bin/python3
"""Stands in for the program where a test needs one that differs from the one that was built.

It hands everything on to the program that STAND_IN_FOR names, but
  describe: adds the flag `--coming-soon` to infer, so that a test sees what becomes of flags to come
  infer --coming-soon: writes a file of that name beside the output
  infer --bands=CRASH: is ended by a signal
  describe, infer: has the flag `--vector`, for polygons with their style, unless the program has it
"""

import json
import os
import signal
import subprocess
import sys

PROGRAM = os.environ['STAND_IN_FOR']
COMING = {
    'name': 'coming-soon', 'long': 'coming-soon', 'short': None, 'position': None, 'value_name': 'PX',
    'help': 'How far things to come reach, such as 3', 'details': None, 'type': 'integer', 'default': None,
    'choices': [], 'required': False, 'required_unless': None, 'multiple': False, 'file': None, 'unit': 'pixels',
    'advanced': False, 'basic': False,
}


VECTOR = dict(COMING, **{
    'name': 'vector', 'long': 'vector', 'help': 'Polygons of the classes', 'type': 'path', 'basic': True,
    'unit': None, 'file': {'direction': 'output', 'content': 'polygons'},
})
STYLES = """CREATE TABLE layer_styles (id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, f_table_catalog TEXT(256),
f_table_schema TEXT(256), f_table_name TEXT(256), f_geometry_column TEXT(256), styleName TEXT(30), styleQML TEXT,
styleSLD TEXT, useAsDefault BOOLEAN, description TEXT, owner TEXT(30), ui TEXT(30),
update_time DATETIME DEFAULT CURRENT_TIMESTAMP)"""


def describe(arguments):
    described = json.loads(subprocess.check_output([PROGRAM] + arguments).decode())
    infer = [command for command in described['commands'] if command['name'] == 'infer'][0]
    known = {parameter['name'] for parameter in infer['parameters']}
    infer['parameters'] += [parameter for parameter in (COMING, VECTOR) if parameter['name'] not in known]
    print(json.dumps(described))
    return 0


def polygonize(classes, path):
    """Polygons of a class raster, one layer, with the colors of its table."""
    from osgeo import gdal, ogr

    gdal.UseExceptions()
    raster = gdal.Open(classes)
    band = raster.GetRasterBand(1)
    file = ogr.GetDriverByName('GPKG').CreateDataSource(path)
    layer = file.CreateLayer('classes', raster.GetSpatialRef(), ogr.wkbPolygon)
    layer.CreateField(ogr.FieldDefn('class', ogr.OFTInteger))
    gdal.Polygonize(band, band.GetMaskBand(), layer, 0)
    colors = band.GetRasterColorTable()
    categories, symbols = '', ''
    for i, name in enumerate(band.GetCategoryNames() or []):
        color = ','.join(str(part) for part in colors.GetColorEntry(i)[:3])
        categories += '<category value="{0}" label="{1}" symbol="{0}" render="true" type="integer"/>'.format(i, name)
        symbols += ('<symbol name="{}" type="fill" alpha="1"><layer class="SimpleFill" enabled="1" locked="0" pass="0">'
                    '<prop k="color" v="{},255"/><prop k="style" v="solid"/></layer></symbol>').format(i, color)
    style = ('<qgis version="3.22.0" styleCategories="Symbology"><renderer-v2 type="categorizedSymbol" attr="class">'
             '<categories>{}</categories><symbols>{}</symbols></renderer-v2></qgis>').format(categories, symbols)
    file.ExecuteSQL(STYLES)
    file.ExecuteSQL("INSERT INTO layer_styles (f_table_catalog, f_table_schema, f_table_name, f_geometry_column, "
                    "styleName, styleQML, useAsDefault) VALUES ('', '', 'classes', 'geom', 'classes', '{}', 1)".format(
                        style.replace("'", "''")))


def main(arguments):
    if arguments[:1] == ['describe']:
        return describe(arguments)
    if '--bands=CRASH' in arguments:
        os.kill(os.getpid(), signal.SIGKILL)
    values = dict(argument.split('=', 1) for argument in arguments if '=' in argument)
    own = [name for name in ('--coming-soon', '--vector') if name in values]
    status = subprocess.call([PROGRAM] + [word for word in arguments if word.split('=')[0] not in own])
    if '--coming-soon' in own:
        with open(values['--out'] + '.coming', 'w') as file:
            file.write('--coming-soon=' + values['--coming-soon'])
    if '--vector' in own:
        polygonize(values['--out'], values['--vector'])
    return status


sys.exit(main(sys.argv[1:]))
