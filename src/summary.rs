//! What a network consists of, to look at.

/// A node of a network's graph: an input, a layer, a sum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Node {
    /// Its name in the network, such as `conv1`.
    pub name: &'static str,
    /// What it is, such as `Conv2d`; `input` for an input.
    pub kind: &'static str,
    /// The nodes it reads, by their index.
    pub inputs: &'static [usize],
    /// The shape of what it gives.
    pub shape: &'static [usize],
    /// How many parameters it has, running statistics included; 0 where they were counted before,
    /// for a layer that is used again.
    pub parameters: usize,
    /// Its multiply-accumulate operations.
    pub macs: usize,
}
