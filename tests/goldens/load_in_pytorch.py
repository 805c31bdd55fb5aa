#!/usr/bin/env python3
"""Loads a checkpoint of `atrous train` into the same net in PyTorch, strictly, and compares logits.

    python3 tests/goldens/load_in_pytorch.py best.safetensors image.png probability.png [and three more …]

The probability image is what `atrous predict --save probability` wrote; 8 bits, so equal to within one step: of the
foreground, or of the likeliest class, by softmax, or by sigmoid where the loss took every channel by itself.
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


def difference(checkpoint, image, probability):
    """The largest one between a probability image and PyTorch's values, of 255."""
    tensors, metadata = read_safetensors(checkpoint)
    recipe = json.loads(metadata["atrous.recipe"])
    net = make_net(config_of(recipe))
    print(net.load_state_dict(tensors, strict=True))
    image = Image.open(image).convert("RGB")
    assert image.size == (recipe["width"], recipe["height"]), "use an image of the training size"
    x = torch.from_numpy(np.asarray(image, dtype=np.float32) / 255).permute(2, 0, 1)[None]
    mean, std = (torch.tensor(recipe[k]).view(1, 3, 1, 1) for k in ("mean", "std"))
    with torch.no_grad():
        logits = net.eval()((x - mean) / std)
        logits = (logits["out"] if isinstance(logits, dict) else logits)[0]
        loss = recipe["loss"]["name"] if isinstance(recipe["loss"], dict) else recipe["loss"]
        by_channel = len(logits) == 1 or loss.startswith("bce") or loss.endswith("+bce")
        p = (torch.sigmoid(logits) if by_channel else torch.softmax(logits, 0)).max(0).values.numpy()
    return np.abs(np.asarray(Image.open(probability), dtype=np.float64) - 255 * p).max()


def main():
    worst = max(difference(*sys.argv[i:i + 3]) for i in range(1, len(sys.argv), 3))
    print(f"largest difference: {worst:.3f} of 255 (rounding alone: 0.5)")
    sys.exit(0 if worst < 0.51 else 1)


if __name__ == "__main__":
    main()
