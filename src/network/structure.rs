//! The hash that identifies a network: names, kinds and shapes of its layers and tensors, and the number types.

use crate::bytes::{SEED, fnv};
use crate::parameters::Entry;
use crate::scalar::Scalar;
use crate::summary::Node;

/// Hashes a text with its length, so that consecutive texts cannot be confused.
const fn text(hash: u64, text: &str) -> u64 {
    fnv(number(hash, text.len()), text.as_bytes())
}

const fn number(hash: u64, number: usize) -> u64 {
    fnv(hash, &(number as u64).to_le_bytes())
}

const fn numbers(mut hash: u64, numbers: &[usize]) -> u64 {
    hash = number(hash, numbers.len());
    let mut index = 0;
    while index < numbers.len() {
        hash = number(hash, numbers[index]);
        index += 1;
    }
    hash
}

/// A hash of the structure of a network.
pub(super) const fn structure<T: Scalar>(entries: &[Entry], graph: &[Node]) -> u64 {
    let (mut hash, mut index) = (text(SEED, T::NAME), 0);
    while index < graph.len() {
        let node = &graph[index];
        hash = numbers(numbers(text(text(hash, node.name), node.kind), node.inputs), node.shape);
        index += 1;
    }
    tensors(hash, entries)
}

/// The hash of the same network with its weights packed in a format, and with packed nested networks.
pub const fn structure_packed(hash: u64, format: &str, inside: &[u64]) -> u64 {
    let (mut hash, mut index) = (text(hash, format), 0);
    while index < inside.len() {
        hash = fnv(hash, &inside[index].to_le_bytes());
        index += 1;
    }
    hash
}

const fn tensors(mut hash: u64, entries: &[Entry]) -> u64 {
    hash = number(hash, entries.len());
    let mut index = 0;
    while index < entries.len() {
        hash = match &entries[index] {
            Entry::Tensor(tensor) => numbers(text(hash, tensor.name), tensor.shape),
            Entry::Layer(name, inner) => tensors(text(hash, name), inner),
            Entry::Padding(len) => number(hash, *len),
        };
        index += 1;
    }
    hash
}
