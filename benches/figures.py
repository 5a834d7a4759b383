#!/usr/bin/env python3
"""Measures inference beside other programs and writes a table: `make bench`, or

    benches/figures.py [--rounds 5] [--peers PYTHON] [--eager COMMAND] [--work DIR] [--out FILE.md] [PART...]

Parts are probe, network, seams, tile, memory and vectorize. What is compared runs in turns, ROUNDS times each, and medians are
told. PYTHON is an interpreter with torch, rasterio, numpy, onnxruntime and geodeep; without it the peers that need
it are left out, and the table says so. COMMAND runs the same network of 512 x 512 pixels in another program and prints
"median SECONDS s", such as PyTorch's eager mode; they are also taken from PEERS and EAGER.
"""
import argparse
import json
import os
import pathlib
import re
import shlex
import shutil
import statistics
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent
RS_SEG = os.environ.get("RS_SEG", str(ROOT / "target/release/rs-seg"))
SIDE = 8192


def run(command, **more):
    """Wall and CPU seconds and peak MiB of a command, and its standard output."""
    start = time.time()
    child = subprocess.Popen([str(word) for word in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, **more)
    # Standard error is short here; a full pipe would stop the child.
    out, err = child.stdout.read(), child.stderr.read()
    _, status, use = os.wait4(child.pid, 0)
    wall = time.time() - start
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}\n{err.decode(errors='replace')}")
    return {"wall": wall, "cpu": use.ru_utime + use.ru_stime, "mib": use.ru_maxrss / 1024, "out": out.decode()}


def in_turns(rounds, **commands):
    """Medians of each command over the rounds."""
    runs = {name: [] for name in commands}
    for _ in range(rounds):
        for name, command in commands.items():
            runs[name].append(run(command))
            print(f"  {name}: {runs[name][-1]['wall']:.1f} s", file=sys.stderr, flush=True)
    middle = lambda name, key: statistics.median(entry[key] for entry in runs[name])
    return {name: {key: middle(name, key) for key in ("wall", "cpu", "mib")} for name in commands}


def scene(work, width, height):
    """A tiled and compressed scene of these sides, its truth, and the networks beside it."""
    folder = work / f"scene-{width}x{height}"
    if not (folder / "scene.tif").exists():
        subprocess.run(["cargo", "bench", "-q", "--bench", "scene", "--", str(width), str(height), str(folder)],
                       check=True, cwd=ROOT)
        tiled = ["-co", "TILED=YES", "-co", "BLOCKXSIZE=512", "-co", "BLOCKYSIZE=512", "-co", "COMPRESS=DEFLATE"]
        for source, raster in (("scene.vrt", "scene.tif"), ("truth.pgm", "truth.tif")):
            place = ["-a_srs", "EPSG:25832", "-a_ullr", "0", str(height), str(width), "0"]
            run(["gdal_translate", "-q", *tiled, *place, folder / source, folder / raster])
        (folder / "scene.ppm").unlink()
    return folder


def infer(source, model, out, *more):
    return [RS_SEG, "infer", source, "--model", model, "--out", out, "--overwrite", "--discard", "--no-manifest", "-q",
            *more]


def same(a, b):
    """Share of pixels that are equal in two class rasters."""
    told = run([RS_SEG, "eval", "--pred", a, "--truth", b, "--json", "--legend", a.parent / "legend.toml"])
    return json.loads(told["out"])["oa"]


def legend(folder):
    classes = (folder / "probe.toml").read_text().split("[[class]]", 1)[1]
    (folder / "legend.toml").write_text("[[class]]" + classes)


def row(what, ours, theirs=None, peer=""):
    cells = [what, f"{ours['wall']:.2f}", f"{ours['cpu']:.2f}", f"{ours['mib']:.0f}"]
    if theirs:
        cells += [peer, f"{ours['wall'] / theirs['wall']:.2f}", f"{ours['cpu'] / theirs['cpu']:.2f}"]
    return "| " + " | ".join(cells + [""] * (7 - len(cells))) + " |"


HEAD = ["| what | wall, s | CPU, s | peak, MiB | beside | wall, ratio | CPU, ratio |", "|---|---|---|---|---|---|---|"]


def probe(args):
    folder = scene(args.work, SIDE, SIDE)
    legend(folder)
    commands = {"rs-seg": infer(folder / "scene.tif", folder / "probe.pt", folder / "c.tif")}
    if args.peers:
        peers = HERE / "peers"
        run([args.peers, peers / "export_onnx.py", folder / "probe.pt", folder / "probe.onnx"])
        commands["rasterio + torch"] = [args.peers, peers / "windows.py", folder / "scene.tif", folder / "probe.pt",
                                        folder / "w.tif"]
        commands["GeoDeep"] = [args.peers, peers / "geodeep_mask.py", folder / "scene.tif", folder / "probe.onnx",
                               folder / "g.tif"]
    medians = in_turns(args.rounds, **commands)
    lines = [f"### Everything but the network: a 1 × 1 convolution on {SIDE} × {SIDE} pixels", "", *HEAD]
    ours = medians.pop("rs-seg")
    if not medians:
        lines.append(row("rs-seg infer", ours))
    lines += [row("rs-seg infer", ours, theirs, peer) for peer, theirs in medians.items()]
    return lines + ["", f"Right pixels: {same(folder / 'c.tif', folder / 'truth.tif'):.4%}."]


def multiplies_bf16():
    """As seg_torch::has_native_bf16 decides it, from what Linux tells of the processor."""
    about = pathlib.Path("/proc/cpuinfo")
    return about.exists() and "avx512_bf16" in about.read_text()


def network(args):
    folder = scene(args.work, 4096, 4096)
    model = folder / "bemseg.safetensors"
    if not model.exists():
        run([RS_SEG, "model", "init", ROOT / "configs/bemseg-rn50-potsdam.toml", "--out", model])
    plan = json.loads(run([RS_SEG, "infer", folder / "scene.tif", "--model", model, "--dry-run", "--json"])["out"])
    count, workers = plan["tiles"], plan["workers"]
    lines = [f"### BEMSeg on CLIP's RN50, 4096 × 4096 pixels, {count} tiles, {workers} workers", "",
             "| precision | wall, s | wall of the forwards alone, s | ratio | CPU outside of the network | "
             "EAGER's seconds × tiles | ratio |", "|---|---|---|---|---|---|---|"]
    notes = [] if args.eager else ["EAGER names no program that computes one forward pass of this network."]
    precisions = ["f32"]
    if multiplies_bf16():
        precisions.append("bf16")
    else:
        notes.append("bf16 was left out: this processor does not multiply it.")
    for precision in precisions:
        loop = ["cargo", "bench", "-q", "-p", "seg-nn", "--bench", "forward", "--", "--precision", precision,
                "--workers", str(workers), "--count", str(count)]
        run([*loop[:-2], "--count", "0"], cwd=ROOT)
        ours, alone, eager = [], [], []
        for _ in range(args.rounds):
            ours.append(run(infer(folder / "scene.tif", model, folder / "b.tif", "--precision", precision)))
            words = run(loop, cwd=ROOT)["out"].split()
            alone.append({"wall": float(words[words.index("wall") + 1]), "cpu": float(words[words.index("cpu") + 1])})
            if args.eager:
                told = run(shlex.split(args.eager))["out"]
                eager.append({"wall": count * float(re.search(r"median ([0-9.]+) s", told)[1])})
            print(f"  {precision}: {ours[-1]['wall']:.1f} s, forwards {alone[-1]['wall']:.1f} s", file=sys.stderr, flush=True)
        middle = lambda runs, key: statistics.median(entry[key] for entry in runs)
        wall, forwards = middle(ours, "wall"), middle(alone, "wall")
        outside = 1 - middle(alone, "cpu") / middle(ours, "cpu")
        line = f"| {precision} | {wall:.1f} | {forwards:.1f} | {wall / forwards:.3f} | {outside:.1%} |"
        theirs = middle(eager, "wall") if eager else None
        lines.append(line + (f" {theirs:.1f} | {wall / theirs:.3f} |" if theirs else " – | – |"))
    lines += [line for note in notes for line in ("", note)]
    return lines


def seams(args):
    folder = scene(args.work, 2048, 2048)
    legend(folder)
    source, model = folder / "scene.tif", folder / "blur.pt"
    run(infer(source, model, folder / "whole.tif", "--tile", "2048"))
    lines = ["### Seams: a network that looks 14 pixels far, beside one pass over the whole raster", "",
             "| overlap and blend | pixels that differ |", "|---|---|"]
    for how in ("--overlap auto", "--overlap 128 --margin 14", "--overlap 128", "--overlap 128 --blend average",
                "--overlap 0"):
        run(infer(source, model, folder / "tiles.tif", *how.split()))
        lines.append(f"| `{how}` | {1 - same(folder / 'tiles.tif', folder / 'whole.tif'):.5%} |")
    return lines


# Run by the interpreter that has GDAL's bindings: chips that are the same in both folders, of all of the first.
COMPARE = """
import pathlib, re, sys
from osgeo import gdal
chips, retiled = map(pathlib.Path, sys.argv[1:])
read = lambda path: gdal.Open(str(path)).ReadRaster()
images = sorted((chips / "images").iterdir())
same = 0
for image in images:
    x, y = map(int, re.search(r"_x(\\d+)_y(\\d+)", image.stem).groups())
    other = retiled / f"scene_{y // 512 + 1:02}_{x // 512 + 1:02}.tif"
    same += other.exists() and read(image) == read(other)
print(f"{same} of {len(images)} chips hold the same pixels as {len(list(retiled.iterdir()))} of gdal_retile.py")
"""


def tile(args):
    folder = scene(args.work, SIDE, SIDE)
    lines = [f"### Tiling {SIDE} × {SIDE} pixels", "", *HEAD]
    retile = shutil.which("gdal_retile.py")
    said = []
    for name, options in (("uncompressed", "COMPRESS=NONE"), ("DEFLATE", "COMPRESS=DEFLATE")):
        out, other = folder / "chips", folder / "retiled"
        clean = f"rm -rf '{out}' '{other}' && mkdir '{other}' && exec "
        quoted = lambda words: " ".join(f"'{word}'" for word in words)
        ours = [RS_SEG, "tile", folder / "scene.tif", "--size", "512", "--overlap", "0", "--split", "train=1", "--out",
                out, "-q", "--co", options]
        commands = {"rs-seg": ["sh", "-c", clean + quoted(ours)]}
        if retile:
            theirs = [retile, "-q", "-ps", "512", "512", "-targetDir", other, "-co", options, folder / "scene.tif"]
            commands["gdal_retile.py"] = ["sh", "-c", clean + quoted(theirs)]
        medians = in_turns(args.rounds, **commands)
        lines.append(row(f"rs-seg tile, {name}", medians["rs-seg"], medians.get("gdal_retile.py"), "gdal_retile.py"))
        if retile:
            run(ours)
            python = pathlib.Path(retile).read_text().splitlines()[0].removeprefix("#!").split()
            said.append(f"{name}: " + run([*python, "-c", COMPARE, out, other])["out"].strip())
    return lines + ["", "; ".join(said) + "." if retile else "gdal_retile.py was not at hand."]


def memory(args):
    folder = scene(args.work, 2048, 2048)
    lines = ["### Memory: the probe on rasters that repeat one scene", "",
             "| raster | limit | planned, MiB | peak, MiB |", "|---|---|---|---|"]
    for width, height, limit in ((2048, 10_240, None), (2048, 102_400, None), (40_960, 40_960, "1GiB"),
                                 (409_600, 1024, "1GiB")):
        vrt = folder / f"{width}x{height}.vrt"
        bands = ""
        for band, color in enumerate(("Red", "Green", "Blue"), 1):
            places = "".join(
                f'<SimpleSource><SourceFilename relativeToVRT="1">scene.tif</SourceFilename><SourceBand>{band}</SourceBand>'
                f'<SrcRect xOff="0" yOff="0" xSize="2048" ySize="2048"/>'
                f'<DstRect xOff="{x}" yOff="{y}" xSize="2048" ySize="2048"/></SimpleSource>'
                for y in range(0, height, 2048) for x in range(0, width, 2048))
            bands += f'<VRTRasterBand dataType="Byte" band="{band}"><ColorInterp>{color}</ColorInterp>{places}</VRTRasterBand>'
        vrt.write_text(f'<VRTDataset rasterXSize="{width}" rasterYSize="{height}">{bands}</VRTDataset>')
        more = ["--max-memory", limit] if limit else []
        plan = json.loads(run([RS_SEG, "infer", vrt, "--model", folder / "probe.pt", "--dry-run", "--json", *more])["out"])
        done = run(infer(vrt, folder / "probe.pt", folder / "m.tif", *more))
        lines.append(f"| {width} × {height} | {limit or '–'} | {plan['memory_bytes'] / 2**20:.0f} | {done['mib']:.0f} |")
        print(lines[-1], file=sys.stderr, flush=True)
    return lines


def vectorize(args):
    side = 4096
    truth = scene(args.work, side, side) / "truth.tif"
    lines = [f"### Polygons of {side} × {side} pixels of blocks and specks", "", *HEAD]
    for driver, ending in (("FlatGeobuf", "fgb"), ("GPKG", "gpkg")):
        ours, theirs = truth.with_name(f"ours.{ending}"), truth.with_name(f"theirs.{ending}")
        medians = in_turns(args.rounds, **{
            "rs-seg": [RS_SEG, "vectorize", truth, "--out", ours, "--overwrite", "-q"],
            "gdal_polygonize.py": ["sh", "-c", f"rm -f '{theirs}' && exec gdal_polygonize.py -q '{truth}' -f {driver} '{theirs}'"],
        })
        lines.append(row(f"rs-seg vectorize to {driver}", medians["rs-seg"], medians["gdal_polygonize.py"], "gdal_polygonize.py"))
    simple = truth.with_name("simple.fgb")
    done = in_turns(args.rounds, **{
        "rs-seg": [RS_SEG, "vectorize", truth, "--out", simple, "--overwrite", "-q", "--min-area", "20px", "--simplify", "2px"]})
    lines.append(row("the same, merged and simplified", done["rs-seg"]))
    if args.peers:
        told = run([args.peers, HERE / "peers/coverage.py", truth.with_name("ours.fgb"), "2"])["out"].split()
        fits = run([args.peers, HERE / "peers/coverage.py", simple, "2"])["out"].split()[0]
        lines += ["", f"shapely: the raw polygons are a valid coverage: {told[0]}; the simplified ones: {fits}. "
                      f"Its `coverage_simplify` of the raw ones alone takes {float(told[1]):.1f} s of CPU time."]
    return lines


PARTS = {"probe": probe, "network": network, "seams": seams, "tile": tile, "memory": memory, "vectorize": vectorize}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)} [default: all]")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--peers", default=os.environ.get("PEERS"))
    parser.add_argument("--eager", default=os.environ.get("EAGER"))
    parser.add_argument("--work", type=pathlib.Path, default=ROOT / "target/figures")
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "target/figures.md")
    args = parser.parse_args()
    unknown = [part for part in args.parts if part not in PARTS]
    if unknown:
        parser.error(f"no such part: {', '.join(unknown)}")
    args.work.mkdir(parents=True, exist_ok=True)
    text = [f"## Measured by benches/figures.py, medians of {args.rounds}", ""]
    if not args.peers:
        text += ["Peers in Python were left out: PEERS names no interpreter that has them.", ""]
    for part in args.parts or PARTS:
        print(part, file=sys.stderr, flush=True)
        text += PARTS[part](args) + [""]
    args.out.write_text("\n".join(text))
    print("\n".join(text))


if __name__ == "__main__":
    main()
