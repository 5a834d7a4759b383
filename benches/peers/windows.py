"""Segments a raster window by window with rasterio and torch, keeping each window's middle: IN.tif NET.pt OUT.tif"""
import sys

import rasterio
import torch
from rasterio.windows import Window

SIDE, OVERLAP = 512, 128


def starts(length):
    last = max(length - SIDE, 0)
    return [*range(0, last, SIDE - OVERLAP), last]


source, network, out = sys.argv[1:]
model = torch.jit.load(network).eval()
with rasterio.open(source) as image, torch.inference_mode():
    profile = {"driver": "GTiff", "dtype": "uint8", "count": 1, "width": image.width, "height": image.height,
               "crs": image.crs, "transform": image.transform, "tiled": True, "blockxsize": 512, "blockysize": 512,
               "compress": "deflate"}
    with rasterio.open(out, "w", **profile) as classes:
        for y in starts(image.height):
            for x in starts(image.width):
                tile = torch.from_numpy(image.read(window=Window(x, y, SIDE, SIDE)))
                seen = model(tile[None].float() / 255).argmax(1)[0].byte().numpy()
                left, top = (OVERLAP // 2 if x else 0), (OVERLAP // 2 if y else 0)
                part = seen[top:, left:]
                classes.write(part, 1, window=Window(x + left, y + top, part.shape[1], part.shape[0]))
