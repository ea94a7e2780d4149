//! Group convolution: Cohen and Welling, *Group equivariant convolutional networks* (2016). A filter is used in every
//! orientation, so what the layer gives turns and flips with its input.
//!
//! `y[u, g, o] = b[o] + Σ x[u + v, c]·W[g⁻¹v, c, o]` for an image: lifting; and behind it
//! `y[u, g, o] = b[o] + Σ x[u + v, h, c]·W[g⁻¹v, g⁻¹h, c, o]`, over the taps `v`, the channels `c` and the elements `h`
//! of the group
//!
//! | group | elements | index |
//! | --- | --- | --- |
//! | [`P4`] | the quarter turns `rᵏ` | `k` |
//! | [`P4m`] | them, and each followed by a reflection: `s rᵏ` | `k`, `4 + k` |
//!
//! | tensor | shape | initial value |
//! | --- | --- | --- |
//! | `x` | `[H, W, C]`, or `[H, W, G·C]` with the channels of each element side by side | |
//! | `weight` (W) | `[K, K, C, O]`, or `[K, K, G·C, O]` | random |
//! | `bias` (b) | `[O]`, or `[0]`: none | 0 |
//! | `y` | `[OH, OW, G·O]` | |
//!
//! It is computed as one ordinary convolution, whose weight every pass makes of `W`. Where windows lie symmetrically,
//! as with stride 1 and `same` padding of an odd kernel, `y` of a turned `x` is `y` turned, with the elements in the
//! order that the turn gives them; [`GroupPool`] and then a global pool make that invariant.

use core::marker::PhantomData;

use crate::kernels::elementwise::add_assign;
use crate::layer::{Layer, Pass, Reads, outline_layer};
use crate::memory::clear;
use crate::parameters::Parameters;
use crate::plain::Plain;
use crate::scalar::Scalar;
use crate::simd::Simd;
use crate::tensor::{Tensor, batch_slice, batch_slice_mut};

/// A group of turns, and maybe reflections, of a square.
pub trait Symmetry: 'static {
    /// How many elements it has: 4, or 8 with reflections.
    const ELEMENTS: usize;
}

/// The four quarter turns; a marker that is never built.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct P4;

/// The four quarter turns, with and without a reflection; a marker that is never built.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct P4m;

impl Symmetry for P4 {
    const ELEMENTS: usize = 4;
}
impl Symmetry for P4m {
    const ELEMENTS: usize = 8;
}

/// `g·h`, by `s r = r⁻¹ s`.
#[inline(always)]
const fn product(g: usize, h: usize) -> usize {
    let turns = if h < 4 { g % 4 } else { 4 - g % 4 };
    (g / 4 + h / 4) % 2 * 4 + (turns + h % 4) % 4
}

/// `g⁻¹`.
#[inline(always)]
const fn inverse(g: usize) -> usize {
    if g < 4 { (4 - g) % 4 } else { g }
}

/// Where `g` moves a place of a square with this side.
#[inline(always)]
const fn moved(g: usize, [mut row, mut column]: [usize; 2], side: usize) -> [usize; 2] {
    let mut turns = 0;
    while turns < g % 4 {
        (row, column) = (side - 1 - column, row);
        turns += 1;
    }
    if g < 4 { [row, column] } else { [row, side - 1 - column] }
}

/// A convolution that uses its filters `W` in every orientation of the group `G`, computed by the convolution `C`; the
/// first one (`LIFT`) takes an image, those behind it what another gives.
///
/// In a network, write `LiftConv2d(8, kernel = 3, padding = same)`, then `GroupConv2d(8, ..)`, and at the end
/// `GroupPool`. Options: `group = p4m`, and those of `Conv2d` but `groups`.
///
/// ```
/// use monomorph::prelude::*;
///
/// network! {
///     pub Turned: [9, 9, 1] -> [2] {
///         LiftConv2d(3, kernel = 3, padding = same), Relu, GroupConv2d(4, kernel = 3, padding = same), Relu,
///         GroupPool, GlobalAvgPool2d, Dense(2),
///     }
/// }
/// let mut net = Turned::zeroed();
/// net.initialize(Init::default(), &mut Noise::new(1));
/// let pixel = |row: usize, column: usize| [(row * column % 7) as f32];
/// let image: [[[f32; 1]; 9]; 9] = core::array::from_fn(|row| core::array::from_fn(|column| pixel(row, column)));
/// let turned = core::array::from_fn(|row| core::array::from_fn(|column| image[column][8 - row]));
/// let (a, b) = (net.evaluate(&image), net.evaluate(&turned));
/// assert!((a[0] - b[0]).abs() < 1e-4 && (a[1] - b[1]).abs() < 1e-4);
/// ```
#[derive(Clone, Debug, PartialEq, Parameters)]
#[parameters(of = W)]
#[repr(C)]
pub struct GroupConv<C, W: Tensor, B: Tensor, G, const LIFT: bool> {
    /// W: for each tap and input channel, a number for each filter.
    #[parameters(tensor)]
    pub weight: W,
    /// b.
    #[parameters(tensor, start = 0.0)]
    pub bias: B,
    /// The convolution, and the group.
    pub shapes: PhantomData<(C, G)>,
}

/// The convolution that computes a batch, and its gradient.
#[derive(Plain)]
#[repr(C)]
pub struct Saved<C: Layer, const B: usize> {
    whole: C,
    gradient: C,
    inner: C::Saved<B>,
}

impl<T, C, W, B, G, const LIFT: bool> GroupConv<C, W, B, G, LIFT>
where
    T: Scalar,
    C: Layer<Scalar = T, Input: Tensor<Element = T>>,
    W: Tensor<Element = T>,
    B: Tensor<Element = T>,
    G: Symmetry,
{
    /// Side of the kernel, input channels, filters.
    const SIZES: [usize; 3] = {
        let &[height, width, inputs, filters] = W::SHAPE else { panic!("GroupConv: the weight is `[K, K, C, O]`") };
        assert!(height == width, "GroupConv: only a square kernel turns into itself");
        assert!(filters > 0 && inputs > 0 && height > 0, "GroupConv: a size is 0");
        assert!(LIFT || inputs.is_multiple_of(G::ELEMENTS), "GroupConv: the input has channels for each element");
        assert!(B::LEN == filters || B::LEN == 0, "GroupConv: the bias has a number for each filter, or none");
        assert!(C::Output::CHANNELS == G::ELEMENTS * filters, "GroupConv: the output has channels for each element");
        assert!(
            size_of::<C>() == (W::LEN + B::LEN) * G::ELEMENTS * size_of::<T>(),
            "GroupConv: the convolution has every filter in every orientation"
        );
        [height, inputs, filters]
    };

    /// Calls `f` with each row of the whole weight, which has a number for each filter, and the row of `W` that it is:
    /// that of the tap and the channel before `g` moved them.
    #[inline(always)]
    fn rows(mut f: impl FnMut(usize, usize)) {
        let [side, inputs, _] = const { Self::SIZES };
        let channels = if LIFT { inputs } else { inputs / G::ELEMENTS };
        for tap in 0..side * side {
            for input in 0..inputs {
                for element in 0..G::ELEMENTS {
                    let back = inverse(element);
                    let [row, column] = moved(back, [tap / side, tap % side], side);
                    let of = if LIFT { 0 } else { product(back, input / channels) };
                    let from = (row * side + column) * inputs + of * channels + input % channels;
                    f((tap * inputs + input) * G::ELEMENTS + element, from);
                }
            }
        }
    }

    /// Makes the weight and the bias of the convolution.
    #[inline(always)]
    fn expand(&self, whole: &mut C) {
        let (weight, bias) = whole.as_mut_slice().split_at_mut(W::LEN * G::ELEMENTS);
        let [.., filters] = const { Self::SIZES };
        let base = self.weight.numbers();
        Self::rows(
            #[inline(always)]
            |to, from| {
                let to = weight.get_mut(to * filters..(to + 1) * filters).unwrap_or_default();
                for (to, from) in to.iter_mut().zip(base.get(from * filters..(from + 1) * filters).unwrap_or_default())
                {
                    *to = *from;
                }
            },
        );
        if B::LEN > 0 {
            for to in bias.chunks_exact_mut(filters) {
                to.copy_from_slice(self.bias.numbers());
            }
        }
    }

    /// Adds the gradient of the convolution to that of the filters.
    #[inline(always)]
    fn fold<S: Simd>(&mut self, simd: S, whole: &C) {
        let (weight, bias) = whole.as_slice().split_at(W::LEN * G::ELEMENTS);
        let [.., filters] = const { Self::SIZES };
        let base = self.weight.numbers_mut();
        Self::rows(
            #[inline(always)]
            |from, to| {
                let to = base.get_mut(to * filters..(to + 1) * filters).unwrap_or_default();
                add_assign(simd, to, weight.get(from * filters..(from + 1) * filters).unwrap_or_default());
            },
        );
        if B::LEN > 0 {
            for from in bias.chunks_exact(filters) {
                add_assign(simd, self.bias.numbers_mut(), from);
            }
        }
    }
}

impl<T, X, C, W, Bias, G, const LIFT: bool> Layer for GroupConv<C, W, Bias, G, LIFT>
where
    T: Scalar,
    X: Tensor<Element = T>,
    C: Layer<Scalar = T, Input = X> + Send,
    W: Tensor<Element = T>,
    Bias: Tensor<Element = T>,
    G: Symmetry,
{
    type Input = X;
    type Output = C::Output;
    type Saved<const B: usize> = Saved<C, B>;
    type Workspace<const B: usize> = (C::Workspace<B>, C);
    const MACS: usize = C::MACS;
    const BACKWARD_READS: Reads = C::BACKWARD_READS;

    #[inline(always)]
    fn evaluate<S: Simd, const B: usize>(
        &self,
        simd: S,
        input: &[X; B],
        output: &mut [C::Output; B],
        (workspace, whole): &mut Self::Workspace<B>,
    ) {
        outline_layer::<Self, B, _, _>(
            simd,
            #[inline(always)]
            || self.expand(whole),
        );
        whole.evaluate(simd, input, output, workspace);
    }

    #[inline(always)]
    fn forward<S: Simd, const B: usize>(
        &self,
        simd: S,
        input: &[X; B],
        output: &mut [C::Output; B],
        saved: &mut Saved<C, B>,
        pass: &mut Pass<T>,
    ) {
        outline_layer::<Self, B, _, _>(
            simd,
            #[inline(always)]
            || self.expand(&mut saved.whole),
        );
        saved.whole.forward(simd, input, output, &mut saved.inner, pass);
    }

    /// Those of the convolution; `∂W` and `∂b` add up those of all orientations.
    #[inline(always)]
    fn backward<S: Simd, const B: usize>(
        &self,
        simd: S,
        input: &[X; B],
        output: &[C::Output; B],
        saved: &mut Saved<C, B>,
        grad_output: &mut [C::Output; B],
        grad_input: Option<&mut [X; B]>,
        gradient: &mut Self,
        pass: &Pass<T>,
    ) {
        let Saved { whole, gradient: inner, inner: kept } = saved;
        clear(inner);
        whole.backward(simd, input, output, kept, grad_output, grad_input, inner, pass);
        outline_layer::<Self, B, _, _>(
            simd,
            #[inline(always)]
            || gradient.fold(simd, inner),
        );
    }
}

/// The largest over the elements of the group `G`, for every pixel and filter: what a [`GroupConv`] gives, whatever its
/// orientation; or their mean. `∂x` is `∂y` for the first of the largest, or a share for each.
///
/// ```
/// use monomorph::layer::evaluate;
/// use monomorph::layers::{GroupPool, P4};
///
/// let pool: GroupPool<[[[f32; 8]; 1]; 1], [[[f32; 2]; 1]; 1], P4, true> = monomorph::memory::zeroed();
/// assert_eq!(evaluate(&pool, &[[[[1.0, 5.0, 2.0, 3.0, 9.0, 4.0, 0.0, 1.0]]]]), [[[[9.0, 5.0]]]]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Parameters)]
#[parameters(of = X)]
#[repr(C)]
pub struct GroupPool<X, Y, G, const MAX: bool>(PhantomData<(X, Y, G)>);

impl<T: Scalar, X: Tensor<Element = T>, Y: Tensor<Element = T>, G: Symmetry, const MAX: bool> GroupPool<X, Y, G, MAX> {
    const SHAPE: () = {
        assert!(X::LEN > 0 && Y::LEN * G::ELEMENTS == X::LEN, "GroupPool: the input has channels for each element");
        assert!(Y::CHANNELS * G::ELEMENTS == X::CHANNELS, "GroupPool: the output has a channel for each filter");
    };

    /// What each counts.
    #[inline(always)]
    fn share() -> T {
        T::from_f64(1.0 / G::ELEMENTS as f64)
    }
}

impl<T: Scalar, X: Tensor<Element = T>, Y: Tensor<Element = T>, G: Symmetry, const MAX: bool> Layer
    for GroupPool<X, Y, G, MAX>
{
    type Input = X;
    type Output = Y;
    type Saved<const B: usize> = ();
    type Workspace<const B: usize> = ();
    const MACS: usize = 0;
    const BACKWARD_READS: Reads = Reads::INPUT;

    #[inline(always)]
    fn evaluate<S: Simd, const B: usize>(&self, simd: S, input: &[X; B], output: &mut [Y; B], (): &mut ()) {
        let () = Self::SHAPE;
        outline_layer::<Self, B, _, _>(
            simd,
            #[inline(always)]
            || {
                let pixels = batch_slice(input).chunks_exact(X::CHANNELS);
                for (x, y) in pixels.zip(batch_slice_mut(output).chunks_exact_mut(Y::CHANNELS)) {
                    for (element, x) in x.chunks_exact(Y::CHANNELS).enumerate() {
                        for (y, x) in y.iter_mut().zip(x) {
                            *y = match (element, MAX) {
                                (0, _) => *x,
                                (_, true) => y.max(*x),
                                (_, false) => *y + *x,
                            };
                        }
                    }
                    if !MAX {
                        y.iter_mut().for_each(|y| *y *= Self::share());
                    }
                }
            },
        );
    }

    crate::layer::forward_evaluates!();

    #[inline(always)]
    fn backward<S: Simd, const B: usize>(
        &self,
        simd: S,
        input: &[X; B],
        _output: &[Y; B],
        (): &mut (),
        grad_output: &mut [Y; B],
        grad_input: Option<&mut [X; B]>,
        _: &mut Self,
        _: &Pass<T>,
    ) {
        let Some(grad_input) = grad_input else { return };
        outline_layer::<Self, B, _, _>(
            simd,
            #[inline(always)]
            || {
                let pixels = batch_slice(input).chunks_exact(X::CHANNELS);
                let gradients = batch_slice_mut(grad_input).chunks_exact_mut(X::CHANNELS);
                let rows = batch_slice(grad_output).chunks_exact(Y::CHANNELS);
                for ((x, grad_x), grad_y) in pixels.zip(gradients).zip(rows) {
                    grad_x.fill(if MAX { T::ZERO } else { Self::share() });
                    for (filter, grad_y) in grad_y.iter().enumerate() {
                        let places = (filter..X::CHANNELS).step_by(Y::CHANNELS);
                        if MAX {
                            let best = places.reduce(|best, place| if x[place] > x[best] { place } else { best });
                            if let Some(to) = best.and_then(|place| grad_x.get_mut(place)) {
                                *to = *grad_y;
                            }
                        } else {
                            places.for_each(|place| grad_x[place] *= *grad_y);
                        }
                    }
                }
            },
        );
    }
}

#[cfg(all(test, feature = "safetensors", feature = "std"))]
mod tests {
    use super::*;
    use crate::layer::evaluate;
    use crate::layers::passes::random;
    use crate::layers::{Conv2d, Window2d};
    use crate::noise::Noise;
    use crate::testing::golden::random as random_batch;
    use crate::testing::{check_gradients, passes};

    type Same = Window2d<3, 3, 1, 1, 1, 1>;
    type Image<const C: usize> = [[[f64; C]; 5]; 5];
    type Weight<const C: usize, const O: usize> = [[[[f64; O]; C]; 3]; 3];
    type Of<const C: usize, const ALL: usize, const O: usize, B, F, G, const LIFT: bool> =
        GroupConv<Conv2d<Image<C>, Weight<C, ALL>, Image<ALL>, Same, F>, Weight<C, O>, B, G, LIFT>;
    type Lift4 = Of<2, 12, 3, [f64; 3], [f64; 12], P4, true>;
    type Group4 = Of<8, 12, 3, [f64; 3], [f64; 12], P4, false>;
    type Lift8 = Of<2, 8, 1, [f64; 0], [f64; 0], P4m, true>;
    type Group8 = Of<8, 16, 2, [f64; 2], [f64; 16], P4m, false>;

    #[test]
    fn elements_form_a_group() {
        for (g, h) in (0..64).map(|pair| (pair / 8, pair % 8)) {
            assert_eq!(product(g, inverse(g)), 0);
            assert_eq!(inverse(product(g, h)), product(inverse(h), inverse(g)));
            for place in (0..9).map(|place| [place / 3, place % 3]) {
                assert_eq!(moved(product(g, h), place, 3), moved(g, moved(h, place, 3), 3));
            }
        }
    }

    /// The image moved by `g`, and of features those of each element moved to where `g` takes it.
    fn act<const C: usize>(image: &Image<C>, g: usize, elements: usize) -> Image<C> {
        let (mut there, channels) = ([[[0.0; C]; 5]; 5], C / elements);
        for place in (0..25).map(|place| [place / 5, place % 5]) {
            let [row, column] = moved(g, place, 5);
            for channel in 0..C {
                let element = if elements == 1 { 0 } else { product(g, channel / channels) };
                there[row][column][element * channels + channel % channels] = image[place[0]][place[1]][channel];
            }
        }
        there
    }

    fn follows<const C: usize, const ALL: usize, L>(elements: usize, lifted: bool)
    where
        L: Layer<Scalar = f64, Input = Image<C>, Output = Image<ALL>>,
    {
        let (layer, mut noise) = (random::<L>(), Noise::new(5));
        let [image] = *random_batch::<Image<C>, 1>(noise.next_u64());
        for g in 0..elements {
            let [moved] = evaluate::<L, 1>(&layer, &[act(&image, g, if lifted { 1 } else { elements })]);
            let expected = act(&evaluate::<L, 1>(&layer, &[image])[0], g, elements);
            for (a, b) in moved.as_flattened().as_flattened().iter().zip(expected.as_flattened().as_flattened()) {
                assert!((a - b).abs() < 1e-9, "element {g} of {elements}: {a} is not {b}");
            }
        }
    }

    #[test]
    fn what_it_gives_turns_and_flips_with_the_image() {
        follows::<2, 12, Lift4>(4, true);
        follows::<8, 12, Group4>(4, false);
        follows::<2, 8, Lift8>(8, true);
        follows::<8, 16, Group8>(8, false);
    }

    fn check<X: Tensor<Element = f64>, L: Layer<Scalar = f64, Input = X>>() {
        let mut layer = random::<L>();
        let input = random_batch::<X, 2>(7);
        check_gradients::<L, 2>(&mut layer, &input, 1e-6).unwrap();
        passes::<L, 2>(&layer, &input, &random_batch::<L::Output, 2>(8)).unwrap();
    }

    #[test]
    fn gradients_agree_with_finite_differences() {
        check::<_, Lift4>();
        check::<_, Group4>();
        check::<_, Lift8>();
        check::<_, Group8>();
        check::<_, GroupPool<Image<8>, Image<1>, P4m, true>>();
        check::<_, GroupPool<Image<12>, Image<3>, P4, false>>();
    }
}
