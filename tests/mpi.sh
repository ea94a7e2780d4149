#!/usr/bin/env bash
# Trains over MPI, on this machine: two ranks give the losses of one, a rank that ends stops the others, and training
# resumes from the checkpoint bit by bit.
#
#   bash tests/mpi.sh             install missing packages, if run as root on Debian; run the checks
#   bash tests/mpi.sh --measure   also measure how much faster two ranks are than one; nothing else should be running
#   bash tests/mpi.sh --check     only list missing packages
#
# Exits with status 3 if something is missing.
set -euo pipefail
cd "$(dirname "$0")/../mpi"

look() {
    missing=()
    command -v mpirun >/dev/null || missing+=(openmpi-bin)
    command -v mpicc >/dev/null || missing+=(libopenmpi-dev)
    # The bindings are generated from the headers that are installed.
    compgen -G '/usr/lib/llvm-*/lib/libclang*.so*' >/dev/null || [[ -n ${LIBCLANG_PATH-} ]] || missing+=(libclang-dev)
}
look
if ((${#missing[@]})) && [[ ${1-} != --check && $EUID == 0 ]] && command -v apt-get >/dev/null; then
    echo "installing ${missing[*]}"
    (apt-get -qq update && apt-get -qq install --yes --no-install-recommends "${missing[@]}") >/dev/null 2>&1 || true
    look
fi
if ((${#missing[@]})); then
    echo "mpi.sh: missing packages; on Debian: apt-get install --no-install-recommends ${missing[*]}" >&2
    exit 3
fi
[[ ${1-} != --check ]] || exit 0

cargo build --quiet --locked --release --example digits
digits=${CARGO_TARGET_DIR:-target}/release/examples/digits
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

# Open MPI refuses to start as root, and to start more processes than there are cores, unless it is told to.
ranks() { # COUNT ARGUMENTS..
    local count=$1
    shift
    OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 mpirun --oversubscribe -n "$count" "$digits" "$@"
}
fail() { echo "mpi.sh: $*" >&2; exit 1; }

ranks 1 --steps 60 | grep ^step >"$out/one"
ranks 2 --steps 60 --weights "$out/whole.safetensors" | grep ^step >"$out/two"
paste "$out/one" "$out/two" | awk '{ apart = $4 - $8; if (apart < 0) apart = -apart; if (apart > 1e-4 * $4) exit 1 }' ||
    fail 'two ranks give other losses than one'
echo "two ranks give the losses of one: $(tail -n 1 "$out/two")"

if ranks 2 --steps 60 --save "$out/checkpoint" --every 20 --fail 45 >"$out/failed" 2>&1; then
    fail 'the other rank goes on after one has failed'
fi
failed=$(sed -n 's/.*Process name: \[\[.*\],\([0-9]*\)\].*/\1/p' "$out/failed")
[[ $failed == 1 ]] || fail "nobody says which rank failed: $(cat "$out/failed")"
echo "a rank that fails stops the others, and MPI names it: rank $failed"

ranks 2 --steps 60 --resume "$out/checkpoint" --weights "$out/resumed.safetensors" >/dev/null
cmp "$out/whole.safetensors" "$out/resumed.safetensors" || fail 'a resumed training gives other weights'
echo 'a resumed training gives the same weights, bit by bit'

if [[ ${1-} == --measure ]]; then
    for count in 1 2; do ranks "$count" --steps 1000 | tail -n 1; done | tee "$out/speed"
    awk '/^1 ranks/ { one = $3 } /^2 ranks/ { two = $3 } END { printf "two ranks are %.2f times as fast as one\n", two / one }' "$out/speed"
fi
