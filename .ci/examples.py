"""Runs every numbered example and compares its output with the one in its header."""

import pathlib
import re
import subprocess
import sys

failed = False
for path in sorted(pathlib.Path("examples").glob("[0-9]*.rs")):
    header = path.read_text().split("```text\n", 1)[1].split("//! ```", 1)[0]
    expected = "".join(re.sub(r"^//! ?", "", line) + "\n" for line in header.splitlines())
    command = ["cargo", "run", "--quiet", "--release", "--example", path.stem]
    actual = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    print(f"{path.stem}: {'as expected' if actual == expected else 'differs'}")
    if actual != expected:
        print(f"expected:\n{expected}\nactual:\n{actual}")
        failed = True
sys.exit(failed)
