//! Whole networks: what a user relies on.

mod allocations;
mod checkpoints;
mod determinism;
mod gradients;
mod graphs;
mod include;
mod parallel;
mod plan;
mod properties;
mod real_networks;
mod reference;
mod small_stack;
mod stored;
mod structure;
