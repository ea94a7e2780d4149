//! Noise while training: dropout's relatives, which multiply or shift numbers at random, and leave them alone at
//! inference.
//!
//! | layer | `y` in training | each |
//! | --- | --- | --- |
//! | [`GaussianDropout`] | `m · x`, `m` normal with mean 1 and variance `RATE / (1 − RATE)` | number |
//! | [`SpatialDropout`] | `m · x`, `m = 0` with probability `RATE`, else `1 / (1 − RATE)` | channel of a sample |
//! | [`AlphaDropout`] | `a·x + b` with probability `1 − RATE`, else `a·α′ + b` | number |
//! | [`StochasticDepth`] | `m · x`, `m` as of `SpatialDropout` | sample |
//! | [`GaussianNoise`] | `x + n`, `n` normal with deviation `DEVIATION` | number |
//!
//! All are `y = f·x + o` with a random factor and offset, so `∂L/∂x = f · ∂L/∂y`; at inference `y = x`, which is the
//! mean of `y` in training (for `AlphaDropout`, mean and variance are kept). Input and output: any shape. `backward`
//! draws the factors again from the state of the noise, which needs no memory.

use core::marker::PhantomData;

use crate::kernels::elementwise;
use crate::layer::{Layer, Pass, Reads, outline_layer};
use crate::memory;
use crate::noise::Noise;
use crate::parameters::Parameters;
use crate::scalar::{Scalar, Vector};
use crate::simd::Simd;
use crate::streaming::step_by_step;
use crate::tensor::{Tensor, batch_slice, batch_slice_mut};

/// What a [`Perturb`] does to numbers at random: [`GaussianDropout`] and the others of this family.
pub trait Perturbation: 'static {
    /// What has a factor and an offset of its own.
    const EACH: Each = Each::Number;

    /// Draws a factor and an offset.
    fn draw(noise: &mut Noise) -> (f64, f64);
}

/// What a [`Perturbation`] draws numbers for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Each {
    /// Every number.
    Number,
    /// Every channel of a sample: all pixels or steps of it together.
    Channel,
    /// Every sample.
    Sample,
}

/// A layer that changes its input at random while training, and does nothing at inference.
///
/// ```
/// use monomorph::prelude::*;
///
/// network! { pub Net: [4] -> [2] { GaussianNoise(0.1), Dense(8), Selu, AlphaDropout(0.05), Dense(2) } }
/// let mut net = Net::zeroed();
/// net.initialize(Init::LecunNormal, &mut Noise::new(1));
/// assert_eq!(net.evaluate(&[1.0; 4]), net.evaluate(&[1.0; 4]));
/// let mut noise = Noise::new(2);
/// assert!(net.sample(&[1.0; 4], &mut noise) != net.sample(&[1.0; 4], &mut noise));
/// ```
#[derive(Clone, Copy, Debug, Parameters)]
#[parameters(of = X)]
#[repr(C)]
pub struct Perturb<X, P>(PhantomData<(X, P)>);

/// A probability below 1, checked while compiling.
const fn rate(bits: u64) -> f64 {
    let rate = f64::from_bits(bits);
    assert!(rate >= 0.0 && rate < 1.0, "dropout: the rate is at least 0 and below 1");
    rate
}

/// 0 with this probability, else what keeps the mean at 1.
#[inline(always)]
fn dropped(rate: f64, noise: &mut Noise) -> f64 {
    if noise.uniform() < rate { 0.0 } else { 1.0 / (1.0 - rate) }
}

/// Multiplies numbers by normally distributed ones with mean 1 and variance `RATE / (1 − RATE)`, those of dropout at
/// that rate. Srivastava and others, *Dropout* (2014), section 10; as in Keras.
///
/// ```
/// monomorph::network! { Net: [8] -> [2] { Dense(16), Relu, GaussianDropout(0.3), Dense(2) } }
/// assert_eq!(Net::PARAMS, 8 * 16 + 16 + 16 * 2 + 2);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct GaussianDropout<const RATE: u64>;

impl<const RATE: u64> Perturbation for GaussianDropout<RATE> {
    #[inline]
    fn draw(noise: &mut Noise) -> (f64, f64) {
        let rate = const { rate(RATE) };
        (1.0 + libm::sqrt(rate / (1.0 - rate)) * noise.normal(), 0.0)
    }
}

/// Drops whole channels of a sample, because neighboring pixels tell the same. Tompson et al., *Efficient object
/// localization using convolutional networks* (2015); PyTorch's `Dropout1d` and `Dropout2d`.
///
/// ```
/// monomorph::network! { Net: [8, 8, 1] -> [6, 6, 4] { Conv2d(4, kernel = 3), SpatialDropout(0.2) } }
/// assert_eq!(Net::PARAMS, 9 * 4 + 4);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct SpatialDropout<const RATE: u64>;

impl<const RATE: u64> Perturbation for SpatialDropout<RATE> {
    const EACH: Each = Each::Channel;

    #[inline]
    fn draw(noise: &mut Noise) -> (f64, f64) {
        (dropped(const { rate(RATE) }, noise), 0.0)
    }
}

/// Dropout behind [`Selu`](super::Selu): numbers become `α′ = −λα`, the function's limit far left, instead of 0, and
/// all are scaled and shifted so that mean 0 and variance 1 stay: `a = (q + α′²·q·p)^−½`, `b = −a·p·α′` with the rate
/// `p` and `q = 1 − p`. Klambauer et al., *Self-normalizing neural networks* (2017).
///
/// ```
/// monomorph::network! { Net: [8] -> [2] { Dense(16), Selu, AlphaDropout(0.1), Dense(2) } }
/// assert_eq!(Net::PARAMS, 8 * 16 + 16 + 16 * 2 + 2);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct AlphaDropout<const RATE: u64>;

/// `−λα` of SELU.
const LOWEST: f64 = -1.758_099_340_847_376_6;

impl<const RATE: u64> Perturbation for AlphaDropout<RATE> {
    #[inline]
    fn draw(noise: &mut Noise) -> (f64, f64) {
        let rate = const { rate(RATE) };
        let kept = 1.0 - rate;
        let a = 1.0 / libm::sqrt(kept + LOWEST * LOWEST * kept * rate);
        let b = -a * rate * LOWEST;
        if noise.uniform() < rate { (0.0, a * LOWEST + b) } else { (a, b) }
    }
}

/// Drops the body of a residual block for some samples, so that networks of all depths are trained at once: the last
/// layer of the body, which `residual(drop = 0.2) { .. }` puts there.
///
/// Huang et al., *Deep networks with stochastic depth* (2016), scaled while training as in torchvision (`mode =
/// "row"`). A dropped body is computed nevertheless, because other samples of the batch need it.
///
/// ```
/// monomorph::network! { Net: [8] -> [8] { repeat 4 { residual(drop = 0.2) { Dense(8), Relu, Dense(8) } } } }
/// assert_eq!(Net::PARAMS, 8 * (8 * 8 + 8));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct StochasticDepth<const RATE: u64>;

impl<const RATE: u64> Perturbation for StochasticDepth<RATE> {
    const EACH: Each = Each::Sample;

    #[inline]
    fn draw(noise: &mut Noise) -> (f64, f64) {
        (dropped(const { rate(RATE) }, noise), 0.0)
    }
}

/// Adds normally distributed noise with mean 0 and deviation `DEVIATION`, in units of its input: noise of a sensor,
/// before the first layer, or of activations. Bishop, *Training with noise is equivalent to Tikhonov regularization*
/// (1995); as in Keras.
///
/// ```
/// monomorph::network! { Net: [8] -> [2] { GaussianNoise(0.05), Dense(2) } }
/// assert_eq!(Net::PARAMS, 8 * 2 + 2);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct GaussianNoise<const DEVIATION: u64>;

impl<const DEVIATION: u64> Perturbation for GaussianNoise<DEVIATION> {
    #[inline]
    fn draw(noise: &mut Noise) -> (f64, f64) {
        let deviation = const {
            let deviation = f64::from_bits(DEVIATION);
            assert!(deviation >= 0.0, "GaussianNoise: the deviation is at least 0");
            deviation
        };
        (1.0, deviation * noise.normal())
    }
}

/// `y ← f·x + o`, or `f·x` without `OFFSET`, with what `noise` gives.
///
/// Numbers are drawn one by one, so they do not depend on the SIMD level.
#[inline(always)]
fn perturb<T: Scalar, X: Tensor<Element = T>, P: Perturbation, S: Simd, const OFFSET: bool>(
    simd: S,
    x: &[X],
    y: &mut [X],
    noise: &mut Noise,
) {
    let draw = |noise: &mut Noise| {
        let (factor, offset) = P::draw(noise);
        (T::from_f64(factor), T::from_f64(if OFFSET { offset } else { 0.0 }))
    };
    match P::EACH {
        Each::Number => {
            let (mut factors, mut offsets) = ([T::ZERO; 64], [T::ZERO; 64]);
            for (x, y) in batch_slice(x).chunks(64).zip(batch_slice_mut(y).chunks_mut(64)) {
                for (factor, offset) in factors.iter_mut().zip(&mut offsets).take(x.len()) {
                    (*factor, *offset) = draw(noise);
                }
                elementwise::zip3_to(
                    simd,
                    x,
                    &factors,
                    &offsets,
                    y,
                    #[inline(always)]
                    |x, factor, offset| factor.mul_add(x, offset),
                );
            }
        }
        Each::Channel => {
            let (mut factors, mut offsets): (X::Last, X::Last) = (memory::zeroed(), memory::zeroed());
            let channels = X::CHANNELS.max(1);
            for (x, y) in x.iter().zip(y) {
                for (factor, offset) in factors.numbers_mut().iter_mut().zip(offsets.numbers_mut()) {
                    (*factor, *offset) = draw(noise);
                }
                for (x, y) in x.numbers().chunks_exact(channels).zip(y.numbers_mut().chunks_exact_mut(channels)) {
                    elementwise::zip3_to(
                        simd,
                        x,
                        factors.numbers(),
                        offsets.numbers(),
                        y,
                        #[inline(always)]
                        |x, factor, offset| factor.mul_add(x, offset),
                    );
                }
            }
        }
        Each::Sample => {
            for (x, y) in x.iter().zip(y) {
                let (factor, offset) = draw(noise);
                let all = |number| T::Vector::<S>::splat(simd, number);
                let (factor, offset) = (all(factor), all(offset));
                elementwise::map_to(
                    simd,
                    x.numbers(),
                    y.numbers_mut(),
                    #[inline(always)]
                    |x| factor.mul_add(x, offset),
                );
            }
        }
    }
}

impl<T: Scalar, X: Tensor<Element = T>, P: Perturbation> Layer for Perturb<X, P> {
    type Input = X;
    type Output = X;
    /// The state of the noise: `backward` draws the same numbers again.
    type Saved<const B: usize> = Noise;
    type Workspace<const B: usize> = ();
    const MACS: usize = 0;
    const BACKWARD_READS: Reads = Reads::NOTHING;

    #[inline(always)]
    fn evaluate<S: Simd, const B: usize>(&self, _: S, input: &[X; B], output: &mut [X; B], (): &mut ()) {
        batch_slice_mut(output).copy_from_slice(batch_slice(input));
    }

    #[inline(always)]
    fn forward<S: Simd, const B: usize>(
        &self,
        simd: S,
        input: &[X; B],
        output: &mut [X; B],
        saved: &mut Noise,
        pass: &mut Pass<T>,
    ) {
        *saved = pass.noise;
        self.sample(simd, input, output, &mut (), &mut pass.noise);
    }

    #[inline(always)]
    fn sample<S: Simd, const B: usize>(
        &self,
        simd: S,
        input: &[X; B],
        output: &mut [X; B],
        (): &mut (),
        noise: &mut Noise,
    ) {
        outline_layer::<Self, B, _, _>(
            simd,
            #[inline(always)]
            || perturb::<T, X, P, S, true>(simd, input, output, noise),
        );
    }

    #[inline(always)]
    fn backward<S: Simd, const B: usize>(
        &self,
        simd: S,
        _: &[X; B],
        _: &[X; B],
        saved: &mut Noise,
        grad_output: &mut [X; B],
        grad_input: Option<&mut [X; B]>,
        _: &mut Self,
        _pass: &Pass<T>,
    ) {
        let Some(grad_input) = grad_input else { return };
        let mut noise = *saved;
        outline_layer::<Self, B, _, _>(
            simd,
            #[inline(always)]
            || perturb::<T, X, P, S, false>(simd, grad_output, grad_input, &mut noise),
        );
    }
}

step_by_step!(
    [T: Scalar, X: Tensor<Element = T>, P: Perturbation] Perturb<X, P>,
    |self, _simd, x, y| y.copy_from_slice(x)
);

#[cfg(all(test, feature = "safetensors", feature = "std"))]
mod tests {
    use super::*;
    use crate::memory::{boxed, zeroed};
    use crate::scalar::bits;
    use crate::simd::{Task, dispatch, level};
    use crate::testing::golden::random;
    use crate::testing::{check_gradients, passes};
    use std::boxed::Box;

    fn every<P: Perturbation>() {
        fn one<X: Tensor<Element = f64>, P: Perturbation, const B: usize>() {
            let mut layer = zeroed::<Perturb<X, P>>();
            check_gradients(&mut layer, &random::<X, B>(4), 1e-7).unwrap();
            passes(&layer, &*random::<X, B>(4), &random::<X, B>(5)).unwrap();
        }
        one::<[f64; 1], P, 1>();
        one::<[f64; 3], P, 2>();
        one::<[[f64; 17]; 2], P, 2>();
        one::<[[[f64; 3]; 5]; 4], P, 3>();
        one::<[f64; 33], P, 3>();
        one::<[f64; 129], P, 1>();
    }

    #[test]
    fn finite_differences_and_all_levels_agree() {
        every::<GaussianDropout<{ bits(0.3) }>>();
        every::<SpatialDropout<{ bits(0.4) }>>();
        every::<AlphaDropout<{ bits(0.2) }>>();
        every::<StochasticDepth<{ bits(0.5) }>>();
        every::<GaussianNoise<{ bits(0.7) }>>();
    }

    struct Forward<'a, X, P, const B: usize>(&'a [X; B], PhantomData<P>);

    impl<X: Tensor<Element = f64>, P: Perturbation, const B: usize> Task for Forward<'_, X, P, B> {
        type Output = Box<[X; B]>;
        #[inline(always)]
        fn run<S: Simd>(&mut self, simd: S) -> Self::Output {
            let mut output = boxed();
            let mut pass = Pass::new(Noise::new(11), 1.0);
            zeroed::<Perturb<X, P>>().forward(simd, self.0, &mut output, &mut Noise::new(0), &mut pass);
            output
        }
    }

    /// The mean and the variance of a layer's output for numbers of mean 0 and variance 1, or ones.
    fn moments<P: Perturbation>(ones: bool) -> (f64, f64) {
        const N: usize = 40_000;
        let mut input = boxed::<[[f64; 1]; N]>();
        let mut noise = Noise::new(3);
        input.as_flattened_mut().fill_with(|| if ones { 1.0 } else { noise.normal() });
        let output = dispatch(level(), Forward::<[f64; 1], P, N>(&input, PhantomData));
        let numbers = output.as_flattened();
        let mean = numbers.iter().sum::<f64>() / N as f64;
        (mean, numbers.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / N as f64)
    }

    #[test]
    fn moments_are_kept() {
        let near = |(mean, variance): (f64, f64), expected: (f64, f64)| {
            assert!((mean - expected.0).abs() < 0.03, "mean {mean}, not {}", expected.0);
            assert!((variance - expected.1).abs() < 0.05, "variance {variance}, not {}", expected.1);
        };
        near(moments::<GaussianDropout<{ bits(0.2) }>>(true), (1.0, 0.25));
        near(moments::<SpatialDropout<{ bits(0.2) }>>(true), (1.0, 0.25));
        near(moments::<StochasticDepth<{ bits(0.2) }>>(true), (1.0, 0.25));
        near(moments::<GaussianNoise<{ bits(0.5) }>>(true), (1.0, 0.25));
        near(moments::<AlphaDropout<{ bits(0.2) }>>(false), (0.0, 1.0));
        near(moments::<AlphaDropout<{ bits(0.0) }>>(false), (0.0, 1.0));
    }

    #[test]
    fn channels_and_samples_are_dropped_together() {
        let input = [[[1.0; 5]; 7]; 64];
        let output = dispatch(level(), Forward::<_, SpatialDropout<{ bits(0.5) }>, 64>(&input, PhantomData));
        let mut dropped = 0;
        for sample in &output[..] {
            assert!(sample.iter().all(|row| row == &sample[0]));
            dropped += sample[0].iter().filter(|x| **x == 0.0).count();
        }
        assert!((100..220).contains(&dropped), "{dropped} of 320 channels");
        let output = dispatch(level(), Forward::<_, StochasticDepth<{ bits(0.5) }>, 64>(&input, PhantomData));
        let dropped = output.iter().filter(|sample| sample.as_flattened().iter().all(|x| *x == 0.0)).count();
        let kept = output.iter().filter(|sample| sample.as_flattened().iter().all(|x| *x == 2.0)).count();
        assert!(dropped + kept == 64 && (16..48).contains(&dropped), "{dropped} of 64 samples");
    }
}
