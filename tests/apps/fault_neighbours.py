"""The kinds of fault_sweep.py that are about what lies beside a training: files of others, a second process, a file
system that says no, images that cannot be taken."""
import os
import shutil
import signal
import subprocess

from fault_tools import Case, ENVIRONMENT, EVENTS, Reference, expect, need_strace

LONG = 400  # bytes; longer than a file system's names
PLACES = {"a link to itself": "loop", "a name that is too long": "x" * LONG, "a path of 5,000 characters": "x/" * 2500,
          "a file for a folder": "file/below", "a link to nothing": "dangling"}


def expect_one_line(outcome, where, codes=(2, 3, 4)):
    lines = [line for line in outcome.err.splitlines() if line.startswith("atrous: ")]
    expect(outcome.code in codes and len(lines) == 1 and "unexpected" not in lines[0], f"{where}: no plain error",
           outcome)


def tree(folder):
    """Every file below, with what it holds."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*"))
            if path.is_file() and not path.is_symlink()}


def refuse(case, words, where, *arguments, code=2):
    before = tree(case.folder)
    case.program(*arguments).expect_error(code, words, where)
    expect(tree(case.folder) == before, f"{where}: a refused command changed {set(tree(case.folder)) ^ set(before)}")


def others_run_folder(bench):
    case = Case(bench, "others")
    case.run.mkdir()
    theirs = {EVENTS + "1700000000.host": b"scores of somebody", "config.toml": b"epochs = 1\n", "metrics.csv": b"a,b\n",
              "notes.txt": b"do not lose"}
    for name, data in theirs.items():
        (case.run / name).write_bytes(data)
    train = bench.training()[1:]
    refuse(case, "is not empty and no run folder", "a folder of somebody's", *train)
    refuse(case, "the file that --config reads", "its own --config", *train, "--config", "run/config.toml",
           "--overwrite")
    for again in range(2):
        outcome = case.run_command([*bench.training(), "--overwrite"])
        expect(outcome.code == 0, "not with --overwrite either", outcome)
    for name in (EVENTS + "1700000000.host", "notes.txt"):
        expect((case.run / name).read_bytes() == theirs[name], f"--overwrite replaced {name}, which is none of its names")

    case = Case(bench, "link to nothing")
    case.run.symlink_to("nowhere")
    refuse(case, "is a link to what is not there", "a run folder behind a dangling link", *train, code=4)

    case = Case(bench, "profiled")
    case.run.mkdir()
    (case.run / ".atrous-run").touch()
    for name in ("last.safetensors", "best.safetensors", "metrics.csv", ".atrous-run"):
        refuse(case, "is a file of the run folder", "a profile over the run folder's files", *train, "--profile",
               f"run/./{name}")
    refuse(case, "is a file of the data set", "a profile over an image", *train, "--overwrite", "--profile",
           sorted((bench.data / "train" / "images").iterdir())[0])

    case = bench.half.copy("of before")  # a run folder of a version that marked none, killed before its first checkpoint
    for name in (".atrous-run", "best.safetensors", "last.safetensors", "last.safetensors.previous"):
        (case.run / name).unlink()
    (case.run / "metrics.csv").write_text("epoch,step,learning_rate,train_loss,val_loss,val_dice,val_image_dice,val_miou,"
                                          "val_pixel_accuracy,seconds\n")
    outcome = case.program("train", "--config", "run/config.toml", "--output-dir", "run")
    expect(outcome.code == 0, "a training of before cannot be started anew as it is told", outcome)

    case = Case(bench, "again")
    expect(case.train("--seed", 5).code == 0, "does not train")
    refuse(case, "holds a training already", "a training over another", *train)
    refuse(case, "the file that --pretrained reads", "over its own weights", *train, "--overwrite", "--pretrained",
           "run/best.safetensors")
    outcome = case.run_command([*bench.training(), "--overwrite"])
    expect(outcome.code == 0, "not anew with --overwrite", outcome)
    case.compare("started anew with --overwrite")

    case = bench.half.copy("loose")  # a checkpoint that was copied among other files
    elsewhere = case.folder / "downloads"
    elsewhere.mkdir()
    shutil.copy(case.run / "last.safetensors", elsewhere)
    (elsewhere / "metrics.csv").write_text("of somebody\n")
    refuse(case, "is no run folder", "a checkpoint among other files", "train", "--data", bench.data, "--resume",
           "downloads/last.safetensors")
    refuse(case, "no such folder", "a refused resumption marks nothing", "train", "--data", "/nowhere", "--resume",
           "downloads/last.safetensors", "--overwrite", code=3)


def others_results(bench):
    case = bench.half.copy("results")
    net, images = "run/best.safetensors", case.folder / "p"
    shutil.copytree(bench.data / "val" / "images", images)
    first = sorted(images.iterdir())[0]
    shutil.copy(first, images / f"{first.stem}_binary.png")
    refuse(case, "which the prediction reads", "results over the user's own image", "predict", "p", "--checkpoint",
           net, "-o", "p")
    (case.folder / "out").mkdir()
    shutil.copy(first, case.folder / "out" / f"{first.stem}_overlay.png")
    predict = ["predict", "p", "--checkpoint", net, "-o", "out"]
    refuse(case, "is not one of this program's", "results over an image of somebody's", *predict)
    for again in (["--overwrite"], [], []):
        outcome = case.program(*predict, *again)
        expect(outcome.code == 0, "does not predict, or not over its own results", outcome)

    expect(case.program("predict", f"out/{first.stem}_binary.png", "--checkpoint", net, "-o", "out").code == 0,
           "a result that is named is not predicted")
    (case.folder / "linked results").mkdir()
    os.link(case.run / "best.safetensors", case.folder / "linked results" / f"{first.stem}_overlay.png")
    refuse(case, "which the prediction reads", "results over the checkpoint", *predict[:-1], "linked results",
           "--overwrite")

    score = ["eval", "--data", bench.data, "--checkpoint", net]
    refuse(case, "is a file of the data set", "a sheet over an image", *score, "--overwrite", "--sheet",
           sorted((bench.data / "val" / "masks").iterdir())[0])
    (case.folder / "mine.json").write_text('{"dice": 1}')
    os.link(case.run / "best.safetensors", case.folder / "linked")
    for path in (net, "./run//best.safetensors", "linked"):
        refuse(case, "the file that --checkpoint reads", "scores over the checkpoint", *score, "--json", path,
               "--overwrite")
    refuse(case, "exists and is not one of this program's", "scores over a file of somebody's", *score, "--json",
           "mine.json")
    refuse(case, "exists and is not one of this program's", "scores over another checkpoint", *score, "--json",
           "run/last.safetensors")
    refuse(case, "writes this file too", "two outputs into one file", *score, "--json", "s", "--per-image", "./s")
    for _ in range(2):
        outcome = case.program(*score, "--json", "s.json", "--per-image", "s.csv", "--confusion", "c.csv", "--sheet",
                               "s.png")
        expect(outcome.code == 0, "does not score, or not over its own files", outcome)
    refuse(case, "the file that", "weights over themselves", "convert", net, "run/../run/best.safetensors")
    refuse(case, "this file exists", "weights over others", "convert", net, "run/last.safetensors")
    export = ["export", "--checkpoint", "run", "-o", "net.onnx"]
    expect(case.program(*export).code == 0, "does not export")
    refuse(case, "this file exists", "an export over another", *export)
    os.link(case.run / "best.safetensors", case.folder / "linked.onnx")
    refuse(case, "the file that --checkpoint reads", "an export over its checkpoint", *export[:-1], "linked.onnx", "--overwrite")


def others_files(bench):
    """Nothing that is an input, another output or somebody else's is replaced, and nothing is done before that is
    known."""
    others_run_folder(bench)
    others_results(bench)
    return "run folders, results, scores, weights"


def broken_exports(bench):
    """An export that is killed, or told that the disk is full, at any call that changes the disk leaves the file that was
    there or the new one, and no temporary that the next one does not remove."""
    need_strace()
    case = bench.half.copy("exports")
    export = ["export", "--checkpoint", "run", "-o", "net.onnx", "--overwrite"]
    expect(case.program(*export).code == 0, "does not export")
    path, old = case.folder / "net.onnx", b"of before"
    new, done = path.read_bytes(), 0
    for call in ("pwrite64", "fsync", "rename", "renameat", "renameat2"):
        for fault in ("signal=SIGKILL", "error=ENOSPC"):
            for number in range(1, 100):
                path.write_bytes(old)
                outcome = case.program(*export, strace=f"?{call}:{fault}:when={number}")
                if outcome.code == 0:
                    break
                where = f"export with {fault} at {call} number {number}"
                if fault == "error=ENOSPC":
                    outcome.expect_error(4, "No space left on device", where)
                    expect(not list(case.folder.glob("*.tmp*")), f"{where}: a temporary is left")
                expect(path.read_bytes() in (old, new), f"{where}: net.onnx is neither the old file nor the new one")
                done += 1
    expect(case.program(*export).code == 0 and path.read_bytes() == new, "does not export afterwards")
    left = [name for name in tree(case.folder) if name != "net.onnx" and not name.startswith("run/")]
    expect(not left, f"killed exports left {left}")
    expect(done >= 6, f"{done} faults reached the export, expected at least 6")
    return f"{done} faults"


def start(bench, folder, command):
    return subprocess.Popen(list(map(str, command)), cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, text=True, env=ENVIRONMENT)


def second_process(bench):
    """A run folder belongs to one training at a time; of several that start at once, each has its own or says why not."""
    reference = Reference(bench, "long run", "--epochs", 150)
    case = Case(bench, "one")
    first = start(bench, case.folder, bench.training("--epochs", 150))
    while not (case.run / "last.safetensors").exists():
        expect(first.poll() is None, "the first training ended early")
    held = f"process {first.pid}"
    case.train().expect_error(4, held, "a second training into the folder")
    case.resume().expect_error(4, held, "a resumption beside the training")
    case.resume("--output-dir", "elsewhere").expect_error(4, held, "a resumption from it into another folder")
    outcome = case.program("eval", "--data", bench.data, "--checkpoint", "run/best.safetensors")
    expect(outcome.code == 0, "its best checkpoint cannot be scored meanwhile", outcome)
    expect(first.poll() is None, "the first training ended too early to show anything")
    first.send_signal(signal.SIGINT)
    expect(first.wait() == 130, f"the first training ended with {first.returncode}: {first.communicate()[0][-500:]}")
    case.finish("disturbed by a second process", reference)

    case = bench.half.copy("shared")  # by a group: of another user's folder the files can be replaced
    for path in (case.folder, case.run):
        path.chmod(0o777)
    for path in case.run.iterdir():
        path.chmod(0o644)
    if case.program("--version", unprivileged=True).code == 0:
        outcome = case.resume(unprivileged=True)
        expect(outcome.code == 0, "a shared run folder cannot be resumed by another user", outcome)

    case = bench.half.copy("snapshot")  # by hard links, as backups make them
    subprocess.run(["cp", "-al", case.run, case.folder / "copy"], check=True)
    first = start(bench, case.folder, [bench.program, "train", "--resume", "run", "--output-dir", "copy", "--overwrite",
                                       "--epochs", 300])
    copy = case.folder / "copy"
    while b"epochs = 300" not in (copy / "config.toml").read_bytes() or not (copy / "last.safetensors").exists():
        expect(first.poll() is None, "the training into the snapshot ended early")
    outcome = case.resume(target="copy")
    outcome.expect_error(4, f"process {first.pid}", "a second training into the snapshot")
    outcome = case.resume()
    expect(outcome.code == 0, "the original cannot be resumed while its snapshot trains", outcome)
    first.send_signal(signal.SIGINT)
    expect(first.wait() == 130, f"the training into the snapshot ended with {first.returncode}")

    case = Case(bench, "numbered")
    options = [word for word in bench.training() if word not in ("--output-dir", "run")]
    several = [start(bench, case.folder, options) for _ in range(5)]
    for process in several:
        expect(process.wait() == 0, f"of five trainings at once one ended with {process.returncode}")
    made = sorted(path.name for path in (case.folder / "runs").iterdir())
    expect(made == ["1", "2", "3", "4", "5"], f"five trainings at once made runs/{made}")
    for name in made:
        last = (case.folder / "runs" / name / "last.safetensors").read_bytes()
        expect(last == bench.reference.files["last.safetensors"], f"runs/{name} holds another training")

    case = Case(bench, "same")
    several = [start(bench, case.folder, bench.training()) for _ in range(4)]
    codes = sorted(process.wait() for process in several)
    expect(codes[0] == 0 and set(codes[1:]) <= {2, 4}, f"four trainings into one folder ended with {codes}")
    case.compare("four trainings into one folder")
    return f"a second training, a resumption; five into runs/; four into one folder: {codes}"


def refusing_file_system(bench):
    """Wherever a path is given and the file system says no: one line, a documented code."""
    case = bench.half.copy("refusing")
    (case.folder / "file").write_text("x")
    (case.folder / "loop").symlink_to("loop")
    (case.folder / "dangling").symlink_to("nowhere/at/all")
    net = "run/best.safetensors"
    train = ["train", "--data", bench.data, "--epochs", "1", "--size", "32", "--base-channels", "4", "--depth", "2"]
    score = ["eval", "--data", bench.data, "--checkpoint", net]
    sweep = ["sweep", *train[1:], "--grid", "lr=0.001", "-o"]
    commands = [["train", "--data"], sweep, [*train, "--output-dir"], [*train, "--config"], [*train, "--train-list"],
                [*train, "--val-list"], [*train, "--pretrained"], [*train, "--profile"], ["train", "--resume"],
                ["eval", "--checkpoint", net, "--data"], ["eval", "--data", bench.data, "--checkpoint"],
                [*score, "--json"], [*score, "--sheet"], [*score, "--val-list"], ["predict", "--checkpoint", net, "-o", "o"],
                ["predict", "p", "--checkpoint", net, "-o"], ["predict", bench.data, "-o", "o", "--checkpoint"],
                ["synth", "--count", "2", "-o"], ["convert", net], ["export", "-o", "y.onnx", "--checkpoint"],
                ["export", "--checkpoint", net, "-o"], ["summary", "--checkpoint"], ["replay"],
                ["forward", "--checkpoint", net, "--output", "y", "--input"], ["run-op", "relu", "--output", "y", "--input"],
                ["bench", "step", "--size", "8", "--steps", "1", "--base-channels", "4", "--depth", "1", "--json"]]
    tried = 0
    for name, place in PLACES.items():
        for command in commands:
            if place == "dangling" and command[-1] in ("--output-dir", "-o", "--profile", "--json", "--sheet", net):
                continue  # a link to a file that is to be made
            expect_one_line(case.program(*command, place), f"{' '.join(map(str, command))} {name}")
            tried += 1
    for command in commands:
        script = 'mkdir gone && cd gone && rmdir ../gone && exec "$@"'
        outcome = case.run_command(["sh", "-c", script, "sh", bench.program, *command, "here"])
        expect_one_line(outcome, f"{' '.join(map(str, command))} in a folder that is gone")
        tried += 1
    locked = case.folder / "locked"
    locked.mkdir()
    locked.chmod(0)
    if case.program("--version", unprivileged=True).code == 0:
        for command in commands:
            outcome = case.program(*command, "locked/inside", unprivileged=True)
            expect_one_line(outcome, f"{' '.join(map(str, command))} in an unreadable folder")
            tried += 1
    locked.chmod(0o755)
    return f"{tried} commands"


def large_image(bench):
    """Memory of a prediction grows with the image's pixels, not with pixels times classes."""
    case = Case(bench, "large")
    expect(case.train("--classes", 11, "--mask-values", "ids,255=1", "--epochs", 1).code == 0, "does not train 11 classes")
    image = case.folder / "large.ppm"
    side = 4000 if bench.full else 2000
    with open(image, "wb") as file:
        file.write(b"P6 %d %d 255\n" % (side, side))
        for row in range(side):
            file.write(bytes([row % 251, 90, 170]) * side)
    taken = []
    for path in (sorted((bench.data / "val" / "images").iterdir())[0], image):
        process = start(bench, case.folder, [bench.program, "predict", path, "--checkpoint", "run/best.safetensors", "-o",
                                             f"out{len(taken)}", "--threads", 1, "--save", "index", "overlay"])
        said = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        expect(process.returncode == 0, f"the prediction ended with {process.returncode}: {said[-500:]}")
        taken.append(usage.ru_maxrss << 10)
    a_pixel = (taken[1] - taken[0]) / side ** 2
    # The file and the image, 3 bytes each; ids, overlay and what is encoded: 12 at most. Logits would be 44.
    expect(a_pixel < 16, f"{a_pixel:.1f} bytes a pixel for 11 classes")
    return f"{side} x {side}, 11 classes: {a_pixel:.1f} bytes a pixel"


def left_out(bench):
    """Every image has results of its own; every one that has none is counted and named, and stops no other."""
    case = bench.half.copy("left out")
    images, net = case.folder / "p", case.run / "best.safetensors"
    (images / "sub").mkdir(parents=True)
    image = sorted((bench.data / "val" / "images").iterdir())[0]
    names = ["a.jpg", "a.png", "a.png.jpg", "a.png.png", "b.png", "sub/a.png", "c" * 244 + ".png"]
    for name in names:
        shutil.copy(image, images / name)
    (images / "broken.png").write_bytes(image.read_bytes()[:100])
    (images / "lost.png").symlink_to("nowhere.png")
    (images / "self.png").symlink_to("self.png")
    (images / "up").symlink_to(".")
    beside = case.folder / "beside"
    beside.mkdir()
    shutil.copy(image, beside / "d.png")
    (images / "linked").symlink_to(beside)
    command = ["predict", "p", "-r", "--checkpoint", net, "-o", "out", "--save", "binary"]
    outcome = case.program(*command)
    expect(outcome.code == 3, "left out images end with exit code 3", outcome)
    said = [line for line in outcome.out.splitlines() if line.startswith("skipped: ")]
    for name in ("broken.png", "lost.png", "self.png", "c" * 244, "up"):
        expect(sum(name in line for line in said) == 1, f"{name[:20]} is not named once among what was skipped", outcome)
    expect(len(said) == 5, f"{len(said)} skipped", outcome)
    results = {str(path.relative_to(case.folder / "out")) for path in (case.folder / "out").rglob("*.png")}
    wanted = {f"{name}_binary.png" for name in ("a.jpg", "a.png", "a.png.jpg", "a.png.png", "b", "sub/a", "linked/d")}
    expect(results == wanted, f"results are {sorted(results)}")
    expect("wrote 7 images" in outcome.out, "says another number", outcome)
    return "names that meet, links, loops, long names, damaged files"
