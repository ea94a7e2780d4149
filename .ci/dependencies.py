"""Checks the promises about dependencies: the core's tree stays small, and none of them needs a
newer Rust than the crate states."""

import json
import subprocess
import sys

# Crates of others that the core builds. Our own, the library, its macro and the shape rules that these two share, come
# from the same source and are no further dependency.
MOST_OTHERS = 6
OURS = {"monomorph", "monomorph-macros", "monomorph-shapes", "monomorph-files"}


def cargo(*arguments):
    return subprocess.run(["cargo", *arguments], check=True, capture_output=True, text=True).stdout


def version(text):
    return tuple(int(part) for part in (text + ".0.0").split(".")[:3])


tree = cargo("tree", "--no-default-features", "--edges", "normal,build", "--prefix", "none", "--no-dedupe")
crates = sorted({line.split()[0] for line in tree.splitlines() if line.strip()})
others = [crate for crate in crates if crate not in OURS]
print(f"the core builds {len(others)} crates of others: {', '.join(others)}")
if len(others) > MOST_OTHERS:
    sys.exit(f"that is more than {MOST_OTHERS}")

metadata = json.loads(cargo("metadata", "--format-version", "1", "--all-features"))
packages = {package["id"]: package for package in metadata["packages"]}
nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}
ours = next(package for package in metadata["packages"] if package["name"] == "monomorph")
stated = version(ours["rust_version"])

# Only what users build: development tools may be newer.
reached, queue = set(), [ours["id"]]
while queue:
    node = nodes[queue.pop()]
    if node["id"] in reached:
        continue
    reached.add(node["id"])
    for dependency in node["deps"]:
        if any(kind["kind"] != "dev" for kind in dependency["dep_kinds"]):
            queue.append(dependency["pkg"])
newer = [
    f"{packages[crate]['name']} needs {packages[crate]['rust_version']}"
    for crate in reached
    if packages[crate]["rust_version"] and version(packages[crate]["rust_version"]) > stated
]
print(f"{len(reached)} crates with all features; stated minimum {ours['rust_version']}")
if newer:
    sys.exit("; ".join(newer))
