#!/usr/bin/env python3
"""Times PyTorch's training step, or forward pass, of a net on the CPU: the peer of `atrous bench step`.

    python3 benchmarks/peers/torch_step.py [--base-channels 32 --size 256 --batch-size 4 --threads 2]
    python3 benchmarks/peers/torch_step.py --net '{"model": "unet", "encoder": "resnet34", …}' [--forward]

Both memory formats are timed in turn; the faster one counts. Adam 1e-4, BCE + Dice, a fixed random batch, no loader.
Prints one JSON line a format, and the losses, so that both sides can be seen to do the same work.
"""
import argparse
import json
import os
import resource
import sys
import time

import numpy as np
import torch

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tests", "goldens"))
from make import bce_dice, hashed_tensor, labels_for, set_hashed_weights  # noqa: E402
from nets import make_net  # noqa: E402


def logits_of(y):
    return y["out"] if isinstance(y, dict) else y


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("--net", help="JSON of tests/goldens/nets.py's make_net; else a U-Net")
    a.add_argument("--base-channels", type=int, default=32)
    a.add_argument("--size", type=int, default=256)
    a.add_argument("--batch-size", type=int, default=4)
    a.add_argument("--threads", type=int, default=2)
    a.add_argument("--steps", type=int, default=6)
    a.add_argument("--formats", default="contiguous,channels_last")
    a.add_argument("--autocast", action="store_true", help="bfloat16")
    a.add_argument("--forward", action="store_true", help="the forward pass alone, in evaluation mode")
    o = a.parse_args()
    config = json.loads(o.net) if o.net else {"model": "unet", "base_channels": o.base_channels}
    torch.set_num_threads(o.threads)
    for name in o.formats.split(","):
        layout = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}[name]
        net = make_net({"out_channels": 1, **config})
        set_hashed_weights(net)
        net = net.to(memory_format=layout)
        x = hashed_tensor("input.step", (o.batch_size, 3, o.size, o.size)).float().to(memory_format=layout)
        labels = labels_for("labels.step", o.batch_size, o.size, o.size, 2)
        optimizer = torch.optim.Adam(net.parameters(), lr=1e-4)
        losses, seconds = [], []
        for _ in range(o.steps + 1):
            began = time.perf_counter()
            if o.forward:
                with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=o.autocast):
                    logits = logits_of(net.eval()(x))
                seconds.append(time.perf_counter() - began)
                losses.append(bce_dice(logits.float(), labels).item())
                continue
            optimizer.zero_grad()
            with torch.autocast("cpu", torch.bfloat16, enabled=o.autocast):
                logits = logits_of(net(x))
            loss = bce_dice(logits.float(), labels)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
            seconds.append(time.perf_counter() - began)
        print(json.dumps({"torch": torch.__version__, "format": name, "bf16": o.autocast, "threads": o.threads,
                          "parameters": sum(p.numel() for p in net.parameters()), "median_s": float(np.median(seconds[1:])), "min_s": min(seconds[1:]),
                          "losses": losses, "max_rss_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))


if __name__ == "__main__":
    main()
