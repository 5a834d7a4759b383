#!/usr/bin/env python3
"""Makes the reference losses of this folder with PyTorch: `python make_losses.py` (torch, numpy, safetensors).

Every formula is written out place by place in double precision, and gradients are those of this text. Formulas:
Liu and Wang, Remote Sens. 2024, 16, 2289, equations (5) to (9).
The file holds inputs, and for every case the losses and the gradients of their weighted sum; its metadata holds
the `[loss]` section of every case. Each case is three steps with one memory: `first`, then `second`, where class
0 is never predicted and never a label, then `third`, a batch of one image.
"""

import json
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
import tomllib
from safetensors.torch import save_file

HERE = Path(__file__).parent
IMAGES, CLASSES, SIDE, LABELS = 2, 4, 3, 12

CASES = {
    "paper": "",
    "label": 'cpc-category = "label"',
    "label-mask": 'cpc-category = "label"\ncpc-absent = "mask"',
    "mask": 'cpc-absent = "mask"',
    "normalize": "cpc-normalize = true",
    "detach": "cpc-detach = true",
    "sum": 'cpc-reduce = "sum"',
    "temperatures": "tau = 0.2\neta = 0.5\naux-weight = 1.0\ncpc-weight = 2.0",
    "valid": 'denominator = "valid"',
    "smooth": "label-smoothing = 0.1",
    "weights": "class-weights = [0.5, 1.0, 2.0, 0.25]\ndice-weight = 0.7",
    "weights-valid": 'class-weights = [0.5, 1.0, 2.0, 0.0]\ndenominator = "valid"\nlabel-smoothing = 0.2',
}


def cross_entropy(logits, labels, case):
    logits = F.interpolate(logits, labels.shape[1:], mode="bilinear", align_corners=False)
    weights = case.get("class-weights", [1.0] * CLASSES)
    smoothing = case.get("label-smoothing", 0.0)
    total, pixels, weighed = 0, 0, 0
    for image, row, column in np.ndindex(*labels.shape):
        label, scores = int(labels[image, row, column]), logits[image, :, row, column]
        pixels += 1
        if label == 255:
            continue
        losses = torch.logsumexp(scores, 0) - scores
        spread = sum(w * x for w, x in zip(weights, losses)) / CLASSES
        total = total + (1 - smoothing) * weights[label] * losses[label] + smoothing * spread
        weighed += weights[label]
    return total / (weighed if case.get("denominator") == "valid" else pixels)


def dice(logits, labels):
    logits = F.interpolate(logits, labels.shape[1:], mode="bilinear", align_corners=False)
    valid, misses = labels != 255, []
    for c in range(CLASSES):
        truth, p = labels[valid] == c, logits.softmax(1)[:, c][valid]
        if truth.any():
            misses.append(1 - 2 * p[truth].sum() / (p.sum() + truth.sum()))
    return sum(misses) / len(misses)


def contrast(score, labels, case, memory):
    unit = (lambda x: x / x.norm()) if case.get("cpc-normalize") else (lambda x: x)
    eta, images = case.get("eta", 0.1), len(score)
    places = [(b, y, x) for b in range(images) for y in range(SIDE) for x in range(SIDE)]
    category = {}
    for b, y, x in places:
        if case.get("cpc-category") == "label":
            category[b, y, x] = int(labels[b, y * LABELS // SIDE, x * LABELS // SIDE])
        else:
            category[b, y, x] = int(score[b, :, y, x].argmax())
    samples = dict(memory) if case.get("cpc-absent", "memory") == "memory" else {}
    if len(samples) and max(b for b, _ in samples) >= images:
        samples = {}
    for b in range(images):
        for c in range(CLASSES):
            own = [score[b, :, y, x] for (i, y, x), k in category.items() if (i, k) == (b, c)]
            if own:
                mean = torch.stack(own).mean(0)
                samples[b, c] = mean.detach() if case.get("cpc-detach") else mean
    memory.clear()
    memory.update({at: mean.detach() for at, mean in samples.items()})
    losses = []
    for b, y, x in places:
        c, vector = category[b, y, x], unit(score[b, :, y, x])
        if c >= CLASSES:
            continue
        like = {at: vector @ unit(mean) / eta for at, mean in samples.items()}
        negatives = [value for (_, k), value in like.items() if k != c]
        positives = [value for (_, k), value in like.items() if k == c]
        terms = [torch.logsumexp(torch.stack([p, *negatives]), 0) - p for p in positives]
        losses.append(sum(terms) / len(terms))
    return sum(losses) / (images if case.get("cpc-reduce") == "sum" else len(losses))


def run(name, text, steps, out):
    case, memory = tomllib.loads(text), {}
    for step, (logits4, score, labels) in steps.items():
        logits4, score = (x.double().requires_grad_() for x in (logits4, score))
        losses = {
            "main": cross_entropy(logits4, labels, case),
            "aux": cross_entropy(score / case.get("tau", 0.07), labels, case),
            "cpc": contrast(score, labels, case, memory),
        }
        weights = {"aux": case.get("aux-weight", 0.4), "cpc": case.get("cpc-weight", 0.2)}
        if "dice-weight" in case:
            losses["dice"], weights["dice"] = dice(logits4, labels), case["dice-weight"]
        losses["total"] = sum(weights.get(key, 1.0) * loss for key, loss in losses.items())
        losses["total"].backward()
        losses.update({"grad/logits4": logits4.grad, "grad/score": score.grad})
        out.update({f"{name}/{step}/{key}": x.detach().float().contiguous() for key, x in losses.items()})


def main():
    torch.manual_seed(1)
    logits4 = torch.randn(IMAGES, CLASSES, 2 * SIDE, 2 * SIDE) * 2
    score = torch.rand(IMAGES, CLASSES, SIDE, SIDE) * 0.6 - 0.3
    labels = torch.randint(0, CLASSES + 1, (IMAGES, LABELS // 2, LABELS // 2))
    labels[labels == CLASSES] = 255
    labels = labels.repeat_interleave(2, 1).repeat_interleave(2, 2)
    second, without = score.flip(-1).clone(), labels.flip(-1).clone()
    second[:, 0] -= 1
    without[without == 0] = 1
    steps = {
        "first": (logits4, score, labels),
        "second": (logits4.flip(-1), second, without),
        "third": (logits4[:1], second[:1], without[:1]),
    }
    out = {}
    for step, (x, s, y) in steps.items():
        out.update({f"{step}/logits4": x.clone(), f"{step}/score": s.clone(), f"{step}/labels": y.clone()})
    for name, text in CASES.items():
        run(name, text, steps, out)
    assert all(torch.isfinite(x).all() for x in out.values())
    save_file(out, HERE / "losses.safetensors", metadata={"cases": json.dumps(CASES)})


if __name__ == "__main__":
    main()
