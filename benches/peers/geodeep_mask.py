"""Segments a raster with GeoDeep, on two threads: IN.tif NET.onnx OUT.tif"""
import sys

import geodeep
from geodeep.segmentation import save_mask_to_raster

source, network, out = sys.argv[1:]
mask = geodeep.segment(source, network, max_threads=2)
save_mask_to_raster(source, mask.astype("uint8"), out)
