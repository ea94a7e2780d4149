#!/usr/bin/env python3
"""Measures the compile time and the machine code size of users' networks.

    python3 benches/compile_time/run.py             # a table
    python3 benches/compile_time/run.py --json      # the same as JSON
    python3 benches/compile_time/run.py --run       # also the speed of the programs
    python3 benches/compile_time/run.py mlp lenet5  # only these
    python3 benches/compile_time/run.py --guard     # fails if MobileNet's cost has risen
    python3 benches/compile_time/run.py --record    # accepts its current cost

For each network, a package in a temporary folder depends on monomorph by path, with only the feature
`std`. Dependencies are built beforehand and not counted. Every figure is the minimum of several runs,
on all cores, in seconds of wall-clock time, including linking:

check     `cargo check` of a program that evaluates and trains, minus that of one that only imports monomorph
evaluate  `cargo build --release` of a program that evaluates one sample, at every SIMD level
train     the same for one that also trains with Adam and cross-entropy in batches of 32
code      bytes of machine code that `evaluate` adds, all SIMD levels together

The guard compares the program that evaluates MobileNet with record.json: neither the machine code nor
the compile time may rise by more than a fifth. To make this robust on slow or busy machines, it uses
CPU time in user mode, divided by that of compiling templates/reference.rs, a program without
monomorph. The two are compiled alternately, and the times of all rounds are summed.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
RECORD = HERE / "record.json"
# How far the guard lets the cost rise above the record.
LIMIT = 0.2

MLP = "pub Net: [784] -> [10] { Dense(128), Relu, Dense(64), Relu, Dense(10) }"

LENET5 = """pub Net: [28, 28, 1] -> [10] {
    Conv2d(6, kernel = 5, padding = 2), Relu, MaxPool2d(2),
    Conv2d(16, kernel = 5), Relu, MaxPool2d(2),
    Flatten, Dense(120), Relu, Dense(84), Relu, Dense(10),
}"""


def resnet8() -> str:
    conv = "Conv2d({}, kernel = 3, stride = {}, padding = same), BatchNorm"
    stacks = [f"{conv.format(16, 1)}, Relu"]
    for width, stride in [(16, 1), (32, 2), (64, 2)]:
        shortcut = f"(shortcut = Conv2d({width}, kernel = 1, stride = 2))" if stride > 1 else ""
        branch = f"{conv.format(width, stride)}, Relu, {conv.format(width, 1)}"
        stacks.append(f"residual{shortcut} {{ {branch} }}, Relu")
    return f"pub Net: [32, 32, 3] -> [10] {{ {', '.join(stacks)}, GlobalAvgPool2d, Dense(10) }}"


def mobilenet() -> str:
    norm = "BatchNorm, Relu"
    layers = [f"Conv2d(8, kernel = 3, stride = 2, padding = same, bias = false), {norm}"]
    for block, width in enumerate([16, 32, 32, 64, 64, 128, 128, 128, 128, 128, 128, 256, 256], 1):
        stride = 2 if block in (2, 4, 6, 12) else 1
        layers.append(f"DepthwiseConv2d(3, stride = {stride}, padding = same, bias = false), {norm}")
        layers.append(f"Conv2d({width}, kernel = 1, bias = false), {norm}")
    return f"pub Net: [96, 96, 3] -> [2] {{ {', '.join(layers)}, GlobalAvgPool2d, Dense(2) }}"


def chain() -> str:
    layers = [f"Dense({17 + 2 * index}), LayerNorm, Tanh" for index in range(20)]
    return f"pub Net: [15] -> [55] {{ {', '.join(layers)} }}"


NETWORKS = {
    "mlp": ("MLP 784-128-64-10", MLP),
    "lenet5": ("LeNet-5", LENET5),
    "resnet8": ("ResNet-8", resnet8()),
    "mobilenet": ("MobileNetV1-0.25", mobilenet()),
    "chain60": ("60-layer chain", chain()),
}

MANIFEST = f"""[package]
name = "compile_time"
version = "0.0.0"
edition = "2024"

[dependencies]
monomorph = {{ path = {json.dumps(str(ROOT))}, default-features = false, features = ["std"] }}

[workspace]
"""


class Package:
    """A package whose program changes, so that only the program is recompiled."""

    def __init__(self, folder: Path, runs: int):
        self.folder, self.runs = folder, runs
        (folder / "src").mkdir()
        (folder / "Cargo.toml").write_text(MANIFEST)
        # Incremental compilation would skip unchanged code.
        self.environment = {**os.environ, "CARGO_INCREMENTAL": "0", "CARGO_TARGET_DIR": str(folder / "target")}

    def program(self, template: str, network: str = "") -> None:
        (self.folder / "src/network.rs").write_text(f"network! {{\n{network}\n}}\n")
        (self.folder / "src/main.rs").write_text((HERE / "templates" / f"{template}.rs").read_text())

    def cargo(self, *arguments: str) -> None:
        done = subprocess.run(
            ["cargo", *arguments, "--quiet"], cwd=self.folder, env=self.environment, capture_output=True, text=True
        )
        if done.returncode != 0:
            sys.exit(f"cargo {' '.join(arguments)} failed:\n{done.stderr}")

    def seconds(self, *arguments: str) -> dict:
        """The minimum over several runs of wall-clock, CPU and user time."""
        wall, cpu, user = [], [], []
        for _ in range(self.runs):
            # A newer modification time makes cargo recompile it.
            os.utime(self.folder / "src/main.rs")
            before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
            self.cargo(*arguments)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            wall.append(time.monotonic() - start)
            user.append(after.ru_utime - before.ru_utime)
            cpu.append(user[-1] + after.ru_stime - before.ru_stime)
        return {"seconds": min(wall), "cpu_seconds": min(cpu), "user_seconds": min(user)}

    def binary(self) -> Path:
        return self.folder / "target/release/compile_time"

    def code(self) -> int:
        """Bytes of machine code and constants."""
        lines = subprocess.run(["size", self.binary()], capture_output=True, text=True, check=True).stdout
        return int(lines.splitlines()[1].split()[0])

    def speed(self) -> float:
        """Seconds per evaluation or step."""
        repetitions, least = 1, 0.0
        while repetitions * least < 0.2:
            repetitions *= 4
            runs = [
                float(subprocess.run([self.binary(), str(repetitions)], capture_output=True, check=True).stdout)
                for _ in range(self.runs)
            ]
            least = min(runs)
        return least


def measure(package: Package, network: str, empty: dict, run: bool) -> dict:
    package.program("train", network)
    check = package.seconds("check")
    figures = {"check": {key: value - empty["check"][key] for key, value in check.items()}}
    for template in ["evaluate", "train"]:
        package.program(template, network)
        figures[template] = package.seconds("build", "--release")
        figures[template]["code"] = package.code() - empty["code"]
        if run:
            figures[template]["run"] = package.speed()
    return figures


def table(results: dict, run: bool) -> None:
    columns = ["check", "evaluate", "train", "code"] + (["evaluation", "step"] if run else [])
    print("| network | " + " | ".join(columns) + " |")
    print("| --- |" + " --- |" * len(columns))
    for name, figures in results.items():
        cells = [f"{figures[column]['seconds']:.1f} s" for column in ["check", "evaluate", "train"]]
        cells.append(f"{figures['evaluate']['code'] / 1000:.0f} kB")
        if run:
            cells += [f"{figures['evaluate']['run'] * 1e6:.1f} µs", f"{figures['train']['run'] * 1e6:.0f} µs"]
        print(f"| {NETWORKS[name][0]} | {' | '.join(cells)} |")


def cost(package: Package, rounds: int) -> dict:
    """The figures that the guard compares, and the compiler that they belong to."""
    package.program("empty")
    package.cargo("build", "--release")
    empty, network, reference = package.code(), 0.0, 0.0
    for _ in range(rounds):
        package.program("reference")
        reference += package.seconds("build", "--release")["user_seconds"]
        package.program("evaluate", NETWORKS["mobilenet"][1])
        network += package.seconds("build", "--release")["user_seconds"]
    print(f"user seconds in {rounds} rounds: network {network:.1f}, reference program {reference:.1f}", file=sys.stderr)
    version = subprocess.run(["rustc", "-vV"], capture_output=True, text=True, check=True).stdout
    about = dict(line.split(": ", 1) for line in version.splitlines() if ": " in line)
    figures = {"code_bytes": package.code() - empty, "relative_compile_time": round(network / reference, 2)}
    return {about["host"]: {"rustc": about["release"], **figures}}


def compare(measured: dict) -> None:
    """Exits with an error if the measured cost is too far above the recorded cost."""
    [(host, now)] = measured.items()
    before = json.loads(RECORD.read_text()).get(host)
    if before is None:
        print(f"skipped: {RECORD.name} has no figures for {host}; `--record` adds them")
        return
    changes = []
    for key, what in [
        ("code_bytes", "bytes of machine code"),
        ("relative_compile_time", "times the reference program's compile time"),
    ]:
        changes.append(now[key] / before[key] - 1)
        print(f"{NETWORKS['mobilenet'][0]}: {now[key]} {what}; recorded: {before[key]} ({changes[-1]:+.0%})")
    if now["rustc"] != before["rustc"]:
        print(f"recorded with rustc {before['rustc']}, measured with {now['rustc']}")
    command = "python3 benches/compile_time/run.py"
    if min(changes) < -LIMIT:
        print(f"that is far below the record; run `{command} --record` to keep it there")
    if max(changes) > LIMIT:
        sys.exit(
            f"That is more than {LIMIT:.0%} above the record. Look for code that is needlessly compiled once per layer "
            f"(`{command}` shows all networks); if the cost is justified, accept it with `{command} --record` and commit "
            f"{RECORD.relative_to(ROOT)}."
        )


def record(measured: dict) -> None:
    recorded = json.loads(RECORD.read_text()) if RECORD.exists() else {}
    RECORD.write_text(json.dumps(recorded | measured, indent=2, sort_keys=True) + "\n")
    print(f"recorded: {measured}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("networks", nargs="*", metavar="network", help=", ".join(NETWORKS))
    parser.add_argument("--runs", type=int, help="number of runs to take the minimum of (3); rounds of the guard (5)")
    parser.add_argument("--json", action="store_true", help="print JSON, which includes CPU seconds")
    parser.add_argument("--run", action="store_true", help="also run the programs: time per evaluation and per step")
    parser.add_argument("--guard", action="store_true", help="fail if the cost of MobileNet is far above record.json")
    parser.add_argument("--record", action="store_true", help="write its cost to record.json")
    options = parser.parse_args()
    names = options.networks or list(NETWORKS)
    for name in names:
        if name not in NETWORKS:
            parser.error(f"there is no network {name}; there are {', '.join(NETWORKS)}")
    with tempfile.TemporaryDirectory() as folder:
        if options.guard or options.record:
            measured = cost(Package(Path(folder), 1), options.runs or 5)
            return record(measured) if options.record else compare(measured)
        package = Package(Path(folder), options.runs or 3)
        package.program("empty")
        package.cargo("check")
        package.cargo("build", "--release")
        empty = {"check": package.seconds("check"), "code": package.code()}
        results = {}
        for name in names:
            results[name] = measure(package, NETWORKS[name][1], empty, options.run)
            seconds = {key: round(value["seconds"], 1) for key, value in results[name].items()}
            print(f"{name}: {seconds}", file=sys.stderr)
    if options.json:
        print(json.dumps({"empty": empty, "networks": results}, indent=2))
    else:
        table(results, options.run)


if __name__ == "__main__":
    main()
