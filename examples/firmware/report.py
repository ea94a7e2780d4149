"""Runs the firmware in QEMU and on this PC, compares and checks the results, and prints a table.

Usage: python3 report.py <target directory>; `run.sh` calls it.
"""

import json
import os
import re
import struct
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from cycles import cycles

HERE = Path(__file__).parent
BUILT = Path(sys.argv[1])

ARM, RISCV = ["qemu-system-arm"], ["qemu-system-riscv32", "-bios", "none"]
# Name, target, emulator and its machine.
MACHINES = [
    ("Cortex-M4F", "thumbv7em-none-eabihf", ARM, "mps2-an386"),
    ("Cortex-M7F", "thumbv7em-none-eabihf", ARM, "mps2-an500"),
    ("Cortex-M3", "thumbv7m-none-eabi", ARM, "mps2-an385"),
    ("Cortex-M0", "thumbv6m-none-eabi", ARM, "microbit"),
    ("RV32IMAC", "riscv32imac-unknown-none-elf", RISCV, "virt"),
    ("RV32IMAFC", "riscv32imafc-unknown-none-elf", RISCV, "virt"),
]
# They round a product and a sum once, the others twice.
FUSED = ("RV32IMAFC",)
CORTEX_WITH_FLOATS = ("Cortex-M4F", "Cortex-M7F")
# The most instructions that a multiply-accumulate of these programs may take with an FPU.
ON_CORTEX = {"policy": 1.9, "amp": 2.2, "writer": 2.2, "digits": 1.9, "digits_half": 2.4, "digits_small": 2.6}
ON_RISCV = {"policy": 2.6, "digits": 2.6, "digits_small": 2.6}
FEW = {"Cortex-M4F": ON_CORTEX, "Cortex-M7F": ON_CORTEX, "RV32IMAFC": ON_RISCV}
# Each instruction takes one nanosecond; a sleeping processor does not wait for the wall clock.
QEMU = ["-nographic", "-icount", "shift=0,align=off,sleep=off", "-semihosting-config", "enable=on,target=native"]
PROGRAMS = ["digits", "digits_half", "digits_small", "digits_fixed", "policy", "control", "amp", "writer", "gestures", "pump", "every_layer", "every_sequence", "every_graph", "xor", "sensor", "pipes", "snapshot", "fusion"]
# All layers there are.
EVERY = ["every_layer", "every_sequence", "every_graph"]
# A filter feeds what it rounds back into itself, as training does.
TRAINING = ["xor", "sensor", "pipes", "snapshot", "fusion"]
# Programs whose time may depend on the numbers: the greatest score over a graph's edges is a branch, and an equation takes
# as many steps as it needs.
VARYING = [*TRAINING, "every_graph"]
# Programs whose cycles on a Cortex-M4F are estimated: they begin by evaluating one network.
ESTIMATED = ["digits", "digits_half", "digits_small", "digits_fixed", "policy", "control"]
# How far a result may be from the PC's, relative to the largest number on its line: the PC adds numbers in a
# different order. Training repeats that a few hundred times.
TOLERANCE, TRAINING_TOLERANCE = 1e-5, 1e-3

# What `log` logs.
LOGGED = """no network: OtherNetwork(DigitsHalf)
no network: Length { expected: 5696, found: 1000 }
learned: Step { loss: 1.25, correct: None }
not learned: NotFinite { what: loss, step: 2 }"""

problems = []


def check(holds, what):
    if not holds:
        problems.append(what)


def lines(output):
    """Parses what a program prints: results and, after a `#`, measurements; each a name and numbers."""
    results, measured = [], {}
    for line in output.splitlines():
        if line.startswith("# "):
            name, number = line[2:].split()
            measured.setdefault(name, []).append(int(number))
        else:
            results.append(line.split())
    return results, measured


def number(word):
    return struct.unpack(">f", bytes.fromhex(word[2:]))[0] if word.startswith("0x") else int(word)


def distance(ours, theirs):
    """How far apart two outputs are, relative to the largest number on a line; infinite if they do not match."""
    if [(line[0], len(line)) for line in ours] != [(line[0], len(line)) for line in theirs]:
        return float("inf")
    most = 0.0
    for (_, *a), (_, *b) in zip(ours, theirs):
        a, b = [number(word) for word in a], [number(word) for word in b]
        if all(isinstance(x, int) for x in a + b):
            most = most if a == b else float("inf")
            continue
        scale = max(abs(x) for x in b) or 1.0
        most = max([most] + [abs(x - y) / scale if x == x else float("inf") for x, y in zip(a, b)])
    return most


def logged(program, output):
    """Decodes a program's messages from the hexadecimal digits after each `log`, as `defmt-print` does for real firmware.

    The text is in symbol names; a message contains their addresses and the numbers to insert.
    """
    symbols = re.findall(r'^(\w+) \w (\{"package".*)$', tool("nm", program), re.M)
    words = {int(address, 16): json.loads(name)["data"] for address, name in symbols}
    sizes = {"u8": "B", "u16": "H", "u32": "I", "usize": "I", "u64": "Q", "f32": "f"}

    def number(kind):
        nonlocal at
        at += struct.calcsize(kind)
        return struct.unpack_from("<" + kind, message, at - struct.calcsize(kind))[0]

    def parameter(match):
        nonlocal at
        if match[0] in ("{{", "}}"):
            return match[0][0]
        if match[1] in sizes:
            return str(number(sizes[match[1]]))
        if match[1] == "str":
            length = number("I")
            at += length
            return message[at - length : at].decode()
        return text(words[number("H")])

    def text(form):
        if "|" in form:
            form = form.split("|")[number("B")]
        return re.sub(r"\{\{|\}\}|\{(?:=(\w+|\?)(?::\?)?)?\}", parameter, form)

    lines = []
    for line in re.findall("^log (.*)$", output, re.M):
        message, at = bytes.fromhex(line), 0
        lines.append(text(words[number("H")]))
    return "\n".join(lines)


def run(command):
    try:
        # QEMU prints the program's output to its own standard error.
        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        done = subprocess.run(command, text=True, timeout=120, **pipes)
    except subprocess.TimeoutExpired:
        return None
    return done.stdout if done.returncode == 0 else None


def tool(name, *arguments):
    return subprocess.run([f"arm-none-eabi-{name}", *arguments], capture_output=True, text=True, check=True).stdout


def sizes(program):
    """Bytes of flash and of statics in RAM."""
    flash, ram = 0, 0
    # One line for each section, followed by one with its flags.
    for name, size, kind in re.findall(r"^ *\d+ (\S+) +([0-9a-f]{8}) .*\n +(.*)$", tool("objdump", "-h", program), re.M):
        if "LOAD" in kind:
            flash += int(size, 16)
        if "ALLOC" in kind and (name.startswith((".data", ".bss"))):
            ram += int(size, 16)
    return flash, ram


def can_panic(program):
    """The symbols in a program that are only there for panicking, formatting or allocating."""
    # Debug information may still name functions that the linker has removed, but they are not symbols.
    pattern = re.compile(r"panic|rust_begin_unwind|core::fmt|\balloc::|__rust_(alloc|dealloc|realloc)|\bmalloc\b")
    return [line for line in tool("nm", "-C", "--defined-only", program).splitlines() if pattern.search(line)]


def on_the_pc(program):
    return lines(run([BUILT / "release" / program]) or "")[0]


def emulate(job):
    program, (_, target, emulator, machine) = job
    path = BUILT / target / "release" / program
    return path, run([*emulator, "-M", machine, *QEMU, "-kernel", path])


def swing_up():
    """Checks that an agent learns on the device: episodes come to cost less."""
    path, output = emulate(("pendulum", MACHINES[1]))
    check(output is not None, "pendulum: failed or did not finish")
    if output is None:
        return
    results, measured = lines(output)
    costs = [int(line[1]) for line in results if line[0] == "cost"]
    first, last = sum(costs[:3]) / 3, sum(costs[-5:]) / 5
    check(len(costs) == 18 and last < 0.6 * first, f"pendulum: does not learn: {costs}")
    check(not can_panic(path), f"pendulum: can panic or allocate: {can_panic(path)}")
    flash, ram = sizes(path)
    print(f"pendulum on {MACHINES[1][0]}: an episode cost {first:.0f} at first and {last:.0f} after {200 * len(costs)} steps; {flash} bytes of flash, {ram} of RAM, {measured['instructions'][0]} instructions per step")


def tell_a_story():
    """Compares the text of the language model with the one that its authors' program writes."""
    if "STORIES" not in os.environ:
        print("stories: skipped, MONOMORPH_MODELS does not say where the model is")
        return
    path, output = emulate(("stories", MACHINES[0]))
    text, _, measured = (output or "").partition("\n# ")
    expected = Path(os.environ["STORIES"], "stories260K-200-steps.txt").read_text()
    check(text.strip() == expected.strip(), f"stories: {text!r}")
    check(not can_panic(path), f"stories: can panic or allocate: {can_panic(path)}")
    figures = {name: int(number) for name, number in re.findall(r"(\w+) (\d+)", measured)}
    flash, ram = sizes(path)
    if figures:
        each = figures["instructions"] // figures["tokens"]
        print(f"stories on {MACHINES[0][0]}: letter for letter; {flash} bytes of flash, {ram} of RAM, {each} instructions per token")


def main():
    expected = {program: on_the_pc(program) for program in PROGRAMS}
    expected["digits_in_c"] = expected["digits"]
    jobs = [(program, machine) for program in [*PROGRAMS, "log"] for machine in MACHINES]
    jobs.append(("digits_in_c", MACHINES[0]))
    with ThreadPoolExecutor(2) as pool:
        outputs = list(pool.map(emulate, jobs))

    print(f"{'program':<14} {'processor':<11} {'flash':>7} {'RAM':>6} {'stack':>6} {'instructions':>13} {'per MAC':>7} {'cycles':>8}  difference")
    bits, counts = {}, {}
    for (program, (name, *_)), (path, output) in zip(jobs, outputs):
        what = f"{program} on {name}"
        if output is None:
            problems.append(f"{what}: failed or did not finish")
            continue
        results, measured = lines(output)
        (flash, ram), instructions = sizes(path), measured.get("instructions", [])
        if program == "log":
            check(logged(path, output) == LOGGED, f"{what}: {logged(path, output)}")
            results = expected[program] = []
        apart = distance(results, expected[program])
        check(apart <= (TRAINING_TOLERANCE if program in TRAINING else TOLERANCE), f"{what}: differs from the PC by {apart:.1e}")
        if name not in FUSED:
            check(bits.setdefault(program, results) == results, f"{what}: differs from {MACHINES[0][0]}")
        check(not can_panic(path), f"{what}: can panic or allocate: {can_panic(path)}")
        stack, count = max(measured.get("stack", [0])), max(instructions, default=0)
        macs = measured.get("macs", [0])[0]
        ratio = f"{count / macs:.2f}" if macs else ""
        estimate = cycles(path)[0] if program in ESTIMATED and name == "Cortex-M4F" else ""
        figures = f"{flash:>7} {ram:>6} {stack or '':>6} {count or '':>13} {ratio:>7} {estimate:>8}"
        print(f"{program:<14} {name:<11} {figures}  {'as logged' if program == 'log' else f'{apart:.1e}'}")

        # The guarantees in the README.
        if program in ("digits", "digits_half", "digits_small", "digits_fixed"):
            # Without an FPU, floating-point arithmetic in software is linked in.
            most = measured["weights"][0] + (12 if name in CORTEX_WITH_FLOATS else 20) * 1024
            check(flash <= most, f"{what}: {flash} bytes of flash")
            check(ram <= measured["planned"][0] + 1024, f"{what}: {ram} bytes of RAM")
            check(stack <= 1024, f"{what}: {stack} bytes of stack")
        # On RISC-V, ReLU is a branch.
        if program not in VARYING and name in CORTEX_WITH_FLOATS:
            # They have several networks, four inputs each.
            size = 4 if program in EVERY else max(len(instructions), 1)
            for first in range(0, len(instructions), size):
                alike = set(instructions[first : first + size])
                check(len(alike) == 1, f"{what}: the time depends on the data: {sorted(alike)}")
        counts[program, name] = count
        if program == "digits_fixed" and name == "Cortex-M0":
            check(4 * count <= counts.get(("digits", name), 0), f"{what}: more than a quarter of the instructions of `digits`")
        if program in FEW.get(name, {}):
            check(count <= FEW[name][program] * macs, f"{what}: {ratio} instructions per multiply-accumulate")

    for _, target, *_ in MACHINES:
        check(can_panic(BUILT / target / "release" / "may_panic"), f"{target}: a program that can panic was not noticed")
    table = (HERE / "../../macros/src/layers/mod.rs").read_text()
    used = "".join((HERE / f"src/bin/{program}.rs").read_text() for program in EVERY)
    for kind in re.findall(r'^    kind\("(\w+)"', table, re.M):
        check(re.search(rf"\b{kind}\b", used), f"neither of {EVERY} uses {kind}")

    swing_up()
    tell_a_story()
    print("flash, RAM (statics) and stack in bytes; instructions and stack of one inference or one training step")
    print("cycles of one inference are an estimate: see cycles.py")
    if problems:
        sys.exit("\n".join(["", *problems]))
    print("no program can panic or allocate; all results agree with the PC's")


main()
