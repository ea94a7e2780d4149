#!/usr/bin/env bash
# Builds the firmware for all six microcontrollers, runs it in QEMU, compares its results with this PC's,
# checks the guarantees in the README, and prints a table.
#
#   bash run.sh           install missing packages, if run as root on Debian; build; run
#   bash run.sh --check   only list missing packages
#
# Exits with status 3 if something is missing.
set -euo pipefail
cd "$(dirname "$0")"

targets=(thumbv7em-none-eabihf thumbv7m-none-eabi thumbv6m-none-eabi riscv32imac-unknown-none-elf
    riscv32imafc-unknown-none-elf)
oldest=89 # The minimum supported Rust version is 1.89.

# Whether the compiler with this sysroot has the libraries of all targets.
has_targets() { for target in "${targets[@]}"; do [[ -d $1/lib/rustlib/$target/lib ]] || return 1; done; }
is_new_enough() { [[ $("$1" --version) =~ ^rustc\ 1\.([0-9]+) ]] && ((BASH_REMATCH[1] >= oldest)); }

missing=()
need() { command -v "$1" >/dev/null || missing+=("$2"); }
look() {
    missing=()
    need qemu-system-arm qemu-system-arm
    need qemu-system-riscv32 qemu-system-misc
    need arm-none-eabi-gcc gcc-arm-none-eabi
    toolchain=rustup
    if ! command -v rustc >/dev/null || ! is_new_enough rustc || ! has_targets "$(rustc --print sysroot)"; then
        # Debian's packages of a newer Rust, which include the source of `core` but no linker.
        toolchain=debian
        if [[ ! -x /usr/bin/rustc ]] || ! is_new_enough /usr/bin/rustc; then missing+=(rustc-web cargo-web); fi
        [[ -f /usr/lib/rustlib/src/rust/library/core/Cargo.toml ]] || missing+=(rust-web-src)
        need riscv64-unknown-elf-ld binutils-riscv64-unknown-elf
    fi
}

look
if ((${#missing[@]})) && [[ ${1-} != --check && $EUID == 0 ]] && command -v apt-get >/dev/null; then
    echo "installing ${missing[*]}"
    (apt-get -qq update && apt-get -qq install --yes --no-install-recommends "${missing[@]}") >/dev/null || true
    look
fi
if ((${#missing[@]})); then
    echo "run.sh: missing packages; on Debian: apt-get install --no-install-recommends ${missing[*]}" >&2
    [[ $toolchain != debian ]] ||
        echo "run.sh: to use your own Rust instead of Debian's: rustup target add ${targets[*]}" >&2
    exit 3
fi

cargo=cargo flags=()
if [[ $toolchain == debian ]]; then
    cargo=/usr/bin/cargo flags=(-Zbuild-std=core)
    export RUSTC_BOOTSTRAP=1 RUSTC=/usr/bin/rustc
    for target in "${targets[@]}"; do
        name=CARGO_TARGET_$(tr a-z- A-Z_ <<<"$target")
        case $target in
        riscv*) linker=riscv64-unknown-elf-ld options='-Clink-arg=-melf32lriscv' ;;
        *) linker=arm-none-eabi-ld options= ;;
        esac
        export "${name}_LINKER=$linker" "${name}_RUSTFLAGS=-Clinker-flavor=ld $options"
    done
fi
echo "$("${RUSTC:-rustc}" --version), $toolchain; $(qemu-system-arm --version | head -n 1)"
[[ ${1-} != --check ]] || exit 0

export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$PWD/target}"
# The programs for the PC need not be fast.
CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_OPT_LEVEL=1 CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 \
    "$cargo" build --quiet --locked --release --bins
header=$(cat c/digits.h)
export DEFMT_LOG=info
# All processors of one architecture in one build, to keep all cores busy. (Building both architectures together would
# mix up their features.)
for architecture in thumb riscv; do
    group=()
    for target in "${targets[@]}"; do [[ $target != $architecture* ]] || group+=("--target=$target"); done
    "$cargo" build --quiet --locked --release "${flags[@]}" "${group[@]}" -p firmware --features firmware/defmt
done
"$cargo" build --quiet --locked --release "${flags[@]}" "--target=${targets[0]}" -p digits-c
# Reinforcement learning; it needs more RAM than the others.
"$cargo" build --quiet --locked --release "${flags[@]}" "--target=${targets[0]}" -p pendulum
# A language model, if it is there. (It is not ours to give.)
models=${MONOMORPH_MODELS:-../../../shared/models}
if [[ -f $models/llama/stories260K.bin ]]; then
    STORIES=$(realpath "$models/llama")
    export STORIES
    "$cargo" build --quiet --locked --release "${flags[@]}" "--target=${targets[0]}" -p stories
fi
if [[ $header != "$(cat c/digits.h)" ]]; then
    echo 'run.sh: the C functions have changed, so c/digits.h was regenerated; review and commit it' >&2
    exit 1
fi

# The same network in a C program.
arm-none-eabi-gcc -mcpu=cortex-m4 -mthumb -mfloat-abi=hard -mfpu=fpv4-sp-d16 -O2 -std=c11 -Wall -Wextra -Werror \
    -ffreestanding -nostdlib -Wl,--gc-sections -Wl,-z,noexecstack -T c/link.ld -I c c/start.c c/main.c -Wa,-I,c c/images.s \
    -L "$CARGO_TARGET_DIR/thumbv7em-none-eabihf/release" -ldigits \
    -o "$CARGO_TARGET_DIR/thumbv7em-none-eabihf/release/digits_in_c"

python3 report.py "$CARGO_TARGET_DIR"
