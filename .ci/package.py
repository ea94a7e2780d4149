"""Packages every crate of the workspace as for crates.io, and builds what is in the packages.

    python3 .ci/package.py          # a minute
    python3 .ci/package.py --test   # also runs the tests that are in the packages; ten minutes

The packages are unpacked outside of the workspace, so a file that is missing from them is found. The crates depend on
each other; since they need not be published, `patch` leads from one package to the others.
"""

import json
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# What the tests and examples of the library need.
FEATURES = {"monomorph": "audio-load,generic-array,idx,nalgebra,rayon"}


def cargo(*arguments, folder=ROOT, **options):
    done = subprocess.run(["cargo", *arguments], cwd=folder, text=True, **options)
    if done.returncode != 0:
        sys.exit(f"cargo {' '.join(arguments)} failed in {folder}")
    return done.stdout


metadata = json.loads(cargo("metadata", "--format-version", "1", "--no-deps", stdout=subprocess.PIPE))
# Those that are not published are tests.
crates = {package["name"]: package["version"] for package in metadata["packages"] if package["publish"] is None}
chosen = [argument for name in crates for argument in ("-p", name)]
cargo("package", *chosen, "--quiet", "--allow-dirty", "--no-verify")

with tempfile.TemporaryDirectory() as folder:
    folder = Path(folder)
    patches = ["[patch.crates-io]"]
    for name, version in crates.items():
        file = Path(metadata["target_directory"]) / "package" / f"{name}-{version}.crate"
        with tarfile.open(file) as package:
            package.extractall(folder, filter="data")
        patches.append(f"{name} = {{ path = {json.dumps(str(folder / f'{name}-{version}'))} }}")
        print(f"{file.name}: {file.stat().st_size / 1000:.0f} kB", flush=True)
    # In a file, so that the compile error tests, which run cargo themselves, find it too.
    (folder / ".cargo").mkdir()
    target = f"[build]\ntarget-dir = {json.dumps(str(folder / 'target'))}\n"
    (folder / ".cargo/config.toml").write_text("\n".join([target, *patches, ""]))
    for name, version in crates.items():
        crate = folder / f"{name}-{version}"
        if "--test" in sys.argv:
            features = ["--features", FEATURES[name]] if name in FEATURES else []
            cargo("test", *features, folder=crate)
        else:
            cargo("check", "--quiet", folder=crate)
print("the packages are complete")
