#!/usr/bin/env bash
# Trainings by this library, by RLtools with MKL and by Stable-Baselines3, one after another on one core:
#   bash benches/rl/run.sh [ROUNDS]
# The others come from PyPI, into `target/rl`; it takes some minutes and 6 GB.
set -euo pipefail
cd "$(dirname "$0")"
target=${RL_TARGET:-$PWD/../../target/rl} rounds=${1:-5}
mkdir -p "$target"
venv=${RL_VENV:-$target/venv}
if [[ ! -x $venv/bin/python ]]; then
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet 'rltools[mkl]==2.2.1' stable-baselines3
fi
headers=$("$venv/bin/python" -c 'import importlib.util as u; print(u.find_spec("rltools").submodule_search_locations[0])')
# Its documented settings.
g++ -std=c++17 -O3 -ffast-math -march=native -I "$headers/external/rl_tools/include" rltools.cpp \
    -DRL_TOOLS_BACKEND_ENABLE_MKL -DRL_TOOLS_DISABLE_UNALIGNED_MEMORY_ALLOCATIONS -I "$venv/include" \
    "$venv"/lib/libmkl_rt.so.* "-Wl,-rpath,$venv/lib" -o "$target/rltools"
CARGO_TARGET_DIR=$target cargo build --quiet --release
export MKL_NUM_THREADS=1 OMP_NUM_THREADS=1
for ((round = 0; round < rounds; round++)); do
    echo "monomorph: $(taskset -c 1 "$target/release/rl" "$round" | tr '\n' ' ')"
    echo "RLtools:   $(taskset -c 1 "$target/rltools" "$round" | tr '\n' ' ')"
done
echo "Stable-Baselines3: $(taskset -c 1 "$venv/bin/python" sb3.py 2>/dev/null)"
"$target/release/rl" 0 --steps
