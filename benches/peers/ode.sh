#!/usr/bin/env bash
# A training step of a neural ODE by monomorph, torchdiffeq and diffrax, on one core: prints a table of times and ratios.
#
#   benches/peers/ode.sh      a minute, plus several to build and install the first time
#
# Needs cargo, python3 with venv, and taskset (util-linux). CORE=n selects the core; PYTHON=path a Python with the libraries.
set -euo pipefail
cd "$(dirname "$0")/../.."

core=${CORE:-$(($(nproc) - 1))}
target=${CARGO_TARGET_DIR:-$PWD/target}
results=$target/ode.jsonl
export OMP_NUM_THREADS=1 XLA_FLAGS="--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"

cargo bench --quiet --bench ode --no-run
python=${PYTHON:-$target/ode-venv/bin/python}
if [[ ! -x $python ]]; then
    python3 -m venv "$target/ode-venv"
    "$python" -m pip install --quiet --disable-pip-version-check torch torchdiffeq jax diffrax
fi
taskset -c "$core" cargo bench --quiet --bench ode 2>/dev/null | grep '^{' >"$results"
taskset -c "$core" "$python" benches/peers/ode.py "$results"
printf 'Processor: %s\n' "$(sed -n 's/^model name\s*: //p' /proc/cpuinfo | head -n 1)"
