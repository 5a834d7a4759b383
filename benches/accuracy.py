#!/usr/bin/env python3
"""Compares `rs-seg eval` with scikit-learn, torchmetrics and what is known of simulated maps.

    accuracy.py RS_SEG scores [SEED]     random and degenerate maps: scores to 1e-9, and all four files alike
    accuracy.py RS_SEG calibration [SEED] expected calibration error beside torchmetrics'
    accuracy.py RS_SEG coverage [MAPS]   how many intervals hold the value on maps whose errors hang together
    accuracy.py RS_SEG speed             a pair of 10,000 x 10,000 pixels beside numpy with scikit-learn

Needs numpy, scipy, rasterio, scikit-learn and torchmetrics.
"""

import csv
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import rasterio
from rasterio.transform import from_origin

PROFILE = dict(driver="GTiff", count=1, dtype="uint8", nodata=255, crs="EPSG:32633",
               transform=from_origin(360000, 5800000, 0.5, 0.5))


def write(path, values, **more):
    values = values if values.ndim == 3 else values[None]
    profile = {**PROFILE, "count": len(values), "height": values.shape[1], "width": values.shape[2],
               "dtype": values.dtype, **more}
    with rasterio.open(path, "w", **profile) as out:
        out.write(values)


def legend(path, classes):
    rows = (f'[[class]]\nid = {i}\nname = "c{i}"\ncolor = "#{i:02x}{i * 7 % 256:02x}80"\n' for i in range(classes))
    path.write_text("".join(rows))


def evaluate(program, folder, *more):
    command = [program, "eval", "--pred", str(folder / "pred.tif"), "--truth", str(folder / "truth.tif"), "--json",
               "--quiet", "--legend", str(folder / "legend.toml"), *more]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(command)}\n{done.stderr}")
    return json.loads(done.stdout)


def near(name, got, expected):
    if expected is None or np.isnan(expected):
        assert got is None, f"{name}: {got} where there is nothing"
    else:
        assert got is not None and abs(got - expected) < 1e-9, f"{name}: {got} for {expected}"


def check_scores(told, truth, pred, classes):
    import torch
    import torchmetrics.functional.classification as tm
    from sklearn import metrics

    kept = truth != 255
    t, p = truth[kept].astype(int), pred[kept].astype(int)
    assert told["pixels"] == t.size and told["ignored"] == (~kept).sum()
    if t.size == 0:
        for name in ("miou", "mf1", "oa", "kappa", "frequency_weighted_iou"):
            assert told[name] is None, name
        return
    # What is not predicted is a class of its own to scikit-learn, which no score is asked of.
    matrix = metrics.confusion_matrix(t, np.where(p == 255, classes, p), labels=range(classes + 1))
    assert (np.array(told["confusion"]) == matrix[:classes, :classes]).all()
    present = [c for c in range(classes) if (t == c).any() or (p == c).any()]
    zero = dict(zero_division=0)
    iou = metrics.jaccard_score(t, p, labels=range(classes), average=None, **zero)
    precision, recall, f1, support = metrics.precision_recall_fscore_support(t, p, labels=range(classes), **zero)
    for c in range(classes):
        row = told["classes"][c]
        assert row["support"] == support[c]
        for name, values in (("iou", iou), ("f1", f1), ("precision", precision), ("recall", recall)):
            near(f"{name} of {c}", row[name], values[c] if c in present else None)
    near("oa", told["oa"], metrics.accuracy_score(t, p))
    with np.errstate(all="ignore"):
        kappa = metrics.cohen_kappa_score(t, p) if len(set(t) | set(p)) > 1 else np.nan
    near("kappa", told["kappa"], kappa)
    near("miou", told["miou"], iou[present].mean())
    near("mf1", told["mf1"], f1[present].mean())
    near("weighted", told["frequency_weighted_iou"], (iou * support).sum() / support.sum())
    if (p != 255).all() and classes > 1:
        tt, pp = torch.tensor(truth.astype(np.int64)), torch.tensor(pred.astype(np.int64))
        options = dict(num_classes=classes, ignore_index=255)
        jaccard = tm.multiclass_jaccard_index(pp, tt, average="none", **options).double()
        for c in present:
            assert abs(told["classes"][c]["iou"] - jaccard[c].item()) < 1e-6, f"torchmetrics' IoU of {c}"
        exact = tm.multiclass_confusion_matrix(pp, tt, **options).double().numpy()
        near("torchmetrics' confusion", float(np.abs(exact - np.array(told["confusion"])).max()), 0.0)


def check_files(folder, told):
    """The numbers of all four files are the same."""
    report = json.loads((folder / "report.json").read_text())
    assert all(report[key] == told[key] for key in report)
    rows = {row["class"]: row for row in csv.DictReader((folder / "report.csv").open())}
    html = (folder / "report.html").read_text()
    body = html.split('<table id="classes">')[1].split("<tbody>")[1].split("</tbody>")[0]
    shown = [[re.search(r'<data value="([^"]+)"', cell) for cell in row.split("<td")[1:]]
             for row in body.split("<tr")[1:]]
    text = (folder / "report.md").read_text()
    for i, row in enumerate(report["classes"]):
        for place, name in enumerate(("iou", "f1", "precision", "recall")):
            value = row[name]
            cell = rows[row["name"]][name]
            assert (cell == "") == (value is None) and (value is None or float(cell) == value), (name, cell, value)
            cell = shown[i][place]
            assert (cell is None) == (value is None) and (value is None or float(cell[1]) == value)
            if value is not None:
                assert f"{value:.4f}" in text
    for name in ("oa", "kappa"):
        value, cell = report[name], rows["(all pixels)"][name]
        assert (cell == "") == (value is None) and (value is None or float(cell) == value), name


def scores(program, seed=0):
    random = np.random.default_rng(int(seed))
    cases = {}
    for classes in (1, 2, 3, 6, 20, 255):
        t = random.integers(0, classes, (70, 90)).astype("u1")
        p = np.where(random.random(t.shape) < 0.6, t, random.integers(0, classes, t.shape)).astype("u1")
        cases[f"{classes} classes"] = (t, p, classes)
    t, p, _ = cases["6 classes"]
    cases["absent classes"] = (t % 2, p % 3, 6)
    cases["ignored pixels"] = (np.where(random.random(t.shape) < 0.3, 255, t).astype("u1"), p, 6)
    cases["nothing but ignored"] = (np.full_like(t, 255), p, 6)
    cases["without predictions"] = (t, np.where(random.random(t.shape) < 0.3, 255, p).astype("u1"), 6)
    cases["one class in both"] = (np.full_like(t, 2), np.full_like(t, 2), 6)
    cases["never right"] = (t, (t + 1) % 6, 6)
    cases["one pixel"] = (t[:1, :1], p[:1, :1], 6)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for title, (t, p, classes) in cases.items():
            write(folder / "truth.tif", t)
            write(folder / "pred.tif", p)
            legend(folder / "legend.toml", classes)
            told = evaluate(program, folder, "--out", str(folder / "out"), "--overwrite")
            check_scores(told, t, p, classes)
            check_files(folder / "out", told)
            print(f"{title:22} equal")


def calibration(program, seed=0):
    from torchmetrics.functional.classification.calibration_error import _ce_compute
    import torch

    random = np.random.default_rng(int(seed))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        logits = random.normal(size=(5, 80, 120)) * 3
        p = np.exp(logits) / np.exp(logits).sum(0)
        p[:, :4] = np.eye(5)[random.integers(0, 5, (4, 120))].transpose(2, 0, 1)
        p = p.astype("f4")
        pred = p.argmax(0).astype("u1")
        truth = np.where(random.random(pred.shape) < 0.5, pred, random.integers(0, 5, pred.shape)).astype("u1")
        truth[:, :7] = 255
        write(folder / "truth.tif", truth)
        write(folder / "pred.tif", pred)
        legend(folder / "legend.toml", 5)
        write(folder / "p.tif", p, nodata=None)
        told = evaluate(program, folder, "--probabilities", str(folder / "p.tif"))
        kept = truth != 255
        top, right = torch.tensor(p.max(0)[kept]).double(), torch.tensor((pred == truth)[kept])
        expected = _ce_compute(top, right, 15).item()
        near("ece", told["calibration"]["ece"], expected)
        print(f"expected calibration error {expected:.6f} equal")


def coverage(program, maps=500):
    from scipy import ndimage

    side, wrong = 256, 0.2
    for sigma in (2, 6, 12):
        held = {"oa": 0, "iou": 0}
        random = np.random.default_rng(sigma)
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            legend(folder / "legend.toml", 2)
            truth = np.kron(random.integers(0, 2, (32, 32)), np.ones((8, 8))).astype("u1")
            write(folder / "truth.tif", truth)
            # What a very large map has.
            target = {"oa": 1 - wrong, "iou": None}
            right = np.array([(truth == c).mean() for c in (0, 1)])
            hit = right[0] * (1 - wrong)
            target["iou"] = hit / (right[0] + right[1] * wrong)
            for seed in range(int(maps)):
                field = ndimage.gaussian_filter(random.standard_normal((side + 8 * sigma,) * 2), sigma)
                field = field[4 * sigma:-4 * sigma, 4 * sigma:-4 * sigma] * (2 * sigma * np.sqrt(np.pi))
                write(folder / "pred.tif", np.where(field > 0.8416212, 1 - truth, truth).astype("u1"))
                told = evaluate(program, folder, "--seed", str(seed))
                found = told["uncertainty"]["intervals"]
                for name, interval in (("oa", found["oa"]), ("iou", found["classes"][0]["iou"])):
                    held[name] += interval["low"] <= target[name] <= interval["high"]
        shares = {name: count / int(maps) for name, count in held.items()}
        print(f"errors over about {sigma} of {side} px: {shares}", flush=True)


def speed(program):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        random = np.random.default_rng(0)
        truth = np.kron(random.integers(0, 6, (200, 200)), np.ones((50, 50))).astype("u1")
        pred = np.where(np.kron(random.random((1000, 1000)), np.ones((10, 10))) < 0.2, (truth + 1) % 6, truth)
        write(folder / "truth.tif", truth)
        write(folder / "pred.tif", pred.astype("u1"))
        legend(folder / "legend.toml", 6)
        peer = ("import numpy as np, rasterio, sys\nfrom sklearn.metrics import confusion_matrix\n"
                "a, b = (rasterio.open(f).read(1).ravel() for f in sys.argv[1:])\nprint(confusion_matrix(a, b).sum())")
        for turn in range(3):
            begin = time.time()
            subprocess.run([sys.executable, "-c", peer, str(folder / "truth.tif"), str(folder / "pred.tif")], check=True,
                           capture_output=True)
            theirs = time.time() - begin
            begin = time.time()
            command = ["/usr/bin/env", "bash", "-c", 'ulimit -c 0; exec "$@"', "-", program, "eval", "--pred",
                       str(folder / "pred.tif"), "--truth", str(folder / "truth.tif"), "--legend",
                       str(folder / "legend.toml"), "--json", "--quiet"]
            with subprocess.Popen(command, stdout=subprocess.DEVNULL) as job:
                _, status, usage = os.wait4(job.pid, 0)
                job.returncode = status
            ours = time.time() - begin
            print(f"numpy and scikit-learn {theirs:.2f} s, rs-seg {ours:.2f} s: {ours / theirs:.3f}; "
                  f"{usage.ru_maxrss / 1024:.0f} MiB", flush=True)


if __name__ == "__main__":
    program, what, *more = sys.argv[1:]
    {"scores": scores, "calibration": calibration, "coverage": coverage, "speed": speed}[what](program, *more)
