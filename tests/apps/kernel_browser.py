#!/usr/bin/env python3
"""Opens pages of `atrous inspect kernel` in Chromium, clicks and steps through them, and holds what they show against their traces.

    kernel_browser.py PROGRAM [FOLDER]     FOLDER: where screenshots are kept
"""
import json
import os
import pathlib
import re
import statistics
import sys
import tempfile

import report_browser
from report_browser import Browser, expect, run
from selenium.webdriver.common.keys import Keys

LIMIT = 5 << 20  # bytes of a page
FIRST_PAINT = 2000  # milliseconds
SLOW_FRAME = 250  # milliseconds that the median frame may take to draw, on cores that others share
SIDE, CHANNELS, DILATION = 16, 8, 2

HOPPER = "ATROUS_EMULATED_CAPABILITY"
PAGES = {
    "simt": ["conv2d", "--shape", f"1x{SIDE}x{SIDE}x{CHANNELS}", "--dilation", DILATION, "--kernels", "simt"],
    "mma": ["conv2d", "--shape", "1x16x16x16", "--dilation", 2, "--precision", "bf16", "--kernels", "mma"],
    "norm": ["batch_norm", "--shape", "2x16x16x8"],
    "bilinear": ["bilinear", "--shape", "1x8x8x8", "--pass", "backward", "--blocks", 16],
    "loss": ["bce_dice", "--shape", "2x16x16x1"],
    "wgmma": ["conv2d", "--shape", "1x16x16x64", "--precision", "bf16", "--kernels", "wgmma"],
    "wide": ["relu", "--shape", "4x64x64x16", "--blocks", 3],
    "stride": ["conv2d", "--shape", "1x9x9x8", "--stride", 2, "--padding", 0, "--pass", "backward"],
    "tf32": ["conv2d", "--shape", "1x8x8x16", "--precision", "tf32", "--kernels", "mma"],
    "pixel": ["bilinear", "--shape", "1x1x1x8", "--scale", 4],
    "pointwise": ["conv2d", "--shape", "1x16x16x64", "--kernel", 1, "--precision", "bf16", "--kernels", "wgmma"],
    "far": ["conv2d", "--shape", "1x4x4x4", "--dilation", 100],
    "normed": ["batch_norm", "--shape", "1x4x4x8", "1x4x4x8", "--relu"],
    "loss gradient": ["bce_dice", "--shape", "1x8x8x1", "--pass", "backward"],
}


class Page:
    """A page's own data, read without the page's program."""

    def __init__(self, path):
        text = path.read_text()
        self.trace = json.loads(re.search(r'<script type="application/json" id="kernel">(.*?)</script>', text, re.S)[1])
        self.kinds = self.trace["kinds"]

    def rows(self, launch, block):
        """Rows as dictionaries, each with the offsets of its lanes."""
        found = []
        for row in self.trace["launches"][launch]["blocks"][block]["rows"]:
            kind, warp, site, mask, *rest = row
            buffer, base, size, pattern, *extra = rest or [-1, 0, 0, 0]
            lanes = [lane for lane in range(32) if mask >> lane & 1]
            offsets = self.trace["patterns"][pattern]
            at = {lane: base + (offsets[0] * j if len(offsets) == 1 else offsets[j]) for j, lane in enumerate(lanes)} if buffer >= 0 else {}
            found.append({"kind": self.kinds[kind % 100], "joined": kind >= 100, "warp": warp, "site": site, "lanes": lanes, "buffer": buffer,
                          "bytes": size, "at": at, "extra": extra[0] if extra else 0})
        return found

    def steps(self, launch, block):
        """Rows of one instruction together: over several arrays, and both sides of a copy."""
        steps = []
        for row in self.rows(launch, block):
            last = steps[-1] if steps else None
            other_side = last and row["kind"] == "async_write" and last[0]["kind"] == "async_copy" and last[0]["warp"] == row["warp"] and \
                all(r["kind"] != "async_write" for r in last)
            if last and (row["joined"] or other_side):
                last.append(row)
            else:
                steps.append([row])
        return steps

    def line(self, site):
        """Of helpers that all kernels share, the line that calls them."""
        frames = self.trace["sites"][site]
        file, line, _ = next((f for f in frames if not f[0].startswith("kernels/gpu/")), frames[0])
        return file, line

    def buffer(self, name):
        return next(i for i, b in enumerate(self.trace["buffers"]) if b["name"] == name)

    def is_shared(self, row):
        return row["buffer"] >= 0 and self.trace["buffers"][row["buffer"]]["role"] == "shared"

    def sectors(self, step):
        return len({(row["buffer"], byte // 32) for row in step if row["buffer"] >= 0 and not self.is_shared(row)
                    for offset in row["at"].values() for byte in range(offset, offset + max(1, row["bytes"]))})

    def turns(self, step):
        """Of shared memory: groups of lanes, and the turns that they take."""
        groups = {}
        for row in step:
            if not self.is_shared(row) or not row["bytes"]:
                continue
            width = 16 if row["kind"] == "ldmatrix" else row["bytes"]
            together = 32 if width <= 4 else 16 if width <= 8 else 8
            for lane, offset in row["at"].items():
                for word in range(offset // 4, (offset + width + 3) // 4):
                    groups.setdefault(lane // together, {}).setdefault(word % 32, set()).add(word)
        return len(groups), sum(max(len(words) for words in banks.values()) for banks in groups.values())


def make_pages(work):
    for name, words in PAGES.items():
        os.environ[HOPPER] = "90" if "wgmma" in words else "80"
        said = run(PROGRAM, "inspect", "kernel", *words, "-o", f"{name}.html", cwd=work)
        expect(f"wrote {name}.html" in said, f"inspect kernel {words} says {said}")
        if name == "wide":
            expect("on the page: (0, 0, 0), (" in said, f"a wide launch does not say which blocks are shown: {said}")


def open_page(browser, work, name):
    browser.open(work / f"{name}.html")
    return Page(work / f"{name}.html")


def chosen(browser):
    return browser.driver.execute_script("return {launch: chosen.launch, block: chosen.block, step: chosen.step, thread: chosen.thread}")


def scrub_to(browser, step):
    browser.driver.execute_script(
        "const bar = document.querySelector('.scrub'); bar.value = arguments[0]; bar.dispatchEvent(new Event('input'))", step)


def check_steps(browser, page):
    """Steps from all over the block: warp, line, lanes, sectors, turns."""
    at = chosen(browser)
    steps = page.steps(at["launch"], at["block"])
    for index in sorted({round(i * (len(steps) - 1) / 24) for i in range(25)}):
        step = steps[index]
        scrub_to(browser, index)
        file, line = page.line(step[0]["site"])
        said = browser.one(".now").text
        expect(said.startswith(f"step {index + 1} of {len(steps)} · warp {step[0]['warp']} ·") and said.endswith(f"{file.split('/')[-1]}:{line}"),
               f"step {index} is called {said}")
        lit = browser.one("tr.current[data-line]").get_attribute("data-line")
        expect(lit == f"{file.split('/')[-1]}:{line}", f"step {index} of {file}:{line} lights {lit}")
        lanes = {int(e.get_attribute("data-lane")) for e in browser.all(".lane.on")}
        expect(lanes == {lane for row in step for lane in row["lanes"]}, f"step {index} shows the lanes {lanes}")
        expect(len(browser.all(".sector")) == min(64, page.sectors(step)), f"step {index} shows {len(browser.all('.sector'))} sectors, not {page.sectors(step)}")
        groups, turns = page.turns(step)
        text = browser.one(".conflicts").text if browser.all(".conflicts") else ""
        if groups:
            expect(f"in {turns} turn" in text and len(browser.all(".turn")) == groups, f"step {index} takes {turns} turns of {groups} groups, the page says {text}")
            expect(bool(browser.all(".bank.conflict")) == (turns > groups), f"step {index}: conflicts are marked wrongly")


def check_sums(browser, page):
    """Where every block is there, what the page sees step by step adds up to the counters."""
    launch = page.trace["launches"][chosen(browser)["launch"]]
    blocks = launch["grid"][0] * launch["grid"][1] * launch["grid"][2]
    if len(launch["blocks"]) < blocks or launch["rows_left_out"]:
        return
    sectors, turns = browser.driver.execute_script(
        "const steps = launch_now().blocks.flatMap(b => b.steps);"
        "return [sum(steps.map(s => sectors_of(s, trace).size)), sum(steps.map(s => sum(phases_of(s, trace).map(ways_of))))]")
    groups = launch["counters"]
    counted = sum(groups[g]["sectors"] for g in ("load", "store", "async_copy", "atomic") if g in groups)
    expect(sectors == counted, f"the steps move {sectors} sectors, the counters say {counted}")
    counted = sum(groups[g]["wavefronts"] for g in ("shared_load", "shared_store", "shared_async_copy", "ldmatrix", "shared_atomic") if g in groups)
    expect(turns == counted, f"the steps take {turns} turns of shared memory, the counters say {counted}")


def short(file):
    return file.split("/")[-1]


def check_source(browser, page):
    launch, by_line = page.trace["launches"][chosen(browser)["launch"]], {}
    for site, groups in launch["by_site"].items():
        file, line = page.line(int(site))
        by_line.setdefault(f"{short(file)}:{line}", []).append(sum(g.get("sectors", 0) for g in groups.values() if isinstance(g, dict)))
    shown = browser.driver.execute_script(
        "return Object.fromEntries([...document.querySelectorAll('tr.hot')].map(r => [r.dataset.line, [r.children[5].textContent, r.children[0].textContent, r.children[3].textContent]]))")
    for line, sectors in by_line.items():
        expect(line in shown, f"{line} is not in the source")
        expect(int(shown[line][1].replace(",", "") or 0) == sum(sectors), f"{line} shows {shown[line][1]} sectors, not {sum(sectors)}")
    file, line = page.line(int(next(iter(launch["by_site"]))))
    text = page.trace["sources"][file].split("\n")[line - 1]
    found = shown.get(f"{short(file)}:{line}", [None])[0]
    expect(found == text, f"the text of {file}:{line} is {found}, not {text}")
    blocks = launch["grid"][0] * launch["grid"][1] * launch["grid"][2]
    if len(launch["blocks"]) < blocks or launch["rows_left_out"]:
        return
    # What is counted is each instruction that the blocks play, but for those that have no counter.
    played = {}
    for block in range(blocks):
        for step in page.steps(chosen(browser)["launch"], block):
            # A copy counts once, by its shared side; the recorder may split the other one where lanes copy zeros.
            if step[-1]["kind"] not in ("async_commit", "async_wait", "wgmma_wait", "async_copy"):
                file, line = page.line(step[0]["site"])
                played[f"{short(file)}:{line}"] = played.get(f"{short(file)}:{line}", 0) + 1
    for line, count in played.items():
        expect(shown[line][2] == f"{count:,}", f"{line} counts {shown[line][2]} steps, {count} are played")


def click_element(browser, name, place):
    """Clicks the middle of an element's cell in the picture of an array."""
    return browser.driver.execute_script("""
        const figure = document.querySelector(`[data-buffer="${arguments[0]}"]`), [n, h, w, c] = arguments[1];
        const range = figure.querySelector('input'), canvas = figure.querySelector('canvas');
        if (range) { range.value = c; range.dispatchEvent(new Event('input')); }
        const picture = pictures.find(p => p.buffer.name === arguments[0]), at = picture.corner(n), box = canvas.getBoundingClientRect();
        canvas.dispatchEvent(new MouseEvent('click', {bubbles: true,
            clientX: box.left + (at.x + (w + .5) * picture.zoom) / canvas.width * box.width, clientY: box.top + (at.y + (h + .5) * picture.zoom) / canvas.height * box.height}));""",
                                         name, place)


def writer_of(page, launch, block, buffer, offset):
    found = None
    for index, step in enumerate(page.steps(launch, block)):
        for row in step:
            if row["buffer"] == buffer and row["kind"] in ("store", "atomic"):
                for lane, at in row["at"].items():
                    if at <= offset < at + row["bytes"]:
                        found = (index, row["warp"] * 32 + lane)
    return found


def check_origin(browser, page):
    """An element of the convolution: who writes it, and the inputs under its taps."""
    at, output = chosen(browser), page.buffer("output")
    for place in ((0, 3, 1, 2), (0, 8, 8, 5), (0, 0, 15, 0)):
        click_element(browser, "output", place)
        n, h, w, c = place
        index = ((n * SIDE + h) * SIDE + w) * CHANNELS + c
        value = page.trace["buffers"][output]["values"][index]
        expect(browser.one(".element").text.startswith(f"output[{n}, {h}, {w}, {c}] = "), f"the clicked element is {browser.one('.element').text}")
        expect(abs(float(browser.one(".element").text.split("= ")[1]) - value) <= 6e-5 + 1e-3 * abs(value), f"{place} is {browser.one('.element').text}, not {value}")
        step, thread = writer_of(page, at["launch"], at["block"], output, index * 4)
        expect(browser.one(".writer").text.startswith(f"Thread {thread} (warp {thread // 32}, lane {thread % 32}) writes it in step {step + 1}."),
               f"{place} is written by thread {thread} in step {step}, the page says {browser.one('.writer').text}")
        taps = [(h + r * DILATION, w + s * DILATION) for r in (-1, 0, 1) for s in (-1, 0, 1)]
        live = sum(0 <= i < SIDE and 0 <= j < SIDE for i, j in taps)
        rows = {r[0]: r[1:] for r in browser.table("needs")}
        expect(rows["x"] == [str(live * CHANNELS)] * 2 + [str(9 - live) if live < 9 else ""], f"{place} has {live} live taps, the page says {rows['x']}")
        expect(rows["weight"][:2] == [str(9 * CHANNELS)] * 2, f"{place} needs {rows['weight']} weights")
        # The value itself, from the inputs on the page.
        x, weight = (page.trace["buffers"][page.buffer(b)]["values"] for b in ("x", "weight"))
        total = sum(x[(i * SIDE + j) * CHANNELS + k] * weight[(c * 9 + t) * CHANNELS + k]
                    for t, (i, j) in enumerate(taps) if 0 <= i < SIDE and 0 <= j < SIDE for k in range(CHANNELS))
        expect(abs(total - value) <= .02 + 1e-3 * abs(value), f"{place} is {value}, its taps give {total}")  # four digits of each factor


def check_thread(browser, page):
    at = chosen(browser)
    steps = page.steps(at["launch"], at["block"])
    first = next(i for i, s in enumerate(steps) if s[0]["kind"] == "load" and 5 in s[0]["lanes"])
    scrub_to(browser, first)
    browser.one('.lane[data-lane="5"]').click()
    thread = steps[first][0]["warp"] * 32 + 5
    expect(chosen(browser)["thread"] == thread, "a click on a lane does not choose its thread")
    own = [i for i, s in enumerate(steps) if s[0]["warp"] == thread // 32 and any(5 in row["lanes"] for row in s)]
    shown = [int(row[0]) - 1 for row in browser.table("thread")]
    expect(shown == own[:400], f"thread {thread} takes part in {len(own)} steps, {len(shown)} are listed")


def check_keys(browser, page):
    scrub_to(browser, 0)
    press = lambda key, shift=False: browser.driver.execute_script(
        "return document.body.dispatchEvent(new KeyboardEvent('keydown', {key: arguments[0], shiftKey: arguments[1], bubbles: true, cancelable: true}))", key, shift)
    press("ArrowRight"), press("ArrowRight"), press("ArrowRight", True), press("ArrowLeft")
    expect(chosen(browser)["step"] == 11, f"keys lead to step {chosen(browser)['step']}, expected 11")
    press("b")
    at = chosen(browser)
    kind = page.steps(at["launch"], at["block"])[at["step"]][0]["kind"]
    expect(kind in ("block_barrier", "async_wait", "mbarrier_wait", "named_barrier"), f"the next barrier is a {kind}")
    # To the same line, whoever called it.
    steps = page.steps(at["launch"], at["block"])
    lines = [page.line(s[0]["site"]) for s in steps]
    first = next(i for i in range(len(lines)) if any(lines[j] == lines[i] and steps[j][0]["site"] != steps[i][0]["site"] for j in range(i)))
    scrub_to(browser, first)
    press("p")
    wanted = max(j for j in range(first) if lines[j] == lines[first])
    expect(chosen(browser)["step"] == wanted, f"p leads from step {first} to {chosen(browser)['step']}, expected {wanted}")
    # Keys that scroll the page, and those of a slider, stay theirs.
    for key in (" ", "Home", "End", "ArrowUp", "ArrowDown"):
        expect(press(key), f"the key {key} is taken from the page")
    slider = browser.one('input[aria-label="channel of x"]')
    browser.driver.execute_script("arguments[0].value = 0; arguments[0].dispatchEvent(new Event('input'))", slider)
    slider.send_keys(Keys.ARROW_RIGHT)
    expect(slider.get_property("value") == "1" and chosen(browser)["step"] == wanted, "an arrow key on a slider steps instead of moving it")
    browser.one(".player").send_keys(Keys.END)
    expect(chosen(browser)["step"] == len(steps) - 1, "End does not go to the end where the player has the focus")


def check_keyboard(browser, page):
    """An element and a thread without a mouse; the focus stays where things are drawn anew."""
    place = browser.one('[aria-label="place of the element"]')
    place.clear()
    place.send_keys("0, 99, 0, 0", Keys.ENTER)
    expect("no place in output" in browser.one(".beside .bad").text, "a place that is none is not refused")
    place.clear()
    place.send_keys("0, 3, 1, 2", Keys.ENTER)
    expect(browser.one(".element").text.startswith("output[0, 3, 1, 2]"), "the place that is written is not chosen")
    thread = browser.one('input[aria-label="thread"]')
    thread.clear()
    thread.send_keys("37", Keys.ENTER)
    expect(chosen(browser)["thread"] == 37, "the thread that is written is not chosen")
    scrub_to(browser, 40)
    kept = browser.driver.execute_script(
        "document.querySelector('select[aria-label=block]').focus(); show({}); return [document.activeElement.getAttribute('aria-label'), chosen.step]")
    expect(kept == ["block", 40], f"drawn anew (as for other colours) the page is at {kept}")


def check_back(browser, page):
    """Going back leads to what going there first has shown, without playing all again."""
    total = len(page.steps(0, chosen(browser)["block"]))
    work = browser.driver.execute_script("""
        const plain = s => JSON.stringify([s.at, [...s.reads].map(([k, v]) => [k, [...v]]), [...s.words].map(([k, v]) => [k, [...v]]), [...s.arrived], s.barriers, s.copies, [...s.mbarriers], s.boxes]);
        const {steps} = block_now(), state = new BlockState(trace, block_now()), there = Math.floor(steps.length * .7);
        state.go(steps.length - 1);
        const before = state.played;
        state.go(there);
        const again = plain(state), fresh = new BlockState(trace, block_now());
        fresh.go(there);
        const after = state.played;
        state.go(steps.length - 1), state.go(there);
        return [plain(fresh) === again && plain(state) === again, after - before, state.every];""")
    expect(work[0], "going back leads to another state")
    expect(work[1] <= work[2] < total, f"going back plays {work[1]} of {total} steps again")


def check_playing(browser, name):
    """Plays for a while, as fast as it goes, and says how long a frame takes to draw."""
    scrub_to(browser, 0)
    browser.driver.execute_script("frame_times.length = 0; choose({speed: 64})")
    browser.one(".play").click()
    times = browser.driver.execute_async_script("const done = arguments[0]; setTimeout(() => { choose({playing: false}); done(frame_times); }, 1500)")
    expect(len(times) >= 5, f"{name}: {len(times)} frames in 1.5 s")
    middle, ninth = statistics.median(times), sorted(times)[len(times) * 9 // 10]
    expect(middle <= SLOW_FRAME, f"{name}: the median frame takes {middle:.1f} ms to draw")
    return f"{name}: {len(times)} frames in 1.5 s, drawn in {middle:.1f} ms, nine of ten within {ninth:.1f} ms"


def check_fragments(browser, page):
    """Which lane holds what, by lane as the PTX ISA has it; the kept product adds up."""
    at = chosen(browser)
    steps = page.steps(at["launch"], at["block"])
    index = next(i for i, s in enumerate(steps) if s[0]["kind"] == "mma" and s[0]["extra"])
    scrub_to(browser, index)
    f = page.trace["fragments"][steps[index][0]["extra"] - 1]
    wanted, k, wide = {"A": {}, "B": {}, "D": {}}, f["k"], f["k"] == 16  # 8 of tf32, which lie alone and not in pairs
    for lane in range(32):
        group, member = lane >> 2, lane % 4
        for i in range(k // 2):
            wanted["A"][(group + 8 * (i // 2 % 2), 2 * member + i % 2 + 8 * (i // 4)) if wide else (group + 8 * (i % 2), member + 4 * (i // 2))] = lane, i
        for i in range(k // 4):
            wanted["B"][2 * member + i % 2 + 8 * (i // 2) if wide else member + 4 * i, group] = lane, i
        for i in range(4):
            wanted["D"][group + 8 * (i // 2), 2 * member + i % 2] = lane, i
    for matrix, cells in wanted.items():
        shown = browser.driver.execute_script(
            "return [...document.querySelectorAll(`[data-matrix=\"${arguments[0]}\"] .held`)].map(c => [c.dataset.at, Number(c.dataset.lane), Number(c.dataset.register)])", matrix)
        shown = {tuple(map(int, at.split(","))): (lane, register) for at, lane, register in shown}
        expect(shown == cells, f"the fragment {matrix} is not as the PTX ISA has it")
    for r in range(16):
        for c in range(8):
            total = f["before"][r * 8 + c] + sum(f["a"][r * k + i] * f["b"][i * 8 + c] for i in range(k))
            expect(abs(total - f["after"][r * 8 + c]) <= .02, f"D[{r}, {c}] is {f['after'][r * 8 + c]}, the product gives {total}")
    index = next((i for i, s in enumerate(steps) if s[0]["kind"] == "ldmatrix"), None)
    if index is None:
        return
    scrub_to(browser, index)
    named = [e.text for e in browser.all(".named p.sub")]
    expect(len(named) == 4 and all(f"from byte {steps[index][0]['at'][8 * m]} on" in text for m, text in enumerate(named)), f"ldmatrix names {named}")


def check_order(browser, page):
    """Warps that wait at mbarriers: each in its own order, and none passes a wait before its phase has ended."""
    played = browser.driver.execute_script("return block_now().steps.map(s => [s.warp, s.kind, s.site, s.parts[0].base, lanes_in(s.mask).length, s.extra])")
    steps = [s[0] for s in page.steps(0, 0)]
    for warp in range(9):
        own = [[s["kind"], s["site"]] for s in steps if s["warp"] == warp]
        expect([[kind, site] for w, kind, site, *_ in played if w == warp] == own, f"warp {warp} is played in another order than its own")
    count, arrived, waits, boxes = {}, {}, {}, 0
    for warp, kind, _, base, lanes, extra in played:
        if kind == "mbarrier_init":
            count[base] = extra
        elif kind == "mbarrier_arrive":
            arrived[base] = arrived.get(base, 0) + lanes
        elif kind == "mbarrier_wait":
            waits[base, warp] = waits.get((base, warp), 0) + 1
            expect(arrived.get(base, 0) // count[base] >= waits[base, warp], f"warp {warp} passes the mbarrier at {base} before its phase has ended")
        boxes += kind == "box_load"
    expect(boxes == 18 and len(waits) > 20, f"{boxes} boxes and {len(waits)} waits are played")
    index = next(i for i, s in enumerate(played) if s[1] == "box_load")
    scrub_to(browser, index)
    box = page.trace["boxes"][played[index][5] - 1]
    text = browser.one(".access").text
    expect(f"box at ({', '.join(map(str, box['at']))}) of x" in text, f"a box is called {text}")


def origin(browser, name, place):
    """By array, how many elements this one comes from, how many were read by then, and taps in the padding; and the text."""
    browser.driver.execute_script("""
        const buffer = trace.buffers.find(b => b.name === arguments[0]), index = buffer.element_at(...arguments[1]);
        const block = launch_now().blocks.findIndex(b => b.writers.get(buffer.index)?.has(index));
        if (block >= 0 && block !== chosen.block) show({block});
        choose({output: {buffer: buffer.index, index}})""", name, place)
    return {r[0]: r[1:] for r in browser.table("needs")}, browser.one(".origin").text


def check_origins(browser, work):
    open_page(browser, work, "pixel")  # an image of 1x1, which is a list of its channels
    rows, _ = origin(browser, "output", (0, 2, 3, 5))
    expect(rows == {"x": ["1", "1", ""]}, f"of one pixel, an output comes from {rows}")
    texts = browser.driver.execute_script("return [...needs_of(trace.buffers[chosen.output.buffer], chosen.output.index).elements.get(named('x').index)].map(i => named('x').text(i))")
    expect(texts == ["x[0, 0, 0, 5]"], f"an output of channel 5 comes from {texts}")
    open_page(browser, work, "far")
    rows, text = origin(browser, "output", (0, 0, 1, 0))
    expect(rows["x"] == ["4", "4", "8"] and "(-100, -99)" in text, f"a far dilation comes from {rows}: {text}")
    expect(int(browser.one('[data-buffer="x"] canvas').get_attribute("width")) < 600, "taps far away make the picture wide")
    open_page(browser, work, "stride")
    for place, taps in (((0, 0, 0, 1), 1), ((0, 4, 4, 1), 4), ((0, 8, 8, 0), 1), ((0, 1, 4, 0), 2)):
        browser.driver.execute_script("show({launch: launches.findIndex(l => l.blocks.some(b => b.writers.has(named('gradient of x').index)))})")
        rows, _ = origin(browser, "gradient of x", place)
        wanted = [str(8 * taps), ""]
        expect([rows["gradient of output"][0], rows["gradient of output"][2]] == wanted and rows["weight"][0] == wanted[0], f"{place} with stride 2 comes from {rows}")
    rows, _ = origin(browser, "gradient of weight", (3, 1, 1, 2))
    expect((rows["gradient of output"][0], rows["x"][0]) == ("16", "16"), f"a weight's gradient comes from {rows}")
    open_page(browser, work, "pointwise")  # weights of 1x1, which TMA fetches as boxes
    rows, _ = origin(browser, "output", (0, 5, 6, 7))
    expect(rows == {"x": ["64", "64", ""], "weight": ["64", "64", ""]}, f"a convolution of 1x1 has read {rows}")
    for name, relu in (("normed", True), ("norm", False)):
        page = open_page(browser, work, name)
        browser.driver.execute_script("show({launch: launches.length - 1})")
        rows, text = origin(browser, "output", (0, 1, 2, 3))
        shape = page.trace["buffers"][page.buffer("x")]["shape"]
        wanted = {"x": shape[0] * shape[1] * shape[2], "gamma": 1, "beta": 1, **({"residual": 1} if relu else {})}
        expect({k: int(v[0]) for k, v in rows.items()} == wanted and ("ReLU" in text) == relu, f"batch norm comes from {rows}: {text}")
    open_page(browser, work, "loss gradient")
    browser.driver.execute_script("show({launch: launches.length - 1})")
    rows, _ = origin(browser, "gradient of logits", (0, 1, 2, 0))
    expect({k: v[0] for k, v in rows.items()} == {"logits": "64", "labels": "64"}, f"a gradient of Dice comes from {rows}")
    open_page(browser, work, "wide")
    origin(browser, "output", (0, 0, 0, 1))
    rows = browser.table("thread read")
    expect(len(rows) == 1 and rows[0][0] == "x" and "x[0, 0, 0, " in rows[0][2], f"the thread of a ReLU has read {rows}")


def check_empty(browser, work):
    """A block whose steps were left out can be left again."""
    text = (work / "bilinear.html").read_text()
    head, data, tail = re.split(r'(?<=id="kernel">)(.*?)(?=</script>)', text, maxsplit=1, flags=re.S)
    trace = json.loads(data)
    trace["launches"][0]["blocks"][1]["rows"] = []
    (work / "empty.html").write_text(head + json.dumps(trace).replace("<", "\\u003c") + tail)
    browser.open(work / "empty.html")
    browser.driver.execute_script("show({block: 1}); for (const key of ['ArrowRight', 'n', 'b', 'k']) document.body.dispatchEvent(new KeyboardEvent('keydown', {key, bubbles: true}))")
    browser.expect_quiet()
    browser.driver.execute_script("const s = document.querySelector('select[aria-label=block]'); s.value = 0; s.dispatchEvent(new Event('change'))")
    expect(browser.one(".now").text.startswith("step 1 of"), "a block without steps cannot be left")


def check_phone(browser, work, name):
    """Steps to what is widest, fragments of matrices, and holds the page against the screen."""
    open_page(browser, work, name)
    for kind in ("mma", "ldmatrix", "wgmma"):
        there = browser.driver.execute_script(
            "const s = block_now().steps.find(s => s.kind === arguments[0]); if (s) choose({step: s.index, lanes: 'values'}); return Boolean(s)", kind)
        if there:
            wide = browser.driver.execute_script("return [document.documentElement.scrollWidth, document.querySelectorAll('.held').length]")
            expect(wide[0] <= 390 and wide[1] > 0, f"{name}: a page with {kind} is {wide[0]} pixels wide, with {wide[1]} elements")
    if name == "far":
        origin(browser, "output", (0, 0, 1, 0))
        wide = browser.driver.execute_script("return document.documentElement.scrollWidth")
        expect(wide <= 390, f"{name} is {wide} pixels wide with an origin")


def check_others(browser, work):
    page = open_page(browser, work, "norm")
    expect(len(page.trace["launches"]) >= 3, "batch norm has statistics, their end, and the values")
    for launch in range(len(page.trace["launches"])):
        browser.driver.execute_script("show({launch: arguments[0]})", launch)
        check_steps(browser, page)
        check_sums(browser, page)
    page = open_page(browser, work, "bilinear")
    check_steps(browser, page)
    check_sums(browser, page)
    gradient = page.buffer("gradient of x")
    owner = next(b for b in range(len(page.trace["launches"][0]["blocks"])) if writer_of(page, 0, b, gradient, ((3 * 8 + 4) * 8 + 1) * 4))
    browser.driver.execute_script("show({block: arguments[0]})", owner)
    click_element(browser, "gradient of x", (0, 3, 4, 1))
    # Of twice the size, 4 outputs each way mix an inner pixel in.
    rows = {r[0]: r[1:3] for r in browser.table("needs")}
    expect(rows == {"gradient of output": ["16", "16"]}, f"an inner pixel's gradient comes from {rows}")
    page = open_page(browser, work, "loss")
    check_steps(browser, page)
    for launch in range(len(page.trace["launches"])):
        browser.driver.execute_script("show({launch: arguments[0]}); choose({thread: launch_now().threads - 1})", launch)
        check_sums(browser, page)
    browser.driver.execute_script("show({launch: 0})")
    at = chosen(browser)["thread"]
    expect(at is None or at < page.trace["launches"][0]["block"][0], f"thread {at} is chosen, which the launch does not have")
    page = open_page(browser, work, "wide")
    launch = page.trace["launches"][0]
    names = [", ".join(map(str, b["block"])) for b in launch["blocks"]]
    options = [o.text for o in browser.all('select[aria-label="block"] option')]
    expect(options == names and len(names) == 3, f"blocks {options}, the trace has {names}")
    expect(f"({names[-1]})" in browser.one("section p.sub").text, "the page does not say which blocks it plays")
    browser.driver.execute_script("show({block: 2})")
    check_steps(browser, page)


def main():
    report_browser.LIMIT = LIMIT
    shots = pathlib.Path(sys.argv[2]) if len(sys.argv) > 2 else None
    with tempfile.TemporaryDirectory() as folder:
        work = pathlib.Path(folder)
        make_pages(work)
        with Browser(1300, 900) as browser:
            page = open_page(browser, work, "simt")
            for check in (check_steps, check_sums, check_source, check_origin, check_thread, check_keys, check_keyboard, check_back):
                check(browser, page)
            frames = [check_playing(browser, "simt")]
            paint = browser.driver.execute_script("return performance.getEntriesByName('first-contentful-paint')[0].startTime")
            expect(paint <= FIRST_PAINT, f"the first paint takes {paint} ms")
            page = open_page(browser, work, "mma")
            for check in (check_steps, check_sums, check_source, check_fragments):
                check(browser, page)
            frames.append(check_playing(browser, "mma"))
            page = open_page(browser, work, "wgmma")
            check_order(browser, page)
            page = open_page(browser, work, "tf32")
            check_sums(browser, page)
            check_fragments(browser, page)
            check_others(browser, work)
            check_origins(browser, work)
            check_empty(browser, work)
            browser.expect_quiet()
            if shots:
                for name in PAGES:
                    open_page(browser, work, name)
                    browser.screenshot(shots / f"kernel-{name}.png")
        with Browser(390, 844, dark=True) as browser:
            for name in ("simt", "mma", "tf32", "wgmma", "loss", "far"):
                check_phone(browser, work, name)
    print("kernel pages: steps, lanes, sectors, banks, fragments, origins and counters are those of the traces; "
          f"first paint {paint:.0f} ms; " + "; ".join(frames))


PROGRAM = pathlib.Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else None
if __name__ == "__main__":
    main()
