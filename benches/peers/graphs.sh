#!/usr/bin/env bash
# Measures an epoch of the graph convolutional network on Cora against PyTorch Geometric and against PyTorch's sparse
# matrices, and the scattering of digits against Kymatio's NumPy and PyTorch; each on one core, both sides in one run.
#
#   benches/peers/graphs.sh CORA      CORA is the folder of the example `cora`; two minutes, plus the installation
#
# Needs cargo, python3 with venv, and taskset (util-linux). CORE=n selects the core; VENV a virtual environment that has
# the packages already.
set -euo pipefail
cora=$(realpath "${1:?the folder of Cora}")
cd "$(dirname "$0")"

core=${CORE:-$(($(nproc) - 1))}
target=${CARGO_TARGET_DIR:-$PWD/../../target}
venv=${VENV:-$target/graphs-venv}
export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 MKL_NUM_THREADS=1 RAYON_NUM_THREADS=1

(cd ../.. && cargo build --quiet --release --example cora --example scattering)
if [[ ! -x $venv/bin/python ]]; then
    python3 -m venv "$venv"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check \
        numpy==2.4.6 scipy==1.16.3 torch==2.15.0 torch_geometric==2.8.1 kymatio==0.3.0
fi
taskset -c "$core" "$venv/bin/python" graphs.py "$cora" "$target/release/examples" ../../data/mnist
printf 'Processor: %s\n' "$(sed -n 's/^model name\s*: //p' /proc/cpuinfo | head -n 1)"
