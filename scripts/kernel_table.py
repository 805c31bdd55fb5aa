#!/usr/bin/env python3
"""What ptxas made of every kernel: registers, stack, static shared memory and, for products on tensor cores, the issue
slots of the hot loop for each HMMA (HGMMA in Hopper's kernels). Reads the objects and logs that scripts/check_nvcc.sh leaves in build/nvcc.

  scripts/kernel_table.py            compares them with tests/gpu/kernels/ARCHITECTURE.txt; fails where one is worse
  scripts/kernel_table.py --write    writes those files anew

Worse is: more stack or spilled registers; so many registers that fewer warps fit on a multiprocessor; more shared memory;
over .05 slots more, or no HMMA in a loop at all. Where another release of nvcc made the table, half the warps and a fifth
more slots are allowed. Dynamic shared memory and threads are not in the table: kernels/cuda/gemm_mma.h asserts how many
blocks fit. Issue slots need cuobjdump and nvdisasm, which are looked for in PATH, CUDA's folder and build/cuda-tools
(scripts/setup.sh --checks)."""
import glob
import os
import re
import shutil
import subprocess
import sys

tables, objects = "tests/gpu/kernels", "build/nvcc"
columns = "registers stack shared slots"


def short_name(mangled_names):
    """Demangled and without what all have in common: "implicit_gemm<bf16, MmaTile<bf16, 128, 128, 2, 2>, true>"."""
    text = subprocess.run(["c++filt"], input="\n".join(mangled_names), capture_output=True, text=True, check=True).stdout
    names = {}
    for mangled, name in zip(mangled_names, text.splitlines()):
        name = re.sub(r"atrous::|kernels::|cuda::|gpu::|_GLOBAL__N__\w+::|\(anonymous namespace\)::", "", name)
        name = re.sub(r"^void ", "", re.sub(r"\([^()]*\)$", "", name))
        names[mangled] = re.sub(r" >", ">", name)
    return names


def resources(log):
    """{(architecture, mangled name): [registers, stack and spills in bytes, static shared memory in bytes]}."""
    found, kernel = {}, None
    for line in log.splitlines():
        if match := re.search(r"Compiling entry function '(\w+)' for '(\w+)'", line):
            kernel = (match[2], match[1])
            found[kernel] = [0, 0, 0]
        elif kernel and (match := re.search(r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+)", line)):
            found[kernel][1] = sum(int(n) for n in match.groups())
        elif kernel and (match := re.search(r"Used (\d+) registers", line)):
            found[kernel][0] = int(match[1])
            if shared := re.search(r"(\d+) bytes smem", line):
                found[kernel][2] = int(shared[1])
    return found


def slots_per_hmma(instructions):
    """Of a kernel's [(address, text)]: the worst of its innermost loops with HMMAs or HGMMAs, their instructions counted once
    each; None without one. Where loops overlap the shortest counts: the others go through code that waits elsewhere."""
    loops = []
    for address, text in instructions:
        target = re.search(r"\bBRA\b.*?(0x[0-9a-f]+)", text)
        if not target or int(target[1], 16) > address:
            continue
        body = [t for a, t in instructions if int(target[1], 16) <= a <= address]
        if count := sum(bool(re.search(r"\bHG?MMA", t)) for t in body):
            loops.append((int(target[1], 16), address, len(body) / count))
    inner = [r for a, b, r in loops if not any(d - c < b - a and a <= d and c <= b for c, d, _ in loops)]
    return max(inner, default=None)


def slots(sass):
    found = {}
    for function in re.split(r"\n\s*Function : ", sass)[1:]:
        listing = re.findall(r"/\*([0-9a-f]{4,5})\*/\s+([^;]*);", function)
        if (count := slots_per_hmma([(int(address, 16), text) for address, text in listing])) is not None:
            found[function.split(None, 1)[0]] = count
    return found


def disassemble(object_file, architecture):
    path = os.pathsep.join([os.environ["PATH"], "/usr/local/cuda/bin", *glob.glob("build/cuda-tools/nvidia/*/bin")])
    tools = [shutil.which(tool, path=path) for tool in ("cuobjdump", "nvdisasm")]
    if not all(tools):
        return None
    command = [tools[0], "-sass", "-arch", architecture, object_file]
    return subprocess.run(command, capture_output=True, text=True, check=True, env={**os.environ, "PATH": path}).stdout


def stale_objects(sources):
    """One line for each source without log, object or list of what it was compiled from, or older than one of those."""
    lines = []
    for source in sources:
        built = f"{objects}/{os.path.basename(source)}"
        if missing := [built + end for end in (".log", ".o", ".d") if not os.path.exists(built + end)]:
            lines.append(f"{source}: {missing[0]} is missing")
            continue
        with open(built + ".d") as rule:
            files = rule.read().split(": ", 1)[-1].replace("\\\n", " ").split()
        age = os.path.getmtime(built + ".o")
        newer = [file for file in files if not os.path.exists(file) or os.path.getmtime(file) > age]
        lines += [f"{source}: {newer[0]} has changed since it was compiled"] if newer else []
    return lines


def uncounted(rows):
    """One line for each kernel on tensor cores whose hot loop has no HMMA, where loops could be read."""
    return [f"{kernel}: no loop with an HMMA was found" for kernel, row in sorted(rows.items()) if "mma" in kernel.split()[0] and row[3] == "-"]


def rows_of_objects(sources):
    """{architecture: {"file kernel": [registers, stack, shared, slots]}}, slots "-" without HMMAs, "?" if unknown."""
    rows = {}
    for file in map(os.path.basename, sources):
        log = f"{objects}/{file}.log"
        with open(log) as text:
            found = resources(text.read())
        names = short_name(sorted({mangled for _, mangled in found}))
        for architecture in sorted({architecture for architecture, _ in found}):
            sass = disassemble(log.removesuffix("log") + "o", architecture) if "mma" in file else ""
            counts = None if sass is None else slots(sass)
            for (arch, mangled), numbers in found.items():
                if arch == architecture:
                    count = "?" if counts is None else f"{counts[mangled]:.2f}" if mangled in counts else "-"
                    row = [*map(str, numbers), count]
                    rows.setdefault(architecture, {})[f"{file} {names[mangled]}"] = row
    return rows


def warps(registers):
    """How many fit on a multiprocessor: four partitions of 512 rows of registers, given out by eight; 64 at most."""
    return 4 * min(16, 512 // max(8, (registers + 7) // 8 * 8))


def differences(old, new, same_compiler=True):
    """One line for each kernel that is worse, missing from the table or gone."""
    def too_few(now, before):
        return now < before if same_compiler else 2 * now <= before

    def too_many(now, before):
        return now > (before + 0.05 if same_compiler else 1.2 * before)

    lines = [f"{kernel}: is in the table, but no kernel has this name" for kernel in sorted(old.keys() - new.keys())]
    for kernel, (registers, stack, shared, count) in sorted(new.items()):
        if kernel not in old:
            lines.append(f"{kernel}: is not in the table")
            continue
        before = old[kernel]
        if int(stack) > int(before[1]):
            lines.append(f"{kernel}: {stack} bytes of stack and spills; {before[1]} before")
        if int(shared) > int(before[2]):
            lines.append(f"{kernel}: {shared} bytes of static shared memory; {before[2]} before")
        if too_few(warps(int(registers)), warps(int(before[0]))):
            fit = f"{warps(int(registers))} warps a multiprocessor instead of {warps(int(before[0]))}"
            lines.append(f"{kernel}: {registers} registers, which is {fit}; {before[0]} before")
        if before[3] in "-?" or count == "?":
            continue
        if count == "-":
            lines.append(f"{kernel}: no loop with an HMMA; {before[3]} issue slots before")
        elif too_many(float(count), float(before[3])):
            lines.append(f"{kernel}: {count} issue slots an HMMA; {before[3]} before")
    return lines


def architecture_differences(tables_of, found):
    """One line for each architecture that has a table or kernels, and not both."""
    return [f"{architecture}: has a table, but no kernels" for architecture in sorted(tables_of - found)] + [
        f"{architecture}: has kernels, but no table" for architecture in sorted(found - tables_of)]


def read_table(file):
    """The nvcc that made it and its rows."""
    with open(file) as text:
        lines = text.read().splitlines()
    rows = {}
    for line in lines[2:]:
        *numbers, name = line.split(None, 4)
        rows[name] = numbers
    return lines[0].removeprefix("# nvcc "), rows


def nvcc_release():
    """Of the nvcc that compiled the objects."""
    with open(f"{objects}/nvcc.txt") as text:
        return re.search(r"V([\d.]+)", text.read())[1]


def write_table(file, release, rows):
    os.makedirs(os.path.dirname(file), exist_ok=True)
    with open(file, "w") as table:
        table.write(f"# nvcc {release}\n# {columns} file kernel\n")
        for kernel, numbers in sorted(rows.items()):
            table.write(f"{numbers[0]:>3} {numbers[1]:>2} {numbers[2]:>5} {numbers[3]:>5}  {kernel}\n")


def compare(rows, release):
    """What is worse than the tables say."""
    files = {os.path.basename(file).removesuffix(".txt") for file in glob.glob(f"{tables}/*.txt")}
    lines = architecture_differences(files, set(rows))
    for architecture in sorted(files & set(rows)):
        made_by, old = read_table(f"{tables}/{architecture}.txt")
        lines += [f"{architecture} {line}" for line in differences(old, rows[architecture], made_by == release)]
        other = "" if made_by == release else f"; by nvcc {release}, table by {made_by}: half the warps and a fifth more slots are allowed"
        print(f"{architecture}: {len(rows[architecture])} kernels{other}")
    return lines


def main():
    os.chdir(os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
    sources = sorted(glob.glob("kernels/cuda/*.cu"))
    if stale := stale_objects(sources):
        sys.exit("\n".join([*stale, f"kernel_table: {objects} is not of these sources; run scripts/check_nvcc.sh first"]))
    rows, release = rows_of_objects(sources), nvcc_release()
    lines = [f"{architecture} {line}" for architecture in sorted(rows) for line in uncounted(rows[architecture])]
    if sys.argv[1:] != ["--write"]:
        lines = [*dict.fromkeys(lines + compare(rows, release))]
    elif not lines:
        for architecture, table in rows.items():
            write_table(f"{tables}/{architecture}.txt", release, table)
    if any(row[3] == "?" for table in rows.values() for row in table.values()):
        print("cuobjdump and nvdisasm were not found: issue slots were not counted")
    if lines:
        print("\n".join(lines), file=sys.stderr)
        sys.exit("kernel_table: a kernel differs from its row; if that is meant: scripts/kernel_table.py --write")


if __name__ == "__main__":
    main()
