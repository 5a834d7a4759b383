"""Writes two noisy scenes with labels, a legend and a small network's configuration to a folder."""

import pathlib
import random
import sys

folder = pathlib.Path(sys.argv[1])
COLORS = [(190, 60, 50), (60, 140, 60), (50, 70, 150)]
NAMES = ["roof", "grass", "water"]


def write(path, side, east, bands):
    """Bytes, band by band, as a raster of its own place."""
    kind = "P5" if len(bands) == 1 else "P6"
    pixels = bytes(value for pixel in zip(*bands) for value in pixel)
    path.with_suffix(".pnm").write_bytes(f"{kind}\n{side} {side}\n255\n".encode() + pixels)
    names = ["Gray"] if len(bands) == 1 else ["Red", "Green", "Blue"]
    band = (
        '<VRTRasterBand dataType="Byte" band="{n}"><ColorInterp>{color}</ColorInterp><SimpleSource>'
        '<SourceFilename relativeToVRT="1">{file}</SourceFilename><SourceBand>{n}</SourceBand>'
        "</SimpleSource></VRTRasterBand>"
    )
    all_bands = "".join(
        band.format(n=n + 1, color=color, file=path.with_suffix(".pnm").name) for n, color in enumerate(names)
    )
    path.with_suffix(".vrt").write_text(
        f'<VRTDataset rasterXSize="{side}" rasterYSize="{side}"><SRS>EPSG:25832</SRS>'
        f"<GeoTransform>{east}, 0.1, 0, 5400000, 0, -0.1</GeoTransform>{all_bands}</VRTDataset>"
    )


for part in ["images", "labels"]:
    (folder / part).mkdir(parents=True, exist_ok=True)
for name, side, seed in [("train", 192, 1), ("val", 128, 2)]:
    drawn = random.Random(seed)
    blocks = [drawn.randrange(3) for _ in range((side // 16) ** 2)]
    ids = [blocks[(i // side // 16) * (side // 16) + i % side // 16] for i in range(side * side)]
    shade = [drawn.randrange(-25, 25) for _ in ids]
    bands = [bytes(COLORS[k][c] + s for k, s in zip(ids, shade)) for c in range(3)]
    write(folder / "images" / name, side, 500_000 + 1000 * seed, bands)
    write(folder / "labels" / name, side, 500_000 + 1000 * seed, [bytes(ids)])

legend = "".join(
    f'[[class]]\nid = {k}\nname = "{name}"\ncolor = "#{r:02x}{g:02x}{b:02x}"\n'
    for k, (name, (r, g, b)) in enumerate(zip(NAMES, COLORS))
)
(folder / "legend.toml").write_text(legend)
(folder / "net.toml").write_text(
    """[model]
name = "plain"
tile-px = 64
encoder = { stem-width = 4, widths = [4, 4, 8, 8], depths = [1, 1, 1, 1] }
decoder = { fpn-width = 8, head-width = 8, dropout = 0.0 }

[input]
bands = 3
divide = 255.0
mean = [0.4, 0.4, 0.4]
std = [0.25, 0.25, 0.25]

[optimizer]
kind = "sgd"
lr = 0.02
backbone-lr-factor = 1.0

[schedule]
warmup-steps = 0

[train]
steps = 20
batch = 2
log-every = 1
validate-every = 0
workers = 1

"""
    + legend
)
