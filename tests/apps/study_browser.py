#!/usr/bin/env python3
"""Opens pages of `atrous inspect` and `summary --html` in Chromium, and holds what they show against the engine's numbers.

    study_browser.py PROGRAM [FOLDER]     FOLDER: where screenshots are kept
"""
import array
import json
import math
import pathlib
import re
import struct
import sys
import tempfile

import report_browser
from report_browser import Browser, expect, run

SIDE = 48
LIMIT = 20 << 20  # bytes of a page of one image
FIRST_PAINT = 2000  # milliseconds


def write_tensor(path, name, shape, values):
    header = json.dumps({name: {"dtype": "F32", "shape": shape, "data_offsets": [0, 4 * len(values)]}}).encode()
    header += b" " * (-len(header) % 8)
    path.write_bytes(struct.pack("<Q", len(header)) + header + array.array("f", values).tobytes())


def read_tensors(path):
    data = path.read_bytes()
    size = struct.unpack("<Q", data[:8])[0]
    tensors = {}
    for name, t in json.loads(data[8:8 + size]).items():
        if name != "__metadata__":
            first, last = t["data_offsets"]
            values = array.array("f")
            values.frombytes(data[8 + size + first:8 + size + last])
            tensors[name] = values
    return tensors


def make_data(work):
    """A small net, an image of exactly its size, and a page of both."""
    run(PROGRAM, "synth", "--output", "data", "--count", 16, "--size", SIDE, "--val-fraction", 0.25, cwd=work)
    run(PROGRAM, "train", "--data", "data", "--size", SIDE, "--base-channels", 8, "--depth", 2, "--batch-size", 4, "--lr", 0.003,
        "--epochs", 6, "--device", "cpu", "--threads", 1, "--output-dir", "run", cwd=work)
    pixels = bytes((x * 5 + y * 3 + c * 70 + (x // 12 + y // 12) % 2 * 90) % 256 for y in range(SIDE) for x in range(SIDE) for c in range(3))
    (work / "image.ppm").write_bytes(b"P6 %d %d 255\n" % (SIDE, SIDE) + pixels)
    (work / "mask.pgm").write_bytes(b"P5 %d %d 255\n" % (SIDE, SIDE) + bytes(255 * (x > 20 and y > 9) for y in range(SIDE) for x in range(SIDE)))
    run(PROGRAM, "inspect", "--checkpoint", "run", "image.ppm", "--masks", "mask.pgm", "-o", "page.html", "--grid", 3, "--threads", 1,
        "--device", "cpu", cwd=work)
    return pixels


def gradient_of_pixel(work, pixels, y, x):
    """The logits, and by pixel the sum of the absolute gradients of one of them, as `atrous forward` gives them."""
    planes = [pixels[i * 3 + c] / 255 for c in range(3) for i in range(SIDE * SIDE)]
    seed = [0.0] * (SIDE * SIDE)
    seed[y * SIDE + x] = 1.0
    header = {"x": {"dtype": "F32", "shape": [1, 3, SIDE, SIDE], "data_offsets": [0, 4 * len(planes)]},
              "gradient.y": {"dtype": "F32", "shape": [1, 1, SIDE, SIDE], "data_offsets": [4 * len(planes), 4 * (len(planes) + len(seed))]}}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    (work / "in.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + array.array("f", planes + seed).tobytes())
    run(PROGRAM, "forward", "--checkpoint", "run", "--input", "in.safetensors", "--output", "out.safetensors", "--gradients",
        "--overwrite", "--device", "cpu", "--threads", 1, cwd=work)
    found = read_tensors(work / "out.safetensors")
    g = found["gradient.x"]
    return found["y"], [sum(abs(g[c * SIDE * SIDE + i]) for c in range(3)) for i in range(SIDE * SIDE)]


GRAY = """
const done = arguments[arguments.length - 1], image = new Image();
image.onload = () => {
  const canvas = document.createElement('canvas');
  [canvas.width, canvas.height] = [image.width, image.height];
  canvas.getContext('2d').drawImage(image, 0, 0);
  const data = canvas.getContext('2d').getImageData(0, 0, image.width, image.height).data;
  done([image.width, image.height, [...data].filter((_, i) => i % 4 === 0)]);
};
image.src = arguments[0];
"""


def gray_of(browser, uri):
    return browser.driver.execute_async_script(GRAY, uri)


def click_pixel(browser, y, x):
    """Clicks the middle of a pixel of the picture."""
    browser.driver.execute_script(
        "const c = document.querySelector('canvas.scene'), b = c.getBoundingClientRect();"
        "c.dispatchEvent(new MouseEvent('click', {bubbles: true, clientX: b.left + (arguments[1] + .5) / arguments[2] * b.width,"
        "clientY: b.top + (arguments[0] + .5) / arguments[2] * b.height}))", y, x, SIDE)


def check_pixels(browser, logits):
    for y, x in ((3, 5), (24, 24), (40, 11)):
        click_pixel(browser, y, x)
        expect(browser.one(".pixel").text == f"pixel at row {y}, column {x}", f"the clicked pixel is called {browser.one('.pixel').text}")
        shown = {row.find_element("css selector", ".name").text: float(row.find_elements("css selector", ".num")[-1].text)
                 for row in browser.all(".probability")}
        foreground = 1 / (1 + math.exp(-logits[y * SIDE + x]))
        # A probability is a byte on the page, and has three digits.
        expect(abs(shown["foreground"] - foreground) <= .5 / 255 + .0006, f"pixel {y}, {x} shows {shown}, the engine gives {foreground}")
        expect(abs(sum(shown.values()) - 1) <= .006, f"probabilities are {shown}")


def check_fields(browser, work, pixels):
    fields = browser.driver.execute_script("return studies[0].fields")
    expect(len(fields) == 9, f"{len(fields)} receptive fields, expected 9")
    alive = [f for f in fields if f["largest"] > 0]
    expect(len(alive) >= 2, "the net does not depend on the image: nothing can be compared")
    for field in alive[:2]:
        logits, gradient = gradient_of_pixel(work, pixels, field["y"], field["x"])
        largest = max(gradient)
        expect(abs(field["largest"] - largest) <= 1e-4 * largest, f"the largest gradient is {field['largest']}, forward gives {largest}")
        width, height, gray = gray_of(browser, field["picture"])
        expect((width, height) == (SIDE, SIDE), f"a field is {width}x{height}")
        worst = max(abs(level - 255 * math.sqrt(g / largest)) for level, g in zip(gray, gradient))
        expect(worst <= .6, f"a receptive field is {worst} levels off the gradient that forward gives")
    return logits


def check_nodes(browser, logits):
    boxes = browser.all("rect.node")
    expect(len(boxes) > 15, f"{len(boxes)} nodes are drawn")
    browser.driver.execute_script("arguments[0].dispatchEvent(new MouseEvent('click', {bubbles: true}))", boxes[-1])
    expect(browser.one(".node-content").get_attribute("data-node") == str(len(boxes) - 1), "a click on a node does not choose it")
    expect("chosen" in boxes[-1].get_attribute("class"), "the chosen node is not marked")
    maps = browser.driver.execute_script("return studies[0].nodes.at(-1).maps")
    width, height, gray = gray_of(browser, maps["pictures"])
    low, high = maps["channels"][0]["low"], maps["channels"][0]["high"]
    worst = max(abs(low + (high - low) * level / 255 - z) for level, z in zip(gray, logits))
    expect((width, height) == (SIDE, SIDE) and worst <= .51 * (high - low) / 255, f"the last feature map is {worst} off the logits")
    facts = {r.find_element("css selector", "th").text: r.find_element("css selector", "td").text for r in browser.all(".facts tr")}
    expect(facts["operation"] == "conv2d" and facts["parameters"].startswith("9 "), f"the last node says {facts}")
    browser.one('button[aria-label="node before"]').click()
    expect(browser.one(".node-content").get_attribute("data-node") == str(len(boxes) - 2), "the button does not go to the node before")
    browser.driver.execute_script("choose({node: 0})")
    expect(len(browser.all(".filters canvas")) == 8, "the first layer's filters are not drawn")
    expect(all(finite > 0 for finite in browser.driver.execute_script("return studies[0].nodes.filter(n => n.gradients).map(n => n.gradients[0].gradient)")),
           "a parameter has no gradient")


def check_layers(browser):
    names = [b.get_attribute("data-layer") for b in browser.all("[data-layer]")]
    expect(names == ["picture", "prediction", "truth", "errors", "entropy", "activation", "field"], f"the layers are {names}")
    seen = {}
    largest = browser.driver.execute_script("return studies[0].activations.find(a => a.class === chosen.activation).largest")
    for name in names:
        browser.one(f'[data-layer="{name}"]').click()
        browser.driver.execute_async_script(
            "const done = arguments[1], wait = () => document.querySelector('canvas.scene').dataset.drawn === arguments[0] ? done() : setTimeout(wait, 20);"
            "wait()", name)
        picture = browser.driver.execute_script("return document.querySelector('canvas.scene').toDataURL()")
        same = [other for other, before in seen.items() if before == picture]
        # No pixel speaks for a class whose activation is 0 everywhere.
        expect(not same or name == "activation" and largest == 0, f"the layer {name} looks as {same}")
        seen[name] = picture


def check_page(browser, work, pixels):
    browser.open(work / "page.html")
    logits = check_fields(browser, work, pixels)
    check_pixels(browser, logits)
    check_nodes(browser, logits)
    check_layers(browser)
    paint = []
    for _ in range(3):
        browser.open(work / "page.html")
        paint.append(browser.driver.execute_async_script(
            "const done = arguments[0], look = () => { const [e] = performance.getEntriesByName('first-contentful-paint');"
            "e ? done(e.startTime) : setTimeout(look, 20); }; look()"))
    expect(min(paint) <= FIRST_PAINT, f"the first paint takes {paint} ms")


def check_taps(browser, work):
    run(PROGRAM, "summary", "--model", "deeplabv3", "--encoder", "resnet50", "--size", 256, "--html", "deeplab.html", cwd=work)
    browser.open(work / "deeplab.html")
    taps = browser.driver.execute_script("return studies[0].atrous().slice(-3).map(n => [n.taps.dilation[0], n.taps.live])")
    # Rows at which a tap `rate` away lies on the map of 32, times the taps: 3 rows of taps, two of them 32 - rate long.
    wanted = [[rate, ((32 + 2 * max(0, 32 - rate)) / 32) ** 2] for rate in (12, 24, 36)]
    expect(all(a[0] == b[0] and abs(a[1] - b[1]) < 1e-9 for a, b in zip(taps, wanted)), f"live taps are {taps}, expected {wanted}")
    expect(not browser.all("canvas.scene"), "a graph alone has a picture")
    run(PROGRAM, "inspect", "image.ppm", "--model", "deeplabv3", "--encoder", "resnet18", "--output-stride", 8, "--size", SIDE, "--rates", 3, 6, 12,
        "-o", "fresh.html", "--grid", 0, "--device", "cpu", "--threads", 1, cwd=work)
    browser.open(work / "fresh.html")
    live, dead = (len(browser.all(f"svg.taps circle.{kind}")) for kind in ("live", "dead"))
    # In the middle of a map of 6x6, at (3, 3): dilations 4 (the encoder's last), 6 and 12 have one tap on it, 3 has four.
    expect((live, dead) == (7, 29), f"{live} live and {dead} dead taps are drawn, expected 7 and 29")
    said = [b.text for b in browser.all("[data-node]") if "rate 12" in b.text]
    expect(said and "1 of 9 taps live" in said[0], f"the branch of rate 12 on a map of 6x6 says {said}")


def check_comparison(browser, work):
    run(PROGRAM, "inspect", "--checkpoint", "run", "--compare", "run/last.safetensors", "image.ppm", "-o", "two.html", "--grid", 1,
        "--device", "cpu", "--threads", 1, cwd=work)
    browser.open(work / "two.html")
    expect(len(browser.all("section.study")) == 2 and len(browser.all("canvas.scene")) == 2, "two nets are not beside each other")


def main():
    report_browser.LIMIT = LIMIT
    shots = pathlib.Path(sys.argv[2]) if len(sys.argv) > 2 else None
    with tempfile.TemporaryDirectory() as folder:
        work = pathlib.Path(folder)
        pixels = make_data(work)
        with Browser(1200, 900) as browser:
            check_page(browser, work, pixels)
            check_taps(browser, work)
            check_comparison(browser, work)
            browser.expect_quiet()
            if shots:
                browser.open(work / "page.html")
                browser.screenshot(shots / "inspect.png")
        with Browser(390, 844, dark=True) as browser:
            browser.open(work / "page.html")
    print("study pages: pixels, receptive fields, nodes, layers, taps and comparisons are shown as the engine gives them")


PROGRAM = pathlib.Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else None
if __name__ == "__main__":
    main()
