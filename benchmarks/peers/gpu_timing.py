"""What gpu_steps.py and gpu_kernels.py share: the record, the time budget, the ceilings, the hashed values."""
import json
import math
import os
import subprocess
import sys
import time

import torch

from gpu_options import STARTED

MAX_DRIFT = 0.03  # a run whose ceilings moved by more is not to be used


def hashed_on(device, name, shape):
    """hashed() of tests/goldens/make.py on a device, in float64: a 64-bit integer wraps there as it does in numpy."""
    signed = lambda v: v - (1 << 64) if v >= 1 << 63 else v
    shifted = lambda z, n: (z >> n) & ((1 << 64 - n) - 1)  # the sign must not follow
    h = 14695981039346656037
    for byte in name.encode():
        h = ((h ^ byte) * 1099511628211) % (1 << 64)
    count = torch.Size(shape).numel()
    z = torch.arange(1, count + 1, device=device) * signed(0x9E3779B97F4A7C15) + signed(h)
    z = (z ^ shifted(z, 30)) * signed(0xBF58476D1CE4E5B9)
    z = (z ^ shifted(z, 27)) * signed(0x94D049BB133111EB)
    z = z ^ shifted(z, 31)
    return (shifted(z, 11).double() * 2.0**-52 - 1).reshape(shape)


class Run:
    """One run: every case leaves one line with "status" ok, error or skipped."""

    def __init__(self, options):
        self.options = options
        self.device = torch.device(options.device)
        self.cuda = options.device == "cuda"
        self.file = open(options.out, "w") if options.out else None
        if self.cuda and not torch.cuda.is_available():
            self.write({"kind": "fatal", "error": "PyTorch sees no CUDA device"})
            sys.exit(1)
        if self.cuda:
            torch.backends.cudnn.benchmark = True
            torch.backends.cudnn.allow_tf32 = True
            torch.backends.cuda.matmul.allow_tf32 = True

    def write(self, row):
        def plain(value):
            if isinstance(value, dict):
                return {k: plain(v) for k, v in value.items()}
            if isinstance(value, (list, tuple)):
                return [plain(v) for v in value]
            return None if isinstance(value, float) and not math.isfinite(value) else value

        line = json.dumps(plain(row))
        for stream in (sys.stdout, self.file):
            if stream:
                print(line, file=stream, flush=True)

    def left_s(self):
        return STARTED + self.options.budget_s - time.monotonic()

    def case(self, labels, needs_s, measure):
        name = " ".join(str(v) for v in labels.values())
        if self.options.only not in name:
            return
        row = {**labels, "engine": "torch"}
        if self.left_s() < needs_s:
            self.write({**row, "status": "skipped", "why": "no time left"})
            return
        began = time.monotonic()
        try:
            row.update(measure(), status="ok")
        except Exception as error:  # one case must not cost the others
            row.update(status="error", error=" ".join(f"{type(error).__name__}: {error}".split())[:600])
        self.write({**row, "case_s": round(time.monotonic() - began, 2)})
        if self.cuda:
            try:
                torch.cuda.empty_cache()
            except Exception:
                self.write({"kind": "fatal", "error": "the device is lost: " + name})
                sys.exit(1)

    def environment(self):
        row = {"kind": "environment", "torch": torch.__version__, "cuda": torch.version.cuda,
               "cudnn": torch.backends.cudnn.version(), "cpus": os.cpu_count(), "options": vars(self.options)}
        if self.cuda:
            fields = "name,driver_version,clocks.sm,clocks.mem,power.limit,temperature.gpu"
            try:
                row["smi"] = subprocess.run(["nvidia-smi", "--query-gpu=" + fields, "--format=csv,noheader"],
                                            capture_output=True, text=True, timeout=20).stdout.strip()
            except (OSError, subprocess.TimeoutExpired) as error:
                row["smi"] = str(error)
        self.write(row)

    # Time

    def synchronize(self):
        if self.cuda:
            torch.cuda.synchronize()

    def stamp(self):
        if not self.cuda:
            return time.perf_counter()
        event = torch.cuda.Event(enable_timing=True)
        event.record()
        return event

    def times_ms(self, pairs):
        self.synchronize()
        return [(b - a) * 1e3 if isinstance(a, float) else a.elapsed_time(b) for a, b in pairs]

    def ceilings(self, when):
        """Copy bandwidth (bytes read and written) and bf16 matrix product, on random data."""
        count, side = (1 << 16, 128) if self.options.tiny else (1 << 30, 8192)
        source = torch.randn(count, device=self.device)
        target = torch.empty_like(source)
        copy = self.repeated(lambda: target.copy_(source), 3, 15)
        del source, target
        a, b = (torch.randn(side, side, device=self.device).bfloat16() for _ in range(2))
        product = self.repeated(lambda: a @ b, 20, 30)
        row = {"copy_gb_s": 8 * count / copy / 1e6, "matmul_bf16_tflop_s": 2 * side**3 / product / 1e9}
        self.write({"kind": "ceilings", "engine": "torch", "when": when, **{k: round(v, 1) for k, v in row.items()}})
        return row

    def repeated(self, call, warmup, reps):
        for _ in range(warmup):
            call()
        stamps = [self.stamp()]
        for _ in range(reps):
            call()
            stamps.append(self.stamp())
        return spread(self.times_ms(zip(stamps, stamps[1:])))["ms_median"]

    def summary(self, first, last):
        drift = {k: round(abs(last[k] / first[k] - 1), 4) for k in first}
        self.write({"kind": "summary", "drift": drift, "valid": max(drift.values()) <= MAX_DRIFT,
                    "seconds": round(time.monotonic() - STARTED, 1)})


def spread(times):
    ordered = sorted(times)
    at = lambda share: round(ordered[round(share * (len(ordered) - 1))], 5)
    return {"ms_median": at(0.5), "ms_p10": at(0.1), "ms_p90": at(0.9), "reps": len(ordered)}
