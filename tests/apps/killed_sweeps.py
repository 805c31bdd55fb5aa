"""Kills `atrous sweep` at random moments: the table must come out as if nothing had happened, and no training goes on
without its sweep."""
import csv
import os
import pathlib
import random
import signal
import subprocess
import time

from fault_tools import ENVIRONMENT, Case, expect

SWEEP = ["--grid", "lr=0.01,0.03", "batch-size=2,4", "--base-channels", 4, "--depth", 2, "--size", 32, "--epochs", 8,
         "--threads", 1, "--workers", 0, "--device", "cpu", "--save-every", 1, "--jobs", 2, "-o", "sweep"]
TRAININGS = 4
GONE_WITHIN = 20  # seconds in which a killed process ends on a machine that is busy


def command(bench):
    return list(map(str, [bench.program, "sweep", "--data", bench.data, *SWEEP]))


def children_of(pid):
    try:
        return [int(word) for word in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def is_alive(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] not in "ZX"
    except OSError:
        return False


def start(bench, folder, *more):
    return subprocess.Popen(command(bench) + list(map(str, more)), cwd=folder, stdin=subprocess.DEVNULL,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=ENVIRONMENT,
                            start_new_session=True)


def kill(process):
    """Kills the sweep with its process group; its trainings must be gone soon, which have groups of their own."""
    os.kill(process.pid, signal.SIGSTOP)  # so that it starts no other while its children are listed
    children = children_of(process.pid)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    began = time.monotonic()
    while any(map(is_alive, children)):
        expect(time.monotonic() - began < GONE_WITHIN, "trainings go on after their sweep was killed")
        time.sleep(0.002)
    return len(children)


def run_and_kill(bench, folder, seconds):
    """Tells whether the sweep was killed before its end."""
    process = start(bench, folder)
    try:
        said, _ = process.communicate(timeout=seconds)
        expect(process.returncode == 0, f"a sweep that was killed before ends with {process.returncode}:\n{said}")
        return False
    except subprocess.TimeoutExpired:
        kill(process)
        return True


def leaves_no_orphans(bench):
    """Of a sweep whose trainings would take minutes by themselves, and of a second one in its folder meanwhile."""
    case = Case(bench, "orphans")
    process = start(bench, case.folder, "--epochs", 20000)
    while len(list(case.folder.glob("sweep/*/last.safetensors"))) < 2:
        expect(process.poll() is None, "a sweep of long trainings ended early")
        time.sleep(0.01)
    second = case.run_command([*command(bench), "--epochs", 20000])
    second.expect_error(4, f"another sweep is using this folder (process {process.pid})", "a second sweep")
    expect(kill(process) == 2, "two trainings at once were expected")


def table_of(folder):
    """The rows of sweep.csv without what they took."""
    with open(folder / "sweep" / "sweep.csv", newline="") as file:
        return [{key: value for key, value in row.items() if key != "seconds"} for row in csv.DictReader(file)]


def weights_of(folder):
    return {path.parent.name: path.read_bytes() for path in (folder / "sweep").glob("*/best.safetensors")}


def killed_sweeps(bench):
    """Ten kills of a sweep at random moments, and again while it goes on; in full several sweeps."""
    leaves_no_orphans(bench)
    undisturbed = Case(bench, "undisturbed sweep")
    began = time.monotonic()
    outcome = undisturbed.run_command(command(bench))
    seconds = time.monotonic() - began
    expect(outcome.code == 0, "an undisturbed sweep fails", outcome)
    table, weights = table_of(undisturbed.folder), weights_of(undisturbed.folder)
    expect([row["state"] for row in table] == ["done"] * TRAININGS, f"the undisturbed table is {table}")
    expect(len({row["best_dice"] for row in table}) > 1, f"the trainings do not differ: {table}")
    source, kills, sweeps = random.Random(20240301), 0, 0
    while kills < (60 if bench.full else 10):
        sweeps += 1
        case, before = Case(bench, f"killed sweep {sweeps}"), kills
        # Moments so close that ten of them lie within one sweep, most of them.
        while kills < before + 10 and run_and_kill(bench, case.folder, source.uniform(0, seconds / 3)):
            kills += 1
        outcome = case.run_command(command(bench))
        expect(outcome.code == 0, f"sweep {sweeps} does not go on after {kills - before} kills", outcome)
        expect(table_of(case.folder) == table, f"sweep {sweeps}, killed {kills - before} times: the table is "
               f"{table_of(case.folder)}, undisturbed {table}", outcome)
        expect(weights_of(case.folder) == weights, f"sweep {sweeps}: other weights than undisturbed")
        expect((case.folder / "sweep" / "sweep.html").read_text().endswith("</html>\n"), "sweep.html is cut off")
    return f"{kills} kills in {sweeps} sweeps of {TRAININGS} trainings"
