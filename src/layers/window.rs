//! How a window slides: strides, padding and dilation of convolutions and pools, as types.

/// How a two-dimensional window slides over `[height, width, channels]`.
///
/// Each constant is `[rows, columns]`. The padding *after* the input is not stated: it follows
/// from the layer's output size, which may also leave the last rows or columns unused.
pub trait Window2: 'static {
    /// How far apart neighbouring windows begin.
    const STRIDE: [usize; 2];
    /// The padding before the input: above and to the left.
    const BEFORE: [usize; 2];
    /// How far apart neighbouring taps of one window are; 1 is a dense window.
    const DILATION: [usize; 2];
}

/// How a one-dimensional window slides over `[time, channels]`.
///
/// The padding *after* the input is not stated: it follows from the layer's output size, which
/// may also leave the last steps unused.
pub trait Window1: 'static {
    /// How far apart neighbouring windows begin.
    const STRIDE: usize;
    /// The padding before the input.
    const BEFORE: usize;
    /// How far apart neighbouring taps of one window are; 1 is a dense window.
    const DILATION: usize;
}

/// Strides `SH`×`SW`, padding `TOP` and `LEFT`, dilation `DH`×`DW`; a marker that is never built.
///
/// ```
/// use monomorph::layers::{Window2, Window2d};
/// type Halving = Window2d<2, 2, 1, 1, 1, 1>;
/// assert_eq!((Halving::STRIDE, Halving::BEFORE, Halving::DILATION), ([2, 2], [1, 1], [1, 1]));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Window2d<
    const SH: usize,
    const SW: usize,
    const TOP: usize,
    const LEFT: usize,
    const DH: usize,
    const DW: usize,
>;

impl<const SH: usize, const SW: usize, const TOP: usize, const LEFT: usize, const DH: usize, const DW: usize> Window2
    for Window2d<SH, SW, TOP, LEFT, DH, DW>
{
    const STRIDE: [usize; 2] = [SH, SW];
    const BEFORE: [usize; 2] = [TOP, LEFT];
    const DILATION: [usize; 2] = [DH, DW];
}

/// Stride `S`, padding `LEFT`, dilation `D`; a marker that is never built.
///
/// ```
/// use monomorph::layers::{Window1, Window1d};
/// type Causal = Window1d<1, 8, 4>;
/// assert_eq!((Causal::STRIDE, Causal::BEFORE, Causal::DILATION), (1, 8, 4));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Window1d<const S: usize, const LEFT: usize, const D: usize>;

impl<const S: usize, const LEFT: usize, const D: usize> Window1 for Window1d<S, LEFT, D> {
    const STRIDE: usize = S;
    const BEFORE: usize = LEFT;
    const DILATION: usize = D;
}
