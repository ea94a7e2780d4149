#!/usr/bin/env bash
# Times a step of Bayes by backprop (784-400-400-10, local reparameterization, Adam) in monomorph, PyTorch and JAX, on one core
# and one thread, after comparing their losses, and prints a table.
#
#   benches/peers/bayes.sh      a minute, plus a few to build and install the first time
#
# Needs cargo, python3 with venv, taskset (util-linux), and g++ for PyTorch's compiler. CORE=n selects the core, VENV=folder a
# virtual environment that is there.
set -euo pipefail
cd "$(dirname "$0")"

core=${CORE:-$(($(nproc) - 1))}
target=${CARGO_TARGET_DIR:-$PWD/target}
venv=${VENV:-$target/bayes-venv} results=$target/bayes.jsonl
mkdir -p "$target"
export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 MKL_NUM_THREADS=1
export XLA_FLAGS='--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1'

RUSTFLAGS='-C target-cpu=native' cargo build --quiet --release --no-default-features --features bayes --bin bayes
if [[ ! -x $venv/bin/python ]]; then
    python3 -m venv "$venv"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check numpy==2.4.6 torch==2.15.0 jax==0.10.2
fi

taskset -c "$core" "$target/release/bayes" >"$results"
taskset -c "$core" "$venv/bin/python" bayes.py "$results"
printf 'Processor: %s\n' "$(sed -n 's/^model name\s*: //p' /proc/cpuinfo | head -n 1)"
