#!/usr/bin/env python3
"""Makes the reference tensors of this folder with PyTorch: `python make_parity.py` (torch, numpy, safetensors).

The network is written here a second time, as plain functions over weights in closed form (the rules of
crates/seg-nn/src/hash_fill.rs), so that the files hold activations only. Formulas: Liu and Wang, Remote
Sens. 2024, 16, 2289; CLIP's towers: arXiv:2103.00020; Semantic FPN: arXiv:1901.02446.
It also makes two files that are no usable TorchScript networks: `pair.pt` returns two tensors, `weights.pt`
holds a state dict.
"""

import math
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
import tomllib
from safetensors.torch import save_file

HERE = Path(__file__).parent
MASK = (1 << 64) - 1
PHI = 0x9E3779B97F4A7C15
GAMMA = 0.5
SEED = 11

CONFIG = """
[model]
name = "{name}"
tile-px = 64
[model.encoder]
kind = "{encoder}"
output-stride = {stride}
stem-width = 8
widths = [4, 4, 8, 8]
depths = [1, 2, 1, 1]
{alignment}
[model.decoder]
{decoder}
dropout = 0.0
[input]
bands = 3
divide = 255.0
mean = [0.5, 0.5, 0.5]
std = [0.25, 0.25, 0.25]
[[class]]
id = 0
name = "water"
color = "#0000ff"
[[class]]
id = 1
name = "low_vegetation"
color = "#00ff00"
[[class]]
id = 2
name = "building"
color = "#ff0000"
"""

FPN = "fpn-width = 8\nhead-width = 12"
PSPNET = 'kind = "pspnet"\nbins = [1, 2, 3]\nhead-width = 8\naux-width = 6'
DEEPLAB = 'kind = "deeplabv3plus"\ndilations = [1, 2, 3]\nhead-width = 8\nfine-width = 4\naux-width = 6'

ALIGNMENT = """
[model.pool]
heads = 4
embed-dim = 16
positional-grid = 2
[model.text]
tokenizer = "words"
tower = "trained"
vocab = 32
width = 16
heads = 2
layers = 2
context-length = 12
n-tok = 5
n-ctx = 3
[model.fusion]
kind = "{kind}"
stacks = "{stacks}"
width = 8
heads = 2
layers = 2
dropout = 0.0
"""


def fnv1a64(text):
    value = 0xCBF29CE484222325
    for byte in text.encode():
        value = ((value ^ byte) * 0x100000001B3) & MASK
    return value


def uniform(key, seed, count):
    start = (fnv1a64(key) + seed * PHI) & MASK
    numbers = []
    for index in range(1, count + 1):
        z = (start + index * PHI) & MASK
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        numbers.append((z ^ (z >> 31)) >> 40)
    return torch.from_numpy((np.array(numbers, dtype=np.float64) / 2**23 - 1.0).astype(np.float32))


class Weights:
    """Weights by key, made when they are first asked for; running statistics change in training mode."""

    def __init__(self, train):
        self.made, self.train = {}, train

    def __call__(self, key, *shape):
        if key not in self.made:
            self.made[key] = self.fill(key, shape)
        return self.made[key]

    @staticmethod
    def fill(key, shape):
        u = uniform(key, SEED, math.prod(shape)).reshape(shape)
        if key.endswith("running_mean"):
            return 0.1 * u
        if key.endswith("running_var"):
            return 1 + 0.3 * u
        if key.startswith("gamma_"):
            return GAMMA * (1 + 0.1 * u)
        if key.endswith("attnpool.positional_embedding"):
            return 0.1 * u
        if key == "contexts" or "embedding" in key:
            return 0.02 * u
        if key == "text_projection":
            return u * math.sqrt(3 / shape[0])
        if len(shape) == 1:
            return 0.05 * u if key.endswith("bias") else 1 + 0.1 * u
        return u * math.sqrt(3 / math.prod(shape[1:]))

    def conv(self, key, x, out, size, stride=1, bias=False, dilation=1, groups=1):
        b = self(key + ".bias", out) if bias else None
        weight = self(key + ".weight", out, x.shape[1] // groups, size, size)
        return F.conv2d(x, weight, b, stride, dilation * (size // 2), dilation, groups)

    def unit(self, key, x, out, size, **options):
        return self.batch_norm(key + ".bn", self.conv(key + ".conv", x, out, size, **options)).relu()

    def separable(self, key, x, out, dilation=1):
        x = self.unit(key + ".depthwise", x, x.shape[1], 3, dilation=dilation, groups=x.shape[1])
        return self.unit(key + ".pointwise", x, out, 1)

    def batch_norm(self, key, x):
        c = x.shape[1]
        mean, var = self(key + ".running_mean", c), self(key + ".running_var", c)
        return F.batch_norm(x, mean, var, self(key + ".weight", c), self(key + ".bias", c), self.train, 0.1, 1e-5)

    def linear(self, key, x, out, bias=True):
        return F.linear(x, self(key + ".weight", out, x.shape[-1]), self(key + ".bias", out) if bias else None)

    def layer_norm(self, key, x):
        c = x.shape[-1]
        return F.layer_norm(x, (c,), self(key + ".weight", c), self(key + ".bias", c), 1e-5)


def attend(q, k, v, heads, causal=False):
    """Soft-max attention written out head by head."""
    size, outputs = q.shape[-1] // heads, []
    for head in range(heads):
        part = slice(head * size, (head + 1) * size)
        logits = q[..., part] @ k[..., part].mT / math.sqrt(size)
        if causal:
            logits = logits + torch.full(logits.shape[-2:], -math.inf).triu(1)
        outputs.append(logits.softmax(-1) @ v[..., part])
    return torch.cat(outputs, -1)


def encoder(w, x, config):
    stem = config["stem-width"]
    for i, (out, stride) in enumerate([(stem // 2, 2), (stem // 2, 1), (stem, 1)], 1):
        x = w.batch_norm(f"visual.bn{i}", w.conv(f"visual.conv{i}", x, out, 3, stride)).relu()
    clip, maps = config["kind"] == "clip", []
    x = F.avg_pool2d(x, 2) if clip else F.max_pool2d(x, 3, 2, 1)
    strides, dilations = ([1, 2, 2, 2], [1, 1, 1, 1]) if config["output-stride"] == 32 else ([1, 2, 1, 1], [1, 1, 2, 4])
    for stage, (width, depth) in enumerate(zip(config["widths"], config["depths"])):
        for block in range(depth):
            stride = strides[stage] if block == 0 else 1
            dilation = max(dilations[stage] // 2, 1) if block == 0 else dilations[stage]
            # CLIP averages where V1c has a stride.
            pool, stride = (stride, 1) if clip else (1, stride)
            key = f"visual.layer{stage + 1}.{block}"
            y = w.batch_norm(key + ".bn1", w.conv(key + ".conv1", x, width, 1)).relu()
            y = w.batch_norm(key + ".bn2", w.conv(key + ".conv2", y, width, 3, stride, dilation=dilation)).relu()
            y = w.batch_norm(key + ".bn3", w.conv(key + ".conv3", F.avg_pool2d(y, pool), 4 * width, 1))
            if pool * stride > 1 or x.shape[1] != 4 * width:
                x = w.conv(key + ".downsample.0", F.avg_pool2d(x, pool), 4 * width, 1, stride)
                x = w.batch_norm(key + ".downsample.1", x)
            x = (x + y).relu()
        maps.append(x)
    return maps


def attention_pool(w, x, config):
    batch, channels, height, width = x.shape
    key, grid = "visual.attnpool.", config["positional-grid"]
    table = w(key + "positional_embedding", 1 + grid * grid, channels)
    places = table[1:].T.reshape(1, channels, grid, grid)
    places = F.interpolate(places, (height, width), mode="bilinear", align_corners=False)
    table = torch.cat([table[:1], places.reshape(channels, -1).T])
    tokens = x.reshape(batch, channels, -1).mT
    tokens = torch.cat([tokens.mean(1, keepdim=True), tokens], 1) + table
    q, k, v = (w.linear(key + name, tokens, channels) for name in ("q_proj", "k_proj", "v_proj"))
    out = w.linear(key + "c_proj", attend(q, k, v, config["heads"]), config["embed-dim"])
    return out[:, 0], out[:, 1:]


def text_tower(w, names, config, embed_dim):
    vocab, width, n_ctx = config["vocab"], config["width"], config["n-ctx"]
    rows = []
    for name in names:
        ids = [vocab - 2] + [2 + fnv1a64(word) % (vocab - 6) for word in name.split("_")] + [vocab - 1]
        words = w("token_embedding.weight", vocab, width)[ids]
        x = torch.cat([words[:1], w("contexts", 1, n_ctx, width)[0], words[1:]])
        x = x + w("positional_embedding", config["context-length"], width)[: len(x)]
        for layer in range(config["layers"]):
            key = f"transformer.resblocks.{layer}."
            y = w.layer_norm(key + "ln_1", x)
            qkv = F.linear(y, w(key + "attn.in_proj_weight", 3 * width, width), w(key + "attn.in_proj_bias", 3 * width))
            y = attend(*qkv.split(width, -1), config["heads"], causal=True)
            x = x + w.linear(key + "attn.out_proj", y, width)
            y = w.linear(key + "mlp.c_fc", w.layer_norm(key + "ln_2", x), 4 * width)
            x = x + w.linear(key + "mlp.c_proj", y * torch.sigmoid(1.702 * y), width)
        # The prompt ends with its end token: no padding is needed when every prompt goes alone.
        rows.append(w.layer_norm("ln_final", x[-1]) @ w("text_projection", width, embed_dim))
    return torch.stack(rows)


def fuse(w, key, x, memory, config):
    width, heads, out = config["width"], config["heads"], x.shape[-1]
    memory = w.linear(key + ".kv_in_proj", w.layer_norm(key + ".kv_in_norm", memory), width)
    memory = w.layer_norm(key + ".kv_mid_norm", memory)
    x = w.linear(key + ".q_in_proj", w.layer_norm(key + ".q_in_norm", x), width)
    for layer in range(config["layers"]):
        at = f"{key}.layers.{layer}."
        for kind, norm, source in (("self", "norm1", None), ("cross", "norm2", memory)):
            y = w.layer_norm(at + norm, x)
            source = y if source is None else source
            q = w.linear(f"{at}{kind}_q", y, width, bias=False)
            k, v = (w.linear(f"{at}{kind}_{name}", source, width, bias=False) for name in "kv")
            x = x + w.linear(f"{at}{kind}_o", attend(q, k, v, heads), width)
        y = F.gelu(w.linear(at + "fc1", w.layer_norm(at + "norm3", x), 4 * width))
        x = x + w.linear(at + "fc2", y, width)
    return w.linear(key + ".out_proj", w.layer_norm(key + ".out_norm", x), out)


def score_map(w, x4, config, names, out):
    model = config["model"]
    dim, fusion = model["pool"]["embed-dim"], model["fusion"]
    glob, x = attention_pool(w, x4, model["pool"])
    text = text_tower(w, names, model["text"], dim)
    q = text.expand(len(x4), -1, -1)
    memory = torch.cat([glob[:, None], x], 1)
    t_post = fuse(w, "bff_text", q, memory, fusion)
    v_post = fuse(w, "bff_text" if fusion["stacks"] == "shared" else "bff_image", x, q, fusion)
    t, v = q + w("gamma_t", dim) * t_post, x + w("gamma_v", dim) * v_post
    score = F.cosine_similarity(v[:, :, None], t[:, None], dim=-1, eps=1e-12).mT.reshape(len(x4), -1, *x4.shape[2:])
    dense = x.mT.reshape(len(x4), dim, *x4.shape[2:])
    out.update(global_feat=glob, dense=dense, text=text, t_post=t_post, v_post=v_post, t=t, v=v, score=score)
    return score


def resize(x, like):
    return F.interpolate(x, like.shape[2:], mode="bilinear", align_corners=False)


def pspnet(w, maps, config, classes):
    x, width = maps[3], config["head-width"]
    levels = [w.unit(f"psp.{i}", F.adaptive_avg_pool2d(x, bins), width, 1) for i, bins in enumerate(config["bins"])]
    x = w.unit("head.bottleneck", torch.cat([x, *(resize(y, x) for y in levels)], 1), width, 3)
    return w.conv("head.classify", x, classes, 1, bias=True)


def deeplab(w, maps, config, classes):
    x, width = maps[3], config["head-width"]
    seen = [resize(w.unit("aspp.image", x.mean((2, 3), keepdim=True), width, 1), x), w.unit("aspp.0", x, width, 1)]
    seen += [w.separable(f"aspp.{i}", x, width, d) for i, d in enumerate(config["dilations"]) if i > 0]
    x = w.unit("head.bottleneck", torch.cat(seen, 1), width, 3)
    fine = w.unit("head.fine", maps[0], config["fine-width"], 1)
    x = torch.cat([resize(x, fine), fine], 1)
    for i in range(2):
        x = w.separable(f"head.refine.{i}", x, width)
    return w.conv("head.classify", x, classes, 1, bias=True)


def decode(w, maps, config, classes, out):
    decoder = config["model"]["decoder"]
    if decoder.get("kind") == "pspnet":
        return pspnet(w, maps, decoder, classes)
    if decoder.get("kind") == "deeplabv3plus":
        return deeplab(w, maps, decoder, classes)
    ys = [w.conv(f"fpn.lateral.{i}", x, decoder["fpn-width"], 1, bias=True) for i, x in enumerate(maps)]
    for i in (2, 1, 0):
        ys[i] = ys[i] + F.interpolate(ys[i + 1], scale_factor=2, mode="nearest")
    ys = [w.conv(f"fpn.smooth.{i}", y, y.shape[1], 3, bias=True) for i, y in enumerate(ys)]
    out.update({f"p{i + 2}": y for i, y in enumerate(ys)})
    total = 0
    for i, y in enumerate(ys):
        for j in range(max(1, i)):
            key = f"head.scale.{i}.{j}"
            y = w.batch_norm(key + ".bn", w.conv(key + ".conv", y, decoder["head-width"], 3)).relu()
            if i > 0:
                y = F.interpolate(y, scale_factor=2, mode="bilinear", align_corners=False)
        total = total + y
    return w.conv("head.classify", total, classes, 1, bias=True)


def forward(w, image, config):
    names, out = [c["name"] for c in config["class"]], {}
    maps = encoder(w, image, config["model"]["encoder"])
    out.update({f"layer{i + 1}": x for i, x in enumerate(maps)})
    if "text" in config["model"]:
        maps[3] = torch.cat([maps[3], score_map(w, maps[3], config, names, out)], 1)
    out["logits4"] = decode(w, maps, config, len(names), out)
    return out


def make(name, alignment, height, width, encoder="clip", stride=32, decoder=FPN):
    text = CONFIG.format(name=name, alignment=alignment, encoder=encoder, stride=stride, decoder=decoder)
    config = tomllib.loads(text)
    image = uniform("input", SEED, 2 * 3 * height * width).reshape(2, 3, height, width) * 2
    tensors = {"input": image}
    with torch.no_grad():
        tensors.update({f"eval/{k}": x for k, x in forward(Weights(train=False), image, config).items()})
        w = Weights(train=True)
        train = forward(w, image, config)
    tensors.update({f"train/{k}": train[k] for k in ("layer4", "score", "logits4") if k in train})
    for key in ("visual.bn1.running_mean", "visual.bn1.running_var"):
        tensors[f"train/after/{key}"] = w.made[key]
    tensors = {key: tensor.contiguous() for key, tensor in tensors.items()}
    save_file(tensors, HERE / f"{name}.safetensors", metadata={"config": text, "seed": str(SEED)})


class Pair(torch.nn.Module):
    def forward(self, x):
        return x, 2 * x


if __name__ == "__main__":
    make("bemseg", ALIGNMENT.format(kind="both", stacks="separate"), 64, 96)
    make("shared", ALIGNMENT.format(kind="both", stacks="shared"), 64, 64)
    make("plain", "", 32, 64)
    make("semantic-fpn", "", 32, 64, "v1c")
    make("pspnet", "", 64, 96, "v1c", 8, PSPNET)
    make("deeplabv3plus", "", 64, 96, "v1c", 8, DEEPLAB)
    torch.jit.trace(Pair(), torch.zeros(1, 3, 8, 8)).save(str(HERE / "pair.pt"))
    torch.save(torch.nn.Conv2d(3, 2, 1).state_dict(), HERE / "weights.pt")
