#!/usr/bin/env python3
"""Breaks trainings of the real program in every way that can be arranged; resuming must end in the same bits.

    fault_sweep.py PROGRAM                  a sample of each kind
    fault_sweep.py PROGRAM --full           every system call that touches files, 100 random kills, soaks
    fault_sweep.py PROGRAM --only kills     one kind, or several

A case is a run folder. `finish` does what a user would do with what a fault left there; afterwards every file must
equal that of a training nobody disturbed. What a machine does not allow (tracing, mounting) is said to be SKIPPED.
"""
import argparse
import concurrent.futures
import contextlib
import os
import pathlib
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from fault_neighbours import broken_exports, large_image, left_out, others_files, refusing_file_system, second_process
from fault_tools import (Bench, Case, Failure, Reference, Skipped, ENVIRONMENT, expect, file_calls,
                         namespace_command, need_strace, watch_memory, with_new_checksum)
from killed_sweeps import killed_sweeps

# What can change the disk, or whose order with that matters. Other processors have the *at forms only.
CHANGES = ("write writev pwrite64 pwritev fsync fdatasync rename renameat renameat2 link linkat mkdir mkdirat fchmod "
           "ftruncate").split()
CALLS = CHANGES + "openat close unlink unlinkat flock".split()


def sampled(items, count):
    """`count` of the items, spread evenly, the first and the last among them."""
    items = list(items)
    if len(items) <= count:
        return items
    return [items[i * (len(items) - 1) // (count - 1)] for i in range(count)]


@contextlib.contextmanager
def small_disk(bench, size):
    """A file system of so many bytes; gives its folder and a way to mount it again with other options."""
    disk = bench.work / "disk"
    disk.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "none", disk], check=True)
    try:
        yield disk, lambda options: subprocess.run(["mount", "-o", f"remount,{options}", disk], check=True)
    finally:
        subprocess.run(["umount", disk], check=True)


def in_parallel(action, items):
    """Two at a time: much of a case is starting processes."""
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        return list(pool.map(action, items))


def kills(bench):
    """SIGKILL instead of each system call of the main thread, from the first on that names the run folder."""
    need_strace()
    calls = file_calls(bench, CALLS)
    chosen = calls if bench.full else sampled(calls, 14)

    def kill_at(call):
        case = Case(bench, f"kill-{call.name}-{call.number}")
        outcome = case.train(strace=f"{call.name}:signal=SIGKILL:when={call.number}")
        expect(outcome.code == -signal.SIGKILL, f"not killed at {call}", outcome)
        case.finish(f"killed at {call}")

    in_parallel(kill_at, chosen)
    return f"{len(chosen)} of {len(calls)} calls"


def random_kills(bench):
    """Killed at random moments, and killed again while resuming, until a training gets through."""
    # Saved after each step: what is gone on from lies within epochs.
    return killed_at_random(bench, Reference(bench, "with workers", "--workers", 3, "--save-every", 1), 100)


def averaged_kills(bench):
    """Likewise of a training that averages the weights of its last two epochs and mixes samples."""
    averaged = Reference(bench, "averaged", "--workers", 3, "--save-every", 1, "--swa-from", 2, "--mosaic", 0.5)
    return killed_at_random(bench, averaged, 40)


def killed_at_random(bench, reference, many):
    wanted = many if bench.full else 8
    source = random.Random(20240229)
    longest = reference.seconds  # follows the machine, which may be busier or less busy by now
    done = trainings = 0
    while done < wanted:
        trainings += 1
        case = Case(bench, f"{reference.name}-{trainings}")
        before = done
        while done < min(wanted, before + 10):
            if case.go_on(*reference.more, kill_after=source.uniform(0, longest)).code == 0:
                longest *= 0.8
                break
            longest *= 1.05
            done += 1
        case.finish(f"training {trainings}, killed {done - before} times at random moments", reference)
    return f"{done} kills in {trainings} trainings"


def errors(bench):
    """ENOSPC and EIO from each call that changes the run folder or writes to the terminal."""
    need_strace()
    calls = [c for c in file_calls(bench, CALLS) if c.name in CHANGES or "O_CREAT" in c.line]
    pairs = [(c, e) for c in calls for e in ("ENOSPC", "EIO")]
    words = {"ENOSPC": "No space left on device", "EIO": "Input/output error"}
    before = {id(call): earlier for earlier, call in zip(calls, calls[1:])}

    def of_report(call):  # the folder is synced for the file that was renamed in it before
        earlier = before.get(id(call))
        renamed = call.name == "fsync" and earlier and earlier.name.startswith("rename") and "report." in earlier.line
        return "report." in call.line or renamed

    def fail_at(pair):
        call, error = pair
        where = f"{error} from {call}"
        case = Case(bench, f"{error}-{call.name}-{call.number}")
        outcome = case.train(strace=f"{call.name}:error={error}:when={call.number}")
        log, report = "/log.txt" in call.line, of_report(call)
        if report and call.name != "fchmod":
            expect("goes on without its report" in outcome.out, f"{where}: the lost report is not said", outcome)
        if log or report or call.name == "fchmod" or call.line.startswith("write(2"):  # nothing of the training is lost
            expect(not log or "log.txt is given up" in outcome.out, f"{where}: the lost log is not said", outcome)
            expect(outcome.code == 0, f"{where}: exit code {outcome.code}, expected 0", outcome)
        else:
            expected = "cannot write to standard output" if call.line.startswith("write(1") else words[error]
            outcome.expect_error(4, expected, where)
        case.expect_whole(where)
        case.finish(where)

    chosen = pairs if bench.full else sampled(pairs, 10)
    in_parallel(fail_at, chosen)
    return f"{len(chosen)} of {len(pairs)} calls and errors"


def full_disk(bench):
    """Disks too small by various amounts: what fits is whole; with more space the training goes on."""
    largest = bench.reference.bytes() + (128 << 10)  # a temporary besides
    sizes = sampled(range(4 << 10, largest, 4 << 10), 40 if bench.full else 5)
    refused = 0
    for size in sizes:
        where = f"a disk of {size >> 10} KiB"
        with small_disk(bench, size) as (disk, remount):
            case = Case(bench, "case", disk)
            outcome = case.train()
            if outcome.code != 0:
                outcome.expect_error(4, "No space left on device", where)
                refused += 1
            case.expect_whole(where)
            remount("size=64m")
            case.finish(where)
    expect(refused > 0 and refused < len(sizes), f"{refused} of {len(sizes)} disks were too small, expected some")
    return f"{refused} of {len(sizes)} disks filled up"


full_disk.mounts = True


def size_limit(bench):
    """`ulimit -f`: its signal must not end the program without a word."""
    sizes = [1, 20 << 10, 60 << 10, 100 << 10]
    for size in sizes if bench.full else sizes[1::2]:
        case = Case(bench, f"limit-{size}")
        where = f"files limited to {size} bytes"
        case.train(file_limit=size).expect_error(4, "File too large", where)
        case.expect_whole(where)
        case.finish(where)
    return "files limited to less than a checkpoint"


def expect_refused_and_untouched(case, words, where, **how):
    before = case.contents()
    case.go_on(**how).expect_error(4, words, where)
    expect(case.contents() == before, f"{where}: the run folder changed")


def read_only(bench):
    """A new training in, and a resumption into, a folder that one may not write to."""
    fresh, old = Case(bench, "read-only-fresh"), bench.half.copy("read-only-old")
    if fresh.program("--version", unprivileged=True).code != 0:
        raise Skipped("nobody may not run the program where it lies")
    for path in [fresh.folder, old.folder, old.run, *old.run.iterdir()]:
        path.chmod(0o555)
    for case in (fresh, old):
        expect_refused_and_untouched(case, "Permission denied", f"{case.name}, no permission", unprivileged=True)
    return "a new training and a resumption"


def read_only_mount(bench):
    """The same on a disk that is mounted read-only."""
    with small_disk(bench, 64 << 20) as (disk, remount):
        fresh, old = Case(bench, "fresh", disk), Case(bench, "old", disk)
        shutil.copytree(bench.half.run, old.run)
        remount("ro")
        for case in (fresh, old):
            expect_refused_and_untouched(case, "Read-only file system", f"{case.name} on a read-only disk")
        remount("rw")
        old.finish("a disk that was read-only for a time")
    return "a new training and a resumption"


read_only_mount.mounts = True


def other_checkpoint(bench):
    """Checkpoints of another net, of another optimizer, without a training's state, with other tensors."""
    other = Case(bench, "other")
    expect(other.train("--base-channels", 8).code == 0, "the larger net does not train")
    mine = bench.half.copy("wrong")
    shutil.copy(other.run / "last.safetensors", mine.run / "last.safetensors")
    before = mine.contents()
    words = "of --base-channels 8; the settings here are --base-channels 4"
    mine.resume().expect_error(2, words, "another net's checkpoint")
    mine.resume(target=other.run / "best.safetensors").expect_error(4, "holds weights only", "a file without state")
    mine.resume("--optimizer", "sgd", target=bench.half.run).expect_error(2, "of --optimizer \"adam\"", "another optimizer")
    expect(mine.contents() == before, "a refused resumption changed the run folder")
    renamed = (other.run / "best.safetensors").read_bytes().replace(b'"inc.', b'"enc.')
    (mine.folder / "renamed.safetensors").write_bytes(with_new_checksum(renamed))
    mine.program("eval", "--data", bench.data, "--checkpoint", "renamed.safetensors") \
        .expect_error(4, "not this net's weights", "renamed tensors")
    return "4 kinds refused"


def expect_warning(outcome, words, where):
    expect(outcome.code == 0, f"{where}: exit code {outcome.code}", outcome)
    expect(any(words in line for line in outcome.out.splitlines() if line.startswith("warning: ")),
           f"{where}: no warning '{words}'", outcome)


def stopped_within_an_epoch(bench):
    """A training of batches of one, interrupted in the middle of an epoch of six."""
    for attempt in range(8):
        case = Case(bench, f"within-{attempt}")
        outcome = case.train("--batch-size", 1, "--size", 128, "--base-channels", 8, "--epochs", 2,
                             signals=[("step 1/", signal.SIGINT)])
        stopped = re.search(r"stopped after step (\d+)", outcome.out)
        if stopped and int(stopped[1]) % 6:
            return case
    raise Failure("never interrupted within an epoch")


def other_settings(bench):
    """Going on with another batch size, seed, rate, augmentation, data, thread count, or without the best checkpoint."""
    other = bench.work / "other data"
    drawn = Case(bench, "drawing").program("synth", "--output", other, "--count", 12, "--size", 32,
                                           "--val-fraction", 0.25)
    expect(drawn.code == 0, "no data set was drawn", drawn)
    within = stopped_within_an_epoch(bench)
    before = within.contents()
    for change, words in ((("--batch-size", 2), "of --batch-size 1; here --batch-size 2"), (("--seed", 5), "--seed 5"),
                          (("--last-batch", "drop"), '--last-batch "drop"'), (("--data", other), "training samples 9")):
        within.resume(*change).expect_error(2, words, f"{change} within an epoch")
        expect(within.contents() == before, f"{change}: the refused resumption changed the run folder")
    outcome = within.resume()
    expect(outcome.code == 0, "does not go on after refusals", outcome)

    larger = bench.half.copy("larger batches")
    expect_warning(larger.resume("--batch-size", 4), "--batch-size 4 in place of --batch-size 2", "at an epoch's end")
    for change in (("--lr", 0.5), ("--hflip", 0.25), ("--weight-decay", 0.125)):
        words = f"goes on with {change[0]} {change[1]} in place of"
        expect_warning(bench.half.copy(change[0][2:]).resume(*change), words, f"{change} at an epoch's end")
    for change in (("--loss", "dice"), ("--normalize", "imagenet"), ("--optimizer", "sgd")):
        bench.half.copy(change[0][2:]).resume(*change).expect_error(2, change[0], f"{change}: another training")
    expect_warning(bench.half.copy("threads").resume("--threads", 2), "2 threads in place of 1", "threads")
    moved = bench.half.copy("other samples")
    expect_warning(moved.resume("--data", other), "other validation samples (3 in place of 2)", "other data")
    expect(b'best_epoch\\":2' in (moved.run / "last.safetensors").read_bytes(), "a Dice of other samples was compared")

    lost = bench.half.copy("best lost")
    (lost.run / "best.safetensors").unlink()
    expect_warning(lost.resume(), "run/best.safetensors: missing or damaged", "the best checkpoint missing")
    expect((lost.run / "best.safetensors").exists(), "no epoch after the loss of the best checkpoint was the best")
    (lost.run / "best.safetensors").unlink()
    outcome = lost.resume()
    expect(outcome.code == 0 and "last checkpoint on 2 held-out images" in outcome.out, "finished, best lost", outcome)
    return "4 changes refused within an epoch, 3 at its end, 8 accepted there"


def opened_once(bench):
    """A training that goes on opens its checkpoint once, in place and into another folder."""
    need_strace()
    for where in ("run", "elsewhere"):
        case = bench.half.copy("opened " + where)
        trace = case.folder / "trace"
        command = [bench.program, "train", "--resume", "run", *(["--output-dir", where] if where != "run" else [])]
        outcome = case.run_command(["strace", "-f", "-qq", "-o", trace, "-e", "trace=openat", *command])
        expect(outcome.code == 0, f"a traced resumption into {where} fails", outcome)
        opened = [line for line in trace.read_text(errors="replace").splitlines()
                  if '/last.safetensors"' in line and "O_RDONLY" in line and "run/" in line]
        expect(len(opened) == 1, f"last.safetensors is opened {len(opened)} times:\n" + "\n".join(opened))
    return "in place and elsewhere"


def flips(bench):
    """A flipped bit anywhere in a checkpoint is found before anything is done with it."""
    whole = (bench.half.run / "last.safetensors").read_bytes()
    header = 8 + int.from_bytes(whole[:8], "little")
    digits = whole.index(b"crc32c") + len('crc32c":"')
    regions = [range(8), range(8, digits + 8), range(digits + 8, header), range(header, len(whole))]
    places = [p for r in regions for p in sampled(r, 60 if bench.full else 4)]
    source = random.Random(7)
    bits = {place: source.randrange(8) for place in places}
    resumed = sampled(places, 12 if bench.full else 3)

    def flip(place):
        where = f"bit {bits[place]} of byte {place} of last.safetensors flipped"
        case = bench.half.copy(f"flip-{place}")
        damaged = bytearray(whole)
        damaged[place] ^= 1 << bits[place]
        (case.run / "last.safetensors").write_bytes(damaged)
        before = case.contents()
        case.resume().expect_error(4, "run/last.safetensors: ", where)
        expect(case.contents() == before, f"{where}: the refused resumption changed the run folder")
        if place in resumed:
            outcome = case.resume(target="run/last.safetensors.previous")
            expect(outcome.code == 0, f"{where}: the previous checkpoint does not resume", outcome)
            case.compare(f"{where}, gone on from the previous one")
        else:
            shutil.rmtree(case.folder)

    in_parallel(flip, places)
    case = bench.half.copy("missing")  # as a kill leaves it on file systems without hard links
    (case.run / "last.safetensors").unlink()
    case.finish("last.safetensors missing, the previous one there")
    return f"{len(places)} of {len(whole)} bytes"


def folders(bench):
    """Copied, moved, resumed from elsewhere, with other settings, into another folder; started anew over remains."""
    reference = bench.reference.files
    original, elsewhere = bench.half.copy("original"), Case(bench, "elsewhere")
    shutil.copytree(original.run, elsewhere.folder / "copy")
    before = original.contents()
    copy = original.folder / "copy"  # beside the one whose name its config.toml gives
    shutil.copytree(original.run, copy)
    for folder, where in ((copy, original), (elsewhere.folder / "copy", elsewhere)):
        outcome = where.resume(target=folder)
        expect(outcome.code == 0, "a copied run folder does not resume", outcome)
        expect((folder / "last.safetensors").read_bytes() == reference["last.safetensors"], "a copy ends differently")
    expect(original.contents() == before, "resuming a copy changed the original")
    outcome = original.resume("--output-dir", "new")
    expect(outcome.code == 0, "resuming into another folder fails", outcome)
    expect(original.contents() == before, "resuming into another folder changed the first")
    for name in ("best.safetensors", "last.safetensors", "samples.png"):
        expect((original.folder / "new" / name).read_bytes() == reference[name], f"{name} differs in the other folder")
    original.resume("--output-dir", "new").expect_error(2, "new: holds a training already", "into a training's folder")

    more = Reference(bench, "more", "--epochs", 5)
    case = bench.half.copy("more-epochs")
    outcome = case.resume("--epochs", 5, signals=[("/5 ", signal.SIGINT)])
    expect(outcome.code == 130, "not interrupted", outcome)
    expect(case.resume().code == 0, "does not resume")
    case.compare("resumed to more epochs, interrupted, resumed", more)

    case = Case(bench, "anew")  # killed between a row of the metrics and the first checkpoint
    shutil.copytree(original.run, case.run)
    for name in ("last.safetensors", "last.safetensors.previous"):
        (case.run / name).unlink()
    (case.run / ".config.toml.0123456789abcdef.tmp").write_text("left by a kill")
    case.resume().expect_error(4, "holds no checkpoint yet", "resuming without a checkpoint")
    case.finish("started anew over what a killed training left")
    return "copied, moved, extended, started anew"


def closed_streams(bench):
    """A program whose error stream is closed must not say things into its checkpoint."""
    need_strace()
    saved = 0
    for number in sampled([c.number for c in file_calls(bench, CALLS) if c.name == "fsync"], 99 if bench.full else 4):
        case = Case(bench, f"closed-{number}")
        command = ["sh", "-c", 'exec "$@" 2>&-', "sh", *bench.training()]
        outcome = case.run_command(command, strace=f"fsync:signal=SIGINT:when={number}")
        where = f"error stream closed, SIGINT at fsync number {number}"
        expect(outcome.code in (0, 130, -signal.SIGINT), f"{where}: exit code {outcome.code}", outcome)
        saved += outcome.code == 130
        if outcome.code != -signal.SIGINT:  # before a training begins and once it is saved, a signal is a kill
            case.expect_whole(where)
        case.finish(where)
    expect(saved > 0, "no signal came while training")
    return f"SIGINT while a file is being written, {saved} times while training"


def signals(bench):
    """One signal saves after the step, wherever it comes; a second one ends the program at once."""
    long = Reference(bench, "long", "--epochs", 60)
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        number = getattr(signal, name)
        for text in ("step 1/", "epoch 7/60 train"):
            case = Case(bench, f"{name} {text[:4]}")
            for action, told in ((case.train, text), (case.resume, "/60 ")):
                outcome = action("--epochs", 60, signals=[(told, number)])
                expect(outcome.code == 128 + number, f"{name}: exit code {outcome.code}", outcome)
                expect("atrous train --resume run" in outcome.out, f"{name}: does not say how to go on", outcome)
                case.expect_whole(name)
            case.finish(f"{name} after '{text}', and once more while resuming", long)
    case = Case(bench, "twice")  # slow steps: the second signal comes in the one that the first waits for
    slow = ["--size", 256, "--base-channels", 32, "--depth", 3]
    outcome = case.train(*slow, signals=[("step 1/", signal.SIGINT), ("once more to stop", signal.SIGINT)])
    expect(outcome.code == 130, f"SIGINT twice: exit code {outcome.code}", outcome)
    expect("saved" not in outcome.out and not (case.run / "last.safetensors").exists(), "SIGINT twice: saved", outcome)
    try:
        return f"12 times one, once two, {closing_signals(bench)} in the closing evaluation"
    except Skipped as why:
        return f"12 times one, once two; none in the closing evaluation: {why}"


def closing_signals(bench):
    """Everything is saved by then: one signal ends the program."""
    need_strace()
    images = [c for c in file_calls(bench, CALLS) if c.name == "openat" and "samples.png" in c.line]
    case = Case(bench, "closing")
    outcome = case.train(strace=f"openat:signal=SIGINT:when={images[-1].number}")
    where = "SIGINT in the closing evaluation"
    expect(outcome.code in (-signal.SIGINT, 130), f"{where}: exit code {outcome.code}", outcome)
    expect("checkpoint on" not in outcome.out, f"{where}: goes on", outcome)
    case.finish(where)
    return "one"


def soak(bench):
    """Memory and descriptors stay flat: between a tenth and nine tenths of the time little grows."""
    reports = []
    emulator = re.search(r"(?m)^emulated +yes", Case(bench, "devices").program("devices").out) is not None
    for device, epochs, size in [("cpu", 334, 32)] + [("emulated", 40, 16)] * emulator:
        case = Case(bench, f"soak-{device}")
        command = bench.training("--epochs", epochs, "--device", device, "--size", size, "--workers", 2)
        with open(case.folder / "log", "wb") as log:
            process = subprocess.Popen([str(c) for c in command], cwd=case.folder, stdout=log, stderr=log,
                                       env=ENVIRONMENT)
            samples = []
            while process.poll() is None:
                samples.append(watch_memory(process.pid))
                time.sleep(0.005)
        expect(process.returncode == 0, f"the soak on {device} ended with {process.returncode}")
        rows = (case.run / "metrics.csv").read_text().splitlines()
        expect(len(rows) == epochs + 1, f"{len(rows)} lines of metrics after {epochs} epochs")
        samples = [s for s in samples if s]
        tenth = len(samples) // 10
        early, late = samples[tenth:2 * tenth], samples[-2 * tenth:-tenth]  # the end draws the contact sheet
        memory = [max(kib for kib, _ in part) for part in (early, late)]
        files = [min(fds for _, fds in part) for part in (early, late)]  # besides those just being written
        steps = 3 * epochs
        told = f"{device}: {steps} steps, {memory[0]} -> {memory[1]} KiB, {files[0]} -> {files[1]} descriptors"
        # The record of report.html holds each step's figures, and each epoch's: .6 KiB a step. A page a step is 3 MiB.
        expect(memory[1] - memory[0] <= 1536, f"memory grows, {told}")
        expect(files[1] <= files[0], f"descriptors leak, {told}")
        reports.append(told)
    return "; ".join(reports)


soak.slow = True

KINDS = [kills, random_kills, averaged_kills, killed_sweeps, errors, full_disk, size_limit, read_only, read_only_mount,
         other_checkpoint, other_settings, opened_once, flips, folders, others_files, broken_exports, second_process, refusing_file_system, left_out, large_image,
         closed_streams, signals, soak]


def run_kind(kind, bench, arguments):
    if getattr(kind, "mounts", False) and not arguments.inside:
        again = subprocess.run([*namespace_command(), sys.executable, __file__, arguments.program, "--only",
                                kind.__name__, "--inside", *(["--full"] if bench.full else [])])
        if again.returncode != 0:
            raise Failure("see above")
        return None
    return kind(bench)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--only", nargs="+", choices=[kind.__name__ for kind in KINDS])
    parser.add_argument("--inside", action="store_true", help="already where file systems may be mounted")
    parser.add_argument("--keep", action="store_true", help="keep the folders of failed cases")
    arguments = parser.parse_args()
    failed = []
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # leaves nothing behind
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # under nohup the program would inherit that it is ignored
    # Kills and errors are the same to a disk in memory, whose fsync does not wait.
    work = tempfile.mkdtemp(prefix="atrous faults ", dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None)
    try:
        bench = Bench(arguments.program, work, arguments.full)
        for kind in KINDS:
            if arguments.only and kind.__name__ not in arguments.only:
                continue
            if not arguments.full and not arguments.only and getattr(kind, "slow", False):
                continue
            began = time.monotonic()
            try:
                said = run_kind(kind, bench, arguments)
                if said:
                    print(f"ok       {kind.__name__}: {said} ({time.monotonic() - began:.1f} s)", flush=True)
            except Skipped as why:
                print(f"SKIPPED  {kind.__name__}: {why}", flush=True)
            except Failure as what:
                print(f"FAILED   {kind.__name__}: {what}", flush=True)
                failed.append(kind.__name__)
    finally:
        if failed and arguments.keep:
            print(f"kept {work}")
        else:
            shutil.rmtree(work, ignore_errors=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
