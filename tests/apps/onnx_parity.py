#!/usr/bin/env python3
"""Exports every net and compares ONNX Runtime's logits with those of `atrous forward`. Prints the table of docs/onnx.md.

    onnx_parity.py PROGRAM [--only PATTERN] [--quick]      --quick: the nets of which fp16 and options are compared, too

Needs onnx, onnxruntime, numpy and Pillow. Each net is trained for a few steps, so that its statistics are not the initial
ones, and runs at two sizes, of which one is no multiple of anything, and with two batches.
"""
import argparse
import json
import pathlib
import platform
import re
import shlex
import subprocess
import sys
import tempfile

import numpy
import onnx
import onnxruntime
from PIL import Image

# Largest difference, in parts of the largest logit where that is above 1: both sides sum thousands of float products, in
# other orders.
TOLERANCE = 1e-5
HALF_TOLERANCE = 0.05  # fp16 has 11 bits; tens of layers add up their roundings
SIDES = ((1, 64, 64), (2, 97, 61))  # batch, height, width
SMALL = "--base-channels 8 --depth 2"
NETS = [
    (f"unet {SMALL}", True),
    (f"unet {SMALL} --bilinear", True),
    (f"unet {SMALL} --bilinear --no-align-corners", False),
    (f"unet {SMALL} --bilinear --full-width", False),
    (f"unet {SMALL} --no-batch-norm", True),
    (f"unet {SMALL} --kernel 5", False),
    ("unet --base-channels 16", False),
    ("unet --encoder resnet18", False),
    ("unet --encoder resnet50", False),
    ("unet11", False),
    ("unet16", False),
    ("albunet34", False),
    ("fcn --encoder resnet18", False),
    ("fcn", False),
    ("fcn --encoder vgg11_bn --output-stride 16", False),
    ("deeplabv3 --encoder resnet18", True),
    ("deeplabv3", False),
    ("deeplabv3 --encoder resnet101 --output-stride 16 --no-aspp-pooling", False),
    ("deeplabv3 --encoder resnet34 --progressive-decoder --rates 2 5", False),
    ("deeplabv3 --encoder vgg16", False),
    ("deeplabv3plus --encoder resnet18", False),
    ("deeplabv3plus --encoder resnet18 --separable", True),
    ("deeplabv3plus --output-stride 8", False),
    ("deeplabv3-comma10k", False),
    ("deeplabv3-comma10k --progressive-decoder", False),
]


def fail(message):
    sys.exit(f"onnx_parity.py: {message}")


def run(*command):
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    if done.returncode:
        fail(f"{' '.join(map(str, command))} ended with {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def write_safetensors(path, name, array):
    header = json.dumps({name: {"dtype": "F32", "shape": array.shape, "data_offsets": [0, array.nbytes]}}).encode()
    header += b" " * (-len(header) % 8)
    path.write_bytes(len(header).to_bytes(8, "little") + header + array.tobytes())


def read_safetensors(path):
    data = path.read_bytes()
    size = int.from_bytes(data[:8], "little")
    tensors = {}
    for name, entry in json.loads(data[8:8 + size]).items():
        if name != "__metadata__":
            begin, end = (8 + size + offset for offset in entry["data_offsets"])
            tensors[name] = numpy.frombuffer(data[begin:end], "<f4").reshape(entry["shape"])
    return tensors


def checked(path):
    """The model, past every check that ONNX has."""
    model = onnx.load(str(path))
    onnx.checker.check_model(model, full_check=True)
    onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True, data_prop=True)
    return model


def session(path):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # fp16 nodes that the cpu lacks are computed in fp32, and it says so of each
    options.intra_op_num_threads = 2
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


class Trained:
    """A net that was trained for a few steps, as a run folder."""

    def __init__(self, program, folder, words, classes, epochs, *more):
        self.program, self.folder, self.run, self.classes = program, folder, folder / "run", classes
        run(program, "train", "--data", folder.parent / f"data{classes}", "--model", *shlex.split(words), "--size", 64,
            "--epochs", epochs, "--batch-size", 3, "--lr", 2e-3, "--classes", classes, "--device", "cpu", "--threads", 2,
            "--output-dir", self.run, "--overwrite", *more)

    def export(self, name, *options):
        path = self.folder / name
        run(self.program, "export", "--checkpoint", self.run, "--output", path, "--overwrite", *options)
        return path

    def forward(self, x, *options):
        write_safetensors(self.folder / "x.safetensors", "x", x)
        run(self.program, "forward", "--checkpoint", self.run, "--input", self.folder / "x.safetensors", "--output",
            self.folder / "y.safetensors", "--device", "cpu", "--threads", 2, "--overwrite", *options)
        return read_safetensors(self.folder / "y.safetensors")


def images(batch, height, width):
    return numpy.random.default_rng(1).standard_normal((batch, 3, height, width), numpy.float32)


class Compared:
    def __init__(self):
        self.difference = self.largest = 0

    def add(self, got, expected, where, tolerance=TOLERANCE):
        if got.shape != expected.shape:
            fail(f"{where}: ONNX Runtime's output is {got.shape}, expected {expected.shape}")
        difference, largest = float(abs(got - expected).max()), float(abs(expected).max())
        if not difference <= tolerance * max(1, largest):
            fail(f"{where}: differs by {difference:.2g}, logits are up to {largest:.3g}")
        self.difference, self.largest = max(self.difference, difference), max(self.largest, largest)


def compare(trained, name):
    """At both sizes, with the auxiliary head where there is one."""
    has_auxiliary = name.split()[0] in ("fcn", "deeplabv3")
    auxiliary = ["--auxiliary"] if has_auxiliary else []
    path = trained.export("net.onnx", *auxiliary)
    checked(path)
    net, compared = session(path), Compared()
    for sides in SIDES:
        x = images(*sides)
        expected = trained.forward(x, *auxiliary)
        got = net.run(None, {"image": x})
        compared.add(got[0], expected["y"], f"{name} at {sides}")
        if has_auxiliary:
            compared.add(got[1], expected["auxiliary"], f"{name}, auxiliary head, at {sides}")
    return compared, path.stat().st_size


def compare_options(trained, name):
    """fp16, a fixed size, the first and the last opset, folded batch norm where there is some, and images as they are stored."""
    x = images(2, 97, 61)
    expected = trained.forward(x)["y"]
    half = Compared()
    path = trained.export("half.onnx", "--half")
    checked(path)
    half.add(session(path).run(["logits"], {"image": x})[0], expected, f"{name} in fp16", HALF_TOLERANCE)
    fold = [] if "--no-batch-norm" in name else [["--fold-batch-norm"]]
    for options in (["--fixed-size", "61x97"], ["--opset", 13], ["--opset", 22], *fold):
        path = trained.export("other.onnx", *options)
        checked(path)
        Compared().add(session(path).run(["logits"], {"image": x})[0], expected, f"{name} with {options}")
    compare_stored(trained, name)
    return half, compare_class_ids(trained, name)


def compare_stored(trained, name):
    """Bytes of a size that is padded, against logits of the same values, normalized here."""
    stored = numpy.random.default_rng(2).integers(0, 256, (2, 3, 97, 61), numpy.uint8)
    path = trained.export("stored.onnx", "--include-normalization")
    about = checked(path)
    mean, std = (numpy.array(json.loads(entry.value), numpy.float32).reshape(1, 3, 1, 1)
                 for key in ("atrous.mean", "atrous.std") for entry in about.metadata_props if entry.key == key)
    expected = trained.forward((stored.astype(numpy.float32) / numpy.float32(255) - mean) / std)["y"]
    Compared().add(session(path).run(["logits"], {"image": stored})[0], expected, f"{name} of bytes")
    path = trained.export("ids.onnx", "--include-normalization", "--argmax")
    ids = session(path).run(["class_ids"], {"image": stored})[0]
    classes = expected.argmax(1) if expected.shape[1] > 1 else expected[:, 0] > 0
    if ids.dtype != numpy.uint8 or ids.shape != classes.shape:
        fail(f"{name}: class ids are {ids.dtype} {ids.shape}, expected uint8 {classes.shape}")
    # Where logits differ in their last bits, two classes that are alike may change places.
    if int((ids != classes).sum()) > classes.size // 500:
        fail(f"{name}: class ids of 97x61 are not those of the logits")


def compare_class_ids(trained, name):
    """Of an image as it is stored, against what `atrous predict` makes of it. Returns how many classes it found."""
    path = trained.export("ids.onnx", "--include-normalization", "--argmax")
    checked(path)
    source = sorted((trained.folder.parent / f"data{trained.classes}").glob("val/images/*"))[0]
    run(trained.program, "predict", source, "--checkpoint", trained.run, "--save", "index", "--device", "cpu", "--output",
        trained.folder / "predicted", "--overwrite")
    mask = numpy.array(Image.open(next((trained.folder / "predicted").glob("*index.png"))))
    stored = numpy.array(Image.open(source).convert("RGB")).transpose(2, 0, 1)[None]
    ids = session(path).run(["class_ids"], {"image": stored})[0]
    if ids.dtype != numpy.uint8 or ids.shape != (1, *mask.shape):
        fail(f"{name}: class ids are {ids.dtype} {ids.shape}")
    differing = int((ids[0] != mask).sum())
    if differing > mask.size // 500:  # logits that differ in their last bits, where two classes are alike
        fail(f"{name}: {differing} of {mask.size} class ids are not those of `atrous predict`")
    return len(numpy.unique(mask))


def processor():
    for line in open("/proc/cpuinfo"):
        if line.startswith("model name"):
            return line.split(":")[1].strip()
    return platform.machine()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program", type=pathlib.Path)
    parser.add_argument("--only", help="nets in whose options this regular expression is found")
    parser.add_argument("--quick", action="store_true", help="only nets of which fp16 and options are compared, too")
    arguments = parser.parse_args()
    program = arguments.program.resolve()
    print(f"onnx {onnx.__version__}, ONNX Runtime {onnxruntime.__version__}, {processor()}\n")
    print("| net | file | largest logit | largest difference | of the largest logit | in fp16 |\n|---|---|---|---|---|---|")
    told_apart = 0
    with tempfile.TemporaryDirectory() as work:
        work = pathlib.Path(work)
        for classes, more in ((2, []), (4, ["--class-per-kind"])):
            run(program, "synth", "--output", work / f"data{classes}", "--count", 8, "--size", 64, "--seed", 3,
                "--val-fraction", 0.25, *more)
        for i, (words, small) in enumerate(NETS):
            if (arguments.quick and not small) or (arguments.only and not re.search(arguments.only, words)):
                continue
            folder = work / str(i)
            folder.mkdir()
            classes = 4 if i % 2 else 2
            epochs = 20 if SMALL in words else 3  # a small one is to tell classes apart, if badly
            trained = Trained(program, folder, words, classes, epochs, *(["--normalize", "imagenet"] if i % 3 else []))
            compared, size = compare(trained, words)
            half, classes = compare_options(trained, words) if small else (None, 0)
            told_apart += classes > 1
            largest = max(1, compared.largest)
            print(f"| `{words}` | {size / 2 ** 20:.1f} MiB | {compared.largest:.2f} | {compared.difference:.1e} | "
                  f"{compared.difference / largest:.1e} | {f'{half.difference / largest:.1e}' if half else ''} |",
                  flush=True)
            for file in folder.rglob("*.*"):
                if file.is_file():
                    file.unlink()
    if arguments.quick and told_apart < 2:
        fail(f"{told_apart} predictions have more than one class, expected 2: the comparison of class ids shows little")


if __name__ == "__main__":
    main()
