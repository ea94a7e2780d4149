//! How a window slides: kernel, strides, padding and dilation of convolutions and pools, as types.

use core::marker::PhantomData;

use crate::kernels::window::spatial;
use crate::tensor::Tensor;

/// How a window slides over rows and columns; a sequence is an image of a single row.
///
/// Each constant is `[rows, columns]`. The padding *after* the input is implicit: it follows from the layer's output
/// size, which may also leave the last rows or columns unused.
pub trait Window: 'static {
    /// How many taps the window has.
    const KERNEL: [usize; 2];
    /// How far apart neighboring windows begin.
    const STRIDE: [usize; 2];
    /// The padding before the input: above and to the left.
    const BEFORE: [usize; 2];
    /// How far apart neighboring taps of one window are; 1 is a dense window.
    const DILATION: [usize; 2];
    /// Whether the windows are all of the input in as many parts as there are outputs, whatever the sizes above.
    const ADAPTIVE: bool = false;
    /// An array of as many `X` as the kernel has columns.
    type Taps<X: Tensor>: Tensor<Element = X::Element>;
    /// An array of as many `X` as there are columns of padding before the input: what a causal window remembers.
    type History<X: Tensor>: Tensor<Element = X::Element>;
}

/// A kernel of `KH`×`KW`, strides `SH`×`SW`, padding `TOP` and `LEFT`, dilation `DH`×`DW`; a marker that is never
/// built.
///
/// ```
/// use monomorph::layers::{Window, Window2d};
/// type Halving = Window2d<3, 3, 2, 2, 1, 1>;
/// assert_eq!((Halving::KERNEL, Halving::STRIDE, Halving::BEFORE), ([3, 3], [2, 2], [1, 1]));
/// assert_eq!(Halving::DILATION, [1, 1]);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Window2d<
    const KH: usize,
    const KW: usize,
    const SH: usize = 1,
    const SW: usize = 1,
    const TOP: usize = 0,
    const LEFT: usize = 0,
    const DH: usize = 1,
    const DW: usize = 1,
>;

impl<
    const KH: usize,
    const KW: usize,
    const SH: usize,
    const SW: usize,
    const TOP: usize,
    const LEFT: usize,
    const DH: usize,
    const DW: usize,
> Window for Window2d<KH, KW, SH, SW, TOP, LEFT, DH, DW>
{
    const KERNEL: [usize; 2] = [KH, KW];
    const STRIDE: [usize; 2] = [SH, SW];
    const BEFORE: [usize; 2] = [TOP, LEFT];
    const DILATION: [usize; 2] = [DH, DW];
    type Taps<X: Tensor> = [X; KW];
    type History<X: Tensor> = [X; LEFT];
}

/// A kernel of `K`, stride `S`, padding `LEFT`, dilation `D`, over a sequence; a marker that is never built.
///
/// ```
/// use monomorph::layers::{Window, Window1d};
/// type Causal = Window1d<3, 1, 8, 4>;
/// assert_eq!((Causal::KERNEL, Causal::STRIDE), ([1, 3], [1, 1]));
/// assert_eq!((Causal::BEFORE, Causal::DILATION), ([0, 8], [1, 4]));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Window1d<const K: usize, const S: usize = 1, const LEFT: usize = 0, const D: usize = 1>;

impl<const K: usize, const S: usize, const LEFT: usize, const D: usize> Window for Window1d<K, S, LEFT, D> {
    const KERNEL: [usize; 2] = [1, K];
    const STRIDE: [usize; 2] = [1, S];
    const BEFORE: [usize; 2] = [0, LEFT];
    const DILATION: [usize; 2] = [1, D];
    type Taps<X: Tensor> = [X; K];
    type History<X: Tensor> = [X; LEFT];
}

/// One window: all of an `X`; a marker that is never built.
#[derive(Clone, Copy, Debug)]
pub struct Whole<X>(PhantomData<X>);

impl<X: Tensor> Window for Whole<X> {
    const KERNEL: [usize; 2] = spatial(X::SHAPE);
    const STRIDE: [usize; 2] = [1, 1];
    const BEFORE: [usize; 2] = [0, 0];
    const DILATION: [usize; 2] = [1, 1];
    type Taps<Y: Tensor> = [Y; 0];
    type History<Y: Tensor> = [Y; 0];
}

/// As many windows as there are outputs, which together cover the input: window `i` reaches from `⌊i · H / OH⌋` to
/// `⌈(i + 1) · H / OH⌉`. A marker that is never built.
#[derive(Clone, Copy, Debug)]
pub struct Adaptive;

impl Window for Adaptive {
    const KERNEL: [usize; 2] = [1, 1];
    const STRIDE: [usize; 2] = [1, 1];
    const BEFORE: [usize; 2] = [0, 0];
    const DILATION: [usize; 2] = [1, 1];
    const ADAPTIVE: bool = true;
    type Taps<X: Tensor> = [X; 0];
    type History<X: Tensor> = [X; 0];
}
