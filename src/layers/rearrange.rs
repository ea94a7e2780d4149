//! Layers that copy numbers to other places: padding, blocks of pixels to channels and back, slices, transposition,
//! broadcasting.
//!
//! | layer | shapes | `y` |
//! | --- | --- | --- |
//! | [`Pad2d`] | `[H, W, C] → [H + TOP + BOTTOM, W + LEFT + RIGHT, C]` | `y[i][j] = x[i − TOP][j − LEFT]`; outside the input as [`Border`] says |
//! | [`Pad1d`] | `[L, C] → [L + LEFT + RIGHT, C]` | the same |
//! | [`PixelShuffle`] | `[H, W, C·R²] → [H·R, W·R, C]` | `y[i·R + a][j·R + b][c] = x[i][j][c·R² + a·R + b]`, as in PyTorch |
//! | [`PixelUnshuffle`] | `[H·R, W·R, C] → [H, W, C·R²]` | its inverse |
//! | [`DepthToSpace`] | `[H, W, R²·C] → [H·R, W·R, C]` | `y[i·R + a][j·R + b][c] = x[i][j][(a·R + b)·C + c]`, as in TensorFlow and ONNX |
//! | [`SpaceToDepth`] | `[H·R, W·R, C] → [H, W, R²·C]` | its inverse |
//! | [`Slice`] | `N` to `⌈(END − START) / STEP⌉` along an axis | `y[i] = x[START + i·STEP]` |
//! | [`Transpose`] | the axes in another order | axis `k` of `y` is axis `AXES[k]` of `x` |
//! | [`Expand`] | axes of size 1, or none in front, to any size | `y[i] = x[0]` along them, as NumPy broadcasts |
//!
//! All are one layer, [`Rearrange`], and a [`Map`]. Every number of the output is a copy of one number of the input, or
//! a constant; the gradient of an input number is the sum of the gradients of its copies.

use core::marker::PhantomData;

use crate::kernels::elementwise::add_assign;
use crate::layer::{Layer, Pass, Reads, forward_evaluates, outline_layer};
use crate::parameters::Parameters;
use crate::scalar::Scalar;
use crate::simd::Simd;
use crate::streaming::Streaming;
use crate::tensor::{Tensor, batch_slice, batch_slice_mut};

/// Copies the numbers of an `X` to a `Y` as `M` says; use one of its aliases, such as [`Pad2d`].
#[derive(Clone, Copy, Debug, Parameters)]
#[parameters(of = X)]
#[repr(C)]
pub struct Rearrange<M, X, Y>(PhantomData<(M, X, Y)>);

/// Where the numbers of an output come from. Shapes have three axes here; shorter ones begin with ones.
pub trait Map: 'static {
    /// Whether the last axis is copied as a whole.
    const WHOLE_ROWS: bool;
    /// What is where no input is copied.
    const OUTSIDE: f64 = 0.0;

    /// What `index`, an index along an axis of the output, adds to the position of its source in the input; [`NOWHERE`]
    /// if it has none.
    fn source(axis: usize, index: usize, input: [usize; 3], output: [usize; 3]) -> usize;
}

/// Not a position of any input, even if others are added to it.
pub const NOWHERE: usize = usize::MAX / 4;

/// A shape with three axes.
const fn three(shape: &[usize]) -> [usize; 3] {
    match *shape {
        [c] => [1, 1, c],
        [w, c] => [1, w, c],
        [h, w, c] => [h, w, c],
        _ => panic!("the shape has more than three axes"),
    }
}

/// How far apart neighbors along an axis are.
#[inline(always)]
const fn stride(shape: [usize; 3], axis: usize) -> usize {
    match axis {
        0 => shape[1] * shape[2],
        1 => shape[2],
        _ => 1,
    }
}

impl<M: Map, X: Tensor, Y: Tensor> Rearrange<M, X, Y> {
    const SHAPES: [[usize; 3]; 2] = {
        assert!(X::LEN > 0 && Y::LEN > 0, "a size is 0");
        let shapes = [three(X::SHAPE), three(Y::SHAPE)];
        assert!(!M::WHOLE_ROWS || shapes[0][2] == shapes[1][2], "the channels of input and output differ");
        shapes
    };

    /// Calls `f` for every run of numbers of the output, in order, with the position of its source in the input; how
    /// long runs are is `LEN`.
    #[inline(always)]
    fn each_run(mut f: impl FnMut(usize)) {
        let [input, output] = const { Self::SHAPES };
        for i in 0..output[0] {
            let row = M::source(0, i, input, output);
            for j in 0..output[1] {
                let pixel = row + M::source(1, j, input, output);
                if const { M::WHOLE_ROWS } {
                    f(pixel);
                } else {
                    for c in 0..output[2] {
                        f(pixel + M::source(2, c, input, output));
                    }
                }
            }
        }
    }

    const RUN: usize = if M::WHOLE_ROWS { Self::SHAPES[1][2] } else { 1 };
}

impl<T: Scalar, M: Map, X: Tensor<Element = T>, Y: Tensor<Element = T>> Layer for Rearrange<M, X, Y> {
    type Input = X;
    type Output = Y;
    type Saved<const B: usize> = ();
    type Workspace<const B: usize> = ();
    const MACS: usize = 0;
    const BACKWARD_READS: Reads = Reads::NOTHING;

    #[inline(always)]
    fn evaluate<S: Simd, const B: usize>(&self, simd: S, input: &[X; B], output: &mut [Y; B], _workspace: &mut ()) {
        outline_layer::<Self, B, _, _>(
            simd,
            #[inline(always)]
            || {
                let samples = batch_slice(input).chunks_exact(X::LEN);
                for (x, y) in samples.zip(batch_slice_mut(output).chunks_exact_mut(Y::LEN)) {
                    let mut runs = y.chunks_exact_mut(const { Self::RUN });
                    Self::each_run(
                        #[inline(always)]
                        |from| {
                            let Some(run) = runs.next() else { return };
                            match x.get(from..from + const { Self::RUN }) {
                                Some(source) => run.copy_from_slice(source),
                                None => run.fill(T::from_f64(M::OUTSIDE)),
                            }
                        },
                    );
                }
            },
        );
    }

    forward_evaluates!();

    #[inline(always)]
    fn backward<S: Simd, const B: usize>(
        &self,
        simd: S,
        _input: &[X; B],
        _output: &[Y; B],
        _saved: &mut (),
        grad_output: &mut [Y; B],
        grad_input: Option<&mut [X; B]>,
        _gradient: &mut Self,
        _pass: &Pass<T>,
    ) {
        let Some(grad_input) = grad_input else { return };
        outline_layer::<Self, B, _, _>(
            simd,
            #[inline(always)]
            || {
                let grad_input = batch_slice_mut(grad_input);
                grad_input.fill(T::ZERO);
                let samples = grad_input.chunks_exact_mut(X::LEN);
                for (grad_x, grad_y) in samples.zip(batch_slice(grad_output).chunks_exact(Y::LEN)) {
                    let mut runs = grad_y.chunks_exact(const { Self::RUN });
                    Self::each_run(
                        #[inline(always)]
                        |from| {
                            let Some(run) = runs.next() else { return };
                            match (grad_x.get_mut(from..from + const { Self::RUN }), run) {
                                (Some([source]), [gradient]) => *source += *gradient,
                                (Some(source), _) => add_assign(simd, source, run),
                                (None, _) => {}
                            }
                        },
                    );
                }
            },
        );
    }
}

/// Padding of `TOP` rows and `LEFT` columns before the input; a marker that is never built.
#[derive(Clone, Copy, Debug)]
pub struct Padded<const TOP: usize, const LEFT: usize, M>(PhantomData<M>);

/// What padding consists of: [`Constant`], [`Reflect`], [`Edge`] or [`Wrap`].
pub trait Border: 'static {
    /// The number where no input is copied.
    const VALUE: f64 = 0.0;
    /// The position of the input that is copied to `position`, which may lie outside of `0..size`; if any.
    fn position(position: isize, size: isize) -> Option<isize>;
}

impl<const TOP: usize, const LEFT: usize, M: Border> Map for Padded<TOP, LEFT, M> {
    const WHOLE_ROWS: bool = true;
    const OUTSIDE: f64 = M::VALUE;

    #[inline(always)]
    fn source(axis: usize, index: usize, input: [usize; 3], _output: [usize; 3]) -> usize {
        let before = if axis == 0 { TOP } else { LEFT };
        let position = M::position(index as isize - before as isize, input[axis] as isize);
        position.map_or(NOWHERE, |position| position as usize * stride(input, axis))
    }
}

macro_rules! border {
    ($(#[$doc:meta])* $name:ident $(<const $value:ident: u64>)?, $position:ident, $size:ident, $source:expr) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug)]
        pub struct $name $(<const $value: u64>)?;

        impl $(<const $value: u64>)? Border for $name $(<$value>)? {
            $(const VALUE: f64 = f64::from_bits($value);)?

            #[inline(always)]
            fn position($position: isize, $size: isize) -> Option<isize> {
                $source
            }
        }
    };
}
border! {
    /// A constant, given by its [`bits`](crate::scalar::bits): `0 0 | a b c | 0 0`.
    Constant<const VALUE: u64>, position, size, (0 <= position && position < size).then_some(position)
}
border! {
    /// The input reflected at its first and last number, which is not repeated: `c b | a b c | b a`.
    Reflect, position, size, Some(size - 1 - (size - 1 - position.abs()).abs())
}
border! {
    /// The nearest number of the input: `a a | a b c | c c`.
    Edge, position, size, Some(position.clamp(0, size - 1))
}
border! {
    /// The input over and over: `b c | a b c | a b`.
    Wrap, position, size, Some(position.rem_euclid(size))
}

/// Pads an image: `[H, W, C] → [OH, OW, C]`, with `TOP` rows above, `LEFT` columns to the left, and what is missing to `Y`
/// below and to the right.
///
/// In a network write `Pad2d(1)`, `Pad2d((1, 2))` for rows and columns, or `Pad2d(((1, 0), (2, 2)))` for each side, and
/// `mode = constant` (the default, with `value = 0`), `reflect`, `edge` or `wrap`. Reflection needs less padding than the
/// input is wide, and wrapping no more.
///
/// ```
/// use monomorph::prelude::*;
///
/// network! { Frame: [1, 3, 1] -> [1, 7, 1] { Pad2d((0, 2), mode = reflect) } }
/// let y = Frame::zeroed().evaluate(&[[[1.0], [2.0], [3.0]]]);
/// assert_eq!(y, [[[3.0], [2.0], [1.0], [2.0], [3.0], [2.0], [1.0]]]);
/// ```
pub type Pad2d<X, Y, const TOP: usize, const LEFT: usize, M> = Rearrange<Padded<TOP, LEFT, M>, X, Y>;

/// Pads a sequence: `[L, C] → [OL, C]`, with `LEFT` steps before it; see [`Pad2d`].
///
/// ```
/// use monomorph::prelude::*;
///
/// network! { Longer: [2, 1] -> [5, 1] { Pad1d((1, 2), value = -1) } }
/// assert_eq!(Longer::zeroed().evaluate(&[[5.0], [6.0]]), [[-1.0], [5.0], [6.0], [-1.0], [-1.0]]);
/// ```
pub type Pad1d<X, Y, const LEFT: usize, M> = Rearrange<Padded<0, LEFT, M>, X, Y>;

/// Channels to blocks of `R` × `R` pixels; the channels of a block are adjacent if `ADJACENT`. A marker that is never
/// built.
#[derive(Clone, Copy, Debug)]
pub struct ToSpace<const R: usize, const ADJACENT: bool>;

impl<const R: usize, const ADJACENT: bool> Map for ToSpace<R, ADJACENT> {
    const WHOLE_ROWS: bool = false;

    #[inline(always)]
    fn source(axis: usize, index: usize, input: [usize; 3], output: [usize; 3]) -> usize {
        let part = if ADJACENT { 1 } else { output[2] };
        match axis {
            0 => index / R * stride(input, 0) + index % R * R * part,
            1 => index / R * stride(input, 1) + index % R * part,
            _ if ADJACENT => index * R * R,
            _ => index,
        }
    }
}

/// Blocks of `R` × `R` pixels to channels; the inverse of [`ToSpace`].
#[derive(Clone, Copy, Debug)]
pub struct ToDepth<const R: usize, const ADJACENT: bool>;

impl<const R: usize, const ADJACENT: bool> Map for ToDepth<R, ADJACENT> {
    const WHOLE_ROWS: bool = false;

    #[inline(always)]
    fn source(axis: usize, index: usize, input: [usize; 3], _output: [usize; 3]) -> usize {
        let (part, channel) =
            if ADJACENT { (index % (R * R), index / (R * R)) } else { (index / input[2], index % input[2]) };
        match axis {
            2 => part / R * stride(input, 0) + part % R * stride(input, 1) + channel,
            _ => index * R * stride(input, axis),
        }
    }
}

/// Turns `R²` channels into a block of `R` × `R` pixels: `[H, W, C·R²] → [H·R, W·R, C]`; Shi and others, *Real-time
/// single image and video super-resolution using an efficient sub-pixel convolutional neural network* (2016).
///
/// ```
/// use monomorph::prelude::*;
///
/// network! { Shuffle: [1, 1, 4] -> [2, 2, 1] { PixelShuffle(2) } }
/// assert_eq!(Shuffle::zeroed().evaluate(&[[[1.0, 2.0, 3.0, 4.0]]]), [[[1.0], [2.0]], [[3.0], [4.0]]]);
/// ```
pub type PixelShuffle<X, Y, const R: usize> = Rearrange<ToSpace<R, true>, X, Y>;

/// Turns blocks of `R` × `R` pixels into channels: `[H·R, W·R, C] → [H, W, C·R²]`, the inverse of [`PixelShuffle`].
///
/// ```
/// use monomorph::prelude::*;
///
/// network! { Unshuffle: [2, 2, 1] -> [1, 1, 4] { PixelUnshuffle(2) } }
/// assert_eq!(Unshuffle::zeroed().evaluate(&[[[1.0], [2.0]], [[3.0], [4.0]]]), [[[1.0, 2.0, 3.0, 4.0]]]);
/// ```
pub type PixelUnshuffle<X, Y, const R: usize> = Rearrange<ToDepth<R, true>, X, Y>;

/// [`PixelShuffle`] with the channels in TensorFlow's and ONNX's order.
///
/// ```
/// use monomorph::prelude::*;
///
/// network! { Blocks: [1, 1, 8] -> [2, 2, 2] { DepthToSpace(2) } }
/// let y = Blocks::zeroed().evaluate(&[[[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]]]);
/// assert_eq!(y, [[[1.0, 2.0], [3.0, 4.0]], [[5.0, 6.0], [7.0, 8.0]]]);
/// ```
pub type DepthToSpace<X, Y, const R: usize> = Rearrange<ToSpace<R, false>, X, Y>;

/// The inverse of [`DepthToSpace`]: `[H·R, W·R, C] → [H, W, R²·C]`.
///
/// ```
/// use monomorph::prelude::*;
///
/// network! { Depth: [2, 2, 2] -> [1, 1, 8] { SpaceToDepth(2) } }
/// let y = Depth::zeroed().evaluate(&[[[1.0, 2.0], [3.0, 4.0]], [[5.0, 6.0], [7.0, 8.0]]]);
/// assert_eq!(y, [[[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]]]);
/// ```
pub type SpaceToDepth<X, Y, const R: usize> = Rearrange<ToDepth<R, false>, X, Y>;

/// Every `STEP`-th index along an axis from `START`; a marker that is never built. The axis counts from the last one.
#[derive(Clone, Copy, Debug)]
pub struct Part<const FROM_LAST: usize, const START: usize, const STEP: usize>;

impl<const FROM_LAST: usize, const START: usize, const STEP: usize> Map for Part<FROM_LAST, START, STEP> {
    const WHOLE_ROWS: bool = FROM_LAST > 0;

    #[inline(always)]
    fn source(axis: usize, index: usize, input: [usize; 3], _output: [usize; 3]) -> usize {
        let at = if axis + FROM_LAST == 2 { START + index * STEP } else { index };
        at * stride(input, axis)
    }
}

/// A part of a tensor along one axis: the indices `START`, `START + STEP` and so on. The axis counts from the last one,
/// which is 0.
///
/// In a network write `Slice(axis = 0, start = 2, end = 5)`, where the axis counts from the first one; `step` is 1 if it
/// is not given, `start` is 0, and `end` is the axis's size.
///
/// ```
/// use monomorph::prelude::*;
///
/// network! { Middle: [4, 2] -> [2, 2] { Slice(axis = 0, start = 1, end = 3) } }
/// let y = Middle::zeroed().evaluate(&[[1.0, 2.0], [3.0, 4.0], [5.0, 6.0], [7.0, 8.0]]);
/// assert_eq!(y, [[3.0, 4.0], [5.0, 6.0]]);
/// ```
pub type Slice<X, Y, const FROM_LAST: usize, const START: usize, const STEP: usize> =
    Rearrange<Part<FROM_LAST, START, STEP>, X, Y>;

/// One part of every step of a sequence is the part of one step.
impl<T, X, Y, const FROM_LAST: usize, const START: usize, const STEP: usize> Streaming
    for Rearrange<Part<FROM_LAST, START, STEP>, X, Y>
where
    T: Scalar,
    X: Tensor<Element = T>,
    Y: Tensor<Element = T>,
{
    type State = ();
    type StepInput = X::Item;
    type StepOutput = Y::Item;
    const RECEPTIVE_FIELD: Option<usize> = Some(1);

    #[inline(always)]
    fn step<S: Simd>(&self, simd: S, state: &mut (), input: &X::Item, output: &mut Y::Item) {
        self.steps(simd, state, core::array::from_ref(input), core::array::from_mut(output));
    }

    #[inline(always)]
    fn steps<S: Simd, const N: usize>(&self, simd: S, state: &mut (), input: &[X::Item; N], output: &mut [Y::Item; N]) {
        const { assert!(FROM_LAST + 1 < X::SHAPE.len(), "a part of a sequence's steps needs the whole sequence") };
        let of_a_step = Rearrange::<Part<FROM_LAST, START, STEP>, X::Item, Y::Item>(PhantomData);
        of_a_step.evaluate(simd, input, output, state);
    }
}

/// The opposite order along an axis; a marker that is never built. The axis counts from the last one.
#[derive(Clone, Copy, Debug)]
pub struct Opposite<const FROM_LAST: usize>;

impl<const FROM_LAST: usize> Map for Opposite<FROM_LAST> {
    const WHOLE_ROWS: bool = FROM_LAST > 0;

    #[inline(always)]
    fn source(axis: usize, index: usize, input: [usize; 3], _output: [usize; 3]) -> usize {
        let at = if axis + FROM_LAST == 2 { input[axis] - 1 - index } else { index };
        at * stride(input, axis)
    }
}

/// The opposite order along one axis, which counts from the last one: a sequence backward, an image in the mirror.
///
/// In a network write `Flip(axis = 0)`, where the axis counts from the first one.
///
/// ```
/// use monomorph::prelude::*;
///
/// network! { Backward: [3, 2] -> [3, 2] { Flip(axis = 0) } }
/// let y = Backward::zeroed().evaluate(&[[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]);
/// assert_eq!(y, [[5.0, 6.0], [3.0, 4.0], [1.0, 2.0]]);
/// ```
pub type Flip<X, const FROM_LAST: usize> = Rearrange<Opposite<FROM_LAST>, X, X>;

/// The axes in another order, as axes of three; a marker that is never built.
#[derive(Clone, Copy, Debug)]
pub struct Axes<const A: usize, const B: usize, const C: usize>;

impl<const A: usize, const B: usize, const C: usize> Map for Axes<A, B, C> {
    const WHOLE_ROWS: bool = C == 2;

    #[inline(always)]
    fn source(axis: usize, index: usize, input: [usize; 3], _output: [usize; 3]) -> usize {
        index * stride(input, const { [A, B, C] }[axis])
    }
}

/// The same numbers with the axes in another order: axis 0 of `Y` is axis `A` of `X`, and so on. Shapes of fewer axes
/// count as if they began with ones.
///
/// In a network write `Transpose` to swap two axes, or `Transpose(axes = (2, 0, 1))`.
///
/// ```
/// use monomorph::prelude::*;
///
/// network! { Turn: [2, 3] -> [3, 2] { Transpose } }
/// let y = Turn::zeroed().evaluate(&[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]);
/// assert_eq!(y, [[1.0, 4.0], [2.0, 5.0], [3.0, 6.0]]);
/// ```
pub type Transpose<X, Y, const A: usize, const B: usize, const C: usize> = Rearrange<Axes<A, B, C>, X, Y>;

/// Copies along axes of size 1; a marker that is never built.
#[derive(Clone, Copy, Debug)]
pub struct Copies;

impl Map for Copies {
    const WHOLE_ROWS: bool = false;

    #[inline(always)]
    fn source(axis: usize, index: usize, input: [usize; 3], _output: [usize; 3]) -> usize {
        if input[axis] == 1 { 0 } else { index * stride(input, axis) }
    }
}

/// Copies an `X` along its axes of size 1, and along axes before its first one, until it has the shape of `Y`.
///
/// `add` and `multiply` do it by themselves: `multiply(image, weights)` with `[H, W, C]` and `[C]`.
///
/// ```
/// use monomorph::layers::Expand;
/// use monomorph::testing::check_gradients;
/// let mut rows: Expand<[f64; 2], [[f64; 2]; 3]> = monomorph::memory::zeroed();
/// check_gradients(&mut rows, &[[1.0, 2.0]], 1e-7)?;
/// # Ok::<(), monomorph::testing::GradientError>(())
/// ```
pub type Expand<X, Y> = Rearrange<Copies, X, Y>;

#[cfg(all(test, feature = "safetensors", feature = "std"))]
mod tests;
