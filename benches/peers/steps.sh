#!/usr/bin/env bash
# Steps on one core that are not those of a plain network: an equation in the derivatives of a network by its inputs
# (physics-informed), against PyTorch's autograd and JAX; and optimizers over a million parameters, against PyTorch's
# fused ones.
#
#   benches/peers/steps.sh             two minutes, plus three to build and install the first time
#
# Needs cargo, python3 with venv, and taskset (util-linux). CORE=n selects the core, VENV=folder a virtual environment that
# has torch and jax.
set -euo pipefail
cd "$(dirname "$0")"

core=${CORE:-$(($(nproc) - 1))}
target=${CARGO_TARGET_DIR:-$PWD/target}
venv=${VENV:-$target/steps-venv} results=$target/steps.jsonl
mkdir -p "$target"
export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 MKL_NUM_THREADS=1
export XLA_FLAGS='--xla_cpu_multi_thread_eigen=false' JAX_ENABLE_X64=1 JAX_PLATFORMS=cpu

RUSTFLAGS='-C target-cpu=native' cargo build --quiet --release --no-default-features --features steps --bin steps
if [[ -z ${VENV-} ]]; then
    [[ -x $venv/bin/python ]] || python3 -m venv "$venv"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check torch==2.15.0 jax==0.10.2 numpy==2.4.6
fi

taskset -c "$core" "$target/release/steps" >"$results"
taskset -c "$core" "$venv/bin/python" steps.py "$results"
printf 'Processor: %s\n' "$(sed -n 's/^model name\s*: //p' /proc/cpuinfo | head -n 1)"
