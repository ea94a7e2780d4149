#!/usr/bin/env bash
# Builds the page's WebAssembly module.
#
#   bash run.sh           install missing packages, if run as root on Debian; build; print how to open the page
#   bash run.sh --test    also test the page in a headless Chromium; give a file name to save a screenshot
#   bash run.sh --check   only list missing packages, those of --test included
#
# Exits with status 3 if something is missing or Chromium does not start.
set -euo pipefail
cd "$(dirname "$0")"

target=wasm32-unknown-unknown
weights=../firmware/weights/digits.safetensors
oldest=89 # The minimum supported Rust version is 1.89.

# Whether the compiler with this sysroot has the target's libraries.
has_target() { [[ -d $1/lib/rustlib/$target/lib ]]; }
is_new_enough() { [[ $("$1" --version) =~ ^rustc\ 1\.([0-9]+) ]] && ((BASH_REMATCH[1] >= oldest)); }

# Every Rust except Debian's includes the linker; any of them will do.
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
        # Debian's packages of a newer Rust, which include the source of `core`.
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
    echo "run.sh: missing packages; on Debian: apt-get install --no-install-recommends ${missing[*]}" >&2
    [[ $toolchain != debian ]] || echo "run.sh: to use your own Rust instead of Debian's: rustup target add $target" >&2
    exit 3
fi
[[ ${1-} != --check ]] || exit 0

# 128-bit SIMD: all browsers have supported it since 2023.
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
echo "digits.wasm: $size bytes, for a weights file of $parameters bytes ($toolchain)"
if ((size > parameters + 20 * 1024)); then
    echo 'run.sh: more than 20 KiB besides the weights' >&2
    exit 1
fi
if [[ ${1-} == --test ]]; then
    cargo build --quiet --locked --release --bin on_the_pc
    python3 test.py "$CARGO_TARGET_DIR/release/on_the_pc" "${@:2}"
else
    echo "to open it: python3 -m http.server --directory '$PWD', then http://localhost:8000 in a browser"
fi
