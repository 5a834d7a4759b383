"""Tells how far the weights of two checkpoints are apart, as a share of the largest number of each tensor."""

import json
import struct
import sys

STATISTICS = ("running_mean", "running_var", "num_batches_tracked")


def tensors(path):
    data = open(path, "rb").read()
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    for name, entry in header.items():
        if name != "__metadata__" and entry["dtype"] == "F32" and not name.endswith(STATISTICS):
            begin, end = (8 + length + at for at in entry["data_offsets"])
            yield name, struct.unpack(f"<{(end - begin) // 4}f", data[begin:end])


one, other = (dict(tensors(path)) for path in sys.argv[1:3])
most = float(sys.argv[3])
if not one or one.keys() != other.keys():
    sys.exit(f"error: the checkpoints hold other tensors: {sorted(one.keys() ^ other.keys())}")
worst = max(
    (max(abs(a - b) for a, b in zip(one[name], other[name])) / max(1e-6, *map(abs, one[name])), name) for name in one
)
print(f"{len(one)} tensors, {worst[1]} differs most, by {worst[0]:.1e}")
sys.exit(0 if worst[0] <= most else f"error: more than {most} of its largest number")
