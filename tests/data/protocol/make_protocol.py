#!/usr/bin/env python3
"""Makes the network and the reference probabilities of this folder with PyTorch: `python make_protocol.py`
(torch, numpy, safetensors).

The test protocol is written here a second time, after the description of mmseg's slide inference and of its
multi-scale test: windows whose last one ends with the image, scores divided by how many windows cover a pixel,
brought to the image's size, soft-max, turned back, averaged. `net.pt` is a small convolutional network of
stride 4 with weights drawn from a seed; what is not a multiple of 4 is filled up with 0 at the right and bottom.
"""

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import save_file

HERE = Path(__file__).parent
WINDOW, STRIDE, MULTIPLE = 64, 42, 4
RATIOS = (0.5, 0.75, 1.0, 1.25, 1.5, 1.75)
MEAN, STD = 0.45, 0.25
TOML = """\
[model]
output = "logits"
stride = 4
tile-px = 64
[input]
bands = 3
divide = 255.0
mean = [0.45, 0.45, 0.45]
std = [0.25, 0.25, 0.25]
[[class]]
id = 0
name = "ground"
color = "#ffffff"
[[class]]
id = 1
name = "building"
color = "#0000ff"
"""


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.a = torch.nn.Conv2d(3, 8, 3, stride=2, padding=1)
        self.b = torch.nn.Conv2d(8, 8, 3, stride=2, padding=1)
        self.c = torch.nn.Conv2d(8, 2, 1)

    def forward(self, x):
        return 4 * self.c(torch.relu(self.b(torch.relu(self.a(x)))))


def score(net, crop):
    height, width = crop.shape[2:]
    padded = F.pad(crop, (0, -width % MULTIPLE, 0, -height % MULTIPLE))
    logits = F.interpolate(net(padded), size=padded.shape[2:], mode="bilinear", align_corners=False)
    return logits[:, :, :height, :width]


def slide(net, image):
    height, width = image.shape[2:]
    rows = max(height - WINDOW + STRIDE - 1, 0) // STRIDE + 1
    columns = max(width - WINDOW + STRIDE - 1, 0) // STRIDE + 1
    total, count = torch.zeros(1, 2, height, width), torch.zeros(1, 1, height, width)
    for row in range(rows):
        for column in range(columns):
            bottom, right = min(row * STRIDE + WINDOW, height), min(column * STRIDE + WINDOW, width)
            top, left = max(bottom - WINDOW, 0), max(right - WINDOW, 0)
            total[:, :, top:bottom, left:right] += score(net, image[:, :, top:bottom, left:right])
            count[:, :, top:bottom, left:right] += 1
    return total / count


def one_pass(net, image, ratio, flip):
    height, width = image.shape[2:]
    size = (int(height * ratio + 0.5), int(width * ratio + 0.5))
    resized = image if size == (height, width) else F.interpolate(image, size=size, mode="bilinear", align_corners=False)
    if flip:
        resized = torch.flip(resized, [3])
    logits = slide(net, resized)
    if size != (height, width):
        logits = F.interpolate(logits, size=(height, width), mode="bilinear", align_corners=False)
    seen = torch.softmax(logits, 1)
    return torch.flip(seen, [3]) if flip else seen


def main():
    torch.manual_seed(20240622)
    net = Net().eval()
    draw = np.random.default_rng(7)
    tensors = {}
    with torch.no_grad():
        torch.jit.trace(net, torch.zeros(1, 3, 64, 64)).save(HERE / "net.pt")
        for name, (height, width) in {"large": (80, 96), "small": (31, 45)}.items():
            y, x = np.mgrid[:height, :width]
            waves = [128 + 90 * np.sin((x * a + y * b) / 9.0) for a, b in ((1, 0.3), (-0.4, 1.2), (0.8, 0.7))]
            pixels = np.clip(np.stack(waves) + draw.normal(0, 20, (3, height, width)), 0, 255).astype(np.uint8)
            image = ((torch.from_numpy(pixels).float() / 255 - MEAN) / STD)[None]
            passes = [one_pass(net, image, ratio, flip) for ratio in RATIOS for flip in (False, True)]
            tensors[f"{name}/image"] = torch.from_numpy(pixels)
            tensors[f"{name}/single"] = one_pass(net, image, 1.0, False)[0]
            tensors[f"{name}/paper"] = (sum(passes) / len(passes))[0]
    (HERE / "net.toml").write_text(TOML)
    save_file({key: value.contiguous() for key, value in tensors.items()}, HERE / "protocol.safetensors")


if __name__ == "__main__":
    main()
