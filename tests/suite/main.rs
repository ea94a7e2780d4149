//! Whole networks: the properties that users rely on.

mod allocations;
mod attention;
mod audio;
mod checkpoints;
mod determinism;
mod dual;
#[cfg(unix)]
mod files;
mod floors;
mod generic;
mod gradients;
mod graphs;
mod hygiene;
mod include;
mod inputs;
mod layers;
mod losses;
mod numbers;
mod onnx;
mod optimizers;
mod packed;
mod parallel;
mod plan;
mod properties;
mod readme;
mod real_networks;
mod recurrent;
mod reference;
mod refusals;
mod sizes;
mod small_stack;
mod stories;
mod streaming;
mod structure;
mod terms;
