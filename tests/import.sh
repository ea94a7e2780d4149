#!/usr/bin/env bash
# Compiles the networks of MLPerf Tiny from their ONNX and TensorFlow Lite files, and compares what they give with the
# TensorFlow Lite interpreter's numbers. The models are no part of this package: without them it says so and does nothing.
set -euo pipefail
cd "$(dirname "$0")/.."

models=../shared/models/mlperf-tiny
if [[ ! -d $models ]]; then
    echo "skipped: there is no $models"
    exit 0
fi
cargo run --quiet --release --manifest-path tests/mlperf_tiny/Cargo.toml
