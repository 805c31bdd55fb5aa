#!/usr/bin/env python3
"""Opens the report of a training, and the page that compares two, in Chromium, and checks what a reader would see.

    report_browser.py PROGRAM [FOLDER]     FOLDER: where screenshots are kept
"""
import base64
import csv
import json
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import tempfile

from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By

LIMIT = 5 << 20  # bytes of a page
PATIENCE = 300  # seconds for a command; a fifth of them for a page
EVIL = "<script>document.title='broken'</script>"  # a class of this name


def expect(condition, message):
    if not condition:
        sys.exit(f"report_browser.py: {message}")


def run(*command, cwd):
    done = subprocess.run(list(map(str, command)), cwd=cwd, capture_output=True, text=True, timeout=PATIENCE,
                          env={**os.environ, "OMP_WAIT_POLICY": "passive", "XDG_CACHE_HOME": str(cwd)})
    expect(done.returncode == 0, f"{' '.join(map(str, command))} ended with {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


class Browser:
    def __init__(self, width, height, dark=False):
        options = webdriver.ChromeOptions()
        for flag in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars",
                     "--host-resolver-rules=MAP * ~NOTFOUND", f"--window-size={width},{height}"):
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        self.driver = webdriver.Chrome(service=Service(shutil.which("chromedriver") or "/usr/bin/chromedriver"), options=options)
        self.width, self.height = width, height
        try:
            self.prepare(dark)
        except BaseException:
            self.driver.quit()
            raise

    def prepare(self, dark):
        width, height = self.width, self.height
        self.driver.set_page_load_timeout(PATIENCE / 5)
        self.driver.set_script_timeout(PATIENCE / 5)
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride",
                                    {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600})
        if dark:
            self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia",
                                        {"features": [{"name": "prefers-color-scheme", "value": "dark"}]})

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.driver.quit()

    def open(self, path):
        self.path = pathlib.Path(path).resolve()
        expect(self.path.stat().st_size <= LIMIT, f"{path} has {self.path.stat().st_size} bytes, more than {LIMIT}")
        self.driver.get(self.path.as_uri())
        self.expect_quiet()
        wide = self.driver.execute_script("return document.documentElement.scrollWidth")
        expect(wide <= self.width, f"{path} is {wide} pixels wide on a screen of {self.width}")

    def expect_quiet(self):
        """No complaint in the console, and no request but for the page itself and what it carries."""
        complaints = self.driver.get_log("browser")
        expect(not complaints, f"{self.path.name}: the console says {complaints}")
        for entry in self.driver.get_log("performance"):
            message = json.loads(entry["message"])["message"]
            if message["method"] == "Network.requestWillBeSent":
                url = message["params"]["request"]["url"]
                expect(url.startswith("data:") or url == self.path.as_uri(), f"{self.path.name} asks for {url[:100]}")

    def all(self, selector):
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def one(self, selector):
        found = self.all(selector)
        expect(len(found) == 1, f"{self.path.name}: {len(found)} elements are {selector}, expected 1")
        return found[0]

    def table(self, name):
        """Texts of a table by rows."""
        return self.driver.execute_script(
            "return [...document.querySelectorAll(`[data-table=\"${arguments[0]}\"] tbody tr`)]"
            ".map(r => [...r.children].map(c => c.textContent.trim()))", name)

    def hover(self, chart, share):
        """What the chart says at this share of its width: {series: text}, and the epoch."""
        said, head = self.hover_text(chart, share)
        return said, float(re.search(r"epoch ([\d.]+)", head)[1])

    def hover_text(self, chart, share):
        """The same with the heading as it stands."""
        area = self.one(f'[data-chart="{chart}"] svg')
        self.driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", area)
        ActionChains(self.driver).move_to_element_with_offset(area, (share - .5) * area.size["width"] * .98, 0).perform()
        tip = self.one(f'[data-chart="{chart}"] .tip')
        expect(tip.is_displayed(), f"{self.path.name}: nothing is said at {share} of {chart}")
        rows = [row.find_elements(By.TAG_NAME, "td") for row in tip.find_elements(By.TAG_NAME, "tr")]
        return {name.text.strip(): value.text for name, value in rows}, tip.text.split("\n")[0]

    def screenshot(self, path, height=None):
        whole = self.driver.execute_script("return document.documentElement.scrollHeight")
        clip = {"x": 0, "y": 0, "width": self.width, "height": min(height or whole, whole, 12000), "scale": 1}
        shot = self.driver.execute_cdp_cmd("Page.captureScreenshot", {"captureBeyondViewport": True, "clip": clip})
        path.write_bytes(base64.b64decode(shot["data"]))


def rows_of(folder):
    return list(csv.DictReader((folder / "metrics.csv").open()))


def close(text, value):
    return abs(float(text.replace(",", "")) - float(value)) <= 6e-5 + 1e-3 * abs(float(value)) * ("e" in text)


def check_curves(browser, folder):
    rows = rows_of(folder)
    for share, row in ((0.99, rows[-1]), (0.12, rows[0])):
        said, epoch = browser.hover("scores", share)
        expect(epoch == float(row["epoch"]), f"the epoch under the pointer is {epoch}, expected {row['epoch']}")
        expect(close(said["Dice"], row["val_dice"]) and close(said["mIoU"], row["val_miou"]),
               f"epoch {epoch} shows {said}; metrics.csv has {row}")
    said, _ = browser.hover("loss", 0.99)
    expect(close(said["training"], rows[-1]["train_loss"]) and close(said["validation"], rows[-1]["val_loss"]),
           f"the loss shows {said}; metrics.csv has {rows[-1]}")
    for chart in ("loss", "scores", "terms", "class_iou", "rate", "speed"):
        expect(len(browser.one(f'[data-chart="{chart}"] svg').find_elements(By.CSS_SELECTOR, "path.series")) >= 1,
               f"{chart} has no curve")


def check_smoothing(browser):
    curve = '[data-chart="loss"] path[data-series="validation"]'
    before = browser.one(curve).get_attribute("d")
    set_slider = ("const s = document.getElementById('smoothing'); s.value = arguments[0];"
                  "s.dispatchEvent(new Event('input'))")
    browser.driver.execute_script(set_slider, "0.8")
    paths = [p.get_attribute("d") for p in browser.all(curve)]
    expect(len(paths) == 2 and before in paths and paths[0] != paths[1], "smoothing draws no second curve")
    browser.driver.execute_script(set_slider, "0")
    expect([p.get_attribute("d") for p in browser.all(curve)] == [before], "smoothing cannot be taken back")


def check_classes(browser, folder):
    best = json.loads((folder / "report.json").read_text())["best"]
    shown = browser.table("classes")
    expect(len(shown) == len(best["classes"]), f"{len(shown)} classes are shown, expected {len(best['classes'])}")
    expect(any(row[0] == EVIL for row in shown), f"no class is called {EVIL}: {shown}")
    titles = [h.text for h in browser.all('[data-table="classes"] th')]
    for row, found in zip(shown, best["classes"]):
        if found["truth"] == 0 and found["predicted"] == 0:
            expect("absent" in row[1:], f"{row} does not say that the class is absent")
        else:
            expect(close(row[titles.index("IoU")], found["scores"]["IoU"]), f"{row} shows another IoU than {found}")
    matrix = browser.table("confusion")
    with (folder / "confusion.csv").open() as file:
        pixels = [list(map(int, row[1:])) for row in list(csv.reader(file))[1:]]
    for cells, row in zip(matrix, pixels):
        wanted = [f"{100 * p / sum(row):.1f}" if sum(row) else "–" for p in row]
        expect(cells[1:] == wanted, f"the confusion matrix shows {cells}, expected {wanted}")


def check_pictures(browser):
    pictures = browser.all("#images img")
    expect(len(pictures) >= 8 and len(pictures) % 4 == 0, f"{len(pictures)} pictures are shown")
    for picture in pictures:
        browser.driver.execute_script("arguments[0].scrollIntoView()", picture)
        expect(browser.driver.execute_script("return arguments[0].complete && arguments[0].naturalWidth", picture) > 0,
               "a picture is not one")
    titles = [float(re.search(r"loss ([\d.]+)", t.text)[1]) for t in browser.all("#images .title")]
    expect(titles[0] == max(titles), f"the highest loss does not come first: {titles}")


def check_regions(browser, folder):
    found = json.loads((folder / "report.json").read_text())["best"]["regions"]
    losses = [float(re.search(r"loss ([\d.]+)", t.text)[1]) for t in browser.all("#regions .title")]
    expect(len(losses) == min(6, len(browser.table("images"))), f"{len(losses)} regions are shown")
    expect(losses == sorted(losses, reverse=True), f"the hardest region does not come first: {losses}")
    for shot, region in zip(browser.all("#regions .shot"), found):
        expect(f"{100 * region['wrong']:.1f} % wrong" in shot.text, f"{shot.text} has another share of errors than {region['wrong']}")
        framed = shot.find_elements(By.CSS_SELECTOR, ".framed")
        expect(len(framed) == 4, f"{len(framed)} pictures of a region")
        for number, picture in enumerate(framed):
            image, frame = picture.find_element(By.TAG_NAME, "img"), picture.find_element(By.CSS_SELECTOR, ".frame")
            browser.driver.execute_script("arguments[0].scrollIntoView()", image)
            expect(browser.driver.execute_script("return arguments[0].complete && arguments[0].naturalWidth", image) > 0,
                   "a picture of a region is not one")
            outer, inner = image.rect, frame.rect
            left, top, width, height = region["close_frame" if number else "frame"]
            wanted = (outer["x"] + left * outer["width"], outer["y"] + top * outer["height"], width * outer["width"],
                      height * outer["height"])
            at = (inner["x"], inner["y"], inner["width"], inner["height"])
            expect(all(abs(a - b) < 1.5 for a, b in zip(at, wanted)), f"a frame lies at {at}, expected {wanted}")


def check_hardest_classes(browser, folder):
    best = json.loads((folder / "report.json").read_text())["best"]
    iou = sorted(c["scores"]["IoU"] for c in best["classes"] if c["truth"] and c["scores"]["IoU"] is not None)
    shown = [line.text for line in browser.all("#hardest li")]
    expect([f"IoU {value:.4f}" in line for value, line in zip(iou, shown)] == [True] * min(3, len(iou)),
           f"the hardest classes are {shown}, expected IoUs {iou}")
    confusion = best["confusion"]
    for line in shown:
        if " are taken for " in line:
            name, share, other = re.match(r"(.*): IoU .*; ([\d.]+) % of its pixels are taken for (.*)", line).groups()
            names = [row[0] for row in browser.table("classes")]
            row = confusion[names.index(name)]
            rest = [n for i, n in enumerate(row) if i != names.index(name)]
            expect(row[names.index(other)] == max(rest) and abs(100 * max(rest) / sum(row) - float(share)) < .06,
                   f"{line}: the confusion matrix has {row}")


def check_precision_recall(browser, work):
    """Of the two classes of a run whose images lie between the borders of letterbox."""
    folder = work / "binary"
    run(PROGRAM, "eval", "--data", "binary-data", "--checkpoint", "binary", "--json", "binary.json", "--device", "cpu",
        "--threads", 1, cwd=work)
    scores = json.loads((work / "binary.json").read_text())
    browser.open(folder / "report.html")
    facts = {row[0]: row[1] for row in browser.table("precision_recall")}
    expect(facts["average precision"] == f"{scores['average_precision']:.4f}", f"{facts}; eval has {scores['average_precision']}")
    best = f"{scores['best_threshold']:.4g}: Dice {scores['best_threshold_dice']:.4f}"
    expect(facts["best threshold"] == best, f"{facts}; eval has {best}")
    word = browser.one("#precision_recall .word").text
    expect(float(word.removeprefix("--threshold ")) == scores["best_threshold"], f"{word}; eval has {scores['best_threshold']}")
    said, head = browser.hover_text("precision_recall", 0.6)
    threshold = float(head.removeprefix("threshold "))
    expect(any(p["threshold"] and abs(p["threshold"] - threshold) <= 1e-3 * threshold and close(said["precision"], p["precision"])
               and close(said["recall"], p["recall"]) for p in scores["precision_recall"]),
           f"threshold {threshold} has {said}, which is no point of eval's curve")
    spot = browser.one('[data-chart="precision_recall"] [data-spot^="best threshold"]').rect
    curve = browser.one('[data-chart="precision_recall"] path.series').rect
    expect(curve["x"] <= spot["x"] + 5 <= curve["x"] + curve["width"] + 1 and curve["y"] <= spot["y"] + 5,
           f"the best threshold lies at {spot}, the curve at {curve}")
    shown = browser.all("#images img")[0]
    size = browser.driver.execute_script("return [arguments[0].naturalWidth, arguments[0].naturalHeight]", shown)
    expect(size == [48, 48], f"a picture without the borders of letterbox is {size}, expected 48x48")
    check_regions(browser, folder)
    browser.driver.execute_script("document.getElementById('log').click()")
    expect(len(browser.all('[data-chart="precision_recall"] path.series')) == 1, "the logarithm takes the curve away")

    def close_to_one(copy, record):
        record["best"]["precision_recall"]["best"][2] = 0.99998765
        rewrite(copy, record)

    browser.open(copy_of(folder, "close to one", close_to_one))
    word = browser.one("#precision_recall .word").text
    expect(word == "--threshold 0.99998765", f"{word} is not the threshold 0.99998765")
    expect("threshold 1" not in browser.one("#precision_recall").text, "a threshold below 1 is shown as 1")


def check_sorting(browser):
    column = lambda: [float(row[1]) for row in browser.table("images")]
    expect(column() == sorted(column(), reverse=True) and len(column()) > 2, f"images are not sorted by loss: {column()}")
    browser.all('[data-table="images"] th')[1].click()
    expect(column() == sorted(column()), f"a second click does not turn the order: {column()}")
    browser.all('[data-table="images"] th')[0].click()
    names = [row[0] for row in browser.table("images")]
    expect(names == sorted(names), f"a click on the name does not sort: {names}")
    browser.all('[data-table="images"] th [role=button]')[0].send_keys(" ")
    expect([row[0] for row in browser.table("images")] == names[::-1], "the space bar does not turn the order")


def check_print(browser):
    browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    expect(browser.all(".chart .legend button")[0].is_displayed(), "a printed chart has no legend")
    browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})


def check_settings(browser, folder):
    shown = {row[0]: row[1] for row in browser.table("settings")}
    expect(shown.get("lr") == "0.01" and "momentum" not in shown, f"settings that differ: {shown}")
    command = browser.one("#command pre").text
    again = folder.parent / "again"
    words = ["sh", "-c", f"{shlex.quote(str(PROGRAM))} {command.split(' ', 1)[1]} --output-dir {shlex.quote(str(again))}"]
    run(*words, cwd=folder.parent)
    without_time = lambda f: [{k: v for k, v in row.items() if k != "seconds"} for row in rows_of(f)]
    expect(without_time(again) == without_time(folder), "the command to train again gives other scores")


def check_comparison(browser, folders):
    shown = browser.table("comparison")
    expect([row[0] for row in shown] == [f.name for f in folders], f"the runs are {shown}")
    titles = [h.text.rstrip(" ▲▼") for h in browser.all('[data-table="comparison"] th')]
    for row, folder in zip(shown, folders):
        best = json.loads((folder / "report.json").read_text())["best"]
        expect(close(row[titles.index("Dice")], best["scores"]["dice"]["value"]), f"{row} has another Dice")
        expect(row[titles.index("best epoch")] == str(best["epoch"]), f"{row} has another best epoch")
    differing = {row[0]: row[1:] for row in browser.table("differing")}
    expect(differing == {"lr": ["0.01", "0.001"], "epochs": ["3", "2"]}, f"settings that differ: {differing}")
    said, _ = browser.hover("val_dice", 0.1)
    for folder in folders:
        expect(close(said[folder.name], rows_of(folder)[0]["val_dice"]), f"{said} is not the first Dice of {folder}")
    expect(not browser.all("#other-images"), "two runs on the same images are said to have others")
    browser.all('[data-table="comparison"] th')[titles.index("Dice")].click()
    dice = [float(row[titles.index("Dice")]) for row in browser.table("comparison")]
    expect(dice == sorted(dice, reverse=True), f"runs are not sorted by Dice: {dice}")


def make_runs(work):
    run(PROGRAM, "synth", "--output", "data", "--count", 20, "--size", 48, "--class-per-kind", "--val-fraction", 0.4,
        cwd=work)
    (work / "names.txt").write_text(f"ground\n{EVIL}\ndisc\npolygon\nnever\n")
    common = ["train", "--data", "data", "--size", 48, "--base-channels", 4, "--depth", 2, "--batch-size", 4, "--device",
              "cpu", "--threads", 1, "--class-names", "names.txt", "--classes", 5]
    run(PROGRAM, *common, "--lr", 0.01, "--epochs", 2, "--output-dir", "first", cwd=work)
    run(PROGRAM, "train", "--resume", "first", "--epochs", 3, cwd=work)
    run(PROGRAM, *common, "--lr", 0.001, "--epochs", 2, "--output-dir", "second", cwd=work)
    run(PROGRAM, *common, "--epochs", 1, "--output-dir", "one", cwd=work)
    run(PROGRAM, "synth", "--output", "binary-data", "--count", 20, "--size", 48, "--val-fraction", 0.4, cwd=work)
    run(PROGRAM, "train", "--data", "binary-data", "--size", "96x48", "--resize", "letterbox", "--base-channels", 4, "--depth",
        2, "--batch-size", 4, "--device", "cpu", "--threads", 1, "--lr", 0.01, "--epochs", 4, "--output-dir", "binary", cwd=work)
    shutil.copytree(work / "data/train", work / "plain")
    run(PROGRAM, *["plain" if word == "data" else word for word in common], "--val-fraction", 0, "--epochs", 2, "--output-dir",
        "blind", cwd=work)
    page = (work / "first/report.html").read_text()
    run(PROGRAM, "report", "first", cwd=work)
    run(PROGRAM, "report", "first", "second", "-o", "compare.html", cwd=work)
    without_log = lambda text: re.sub(r'"warnings":\[.*?\],"record"', "", text)
    expect(without_log((work / "first/report.html").read_text()) == without_log(page),
           "`atrous report` writes another page than the training did")
    return work / "first", work / "second"


def copy_of(run_folder, name, change):
    """A copy of a run with a page of its own; `change` edits the record."""
    copy = run_folder.parent / name
    shutil.copytree(run_folder, copy)
    record = json.loads((copy / "report.json").read_text())
    change(copy, record)
    run(PROGRAM, "report", name, cwd=copy.parent)
    return copy / "report.html"


def sections_of(browser):
    return [section.get_attribute("id") for section in browser.all("section")]


def rewrite(copy, record):
    (copy / "report.json").write_text(json.dumps(record))


def check_runs_that_lack_something(browser, work):
    browser.open(work / "blind/report.html")
    expect("curves" in sections_of(browser) and not browser.all('[data-chart="scores"]'), "a run without validation is not shown")
    browser.open(copy_of(work / "one", "older", lambda copy, record: (copy / "report.json").unlink()))
    expect("curves" in sections_of(browser) and "confusion" not in sections_of(browser), "a run without report.json is not shown")
    expect("report.json" in browser.one("#notes").text, "nobody says that report.json is not there")
    browser.open(work / "one/report.html")
    expect(len(browser.all(".chart circle")) > 0, "the only epoch of a run is not drawn")
    run(PROGRAM, "report", "one", "blind", "-o", "others.html", cwd=work)
    browser.open(work / "others.html")
    expect(len(browser.all("#other-images")) == 1, "nobody says that two runs have other data")


def check_changed_runs(browser, work):
    def many(copy, record):
        classes = range(40)
        record["classes"] = [{"name": f"class {c}", "colour": "#808080"} for c in classes]
        record["best"]["confusion"] = [[100 - c if c == p else 1 for p in classes] for c in classes]
        rewrite(copy, record)

    def broken(copy, record):
        record["best"]["classes"] = [None]
        rewrite(copy, record)

    def overlapping(copy, record):
        for region in record["best"]["regions"]:
            region.update(mistaken=0, wrong=0.25)
        rewrite(copy, record)

    def equal(copy, _):
        lines = [line.split(",") for line in (copy / "metrics.csv").read_text().splitlines()]
        at = lines[0].index("val_dice")
        for line, value in zip(lines[1:], ("0.1", "0.10000000000000002", "0.1")):
            line[at:] = [value] * (len(line) - at)
        (copy / "metrics.csv").write_text("".join(",".join(line) + "\n" for line in lines))

    def no_text(copy, _):
        config = (copy / "config.toml").read_text()
        (copy / "config.toml").write_text(re.sub(r'(?m)^data = ".*"$', 'data = "\U0010ffe9"', config))

    browser.open(copy_of(work / "first", "many", many))
    expect(len(browser.table("confusion")) == 30, "not 30 of 40 classes are shown")
    expect("The 30 most frequent of 40 classes" in browser.one("#confusion").text, "nobody says that classes are left out")
    browser.open(copy_of(work / "first", "broken", broken))
    expect("This part cannot be shown" in browser.one("#classes").text, "a part that is broken does not say so")
    expect("images" in sections_of(browser) and browser.all('[data-chart="loss"] path'), "a broken part takes others with it")
    browser.open(copy_of(work / "first", "overlapping", overlapping))
    expect("25.0 % wrong" in browser.one("#regions").text and "no pixel is taken" not in browser.one("#regions").text,
           "regions with wrong pixels of classes that overlap are said to have none")
    browser.open(copy_of(work / "first", "equal", equal))
    expect(browser.all('[data-chart="scores"] path.series'), "values that are one but for rounding are not drawn")
    browser.open(copy_of(work / "first", "no_text", no_text))
    expect(not browser.all("#command pre") and "no command can be shown" in browser.one("#command").text,
           "a command is shown for a folder whose name is no text")


def main():
    shots = pathlib.Path(sys.argv[2]) if len(sys.argv) > 2 else None
    with tempfile.TemporaryDirectory() as folder:
        work = pathlib.Path(folder)
        runs = make_runs(work)
        with Browser(1200, 900) as browser:
            browser.open(runs[0] / "report.html")
            check_curves(browser, runs[0])
            check_smoothing(browser)
            check_classes(browser, runs[0])
            check_hardest_classes(browser, runs[0])
            check_pictures(browser)
            check_regions(browser, runs[0])
            expect(not browser.all("#precision_recall"), "several classes have one curve")
            check_sorting(browser)
            check_print(browser)
            check_settings(browser, runs[0])
            expect(len(browser.all("#environment table")) == 2, "the environment of each of two sessions is not there")
            expect("broken" not in browser.driver.title, "a class's name was run as a script")
            browser.open(work / "compare.html")
            check_comparison(browser, runs)
            browser.expect_quiet()
            check_precision_recall(browser, work)
            check_runs_that_lack_something(browser, work)
            check_changed_runs(browser, work)
        for name, width, dark in (("desktop", 1200, False), ("dark", 1200, True), ("phone", 390, False)):
            with Browser(width, 844, dark) as browser:
                for page, path in (("report", runs[0] / "report.html"), ("compare", work / "compare.html"),
                                   ("two-classes", work / "binary/report.html")):
                    browser.open(path)
                    if shots:
                        browser.screenshot(shots / f"{page}-{name}.png")
        print(f"reports: curves, tables, pictures, hover and sorting are right; {(runs[0] / 'report.html').stat().st_size >> 10} KiB")


if __name__ == "__main__":
    PROGRAM = pathlib.Path(sys.argv[1]).resolve()
    main()
