//! Tiles of sums and the products that are summed in them, shared by [`gemm`](super::gemm) and the assembly kernels.

use crate::scalar::Scalar;

/// The accumulators of a tile.
pub(crate) type Tile<T, S, const MR: usize, const NR: usize> = [[<T as Scalar>::Vector<S>; NR]; MR];

/// Both operands of a sum of products: `Σₖ a[m·a_row + k·a_step] · b[k·b_step + n]`, or
/// `Σₖ a[m·a_row + k·a_step + n] · b[k·b_step + n]` if `by_column`. The right one may be packed in fewer bits.
#[derive(Clone, Copy)]
pub(crate) struct Run<T, W = T> {
    pub(crate) a: *const T,
    pub(crate) a_row: usize,
    pub(crate) a_step: isize,
    pub(crate) by_column: bool,
    pub(crate) b: *const W,
    pub(crate) b_step: usize,
    pub(crate) len: usize,
}

/// Several runs of the same form, one after the other, such as the rows of a convolution's window.
#[derive(Clone, Copy)]
#[allow(dead_code, reason = "only the kernels of microcontrollers read it")]
pub(crate) struct Repeat {
    pub(crate) times: usize,
    /// How far `a` and `b` are from one run to the next, in numbers.
    pub(crate) a: usize,
    pub(crate) b: usize,
}

impl Repeat {
    /// One run.
    pub(crate) const ONCE: Self = Self { times: 1, a: 0, b: 0 };
}
