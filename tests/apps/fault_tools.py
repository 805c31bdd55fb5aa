"""What fault_sweep.py breaks trainings with: running the program under faults, and judging what is left behind."""
import fcntl
import functools
import json
import os
import pathlib
import re
import resource
import shutil
import signal
import struct
import subprocess
import time

TIMEOUT = 120  # seconds for a program that takes a tenth of one: past this it hangs
NOBODY = 65534
# One thread and no workers: then the main thread makes the same system calls in every run.
TRAINING = {"--base-channels": 4, "--depth": 2, "--size": 32, "--batch-size": 2, "--lr": 1e-3, "--threads": 1,
            "--workers": 0, "--device": "cpu", "--epochs": 3, "--output-dir": "run"}
FINAL_FILES = {".atrous-run", "best.safetensors", "config.toml", "confusion.csv", "last.safetensors", "last.safetensors.previous",
               "log.txt", "metrics.csv", "report.html", "report.json", "samples.png"}
REPORT = {"report.html", "report.json"}  # which say how long things took
EVENTS = "events.out.tfevents."


def protobuf_fields(message):
    """(number, value) of each field: an integer, or its bytes."""
    at = 0

    def varint():
        nonlocal at
        value = shift = 0
        while True:
            byte = message[at]
            at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    while at < len(message):
        key = varint()
        value = varint() if key % 8 in (0, 2) else None
        if key % 8:
            size = {1: 8, 2: value, 5: 4}[key % 8]
            value, at = message[at:at + size], at + size
        yield key >> 3, value


def scalars_in(files):
    """What TensorBoard shows of a run folder: {(step, tag): value}, of which none is shown twice. A record cut off by a
    kill ends its file."""
    shown = {}
    for name in sorted(files):
        data, at = files[name], 0
        while name.startswith(EVENTS) and len(data) >= at + 12:
            size = int.from_bytes(data[at:at + 8], "little")
            if len(data) < at + size + 16:
                break
            fields = dict(protobuf_fields(data[at + 12:at + 12 + size]))
            at += size + 16
            if 7 in fields:  # a session begins: what was written of later steps is forgotten
                shown = {key: value for key, value in shown.items() if key[0] < fields[2]}
            for _, entry in protobuf_fields(fields.get(5, b"")):
                scalar = dict(protobuf_fields(entry))
                expect((fields[2], scalar[1].decode()) not in shown, f"TensorBoard shows step {fields[2]} twice")
                shown[fields[2], scalar[1].decode()] = struct.unpack("<f", scalar[2])[0]
    return shown


class Failure(Exception):
    pass


class Skipped(Exception):
    pass


def expect(condition, message, outcome=None):
    if not condition:
        raise Failure(message + (f"\n{outcome}" if outcome else ""))


class Outcome:
    def __init__(self, command, code, out, err):
        self.command, self.code, self.out, self.err = command, code, out, err

    def __str__(self):
        return f"  $ {' '.join(self.command)}\n  exit code {self.code}\n{self.out[-1500:]}\n{self.err[-1500:]}"

    def expect_error(self, code, words, where):
        expect(self.code == code, f"{where}: exit code {self.code}, expected {code}", self)
        lines = self.err.splitlines()
        complaints = [line for line in lines if line.startswith("atrous: ")]
        expect(len(complaints) == 1 and lines[-1] == complaints[0], f"{where}: expected one line 'atrous: …'", self)
        expect(words in complaints[0], f"{where}: '{words}' is not in the message", self)


def run(command, cwd, *, strace=None, kill_after=None, signals=None, file_limit=None, unprivileged=False):
    """Runs a command to its end and returns its Outcome; a program that hangs is a Failure.

    strace: what `strace -e inject=` takes; of the main thread only, as strace counts each thread's calls by itself.
    kill_after: seconds until SIGKILL. file_limit: bytes a file may have. unprivileged: as nobody, where we are root.
    signals: [(text, signal), …]: each is sent when its text has appeared in the output, in this order.
    """
    command = list(map(str, command))
    if strace:
        names = strace.split(":")[0]
        command = ["strace", "-qq", "-o", os.devnull, "-e", f"trace={names}", "-e", f"inject={strace}", *command]

    def prepare():
        if file_limit is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (file_limit, file_limit))
        if unprivileged and os.getuid() == 0:
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)

    streams = Stream(), Stream()
    process = subprocess.Popen(command, cwd=cwd, stdin=subprocess.DEVNULL, stdout=streams[0].end, stderr=streams[1].end,
                               env=ENVIRONMENT, preexec_fn=prepare, start_new_session=True)
    try:
        for text, number in signals or []:
            wait_for_text(process, streams, text)
            process.send_signal(number)
        process.wait(kill_after if kill_after is not None else TIMEOUT)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        expect(kill_after is not None, f"hangs: {' '.join(command)}")
    return Outcome(command, process.returncode, *(stream.text() for stream in streams))


# Without a cache folder: what a check of a data set keeps is no part of what is swept.
ENVIRONMENT = {**os.environ, "OMP_WAIT_POLICY": "passive", "XDG_CACHE_HOME": "", "HOME": ""}


class Stream:
    """What a program says, in a pipe large enough to read it when one likes. No file: limits and full disks are for the
    files of the program."""

    def __init__(self):
        self.beginning, self.end = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        os.set_blocking(self.end, True)
        fcntl.fcntl(self.end, fcntl.F_SETPIPE_SZ, 1 << 20)
        self.seen = b""

    def __del__(self):
        os.close(self.beginning)
        os.close(self.end)

    def text(self):
        try:
            while piece := os.read(self.beginning, 1 << 16):
                self.seen += piece
        except BlockingIOError:
            pass
        return self.seen.decode(errors="replace")


def wait_for_text(process, streams, text):
    limit = time.monotonic() + TIMEOUT
    while not any(text in stream.text() for stream in streams):
        expect(process.poll() is None, f"ended with {process.returncode} before it said '{text}'")
        expect(time.monotonic() < limit, f"never said '{text}'")
        time.sleep(0.002)


@functools.cache
def need_strace():
    if not shutil.which("strace"):
        raise Skipped("strace is not installed")
    if subprocess.run(["strace", "-qq", "-o", os.devnull, "true"], capture_output=True).returncode != 0:
        raise Skipped("strace may not trace here (ptrace is forbidden)")


def namespace_command():
    """A prefix that gives a command file systems of its own to mount."""
    command = ["unshare", "-m"] if os.getuid() == 0 else ["unshare", "-r", "-m"]
    mount = "mount -t tmpfs -o size=4k none /mnt"
    probe = subprocess.run([*command, "sh", "-c", mount], capture_output=True, text=True)
    if probe.returncode != 0:
        raise Skipped(f"no file system can be mounted here ({probe.stderr.strip()})")
    return command


class Case:
    """A folder of its own, with the run folder `run` in it."""

    def __init__(self, bench, name, parent=None):
        self.bench, self.name = bench, name
        self.folder = (parent or bench.work) / name
        self.run = self.folder / "run"
        self.folder.mkdir(parents=True, exist_ok=True)

    def copy(self, name):
        case = Case(self.bench, name)
        shutil.copytree(self.folder, case.folder, dirs_exist_ok=True)
        return case

    def program(self, *arguments, **faults):
        return self.run_command([self.bench.program, *arguments], **faults)

    def run_command(self, command, **faults):
        return run(command, self.folder, **faults)

    def train(self, *more, **faults):
        return self.run_command(self.bench.training(*more), **faults)

    def resume(self, *more, target="run", **faults):
        return self.program("train", "--resume", target, *more, **faults)

    def go_on(self, *more, **faults):
        """What a user does after a fault: resume if there is a checkpoint, start anew if there is none."""
        kept = [self.run / "last.safetensors", self.run / "last.safetensors.previous"]
        return (self.resume if any(path.exists() for path in kept) else self.train)(*more, **faults)

    def finish(self, where, reference=None):
        """Goes on undisturbed; then everything must be as if nothing had happened."""
        reference = reference or self.bench.reference
        outcome = self.go_on(*reference.more)
        expect(outcome.code == 0, f"{where}: does not go on afterwards", outcome)
        self.compare(where, reference)

    def compare(self, where, reference=None):
        mine, other = self.contents(), (reference or self.bench.reference).files
        expect(scalars_in(mine) == scalars_in(other), f"{where}: TensorBoard would show {scalars_in(mine)}")
        mine = {name: data for name, data in mine.items() if not name.startswith(EVENTS)}
        expect(set(mine) == FINAL_FILES, f"{where}: the run folder holds {sorted(mine)}")
        for name in sorted(FINAL_FILES - REPORT - {"last.safetensors.previous", "log.txt"}):  # the log says what happened
            if name == "metrics.csv":
                same = without_seconds(mine[name]) == without_seconds(other[name])
            else:
                same = mine[name] == other[name]
            detail = f":\n{mine[name].decode()}" if name.endswith(("csv", "toml")) else ""
            expect(same, f"{where}: {name} differs from that of an undisturbed training{detail}")
        if b"goes on without its report" not in mine["log.txt"]:
            expect(lasting(mine["report.json"]) == lasting(other["report.json"]), f"{where}: report.json tells another training")
        expect(mine["report.html"].endswith(b"</html>\n"), f"{where}: report.html is cut off")
        self.expect_whole(where)
        shutil.rmtree(self.folder)  # kept where something failed

    def contents(self):
        return {path.name: path.read_bytes() for path in self.run.iterdir()} if self.run.exists() else {}

    def expect_whole(self, where):
        """Every checkpoint here is one piece, and no temporary lies around."""
        for name, data in self.contents().items():
            expect(not name.endswith(".tmp"), f"{where}: {name} is left in the run folder")
            if ".safetensors" in name:
                expect(checksum_is_right(data), f"{where}: {name} is damaged")


class Reference:
    """A training that nobody disturbs."""

    def __init__(self, bench, name, *more):
        self.name, self.more = name, more
        case = Case(bench, name)
        began = time.monotonic()
        outcome = case.train(*more)
        self.seconds = time.monotonic() - began
        expect(outcome.code == 0, "an undisturbed training fails", outcome)
        self.files = case.contents()
        plain = {name for name in self.files if not name.startswith(EVENTS)}
        expect(plain == FINAL_FILES, f"the undisturbed training left {sorted(self.files)}")
        expect(scalars_in(self.files), "the undisturbed training left nothing for TensorBoard")

    def bytes(self):
        return sum(len(data) for data in self.files.values())


class Bench:
    """What the cases share: the program, a drawn data set, a training to compare with."""

    def __init__(self, program, work, full):
        self.program, self.work, self.full = pathlib.Path(program).resolve(), pathlib.Path(work), full
        self.work.chmod(0o755)  # for nobody
        self.data = self.work / "data"
        drawn = run([self.program, "synth", "--output", self.data, "--count", 8, "--size", 32, "--seed", 3,
                     "--val-fraction", 0.25], self.work)
        expect(drawn.code == 0, "no data set was drawn", drawn)
        self.reference = Reference(self, "undisturbed")

    def training(self, *more):
        """The command of a training; `more` overrides: "--epochs", 2."""
        options = {**TRAINING, **dict(zip(more[::2], more[1::2]))}
        return [self.program, "train", "--data", self.data, *(word for pair in options.items() for word in pair)]

    @functools.cached_property
    def half(self):
        """A training with its last epoch ahead."""
        case = Case(self, "half")
        outcome = case.train("--epochs", 2)
        expect(outcome.code == 0, "two epochs fail", outcome)
        toml = case.run / "config.toml"
        toml.write_text(re.sub(r"(?m)^epochs = 2$", f"epochs = {TRAINING['--epochs']}", toml.read_text()))
        return case


class Call:
    """One system call of the main thread: the number-th of its name, as strace counts."""

    def __init__(self, name, number, line):
        self.name, self.number, self.line = name, number, line.strip()
        self.in_run_folder = re.search(r'[/"]run[/">]', line) is not None

    def __str__(self):
        return f"{self.name} number {self.number} ({self.line[:100]})"


def file_calls(bench, names):
    """The calls of a whole training from the first on that names the run folder."""
    case = Case(bench, "traced")
    trace = case.folder / "trace"
    chosen = ",".join("?" + name for name in names)  # ?: other processors lack some
    tracer = ["strace", "-qq", "-y", "-s", "64", "-o", trace, "-e", f"trace={chosen}"]
    outcome = case.run_command([*tracer, *bench.training()])
    expect(outcome.code == 0, "a traced training fails", outcome)
    counts, calls = {}, []
    for line in trace.read_text(errors="replace").splitlines():
        name = line.split("(")[0]
        if name not in names:
            continue
        counts[name] = counts.get(name, 0) + 1
        call = Call(name, counts[name], line)
        if calls or call.in_run_folder:
            calls.append(call)
    case.compare("traced")
    for name in ("fsync", "rename", "pwrite64"):
        expect(any(c.name.startswith(name) for c in calls), f"the training makes no {name}: is the trace complete?")
    return calls


def lasting(report):
    """What report.json says of a training however often it was interrupted: steps and times are of its sessions."""
    record = json.loads(report)
    return record["best"], [(epoch["epoch"], epoch["class_iou"]) for epoch in record["epochs"]]


def without_seconds(metrics):
    return [line.rsplit(",", 1)[0] for line in metrics.decode().split("\n")]


# ---- checkpoints, read independently of the program

CRC32C = [0] * 256
for _i in range(256):
    _c = _i
    for _ in range(8):
        _c = _c >> 1 ^ (0x82F63B78 if _c & 1 else 0)
    CRC32C[_i] = _c


@functools.cache
def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = CRC32C[(crc ^ byte) & 255] ^ crc >> 8
    return crc ^ 0xFFFFFFFF


def checksum_is_right(data):
    start = 8 + len('{"__metadata__":{"atrous.crc32c":"')
    stored = data[start:start + 8]
    return f"{crc32c(data[8:start] + b'00000000' + data[start + 8:]):08x}".encode() == stored


def with_new_checksum(data):
    start = 8 + len('{"__metadata__":{"atrous.crc32c":"')
    crc = crc32c(data[8:start] + b"00000000" + data[start + 8:])
    return data[:start] + f"{crc:08x}".encode() + data[start + 8:]


# ---- soak

def watch_memory(pid):
    """(resident KiB, open descriptors) of a process, or None when it has ended."""
    try:
        status = pathlib.Path(f"/proc/{pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", status)[1]), len(os.listdir(f"/proc/{pid}/fd"))
    except (OSError, TypeError):
        return None
