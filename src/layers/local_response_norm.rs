//! Local response normalization of Krizhevsky, Sutskever and Hinton, *ImageNet classification with deep convolutional
//! neural networks* (2012): every number is divided by those of neighboring channels.
//!
//! | | shape |
//! | --- | --- |
//! | input `x`, output `y` | `[.., C]`, any rank |
//!
//! `y[c] = x[c] · s[c]^(−β)` with `s[c] = k + α/n Σ x[c + d]²`, over the `d` from `−⌊n/2⌋` to `⌊(n − 1)/2⌋` whose channels
//! exist: PyTorch's and ONNX's convention, which divides `α` by `n`.
//!
//! `∂L/∂x[c] = ∂L/∂y[c] · s[c]^(−β) − 2αβ/n · x[c] Σ r[c − d]` with `r = ∂L/∂y · x · s^(−β − 1)`.

use core::marker::PhantomData;

use crate::kernels::elementwise::{zip, zip_to, zip3, zip3_to};
use crate::layer::{Layer, Pass, Reads, outline_layer};
use crate::parameters::Parameters;
use crate::scalar::{Real, Vector, bits};
use crate::simd::Simd;
use crate::tensor::{Tensor, batch_slice, batch_slice_mut};

/// Divides every number by a power of the squares of `SIZE` neighboring channels: `X → X`.
///
/// `ALPHA`, `BETA` and `K` are [`bits`] of α, β and k. In a network write `LocalResponseNorm(5)`, or
/// `LocalResponseNorm(5, alpha = 1e-4, beta = 0.75, k = 1)`, which are the defaults.
///
/// ```
/// use monomorph::layers::LocalResponseNorm;
/// use monomorph::testing::check_gradients;
/// let mut norm: LocalResponseNorm<[[f64; 4]; 2], 3> = monomorph::memory::zeroed();
/// check_gradients(&mut norm, &[[[1.0, 2.0, 4.0, 0.1], [3.0, 5.0, 0.5, 2.5]]], 1e-7)?;
/// # Ok::<(), monomorph::testing::GradientError>(())
/// ```
#[derive(Clone, Copy, Debug, Parameters)]
#[parameters(of = X)]
#[repr(C)]
pub struct LocalResponseNorm<
    X,
    const SIZE: usize,
    const ALPHA: u64 = { bits(1e-4) },
    const BETA: u64 = { bits(0.75) },
    const K: u64 = { bits(1.0) },
>(PhantomData<X>);

/// Calls `f(from, to, len)` for each distance of a window of `size` channels: channel `from + i` lies in the window of
/// channel `to + i`.
#[inline(always)]
fn each_distance(size: usize, channels: usize, mut f: impl FnMut(usize, usize, usize)) {
    for distance in 0..size {
        let (from, to) = (distance.saturating_sub(size / 2), (size / 2).saturating_sub(distance));
        if from + to < channels {
            f(from, to, channels - from - to);
        }
    }
}

impl<T: Real, X: Tensor<Element = T>, const SIZE: usize, const ALPHA: u64, const BETA: u64, const K: u64>
    LocalResponseNorm<X, SIZE, ALPHA, BETA, K>
{
    /// `α/n`.
    const SHARE: f64 = {
        assert!(SIZE > 0 && X::CHANNELS > 0, "LocalResponseNorm: the size is 0");
        f64::from_bits(ALPHA) / SIZE as f64
    };

    /// `s` of pixels.
    #[inline(always)]
    fn sums<S: Simd>(simd: S, x: &[T], s: &mut [T]) {
        let share = T::Vector::<S>::splat(simd, T::from_f64(Self::SHARE));
        s.fill(T::from_f64(f64::from_bits(K)));
        for (x, s) in x.chunks_exact(X::CHANNELS).zip(s.chunks_exact_mut(X::CHANNELS)) {
            each_distance(
                SIZE,
                X::CHANNELS,
                #[inline(always)]
                |from, to, len| {
                    let (Some(s), Some(x)) = (s.get_mut(to..to + len), x.get(from..from + len)) else { return };
                    zip(
                        simd,
                        s,
                        x,
                        #[inline(always)]
                        |s, x| (x * x).mul_add(share, s),
                    );
                },
            );
        }
    }

    /// `s^(−β)`.
    #[inline(always)]
    fn power<S: Simd>(simd: S, s: T::Vector<S>) -> T::Vector<S> {
        T::exp_lanes(simd, T::ln_lanes(simd, s) * T::Vector::<S>::splat(simd, T::from_f64(-f64::from_bits(BETA))))
    }
}

impl<T: Real, X: Tensor<Element = T>, const SIZE: usize, const ALPHA: u64, const BETA: u64, const K: u64> Layer
    for LocalResponseNorm<X, SIZE, ALPHA, BETA, K>
{
    type Input = X;
    type Output = X;
    /// `s`.
    type Saved<const B: usize> = [X; B];
    type Workspace<const B: usize> = ();
    const MACS: usize = X::LEN * SIZE;
    const BACKWARD_READS: Reads = Reads::INPUT;

    #[inline(always)]
    fn evaluate<S: Simd, const B: usize>(&self, simd: S, input: &[X; B], output: &mut [X; B], _workspace: &mut ()) {
        outline_layer::<Self, B, _, _>(
            simd,
            #[inline(always)]
            || {
                let (x, y) = (batch_slice(input), batch_slice_mut(output));
                Self::sums(simd, x, y);
                zip(
                    simd,
                    y,
                    x,
                    #[inline(always)]
                    |s, x| x * Self::power(simd, s),
                );
            },
        );
    }

    #[inline(always)]
    fn forward<S: Simd, const B: usize>(
        &self,
        simd: S,
        input: &[X; B],
        output: &mut [X; B],
        saved: &mut [X; B],
        _pass: &mut Pass<T>,
    ) {
        outline_layer::<Self, B, _, _>(
            simd,
            #[inline(always)]
            || {
                let (x, s) = (batch_slice(input), batch_slice_mut(saved));
                Self::sums(simd, x, s);
                zip_to(
                    simd,
                    x,
                    s,
                    batch_slice_mut(output),
                    #[inline(always)]
                    |x, s| x * Self::power(simd, s),
                );
            },
        );
    }

    #[inline(always)]
    fn backward<S: Simd, const B: usize>(
        &self,
        simd: S,
        input: &[X; B],
        _output: &[X; B],
        saved: &mut [X; B],
        grad_output: &mut [X; B],
        grad_input: Option<&mut [X; B]>,
        _gradient: &mut Self,
        _pass: &Pass<T>,
    ) {
        let Some(grad_input) = grad_input else { return };
        outline_layer::<Self, B, _, _>(
            simd,
            #[inline(always)]
            || {
                let factor = -2.0 * Self::SHARE * f64::from_bits(BETA);
                let factor = T::Vector::<S>::splat(simd, T::from_f64(factor));
                let (x, s, grad_x) = (batch_slice(input), batch_slice(saved), batch_slice_mut(grad_input));
                zip_to(
                    simd,
                    batch_slice(grad_output),
                    s,
                    grad_x,
                    #[inline(always)]
                    |gradient, s| gradient * Self::power(simd, s),
                );
                // In the place of ∂L/∂y, which nothing needs any more.
                let r = batch_slice_mut(grad_output);
                zip3_to(
                    simd,
                    grad_x,
                    x,
                    s,
                    r,
                    #[inline(always)]
                    |gradient, x, s| gradient * x / s,
                );
                let pixels = x.chunks_exact(X::CHANNELS).zip(r.chunks_exact(X::CHANNELS));
                for ((x, r), grad_x) in pixels.zip(grad_x.chunks_exact_mut(X::CHANNELS)) {
                    each_distance(
                        SIZE,
                        X::CHANNELS,
                        #[inline(always)]
                        |from, to, len| {
                            let places = (grad_x.get_mut(from..from + len), x.get(from..from + len));
                            let ((Some(grad_x), Some(x)), Some(r)) = (places, r.get(to..to + len)) else { return };
                            zip3(
                                simd,
                                grad_x,
                                x,
                                r,
                                #[inline(always)]
                                |gradient, x, r| (x * factor).mul_add(r, gradient),
                            );
                        },
                    );
                }
            },
        );
    }
}

#[cfg(all(test, feature = "safetensors", feature = "std"))]
mod tests {
    use super::*;
    use crate::layers::passes::{check, numbers};
    use crate::memory::zeroed;
    use crate::testing::{check_gradients, golden};
    use std::vec;

    type Strong<X, const SIZE: usize> = LocalResponseNorm<X, SIZE, { bits(0.1) }, { bits(0.75) }, { bits(2.0) }>;

    fn agrees<T: Real, X: Tensor<Element = T>, const SIZE: usize, const B: usize>() {
        let (input, grad_output) = (golden::random::<X, B>(2), golden::random::<X, B>(3));
        let (x, dy) = (numbers(&input[..]), numbers(&grad_output[..]));
        let channels = X::CHANNELS;
        let (mut y, mut dx) = (vec![0.0; x.len()], vec![0.0; x.len()]);
        for at in 0..x.len() {
            let c = at % channels;
            let window = (c.saturating_sub(SIZE / 2)..(c + SIZE.div_ceil(2)).min(channels)).map(|other| at - c + other);
            let s = 2.0 + 0.1 / SIZE as f64 * window.clone().map(|other| x[other].powi(2)).sum::<f64>();
            y[at] = x[at] * s.powf(-0.75);
            dx[at] += dy[at] * s.powf(-0.75);
            for other in window {
                dx[other] -= 2.0 * 0.1 * 0.75 / SIZE as f64 * x[other] * dy[at] * x[at] * s.powf(-1.75);
            }
        }
        check::<X, Strong<X, SIZE>, B>(&zeroed(), &input, &grad_output, [&y, &y, &dx, &[]]);
    }

    #[test]
    fn agrees_with_the_definition() {
        agrees::<f32, [[[f32; 17]; 2]; 3], 5, 2>();
        agrees::<f64, [[f64; 9]; 4], 4, 2>();
        agrees::<f64, [f64; 3], 7, 1>();
        agrees::<f32, [f32; 33], 1, 1>();
        agrees::<f64, [f64; 1], 2, 3>();
    }

    #[test]
    fn finite_differences_agree() {
        let input = golden::random::<[[f64; 9]; 2], 3>(4);
        check_gradients(&mut zeroed::<Strong<[[f64; 9]; 2], 4>>(), &input, 1e-7).unwrap();
    }

    #[test]
    fn agrees_with_pytorch() {
        golden::check_layer::<Strong<[[[f64; 8]; 4]; 3], 5>, 1>("local_response_norm");
        golden::check_layer::<Strong<[[[f32; 8]; 4]; 3], 5>, 1>("local_response_norm");
    }
}
