"""What shapely says of polygons: whether they are valid and fit together, and how long it takes to simplify them.

usage: coverage.py POLYGONS TOLERANCE
"""
import sys
import time

import pyogrio
import shapely

shapes = shapely.from_wkb(pyogrio.raw.read(sys.argv[1])[2])
valid = bool(shapely.is_valid(shapes).all()) and bool(shapely.coverage_is_valid(shapes))
start = time.process_time()
shapely.coverage_simplify(shapes, float(sys.argv[2]))
print(valid, time.process_time() - start)
