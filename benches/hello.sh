#!/usr/bin/env bash
# Measures a clean release build of a program with one small network, without and with the
# default features, in seconds. Downloads are not counted.
set -euo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/src"
cat > "$work/src/main.rs" <<'RUST'
#![forbid(unsafe_code)]
use monomorph::prelude::*;

network! { pub Hello: [3] -> [2] { Dense(4), Tanh, Dense(2), Softmax } }

fn main() {
    println!("{:?}", Hello::zeroed().evaluate(&[1.0, 2.0, 3.0]));
}
RUST
for features in false true; do
    cat > "$work/Cargo.toml" <<TOML
[package]
name = "hello"
version = "0.0.0"
edition = "2024"

[dependencies]
monomorph = { path = "$here", default-features = $features }

[workspace]
TOML
    (cd "$work" && cargo fetch --quiet && rm -rf target)
    start=$(date +%s.%N)
    (cd "$work" && cargo build --quiet --release)
    printf 'default features %-5s  %.1f s\n' "$features" "$(awk "BEGIN { print $(date +%s.%N) - $start }")"
    "$work/target/release/hello"
done
