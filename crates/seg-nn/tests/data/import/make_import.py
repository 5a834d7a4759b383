"""Makes the files that the tests of seg_nn::import read, with PyTorch and open_clip alone.

    python make_import.py     # writes beside itself

Networks are tiny and their weights random. What a file should be read as stands in expected.json: for each
file its tensors by the names that the file gives them, each as its shape and the first half of the sha256 of its
numbers, floating-point ones as float32.
"""

import hashlib
import io
import json
import pathlib
import zipfile
from collections import OrderedDict

import open_clip
import torch
import torch.utils.serialization
from open_clip.model import CLIP, CLIPTextCfg, CLIPVisionCfg
from safetensors.torch import save_file

HERE = pathlib.Path(__file__).parent
WIDTH, EMBED = 2, 8
VISION = CLIPVisionCfg(layers=[1, 1, 1, 1], width=WIDTH, image_size=64)
TEXT = CLIPTextCfg(context_length=10, vocab_size=64, width=8, heads=1, layers=1)
VOCAB, CLASSES, FPN, HEAD, FUSION = 64, 3, 8, 8, 8
expected = {}


def random_(module):
    """Weights and statistics that tell every tensor from every other."""
    generator = torch.Generator().manual_seed(7)
    for tensor in module.state_dict().values():
        if tensor.is_floating_point():
            tensor.copy_(0.1 * torch.randn(tensor.shape, generator=generator))
    for name, tensor in module.state_dict().items():
        if name.endswith("running_var"):
            tensor.abs_().add_(0.5)
    return module.eval()


def note(name, tensors):
    def facts(tensor):
        tensor = tensor.detach().float() if tensor.is_floating_point() else tensor.detach()
        digest = hashlib.sha256(tensor.contiguous().numpy().tobytes()).hexdigest()
        return [list(tensor.shape), digest[:32]]

    expected[name] = {key: facts(value) for key, value in tensors.items()}


class Openai(torch.nn.Module):
    """CLIP's modules as OpenAI's archive has them: its sizes are buffers."""

    def __init__(self, clip):
        super().__init__()
        self.visual, self.transformer = clip.visual, clip.transformer
        self.token_embedding, self.ln_final = clip.token_embedding, clip.ln_final
        self.positional_embedding, self.text_projection = clip.positional_embedding, clip.text_projection
        self.logit_scale = clip.logit_scale
        for key, value in (("input_resolution", 64), ("context_length", 10), ("vocab_size", VOCAB)):
            self.register_buffer(key, torch.tensor(value))

    def forward(self, image):
        return self.visual(image)


def conv(into, out, kernel):
    return torch.nn.Conv2d(into, out, kernel)


def conv_module(into, out):
    """mmcv's ConvModule with a norm."""
    module = torch.nn.Module()
    module.conv, module.bn = torch.nn.Conv2d(into, out, 3, bias=False), torch.nn.BatchNorm2d(out)
    return module


def attention(width):
    module = torch.nn.Module()
    for part in "qkv":
        setattr(module, f"{part}_proj", torch.nn.Linear(width, width, bias=False))
    module.proj = torch.nn.Linear(width, width)
    return module


def context_decoder():
    norm, linear = torch.nn.LayerNorm, torch.nn.Linear
    layer = torch.nn.Module()
    layer.self_attn, layer.cross_attn = attention(FUSION), attention(FUSION)
    layer.norm1, layer.norm2, layer.norm3 = norm(FUSION), norm(FUSION), norm(FUSION)
    layer.mlp = torch.nn.Sequential(
        linear(FUSION, 4 * FUSION), torch.nn.GELU(), torch.nn.Dropout(), linear(4 * FUSION, FUSION)
    )
    module = torch.nn.Module()
    module.memory_proj = torch.nn.Sequential(norm(EMBED), linear(EMBED, FUSION), norm(FUSION))
    module.text_proj = torch.nn.Sequential(norm(EMBED), linear(EMBED, FUSION))
    module.decoder = torch.nn.ModuleList([layer])
    module.out_proj = torch.nn.Sequential(norm(FUSION), linear(FUSION, EMBED))
    return module


def neck_and_head(network, channels):
    network.neck, network.decode_head = torch.nn.Module(), torch.nn.Module()
    wrap = lambda inner: torch.nn.ModuleDict({"conv": inner})
    network.neck.lateral_convs = torch.nn.ModuleList(wrap(conv(width, FPN, 1)) for width in channels)
    network.neck.fpn_convs = torch.nn.ModuleList(wrap(conv(FPN, FPN, 3)) for _ in channels)
    heads = []
    for level in range(4):
        parts = []
        for index in range(max(1, level)):
            parts.append(conv_module(FPN if index == 0 else HEAD, HEAD))
            if level > 0:
                parts.append(torch.nn.Upsample(scale_factor=2))
        heads.append(torch.nn.Sequential(*parts))
    network.decode_head.scale_heads = torch.nn.ModuleList(heads)
    network.decode_head.conv_seg = conv(HEAD, CLASSES, 1)
    return network


def bemseg(clip):
    """The authors' network: one fusion stack, a text table of just the rows that are used."""
    network = torch.nn.Module()
    network.backbone = clip.visual
    network.text_encoder = torch.nn.Module()
    network.text_encoder.transformer, network.text_encoder.ln_final = clip.transformer, clip.ln_final
    network.text_encoder.token_embedding = clip.token_embedding
    network.text_encoder.positional_embedding = torch.nn.Parameter(torch.zeros(6, 8))
    network.text_encoder.text_projection = clip.text_projection
    network.contexts = torch.nn.Parameter(torch.zeros(1, 2, 8))
    network.gamma, network.gamma2 = (torch.nn.Parameter(torch.zeros(EMBED)) for _ in range(2))
    network.context_decoder = context_decoder()
    channels = [4 * WIDTH * 2**stage for stage in range(4)]
    channels[3] += CLASSES
    return random_(neck_and_head(network, channels))


def resnet():
    """ResNet V1c as mmclassification names it, on CLIP's blocks, with a classifier that nobody needs."""
    visual = CLIP(EMBED, VISION, TEXT).visual
    network = torch.nn.Module()
    relu = torch.nn.ReLU
    network.stem = torch.nn.Sequential(
        visual.conv1, visual.bn1, relu(), visual.conv2, visual.bn2, relu(), visual.conv3, visual.bn3, relu()
    )
    for stage in range(1, 5):
        setattr(network, f"layer{stage}", getattr(visual, f"layer{stage}"))
    network.fc = torch.nn.Linear(4, 2)
    return random_(network)


def views():
    """Every type, and tensors that are parts of others."""
    base = torch.arange(24, dtype=torch.float32)
    return OrderedDict(
        visual_part=base.view(4, 6)[1:3, 2:5],
        transposed=base.view(4, 6).t(),
        expanded=torch.tensor([1.5]).expand(3, 2),
        scalar=torch.tensor(2.5),
        empty=torch.zeros(0, 3),
        half=torch.tensor([1.0, -2.0]).half(),
        bfloat=torch.tensor([1.0, -2.0]).bfloat16(),
        double=torch.tensor([1.0, -2.0]).double(),
        long=torch.tensor([1, -(2**40)]),
        int=torch.tensor([1, -2], dtype=torch.int32),
        short=torch.tensor([1, -2], dtype=torch.int16),
        char=torch.tensor([1, -2], dtype=torch.int8),
        byte=torch.tensor([1, 255], dtype=torch.uint8),
        bool=torch.tensor([True, False]),
        parameter=torch.nn.Parameter(torch.tensor([0.25])),
    )


def save_script(script, path):
    """TorchScript's archive without its debugging records, which are most of it."""
    buffer = io.BytesIO()
    torch.jit.save(script, buffer)
    with zipfile.ZipFile(buffer) as read, zipfile.ZipFile(path, "w") as write:
        for entry in read.infolist():
            if not entry.filename.endswith(".debug_pkl"):
                code = zipfile.ZIP_DEFLATED if entry.filename.endswith(".py") else zipfile.ZIP_STORED
                write.writestr(entry.filename, read.read(entry), code)
    torch.jit.load(path)


def main():
    torch.manual_seed(0)
    torch.utils.serialization.config.save.storage_alignment = 8
    clip = random_(CLIP(EMBED, VISION, TEXT))
    state = clip.state_dict()

    script = torch.jit.trace(Openai(clip), torch.zeros(1, 3, 64, 64), check_trace=False).half()
    save_script(script, HERE / "clip-script.pt")
    note("clip-script.pt", script.state_dict())

    half = OrderedDict((key, value.half() if value.is_floating_point() else value) for key, value in state.items())
    torch.save(half, HERE / "clip-state.pt")
    note("clip-state.pt", half)
    save_file({f"module.{key}": value.contiguous() for key, value in half.items()}, HERE / "clip.safetensors")
    note("clip.safetensors", half)

    network = bemseg(clip)
    # Older PyTorch did not count the batches of a norm.
    wrapped = OrderedDict((key, value.half() if value.is_floating_point() else value) for key, value in network.state_dict().items()
                          if not key.endswith("num_batches_tracked"))
    optimizer = torch.optim.AdamW([torch.nn.Parameter(torch.zeros(2))])
    meta = {"epoch": 3, "iter": 80000, "env": "text", "lr": 1e-4, "seed": None, "classes": ("a", "b"), "big": 2**80}
    torch.save({"meta": meta, "state_dict": wrapped, "optimizer": optimizer.state_dict()}, HERE / "mmseg.pth")
    note("mmseg.pth", wrapped)

    trained = OrderedDict((key, value.half() if value.is_floating_point() else value) for key, value in resnet().state_dict().items())
    torch.save({"state_dict": trained}, HERE / "resnet.pth", pickle_protocol=4)
    note("resnet.pth", trained)

    torch.save(views(), HERE / "views.pt")
    note("views.pt", views())
    for protocol in (3, 4, 5):
        torch.save({"weight": torch.tensor([float(protocol)])}, HERE / f"protocol-{protocol}.pt", pickle_protocol=protocol)
        note(f"protocol-{protocol}.pt", {"weight": torch.tensor([float(protocol)])})

    torch.save({"weight": torch.zeros(2)}, HERE / "legacy.pt", _use_new_zipfile_serialization=False)
    whole = (HERE / "clip-state.pt").read_bytes()
    (HERE / "truncated.pt").write_bytes(whole[: len(whole) // 8])
    with zipfile.ZipFile(HERE / "no-archive.pt", "w") as archive:
        archive.writestr("readme.txt", "nothing")
    buffer = io.BytesIO()
    torch.save({"weight": torch.ones(2)}, buffer)
    with zipfile.ZipFile(buffer) as read, zipfile.ZipFile(HERE / "big-endian.pt", "w") as write:
        for entry in read.infolist():
            content = b"big" if entry.filename.endswith("byteorder") else read.read(entry)
            write.writestr(entry.filename, content)

    (HERE / "expected.json").write_text(json.dumps(expected, separators=(",", ":")) + "\n")
    print("open_clip", open_clip.__version__, "torch", torch.__version__)


main()
