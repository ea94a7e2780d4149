#!/usr/bin/env python3
"""Checks the machine code of three tiny networks, at two SIMD levels, and the functions of a larger one.

    python3 tests/codegen/check.py             # checks it
    UPDATE=1 python3 tests/codegen/check.py    # accepts the current code

An evaluation must not call anything (no panic, so no bounds check; no memcpy of weights), must keep
almost nothing on the stack, and must not move numbers of the network to where a branch could depend on
them, so it takes the same instructions for every input. With the compiler that produced the `.s` files
here, the code must match them exactly; accept an intended change with `UPDATE=1` and review the diff.

In the larger network, every large layer must be a separate function, and no other function may compute with
vectors, because it would be compiled without the instructions of its level.
"""

import difflib
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
FUNCTIONS = [f"{network}_{level}" for network in ["dense8", "conv3x3", "mlp"] for level in ["avx2", "avx512"]]
MOST_STACK = 256

MANIFEST = f"""[package]
name = "codegen"
version = "0.0.0"
edition = "2024"

[lib]
path = {json.dumps(str(HERE / "networks.rs"))}

[dependencies]
monomorph = {{ path = {json.dumps(str(ROOT))}, default-features = false, features = ["std"] }}

[workspace]
"""

# Instructions that no evaluation may contain.
FORBIDDEN = {
    r"call\b": "calls a function",
    r"jmp\s+(?!\.L)": "jumps to another function or to an address in a register",
    r"ud2|int3": "can crash",
    r"rep\b|(movs|stos)[bdq]\b": "copies memory",
    r"v?u?comis|v?ptest|vtestp|kortest|ktest": "compares numbers of the network for a branch",
    r"v?p?movmsk|kmov\w\s+[er]|v?mov[dq]\s+[er]|v?cvtt?s[sd]2si|v?pextr[bwdq]\b|v?extractps": "moves numbers of the network to an "
    "integer register",
    r"\w+\s+[er]\w+, (dword|word|byte) ptr|(cmp|test)\s+(dword|word|byte) ptr": "reads numbers of the network as integers",
}


def assembly() -> str:
    environment = {key: value for key, value in os.environ.items() if key not in ("RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS")}
    target = Path(environment.get("CARGO_TARGET_DIR", ROOT / "target")) / "codegen"
    output = target.resolve() / "networks.s"
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "Cargo.toml").write_text(MANIFEST)
        environment["CARGO_TARGET_DIR"] = str(target.resolve())
        flags = ["-Ccodegen-units=1", "-Csymbol-mangling-version=v0", "-Cllvm-args=-x86-asm-syntax=intel"]
        subprocess.run(
            ["cargo", "rustc", "--quiet", "--release", "--", f"--emit=asm={output}", *flags],
            cwd=folder,
            env=environment,
            check=True,
        )
    return output.read_text()


def functions(text: str) -> dict:
    """The instructions and labels of every function, without comments and directives."""
    found, body = {}, None
    for line in text.splitlines():
        line = line.split("#")[0].strip()
        if match := re.fullmatch(r'"?([A-Za-z_][\w.$]*)"?:', line):
            body = found.setdefault(match[1], [])
        elif line.startswith(".Lfunc_end"):
            body = None
        elif body is not None and line and (not line.startswith(".") or line.endswith(":")):
            body.append(line.replace("\t", " "))
    return found


def evaluation(found: dict, entry: str) -> list:
    """The network's function, which must be the only one that the entry point calls."""
    callees = [match[1] for line in found[entry] if (match := re.match(r"(?:call|jmp) .*?(_R\w+)", line))]
    if len(callees) != 1 or callees[0] not in found:
        sys.exit(f"{entry}: expected a call of one function, but it calls {callees}")
    return found[callees[0]]


def readable(body: list) -> str:
    """The code with labels numbered from 0, and without the compiler's hashes."""
    text = "\n".join(line if line.endswith(":") else f"    {line}" for line in body)
    for pattern, name in [(r"\.LBB\d+_\d+", ".L"), (r"\.LCPI\d+_\d+", ".constant"), (r"\.Lanon\.\w+\.\d+", ".static")]:
        for index, label in enumerate(dict.fromkeys(re.findall(pattern, text))):
            text = re.sub(re.escape(label) + r"\b", f"{name}{index}", text)
    return re.sub(r"17h[0-9a-f]{16}E", "E", re.sub(r"Cs[0-9A-Za-z]+_", "C_", text)) + "\n"


def check(name: str, body: list) -> list:
    problems = [
        f"{name}: `{line}` {what}"
        for line in body
        for pattern, what in FORBIDDEN.items()
        if re.match(pattern, line) and not line.endswith(":")
    ]
    stack = sum(int(match[1]) for line in body if (match := re.fullmatch(r"sub rsp, (\d+)", line)))
    if stack > MOST_STACK:
        problems.append(f"{name}: uses {stack} bytes of stack, more than {MOST_STACK}")
    return problems


def check_functions(found: dict) -> list:
    """Problems with how a network was divided into functions."""
    names = [name for name in found if re.search(r"9generated(4avx24Avx2|6avx5126Avx512)", name)]
    entries = r"9monomorph4simd5level(4avx2|6avx512)(3run|4call)"
    problems = [f"not compiled for its own level: {name}" for name in names if not re.search(entries, name)]
    layers = [name for name in names if re.search(r"9monomorph4simd5level6avx5124call10vectorized", name)]
    # Forward and backward of five layers.
    if len(layers) < 10:
        problems.append(f"LeNet5: its training step has only {len(layers)} functions; layers were merged")
    print(f"LeNet5: {len(layers)} functions at AVX-512")
    return problems


def main() -> None:
    version = subprocess.run(["rustc", "-vV"], capture_output=True, text=True, check=True).stdout
    about = dict(line.split(": ", 1) for line in version.splitlines() if ": " in line)
    if platform.machine() != "x86_64" or platform.system() != "Linux":
        return print(f"skipped: only the machine code of x86-64 Linux is checked, not that of {about['host']}")
    header = f"# {version.splitlines()[0]}, {about['host']}\n"
    found, changed = functions(assembly()), False
    problems = check_functions(found)
    for name in FUNCTIONS:
        body = evaluation(found, name)
        problems += check(name, body)
        text, file = header + readable(body), HERE / f"{name}.s"
        instructions = sum(not line.endswith(":") for line in body)
        recorded = file.read_text() if file.exists() else header
        if os.environ.get("UPDATE"):
            file.write_text(text)
            print(f"{name}: {instructions} instructions, written")
        elif not recorded.startswith(header):
            print(f"{name}: {instructions} instructions; not compared with those of {recorded.splitlines()[0][2:]}")
        elif recorded == text:
            print(f"{name}: {instructions} instructions, as recorded")
        else:
            changes = difflib.unified_diff(recorded.splitlines(), text.splitlines(), "recorded", "now", lineterm="", n=1)
            problems += [f"{name}: the machine code has changed:", *list(changes)[:60]]
            changed = True
    if changed:
        problems.append("If the change is intended: UPDATE=1 python3 tests/codegen/check.py")
    if problems:
        sys.exit("\n".join(problems))


if __name__ == "__main__":
    main()
