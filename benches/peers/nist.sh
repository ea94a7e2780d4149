#!/usr/bin/env bash
# Fits NIST's 27 problems of nonlinear least squares from both starts with monomorph, with the crate levenberg-marquardt and
# with SciPy from Python, on one core, and prints a table of times and digits; --all adds every single fit.
#
#   benches/peers/nist.sh [--all]      half a minute, plus two to build and install the first time
#
# Needs cargo, python3 with venv, and taskset (util-linux). CORE=n selects the core.
set -euo pipefail
cd "$(dirname "$0")"

core=${CORE:-$(($(nproc) - 1))}
target=${CARGO_TARGET_DIR:-$PWD/target}
venv=$target/nist-venv results=$target/nist.jsonl
mkdir -p "$target"
export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1

RUSTFLAGS='-C target-cpu=native' cargo build --quiet --release --no-default-features --features nist --bin nist
[[ -x $venv/bin/python ]] || python3 -m venv "$venv"
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check numpy==2.4.6 scipy==1.17.1

taskset -c "$core" "$target/release/nist" ../../data/nist >"$results"
taskset -c "$core" "$venv/bin/python" nist.py ../../data/nist "$results" "$@"
printf 'Processor: %s\n' "$(sed -n 's/^model name\s*: //p' /proc/cpuinfo | head -n 1)"
