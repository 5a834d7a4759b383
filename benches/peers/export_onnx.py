"""Makes an ONNX file with GeoDeep's description of a TorchScript network of six classes: NET.pt NET.onnx"""
import json
import sys

import onnx
import torch


class Probabilities(torch.nn.Module):
    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, image):
        return self.network(image).softmax(1)


network, out = sys.argv[1:]
model = Probabilities(torch.jit.load(network)).eval()
image = torch.rand(1, 3, 512, 512)
torch.onnx.export(torch.jit.trace(model, image), image, out, input_names=["image"], output_names=["classes"],
                  opset_version=17, dynamo=False)
described = onnx.load(out)
about = {"model_type": "Segmentor", "class_names": {str(i): f"class {i}" for i in range(6)}, "resolution": 100,
         "tiles_size": 512, "tiles_overlap": 25, "seg_thresh": 0.0, "seg_small_segment": 0}
onnx.helper.set_model_props(described, {key: json.dumps(value) for key, value in about.items()})
onnx.save(described, out)
