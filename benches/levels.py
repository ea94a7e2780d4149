#!/usr/bin/env python3
"""Measures monomorph at each x86 SIMD level, compared with plain loops that the compiler vectorized for the same
level, on one core of this machine, and writes LEVELS.md next to this file.

    benches/levels.py             # all levels: three builds of one minute each, seven minutes of measuring
    benches/levels.py --quick     # shorter measurements, the table only

Needs cargo and taskset (util-linux), and a processor with AVX-512; with only AVX2 it measures two levels.
CORE=n selects the core.
"""

import collections
import datetime
import json
import os
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE / "peers"))
import render

OURS, LOOPS = "monomorph", "plain arrays"
# Name, level, flags for the whole program, and a feature that the processor must have. For processors of the first
# kind, LLVM would prefer 256-bit registers, because 512 bits once lowered the clock frequency.
LEVELS = [
    ("AVX-512", "Avx512", "-Ctarget-cpu=x86-64-v4 -Ctarget-feature=-prefer-256-bit", "avx512_vbmi2"),
    ("AVX2", "Avx2", "-Ctarget-cpu=x86-64-v3", "avx2"),
    ("SSE2", "Sse2", "-Ctarget-cpu=x86-64", "sse2"),
]


def build(level, flags, target):
    environment = {**os.environ, "RUSTFLAGS": flags, "CARGO_TARGET_DIR": str(target)}
    command = ["cargo", "build", "--quiet", "--locked", "--release", "--no-default-features"]
    # stderr is hidden: the compiler warns about passing on a feature that it does not know.
    done = subprocess.run(command, cwd=HERE / "peers", env=environment, stderr=subprocess.PIPE, text=True)
    if done.returncode:
        sys.exit(f"the build for {level} failed:\n{done.stderr}")
    return target / "release" / "peers"


def measure(program, level, quick, peers=("limits", OURS, LOOPS, OURS)):
    """Seconds by work and peer, the reasons where there are none, and the peak of the core."""
    seconds, reasons, peak = collections.defaultdict(dict), {}, None
    # Ours before and after the loops: if the machine slows down in between, neither is favoured.
    for peer in peers:
        command = ["taskset", "-c", os.environ.get("CORE", str(os.cpu_count() - 1)), program, peer, f"--level={level}"]
        done = subprocess.run([*command, *quick], stdout=subprocess.PIPE, text=True, check=True)
        for line in map(json.loads, done.stdout.splitlines()):
            if "limits" in line:
                peak = line["limits"]["flops"]
            elif "wrong" in line:
                sys.exit(f"wrong numbers: {level}, {peer}, {line['work']}: {line['wrong']}")
            elif "seconds" in line:
                of = seconds[line["work"]]
                of[peer] = min(line["seconds"], of.get(peer, line["seconds"]))
            else:
                reasons[line["work"]] = line["reason"]
    return seconds, reasons, peak


def table(results, chosen):
    best = results[0][1]
    header, rows, notes = ["work"], [], []
    for name, _, _ in results:
        header += [name, "÷ " + results[0][0] if name != results[0][0] else "chosen at run time", "loops ÷ ours"]
    for work in best:
        row = [render.label(work)]
        for _, seconds, reasons in results:
            ours, loops = seconds[work][OURS], seconds[work].get(LOOPS)
            row.append(render.duration(ours))
            row.append(render.times((chosen[work][OURS] if seconds is best else ours) / best[work][OURS]))
            if loops:
                row.append(render.times(loops / ours))
            else:
                if reasons[work] not in notes:
                    notes.append(reasons[work])
                row.append(f"— [{notes.index(reasons[work]) + 1}]")
        rows.append(row)
    return render.markdown(header, rows), [f"[{number}] Loops: {note}." for number, note in enumerate(notes, 1)]


def main():
    if sys.argv[1:] not in ([], ["--quick"]):
        sys.exit(__doc__)
    quick = sys.argv[1:]
    flags = pathlib.Path("/proc/cpuinfo").read_text().split("flags", 1)[1].split("\n", 1)[0].split()
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", HERE / "peers" / "target")).resolve() / "levels"
    results, peaks = [], []
    for name, level, options, needed in LEVELS:
        if needed not in flags:
            print(f"not measured: this processor has no {name}", file=sys.stderr)
            continue
        print(f"== {name}", file=sys.stderr)
        program = build(name, options, target / level)
        seconds, reasons, peak = measure(program, level, quick)
        results.append((name, seconds, reasons))
        peaks.append(f"{name} {peak / 1e9:.0f} Gflop/s")
    # The last program is compiled for any processor: it detects the first level at run time.
    print(f"== {results[0][0]} chosen at run time", file=sys.stderr)
    first = next(level for name, level, _, _ in LEVELS if name == results[0][0])
    chosen, _, _ = measure(program, first, quick, (OURS, OURS))
    text, notes = table(results, chosen)
    print(text, *notes, sep="\n")
    if quick or len(results) < len(LEVELS):
        return print("incomplete run: LEVELS.md is unchanged", file=sys.stderr)
    compiled = "; ".join(f"{name}: `{options}`" for name, _, options, _ in LEVELS)
    (HERE / "LEVELS.md").write_text(f"""# Speed at each SIMD level

monomorph at each of its x86 SIMD levels, compared with plain loops that the compiler vectorized for the same level, on one core of the
same machine, in one run:

```text
benches/levels.py
```

{text}

Each level's column shows monomorph's time; next to it are the ratio to the time with {results[0][0]}, and the time of the loops divided by ours.
“Chosen at run time” is a program compiled for any processor, Cargo's default, which detects {results[0][0]} at startup: its time divided by that
of the program compiled for {results[0][0]} as a whole. The workloads and the method are those of [`RESULTS.md`](RESULTS.md): outputs and losses
are compared before anything is timed, and each time is the minimum over many windows. The loops are [`plain.rs`](peers/src/plain.rs), with
compile-time sizes for dense layers, and run-time sizes except for the channels of convolutions; they use fused multiply-adds where the
level has them, as monomorph does.

A register holds 16, 8 and 4 numbers at the three levels, so compute-bound work should take two and four times as long as at the first;
SSE2 has neither a fused multiply-add nor a broadcast load, which costs it another fifth. Wide128, Digits128, Digits512 and Anomaly wait
for their weights from the L2 and L3 caches; narrower registers read these nearly as fast, and here the loops come closest to ours.
Multiply-adds in registers alone, the peak of the core: {", ".join(peaks)}.

Each level's program is compiled for that level as a whole: {compiled}.

- Machine: {render.machine()}.
- Measured on {datetime.date.today()}, monomorph at commit {render.command("git", "rev-parse", "--short", "HEAD")}, {render.command("rustc", "--version")}.
{chr(10).join("- " + note for note in notes)}
""")


if __name__ == "__main__":
    main()
