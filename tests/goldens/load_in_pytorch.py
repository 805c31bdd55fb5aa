#!/usr/bin/env python3
"""Loads a checkpoint of `atrous train` into the same net in PyTorch, strictly, and compares logits.

    python3 tests/goldens/load_in_pytorch.py best.safetensors picture.png probability.png

The probability picture is what `atrous predict --save probability` wrote; 8 bits, so equal to within one step.
"""
import json
import struct
import sys

import numpy as np
import torch
from PIL import Image

from nets import config_of, make_net

TYPES = {"F32": np.float32, "F64": np.float64, "I64": np.int64}


def read_safetensors(path):
    with open(path, "rb") as f:
        header = json.loads(f.read(struct.unpack("<Q", f.read(8))[0]))
        data = f.read()
    metadata = header.pop("__metadata__", {})
    tensors = {}
    for name, t in header.items():
        begin, end = t["data_offsets"]
        tensors[name] = torch.from_numpy(np.frombuffer(data[begin:end], TYPES[t["dtype"]]).reshape(t["shape"]).copy())
    return tensors, metadata


def main():
    checkpoint, picture, probability = sys.argv[1:4]
    tensors, metadata = read_safetensors(checkpoint)
    recipe = json.loads(metadata["atrous.recipe"])
    net = make_net(config_of(recipe))
    print(net.load_state_dict(tensors, strict=True))
    image = Image.open(picture).convert("RGB")
    assert image.size == (recipe["width"], recipe["height"]), "use a picture of the training size"
    x = torch.from_numpy(np.asarray(image, dtype=np.float32) / 255).permute(2, 0, 1)[None]
    mean, std = (torch.tensor(recipe[k]).view(1, 3, 1, 1) for k in ("mean", "std"))
    with torch.no_grad():
        logits = net.eval()((x - mean) / std)
        p = torch.sigmoid(logits["out"] if isinstance(logits, dict) else logits)[0, 0].numpy()
    worst = np.abs(np.asarray(Image.open(probability), dtype=np.float64) - 255 * p).max()
    print(f"largest difference: {worst:.3f} of 255 (rounding alone: 0.5)")
    sys.exit(0 if worst < 0.51 else 1)


if __name__ == "__main__":
    main()
