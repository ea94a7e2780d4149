//! The initial values of recurrent layers: PyTorch's, or Keras'.

use crate::parameters::Start;

/// How the parameters of a layer with this cell begin.
pub trait Starts: Copy + 'static {
    /// How many gates there are, the candidate among them.
    const GATES: usize;
    /// Whether initial values are those of Keras instead of PyTorch's.
    const KERAS: bool;
    /// The gate whose bias begins at 1 in Keras, if there is one: Jozefowicz, Zaremba and Sutskever, *An empirical
    /// exploration of recurrent network architectures* (2015).
    const FORGET: Option<usize> = None;
}

/// `√x`.
const fn root(x: f64) -> f64 {
    // Newton's method from above, until it no longer gets smaller.
    let mut root = if x > 1.0 { x } else { 1.0 };
    loop {
        let next = 0.5 * (root + x / root);
        if next >= root {
            return root;
        }
        root = next;
    }
}

/// Uniform in `±1/√HIDDEN`: PyTorch's initial value of every tensor.
const fn pytorch(hidden: &[usize]) -> Start {
    Start::Uniform(1.0 / root(hidden[0] as f64))
}

pub(super) const fn weight_ih<C: Starts>(shape: &[usize], hidden: &[usize]) -> Start {
    if C::KERAS { Start::Uniform(root(6.0 / (shape[0] + shape[1]) as f64)) } else { pytorch(hidden) }
}

pub(super) const fn weight_hh<C: Starts>(hidden: &[usize]) -> Start {
    if C::KERAS { Start::Orthogonal } else { pytorch(hidden) }
}

pub(super) const fn bias_ih<C: Starts>(hidden: &[usize]) -> Start {
    match C::FORGET {
        Some(gate) if C::KERAS => Start::Ones { from: gate * hidden[0], to: (gate + 1) * hidden[0] },
        _ => bias_hh::<C>(hidden),
    }
}

pub(super) const fn bias_hh<C: Starts>(hidden: &[usize]) -> Start {
    if C::KERAS { Start::Constant(0.0) } else { pytorch(hidden) }
}
