#!/usr/bin/env bash
# Builds the page's WebAssembly module.
#
#   bash run.sh           install what is missing, if this is root on a Debian; build; say how to open the page
#   bash run.sh --test    the same, and try the page out in a headless Chromium; a file name behind it gets a screenshot
#   bash run.sh --check   only say what is missing for that
#
# Ends with status 3 if something is missing, or Chromium does not start.
set -euo pipefail
cd "$(dirname "$0")"

target=wasm32-unknown-unknown
weights=../firmware/weights/digits.safetensors
oldest=89 # The minimum supported Rust version is 1.89.

# Whether a compiler, by its system root, has the target's libraries.
has_target() { [[ -d $1/lib/rustlib/$target/lib ]]; }
is_new_enough() { [[ $("$1" --version) =~ ^rustc\ 1\.([0-9]+) ]] && ((BASH_REMATCH[1] >= oldest)); }

# The linker is part of every Rust but Debian's; any will do.
linker() {
    local found
    for found in "$(rustc --print sysroot 2>/dev/null)"/lib/rustlib/*/bin/rust-lld "$(command -v wasm-ld)"; do
        [[ ! -x $found ]] || { echo "$found"; return; }
    done
}

missing=()
look() {
    missing=() toolchain=rustup
    if ! command -v rustc >/dev/null || ! is_new_enough rustc || ! has_target "$(rustc --print sysroot)"; then
        # Debian's packages of a newer Rust, which have the source of `core`.
        toolchain=debian
        if [[ ! -x /usr/bin/rustc ]] || ! is_new_enough /usr/bin/rustc; then missing+=(rustc-web cargo-web); fi
        [[ -f /usr/lib/rustlib/src/rust/library/core/Cargo.toml ]] || missing+=(rust-web-src)
        [[ -n $(linker) ]] || missing+=(lld)
    fi
    [[ -z ${1-} ]] || command -v chromium >/dev/null || missing+=(chromium)
}

look "$@"
if ((${#missing[@]})) && [[ ${1-} != --check && $EUID == 0 ]] && command -v apt-get >/dev/null; then
    echo "installing ${missing[*]}"
    (apt-get -qq update && apt-get -qq install --yes --no-install-recommends "${missing[@]}") >/dev/null || true
    look "$@"
fi
if ((${#missing[@]})); then
    echo "run.sh: missing; on a Debian: apt-get install --no-install-recommends ${missing[*]}" >&2
    [[ $toolchain != debian ]] || echo "run.sh: instead of Rust from Debian: rustup target add $target" >&2
    exit 3
fi
[[ ${1-} != --check ]] || exit 0

# SIMD of 128 bits: all browsers have had it since 2023.
build=(build --quiet --locked --release --lib --target "$target")
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$PWD/target}"
export CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS='-Ctarget-feature=+simd128'
if [[ $toolchain == rustup ]]; then
    cargo "${build[@]}"
else
    CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER=$(linker) RUSTC_BOOTSTRAP=1 RUSTC=/usr/bin/rustc \
        /usr/bin/cargo "${build[@]}" -Zbuild-std=core,panic_abort
fi
cp "$CARGO_TARGET_DIR/$target/release/digits.wasm" digits.wasm

size=$(stat -c %s digits.wasm) parameters=$(stat -c %s "$weights")
echo "digits.wasm: $size bytes, for a file of weights of $parameters ($toolchain)"
if ((size > parameters + 20 * 1024)); then
    echo 'run.sh: that is more than 20 KiB beside the weights' >&2
    exit 1
fi
if [[ ${1-} == --test ]]; then
    cargo build --quiet --locked --release --bin on_the_pc
    python3 test.py "$CARGO_TARGET_DIR/release/on_the_pc" "${@:2}"
else
    echo "to open it: python3 -m http.server --directory '$PWD', then http://localhost:8000 in a browser"
fi
