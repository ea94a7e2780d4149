#!/usr/bin/env bash
# Runs the tests at the NEON level on a PC: compiled for 64-bit Arm, on an emulated processor (QEMU).
#
#   bash tests/neon.sh           install missing packages, if run as root on Debian; run the library's tests
#                                (every kernel and layer against its references) and a training run against PyTorch's
#   bash tests/neon.sh --all     also run tests/suite, which takes a quarter of an hour more
#   bash tests/neon.sh --check   only list missing packages
#
# Exits with status 3 if something is missing. On an Arm machine, `cargo test` is enough.
set -euo pipefail
cd "$(dirname "$0")/.."

target=aarch64-unknown-linux-gnu
oldest=89 # The minimum supported Rust version is 1.89.

# Whether the compiler with this sysroot has the target's libraries, or the source to build them from.
has_target() { [[ -d $1/lib/rustlib/$target/lib ]]; }
has_source() { [[ -f $1/lib/rustlib/src/rust/library/std/Cargo.toml ]]; }
is_new_enough() { [[ $("$1" --version) =~ ^rustc\ 1\.([0-9]+) ]] && ((BASH_REMATCH[1] >= oldest)); }

need() { command -v "$1" >/dev/null || missing+=("${@:2}"); }
look() {
    missing=() toolchain=none
    need qemu-aarch64 qemu-user
    need aarch64-linux-gnu-gcc gcc-aarch64-linux-gnu libc6-dev-arm64-cross
    if command -v rustc >/dev/null && is_new_enough rustc; then
        root=$(rustc --print sysroot)
        if has_target "$root"; then toolchain=target; elif has_source "$root"; then toolchain=source; fi
    fi
    if [[ $toolchain == none ]]; then
        # Debian's packages of a newer Rust, which include the source of `std`.
        toolchain=debian
        if [[ ! -x /usr/bin/rustc ]] || ! is_new_enough /usr/bin/rustc; then missing+=(rustc-web cargo-web); fi
        has_source /usr || missing+=(rust-web-src)
    fi
}

look
if ((${#missing[@]})) && [[ ${1-} != --check && $EUID == 0 ]] && command -v apt-get >/dev/null; then
    echo "installing ${missing[*]}"
    (apt-get -qq update && apt-get -qq install --yes --no-install-recommends "${missing[@]}") >/dev/null || true
    look
fi
if ((${#missing[@]})); then
    echo "neon.sh: missing packages; on Debian: apt-get install --no-install-recommends ${missing[*]}" >&2
    [[ $toolchain != debian ]] || echo "neon.sh: to use your own Rust instead of Debian's: rustup target add $target" >&2
    exit 3
fi
[[ ${1-} != --check ]] || exit 0

export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc
export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER='qemu-aarch64 -L /usr/aarch64-linux-gnu'
cargo=cargo options=(--target "$target")
if [[ $toolchain != target ]]; then
    options+=(-Zbuild-std=std,panic_unwind,test)
    export RUSTC_BOOTSTRAP=1
fi
if [[ $toolchain == debian ]]; then
    # Keep the output separate from the default compiler's.
    cargo=/usr/bin/cargo
    export RUSTC=/usr/bin/rustc CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$PWD/target}/neon
fi
echo "$("${RUSTC:-rustc}" --version), std from: $toolchain; $(qemu-aarch64 --version | head -n 1)"
if [[ ${1-} == --all ]]; then
    "$cargo" test --locked --lib --test reference --test suite "${options[@]}"
else
    # This test trains two critics, which takes minutes here, by kernels that have tests of their own.
    "$cargo" test --locked --lib --test reference "${options[@]}" -- --skip loss::information::tests::estimates
fi
