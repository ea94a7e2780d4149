//! Whole networks: what a user relies on.

mod allocations;
mod checkpoints;
mod determinism;
mod gradients;
mod include;
mod properties;
mod reference;
mod small_stack;
mod structure;
