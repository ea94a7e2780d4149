//! Whole networks: the properties that users rely on.

mod allocations;
mod checkpoints;
mod determinism;
mod dual;
mod floors;
mod gradients;
mod graphs;
mod hygiene;
mod include;
mod inputs;
mod numbers;
mod optimizers;
mod packed;
mod parallel;
mod plan;
mod properties;
mod real_networks;
mod reference;
mod sizes;
mod small_stack;
mod streaming;
mod structure;
mod terms;
