"""Turns the result lines into RESULTS.md and peers/results.svg, and prints the table.

usage: render.py RESULTS.jsonl FOLDER      exits with status 1 if a library gave wrong numbers
"""

import collections
import datetime
import json
import math
import os
import pathlib
import platform
import subprocess
import sys
import tomllib

HERE = pathlib.Path(__file__).parent
OURS = "monomorph"
# In column order; Rust crates with their package name in Cargo.lock.
CRATES = {"candle": "candle-core", "burn": "burn", "tract": "tract-onnx", "dfdx": "dfdx", "nalgebra": "nalgebra"}
PEERS = [*CRATES, "plain arrays", "RLtools", "RTNeural", "ONNX Runtime", "LiteRT", "PyTorch", "JAX"]
SETTINGS = {
    "monomorph": "`evaluate` and `Trainer::step`, as in its README",
    "candle": "`candle-nn` layers, its own CPU backend with `gemm` (AVX-512)",
    "burn": "`burn-nn` layers, backend flex with `simd` and `x86-v4`, without autodiff for evaluation",
    "tract": "the ONNX model, `into_optimized`, one state reused",
    "dfdx": "static shapes, `flush_denormals_to_zero`, gradients reused",
    "nalgebra": "`SMatrix` and `gemv` for dense networks; im2col and `gemm` for other networks and in training; no allocation",
    "plain arrays": "loops over fixed-size arrays, vectorized by LLVM",
    "RLtools": "`-O3 -march=native -ffast-math`, with its own loops and with MKL: the faster of the two",
    "RTNeural": "`ModelT`, `-O3 -march=native -ffast-math`, with Eigen, with xsimd and with its own loops: the fastest of the three",
    "ONNX Runtime": "all graph optimizations, input and output bound once; from Python",
    "LiteRT": "XNNPACK, ReLU fused; from Python, without copying the input",
    "PyTorch": "the fastest of eager, traced and frozen, channels last, `torch.compile` with freezing; fused optimizers; from Python",
    "JAX": "`jit`, weights as constants in evaluation, state donated in training; from Python",
}
WORKS = {
    "PolicyTanh": "22–64–64–4, tanh",
    "PolicyRelu": "22–64–64–4",
    "Tiny16": "16–16–16–1",
    "Tiny8": "8–8–8–1",
    "Wide128": "128–128–128–128",
    "Digits128": "784–128–10",
    "Digits512": "784–512–256–10",
    "LeNet5": "LeNet-5 on 28×28",
    "Anomaly": "MLPerf Tiny, autoencoder",
    "Keywords": "MLPerf Tiny, DS-CNN",
    "ResNet8": "MLPerf Tiny, ResNet-8",
    "MobileNet": "MLPerf Tiny, MobileNetV1 ×0.25",
    "Lstm40": "1–LSTM 40–1, one sample of a stream",
    "Gru40": "1–GRU 40–1, one sample of a stream",
    "Gru8": "1–GRU 8–1, one sample of a stream",
    "Dilated": "four convolutions of 16 channels, dilations 1, 2, 4, 8, one sample of a stream",
    "Block": "a block of a transformer, 32 steps of 64 features, 4 heads, 256 hidden",
    "Writer": "a language model, 4 blocks of 128 features, trained on 16 texts of 128 letters",
}


class Results:
    def __init__(self, path):
        self.seconds = collections.defaultdict(dict)  # by work, by peer
        self.reasons = collections.defaultdict(dict)  # by work, by peer; work "" for all
        self.packed = collections.defaultdict(dict)  # ours with packed weights: by work, by format
        self.wrong, self.versions, self.limits = [], {}, None
        for line in map(json.loads, path.read_text().splitlines()):
            peer, work = line.get("peer"), line.get("work", "")
            if "limits" in line:
                self.limits = line["limits"]
            elif "seconds" in line:
                # The best of several runs.
                of, key = (self.packed[work], line["packed"]) if "packed" in line else (self.seconds[work], peer)
                of[key] = min(line["seconds"], of.get(key, math.inf))
            elif "version" in line:
                self.versions[peer] = line["version"]
            elif "wrong" in line:
                self.wrong.append(f"{peer}, {' '.join([work, *line.get('packed', '').split()])}: {line['wrong']}")
                if "packed" not in line:
                    self.reasons[work][peer] = "gave wrong numbers: " + line["wrong"]
            else:
                self.reasons[work][peer] = line["reason"]
        lock = tomllib.loads((HERE / "Cargo.lock").read_text())["package"]
        for peer, crate in CRATES.items():
            self.versions[peer] = next(package["version"] for package in lock if package["name"] == crate)

    def works(self):
        return [work for work, peers in self.seconds.items() if OURS in peers]

    def ratios(self, work):
        ours = self.seconds[work][OURS]
        return {peer: self.seconds[work][peer] / ours for peer in PEERS if peer in self.seconds[work]}

    def reason(self, work, peer):
        return self.reasons[work].get(peer) or self.reasons[""].get(peer) or "no result"

    def limit(self, work):
        """The least time one core needs, in seconds, and what bounds it."""
        arithmetic = 2 * work["macs"] / self.limits["flops"]
        # Evaluation reads the weights; a training step also reads the gradient, and Adam two moments.
        size = 4 * work["parameters"] * {None: 1, "Sgd": 2, "Adam": 4}[work.get("optimizer")]
        # At best, each cache holds a part of them.
        memory, rest = 0.0, size
        for cache in self.limits["caches"]:
            part = rest if cache is self.limits["caches"][-1] else min(rest, cache["size"])
            memory, rest = memory + part / cache["bytes_per_second"], rest - part
            if not rest:
                break
        return max((arithmetic, "flops"), (memory, cache["level"]))


def duration(seconds):
    for unit, size in ("ns", 1e-9), ("µs", 1e-6), ("ms", 1e-3):
        # With three digits, a larger value would be written as 1e+03.
        if seconds < 999.5 * size or unit == "ms":
            value = seconds / size
            return f"{value:.3g} {unit}" if value < 1000 else f"{value:.0f} {unit}"


def times(ratio):
    return f"{ratio:.2f}×" if ratio < 10 else f"{ratio:.0f}×"


def label(work):
    network, _, optimizer = work.partition(" ")
    return f"train {network}, {optimizer.upper() if optimizer == 'Sgd' else optimizer}" if optimizer else network


def table(results, works):
    """Rows of cells, and the reasons that their footnote numbers refer to; libraries left out of this run have no column."""
    known = set().union(results.reasons[""], *results.seconds.values())
    peers = [peer for peer in PEERS if peer in known]
    header = ["work", OURS, "best peer ÷ ours", "limit", "of the limit", *peers]
    rows, notes = [], []
    for work in results.works():
        ratios = results.ratios(work)
        ours = results.seconds[work][OURS]
        row = [label(work), duration(ours)]
        if ratios:
            best = min(ratios, key=ratios.get)
            row.append(f"**{times(ratios[best])}** {best}")
        else:
            row.append("")
        if results.limits:
            limit, bound = results.limit(works[work])
            row += [f"{duration(limit)} ({bound})", f"{100 * limit / ours:.0f} %"]
        else:
            row += ["", ""]
        for peer in peers:
            if peer in ratios:
                row.append(f"{duration(results.seconds[work][peer])} · {times(ratios[peer])}")
            else:
                note = f"{peer}: {results.reason(work, peer)}"
                if note not in notes:
                    notes.append(note)
                row.append(f"— [{notes.index(note) + 1}]")
        rows.append(row)
    return header, rows, notes


def packed_table(results):
    """The networks that were also measured with packed weights, each compared with the fastest library, which has `f32`."""
    formats = list(dict.fromkeys(format for of in results.packed.values() for format in of))
    rows = []
    for work, of in results.packed.items():
        ratios = results.ratios(work)
        best = min(ratios, key=ratios.get, default=None)
        peer = results.seconds[work].get(best)
        cell = lambda seconds: duration(seconds) + (f" · {times(peer / seconds)}" if peer else "")
        row = [work, f"{duration(peer)} {best}" if peer else "", cell(results.seconds[work][OURS])]
        rows.append(row + [cell(of[format]) if format in of else "—" for format in formats])
    return ["work", "best peer", "f32", *formats], rows


def markdown(header, rows):
    widths = [max(len(row[column]) for row in [header, *rows]) for column in range(len(header))]
    line = lambda row: "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths)) + " |"
    rule = "|" + "|".join("-" * (width + 1) + (":" if column else "-") for column, width in enumerate(widths)) + "|"
    return "\n".join([line(header), rule, *map(line, rows)])


def command(*words):
    try:
        return subprocess.run(words, capture_output=True, text=True, check=True, cwd=HERE).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def machine():
    try:
        lines = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
        fields = dict(line.split(":", 1) for line in lines if ":" in line)
        fields = {key.strip(): value.strip() for key, value in fields.items()}
        model = f"{fields['model name']} (family {fields['cpu family']}, model {fields['model']})"
    except (OSError, KeyError):
        model = platform.processor()
    return f"{model}, {os.cpu_count()} cores, of which one was used"


def page(results, works):
    header, rows, notes = table(results, works)
    packed = markdown(*packed_table(results))
    limits = results.limits
    caches = ", ".join(f"{c['bytes_per_second'] / 1e9:.0f} GB/s from {c['level']}" for c in limits["caches"])
    versions = [f"| {peer} | {results.versions.get(peer, '—')} | {SETTINGS[peer]} |" for peer in PEERS if peer in SETTINGS]
    commit = command("git", "rev-parse", "--short", "HEAD")
    networks = "; ".join(f"{name}: {what}" for name, what in WORKS.items())
    return f"""# Speed compared with other libraries

The same networks with the same weights, on one core of the same machine, in one run:

```text
benches/peers/run.sh
```

Before anything is timed, each library's outputs are compared with monomorph's: they differ by at most 1e-4 of the largest output (or of
1), and the losses of the first five training steps by at most 0.1 %. A larger difference fails the run. Each time is the minimum over
many windows of at least 2 ms (or of one run, if that is longer), after a warm-up; inputs cycle through four samples, or four batches and
five sets of labels. Compiled libraries, including monomorph, are measured in three processes each, because the memory pages that
happen to hold the weights affect how long it takes to read them. The method is the same for all; Python libraries are called from
Python, as their users would, so call overhead is part of their time.

- Machine: {machine()}.
- Measured on {datetime.date.today()}, monomorph at commit {commit}, {command("rustc", "--version")}, Python {platform.python_version()}.
- One core's measured peak: {limits["flops"] / 1e9:.0f} Gflop/s, {caches}.

{markdown(header, rows)}

Each cell shows a peer's time and, after the dot, that time divided by ours. Rows evaluate one sample unless they say “train”, which is one
step with 64 samples (Writer: 16): forward, cross-entropy, backward, update. The limit is a lower bound for the core: the multiply-adds at its measured
peak, or reading the weights (in training also the gradient and the moments) at the bandwidth of the caches that hold them, whichever
takes longer. It ignores latency, activations and the functions between layers, which dominate in the smallest networks.

Networks below or only slightly above 60 % of their limit, and why:
- PolicyTanh: the 128 hyperbolic tangents take half as long as the multiply-adds; the limit counts only the multiply-adds (PolicyRelu has
  no such work).
- Tiny16, Tiny8: three layers that depend on each other, 50 to 110 instructions, and the call, in 20 to 35 cycles; there is little left
  to compute.
- LeNet5: its first convolution has one input channel and 6 output channels for the 16 lanes of a register. In evaluation, lanes hold
  pixels, which are interleaved at the end; in training, its weight gradient leaves 10 of 16 lanes idle. Its dense layers wait for the
  L2 cache.

Wide128, Digits128, Digits512 and Anomaly wait for weights from the L2 and L3 caches; each weight is used once. If the weights fill more
than half of the L2 cache, the order in which monomorph reads them pays off (see “A dense layer for one sample is a stream” in
[`ARCHITECTURE.md`](../ARCHITECTURE.md)). Smaller networks are read just as fast from start to end, as plain loops do: the first two
networks differ by less than two processes of the same program do, which is up to a tenth. (Heap-allocated weights start 16 bytes past a
cache line boundary, monomorph's on one. At that offset, the first of these networks is read slightly faster, the others more slowly.)

![ratios](peers/results.svg)

At each SIMD level: [`LEVELS.md`](LEVELS.md).

## Packed weights

Where reading weights takes most of the time, `#[packed(..)]` halves or quarters their size; arithmetic stays in `f32`. The number after
the dot is the time of the fastest peer, which reads `f32`, divided by ours. For random weights, outputs differ from those of `f32` by at
most 3 % (`bf16`), 0.4 % (`f16`), and 8 % (`i8`, rounded without retraining) of the largest output (or of 1); a larger difference fails the
run.

{packed}

## What was measured

Networks, declared in [`workloads.rs`](workloads.rs) and [`sequences.rs`](peers/src/sequences.rs): {networks}.

Not measured:
{chr(10).join(f"{number}. {note}" for number, note in enumerate(notes, 1))}

| library | version | settings |
| --- | --- | --- |
| {OURS} | {commit} | {SETTINGS[OURS]} |
{chr(10).join(versions)}

The Rust libraries and monomorph are one program, built with `--release` and `-C target-cpu=native`.
"""


def plot(results, path):
    # Imported here, so that uses without a plot do not need the package.
    import matplotlib

    matplotlib.use("svg")
    import matplotlib.pyplot as plt

    works = results.works()[::-1]
    peers = [peer for peer in PEERS if any(peer in results.ratios(work) for work in works)]
    figure, axes = plt.subplots(figsize=(10, 1.4 + 0.42 * len(works)))
    colours, markers = plt.get_cmap("tab20").colors, "os^vD<>PX*hp"
    for y, work in enumerate(works):
        ratios = results.ratios(work)
        if ratios:
            best = min(ratios.values())
            ahead = best >= 1
            axes.barh(y, best - 1, left=1, height=0.62, color="#cfe8cf" if ahead else "#f3c6c0", zorder=1)
            axes.annotate(
                times(best), (1 if ahead else best, y), (-4, 0), textcoords="offset points",
                ha="right", va="center", fontsize=8, color="#333333",
            )
        for index, peer in enumerate(peers):
            if peer in ratios:
                axes.scatter(
                    ratios[peer], y, s=46, color=colours[2 * index % 20 + index // 10], marker=markers[index],
                    edgecolors="white", linewidths=0.5, zorder=3, label=peer if peer not in axes.get_legend_handles_labels()[1] else None,
                )
    axes.axvline(1, color="black", linewidth=1, zorder=2)
    axes.set_xscale("log")
    axes.set_yticks(range(len(works)), [label(work) for work in works])
    axes.set_ylim(-0.6, len(works) - 0.4)
    axes.xaxis.set_major_formatter(lambda x, _: f"{x:g}×")
    axes.margins(x=0.08)
    axes.grid(axis="x", which="major", color="#dddddd", zorder=0)
    axes.set_axisbelow(True)
    axes.set_xlabel("time of a library ÷ time of monomorph; the bar ends at the fastest of them")
    order = {peer: index for index, peer in enumerate(peers)}
    handles, names = axes.get_legend_handles_labels()
    pairs = sorted(zip(handles, names), key=lambda pair: order[pair[1]])
    axes.legend(*zip(*pairs), loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False)
    for side in "top", "right", "left":
        axes.spines[side].set_visible(False)
    axes.tick_params(axis="y", length=0)
    plt.rcParams["svg.hashsalt"] = "peers"
    figure.savefig(path, bbox_inches="tight", metadata={"Date": None})


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    source, folder = map(pathlib.Path, sys.argv[1:])
    results = Results(source)
    works = json.loads((source.parent / "peers-networks" / "works.json").read_text())["works"]
    works = {work["work"]: work for work in works}
    if not results.works():
        sys.exit("monomorph itself was not measured; see the messages above")
    header, rows, notes = table(results, works)
    print(markdown(header, rows))
    print("\n" + markdown(*packed_table(results)))
    print("\n" + "\n".join(f"[{number}] {note}" for number, note in enumerate(notes, 1)))
    (folder / "peers").mkdir(exist_ok=True)
    plot(results, folder / "peers" / "results.svg")
    if results.limits:
        # What `nist.sh` measures stays as it is.
        old = folder / "RESULTS.md"
        least_squares = old.read_text().partition("\n## Least squares")[1:] if old.exists() else ()
        old.write_text(page(results, works) + "".join(least_squares))
    if results.wrong:
        sys.exit("\nwrong numbers:\n" + "\n".join(results.wrong))
    behind = [work for work in results.works() if any(ratio < 1 for ratio in results.ratios(work).values())]
    print(f"\n{OURS} is ahead of every peer that was measured" if not behind else f"\n{OURS} is behind in: " + ", ".join(map(label, behind)))


if __name__ == "__main__":
    main()
