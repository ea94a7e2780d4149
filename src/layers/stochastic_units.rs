//! Units with noise of a learned strength, and a term of the loss for what they let through: layers that forget.
//!
//! | | shape |
//! | --- | --- |
//! | input `x` | `[.., 2C]`, any rank: `C` values `a`, then `C` raw strengths `r` |
//! | output `y` | `[.., C]` |
//!
//! | kind | `y` in training | at inference | information of a unit, in nats |
//! | --- | --- | --- | --- |
//! | [`Bottleneck`] | `a + σ ε` | `a` | `KL(N(a, σ²) ‖ N(0, 1)) = ½(a² + σ² − 1) − ln σ` |
//! | [`InformationDropout`] | `relu(a) e^(α ε)` | `relu(a)` | `−ln(α / (m + 10⁻³))` |
//!
//! with `ε` standard normal for each unit; `σ = softplus(r − 5)`, or `e^(r / 2)` where `r` is a logarithm of variances;
//! `α = 10⁻³ + m sigmoid(r)`. The loss grows by `β` times the sum over units, a mean over the batch, times the trainer's
//! [term weight](crate::train::Trainer::term_weight).
//!
//! The derivatives stand below each kind's formulas. Authors' code often gives information in bits: their `β` is then
//! `β / ln 2` here.

use core::marker::PhantomData;

use crate::kernels::{elementwise, reduce};
use crate::layer::{Layer, Pass, Reads, outline_layer};
use crate::noise::Noise;
use crate::parameters::Parameters;
use crate::scalar::{Real, Vector, bits};
use crate::simd::Simd;
use crate::streaming::step_by_step;
use crate::tensor::{Tensor, batch_slice, batch_slice_mut};

/// A kind of [`StochasticUnits`]: [`Bottleneck`] or [`InformationDropout`].
pub trait UnitNoise: 'static {
    /// The weight `β` of the information.
    const BETA: f64;

    /// `y` without noise.
    fn quiet<T: Real, S: Simd>(simd: S, a: T::Vector<S>) -> T::Vector<S>;
    /// `y` with noise `ε`.
    fn noisy<T: Real, S: Simd>(simd: S, a: T::Vector<S>, r: T::Vector<S>, epsilon: T::Vector<S>) -> T::Vector<S>;
    /// The information of a row of units.
    fn information<T: Real, S: Simd>(simd: S, a: &[T], r: &[T]) -> T;
    /// The derivatives by `a` and `r` of the loss, in which the information has this weight; given `a`, `r`, `ε`, `∂y`.
    fn derivatives<T: Real, S: Simd>(simd: S, weight: T::Vector<S>, of: [T::Vector<S>; 4]) -> [T::Vector<S>; 2];
}

/// Normally distributed units, kept near a standard normal distribution: what a network knows of its input has to pass
/// through them, and costs. Alemi, Fischer, Dillon and Murphy, *Deep variational information bottleneck* (2017), with
/// `σ = softplus(r − 5)` as there; with `LOG_VARIANCE`, `σ² = eʳ`, the code of a variational autoencoder (Kingma and
/// Welling, 2014). `BETA` is the [`bits`] of `β`.
///
/// ```
/// use monomorph::prelude::*;
///
/// network! { pub Digits: [784] -> [10] { Dense(256), Relu, Dense(64), Bottleneck(beta = 0.001), Dense(10) } }
/// network! { pub Pictures: [784] -> [784] {
///     Dense(256), Relu, code: Dense(4), Bottleneck(beta = 1.0, scale = log_variance), Dense(256), Relu, Dense(784)
/// } }
/// assert_eq!(Digits::PARAMS, 784 * 256 + 256 + 256 * 64 + 64 + 32 * 10 + 10);
/// # assert_eq!(Pictures::NAME, "Pictures");
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bottleneck<const BETA: u64, const LOG_VARIANCE: bool = false>;

impl<const BETA: u64, const LOG_VARIANCE: bool> Bottleneck<BETA, LOG_VARIANCE> {
    /// By how much the softplus is shifted.
    const SHIFT: f64 = 5.0;

    /// `σ` and its derivative.
    #[inline(always)]
    fn deviation<T: Real, S: Simd>(simd: S, r: T::Vector<S>) -> [T::Vector<S>; 2] {
        let half = T::Vector::<S>::splat(simd, T::from_f64(0.5));
        if LOG_VARIANCE {
            let sigma = T::exp_lanes(simd, half * r);
            [sigma, half * sigma]
        } else {
            let shifted = r - T::Vector::<S>::splat(simd, T::from_f64(Self::SHIFT));
            [T::softplus_lanes(simd, shifted), T::sigmoid_lanes(simd, shifted)]
        }
    }
}

/// A weight that is checked while compiling.
const fn weight(bits: u64) -> f64 {
    let value = f64::from_bits(bits);
    assert!(value >= 0.0 && value < f64::INFINITY, "the weight of the information is negative");
    value
}

impl<const BETA: u64, const LOG_VARIANCE: bool> UnitNoise for Bottleneck<BETA, LOG_VARIANCE> {
    const BETA: f64 = weight(BETA);

    #[inline(always)]
    fn quiet<T: Real, S: Simd>(_: S, a: T::Vector<S>) -> T::Vector<S> {
        a
    }

    #[inline(always)]
    fn noisy<T: Real, S: Simd>(simd: S, a: T::Vector<S>, r: T::Vector<S>, epsilon: T::Vector<S>) -> T::Vector<S> {
        let [sigma, _] = Self::deviation::<T, S>(simd, r);
        sigma.mul_add(epsilon, a)
    }

    #[inline(always)]
    fn information<T: Real, S: Simd>(simd: S, a: &[T], r: &[T]) -> T {
        let half = T::Vector::<S>::splat(simd, T::from_f64(0.5));
        let spread = reduce::sum_of(
            simd,
            r,
            #[inline(always)]
            |r| {
                let [sigma, _] = Self::deviation::<T, S>(simd, r);
                let logarithm = if LOG_VARIANCE { half * r } else { T::ln_lanes(simd, sigma) };
                (half * sigma).mul_add(sigma, -(half + logarithm))
            },
        );
        spread + T::from_f64(0.5) * reduce::sum_of_squares(simd, a)
    }

    /// `∂a = ∂y + β a`, `∂r = (∂y ε + β (σ − 1 / σ)) σ′(r)`.
    #[inline(always)]
    fn derivatives<T: Real, S: Simd>(
        simd: S,
        weight: T::Vector<S>,
        [a, r, epsilon, dy]: [T::Vector<S>; 4],
    ) -> [T::Vector<S>; 2] {
        let [sigma, slope] = Self::deviation::<T, S>(simd, r);
        let one = T::Vector::<S>::splat(simd, T::ONE);
        let by_sigma = dy.mul_add(epsilon, weight * (sigma - one / sigma));
        [weight.mul_add(a, dy), by_sigma * slope]
    }
}

/// Rectified units that are multiplied by log-normal noise. Achille and Soatto, *Information dropout* (2018), for
/// rectified units and the log-uniform prior, with the constants of the authors' code; `MAX_ALPHA` is the [`bits`] of
/// `m`, the strongest noise, `BETA` that of `β`.
///
/// ```
/// use monomorph::prelude::*;
///
/// network! { pub Digits: [784] -> [10] { Dense(512), InformationDropout(beta = 0.1), Dense(10) } }
/// let net = monomorph::memory::boxed::<Digits>();
/// assert_eq!(net.evaluate(&[0.5; 784]), [0.0; 10]); // without noise
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct InformationDropout<const BETA: u64, const MAX_ALPHA: u64 = { bits(0.7) }>;

impl<const BETA: u64, const MAX_ALPHA: u64> InformationDropout<BETA, MAX_ALPHA> {
    const MAX_ALPHA: f64 = {
        let value = f64::from_bits(MAX_ALPHA);
        assert!(value > 0.0 && value < f64::INFINITY, "InformationDropout: max_alpha is above 0");
        value
    };
    /// Below the weakest noise.
    const LEAST: f64 = 1e-3;

    /// `α` and `sigmoid(r)`.
    #[inline(always)]
    fn strength<T: Real, S: Simd>(simd: S, r: T::Vector<S>) -> [T::Vector<S>; 2] {
        let [max, least] =
            [const { Self::MAX_ALPHA }, Self::LEAST].map(|x| T::Vector::<S>::splat(simd, T::from_f64(x)));
        let sigmoid = T::sigmoid_lanes(simd, r);
        [max.mul_add(sigmoid, least), sigmoid]
    }
}

impl<const BETA: u64, const MAX_ALPHA: u64> UnitNoise for InformationDropout<BETA, MAX_ALPHA> {
    const BETA: f64 = weight(BETA);

    #[inline(always)]
    fn quiet<T: Real, S: Simd>(simd: S, a: T::Vector<S>) -> T::Vector<S> {
        a.max(T::Vector::<S>::splat(simd, T::ZERO))
    }

    #[inline(always)]
    fn noisy<T: Real, S: Simd>(simd: S, a: T::Vector<S>, r: T::Vector<S>, epsilon: T::Vector<S>) -> T::Vector<S> {
        let [alpha, _] = Self::strength::<T, S>(simd, r);
        Self::quiet::<T, S>(simd, a) * T::exp_lanes(simd, alpha * epsilon)
    }

    #[inline(always)]
    fn information<T: Real, S: Simd>(simd: S, _: &[T], r: &[T]) -> T {
        let most = libm::log(const { Self::MAX_ALPHA } + Self::LEAST);
        let logarithms = reduce::sum_of(
            simd,
            r,
            #[inline(always)]
            |r| T::ln_lanes(simd, Self::strength::<T, S>(simd, r)[0]),
        );
        T::from_f64(most * r.len() as f64) - logarithms
    }

    /// `∂a = ∂y e^(α ε)` where `a > 0`, else 0; `∂r = (∂y y ε − β / α) m sigmoid(r) (1 − sigmoid(r))`.
    #[inline(always)]
    fn derivatives<T: Real, S: Simd>(
        simd: S,
        weight: T::Vector<S>,
        [a, r, epsilon, dy]: [T::Vector<S>; 4],
    ) -> [T::Vector<S>; 2] {
        let [zero, one, max] =
            [0.0, 1.0, const { Self::MAX_ALPHA }].map(|x| T::Vector::<S>::splat(simd, T::from_f64(x)));
        let [alpha, sigmoid] = Self::strength::<T, S>(simd, r);
        let by_a = dy * T::exp_lanes(simd, alpha * epsilon);
        let by_a = T::Vector::<S>::select(zero.lt(a), by_a, zero);
        let by_alpha = (by_a * a).mul_add(epsilon, -(weight / alpha));
        [by_a, by_alpha * max * sigmoid * (one - sigmoid)]
    }
}

/// Units with noise of a learned strength: `X → Y`, of the kind `K`.
///
/// In a network write `Bottleneck(beta = 0.001)` or `InformationDropout(beta = 0.1)`.
///
/// ```
/// use monomorph::layer::evaluate;
/// use monomorph::layers::{Bottleneck, StochasticUnits};
/// use monomorph::scalar::bits;
///
/// let units: StochasticUnits<[f32; 4], [f32; 2], Bottleneck<{ bits(0.001) }>> = monomorph::memory::zeroed();
/// assert_eq!(evaluate(&units, &[[1.0, 2.0, 3.0, 4.0]]), [[1.0, 2.0]]);
/// ```
#[derive(Clone, Copy, Debug, Parameters)]
#[parameters(of = X)]
#[repr(C)]
pub struct StochasticUnits<X, Y, K>(PhantomData<(X, Y, K)>);

impl<T: Real, X: Tensor<Element = T>, Y: Tensor<Element = T>, K: UnitNoise> StochasticUnits<X, Y, K> {
    /// The channels of the output.
    const HALF: usize = {
        assert!(
            Y::CHANNELS > 0 && X::CHANNELS == 2 * Y::CHANNELS && X::LEN == 2 * Y::LEN,
            "StochasticUnits: X is two Y side by side"
        );
        Y::CHANNELS
    };

    /// The rows of some inputs: `a` and `r`.
    #[inline(always)]
    fn rows(x: &[T]) -> impl Iterator<Item = (&[T], &[T])> {
        x.chunks_exact(2 * const { Self::HALF }).map(|row| row.split_at(const { Self::HALF }))
    }

    #[inline(always)]
    fn quiet<S: Simd>(simd: S, x: &[T], y: &mut [T]) {
        for ((a, _), y) in Self::rows(x).zip(y.chunks_exact_mut(const { Self::HALF })) {
            elementwise::map_to(
                simd,
                a,
                y,
                #[inline(always)]
                |a| K::quiet::<T, S>(simd, a),
            );
        }
    }

    /// Puts `y` in the place of `ε`.
    #[inline(always)]
    fn noisy<S: Simd>(simd: S, x: &[T], y: &mut [T]) {
        for ((a, r), y) in Self::rows(x).zip(y.chunks_exact_mut(const { Self::HALF })) {
            elementwise::zip3(
                simd,
                y,
                a,
                r,
                #[inline(always)]
                |epsilon, a, r| K::noisy::<T, S>(simd, a, r, epsilon),
            );
        }
    }
}

impl<T: Real, X: Tensor<Element = T>, Y: Tensor<Element = T>, K: UnitNoise> StochasticUnits<X, Y, K> {
    /// `forward` with an `ε` that is there.
    #[inline(always)]
    fn forward_with<S: Simd, const B: usize>(
        simd: S,
        input: &[X; B],
        output: &mut [Y; B],
        epsilon: &[Y; B],
        pass: &mut Pass<T>,
    ) {
        let information = outline_layer::<Self, B, _, _>(
            simd,
            #[inline(always)]
            || {
                batch_slice_mut(output).copy_from_slice(batch_slice(epsilon));
                Self::noisy(simd, batch_slice(input), batch_slice_mut(output));
                let rows = Self::rows(batch_slice(input));
                rows.fold(T::ZERO, |sum, (a, r)| sum + K::information(simd, a, r))
            },
        );
        pass.add_term(T::from_f64(K::BETA / B as f64) * information);
    }
}

impl<T: Real, X: Tensor<Element = T>, Y: Tensor<Element = T>, K: UnitNoise> Layer for StochasticUnits<X, Y, K> {
    type Input = X;
    type Output = Y;
    /// `ε`.
    type Saved<const B: usize> = [Y; B];
    type Workspace<const B: usize> = ();
    const MACS: usize = 0;
    const BACKWARD_READS: Reads = Reads::INPUT;

    #[inline(always)]
    fn evaluate<S: Simd, const B: usize>(&self, simd: S, input: &[X; B], output: &mut [Y; B], (): &mut ()) {
        outline_layer::<Self, B, _, _>(
            simd,
            #[inline(always)]
            || Self::quiet(simd, batch_slice(input), batch_slice_mut(output)),
        );
    }

    #[inline(always)]
    fn sample<S: Simd, const B: usize>(
        &self,
        simd: S,
        input: &[X; B],
        output: &mut [Y; B],
        (): &mut (),
        noise: &mut Noise,
    ) {
        outline_layer::<Self, B, _, _>(
            simd,
            #[inline(always)]
            || {
                elementwise::draw_normal(batch_slice_mut(output), noise);
                Self::noisy(simd, batch_slice(input), batch_slice_mut(output));
            },
        );
    }

    #[inline(always)]
    fn forward<S: Simd, const B: usize>(
        &self,
        simd: S,
        input: &[X; B],
        output: &mut [Y; B],
        epsilon: &mut [Y; B],
        pass: &mut Pass<T>,
    ) {
        elementwise::draw_normal(batch_slice_mut(epsilon), &mut pass.noise);
        Self::forward_with(simd, input, output, epsilon, pass);
    }

    #[inline(always)]
    fn backward<S: Simd, const B: usize>(
        &self,
        simd: S,
        input: &[X; B],
        _output: &[Y; B],
        epsilon: &mut [Y; B],
        grad_output: &mut [Y; B],
        grad_input: Option<&mut [X; B]>,
        _gradient: &mut Self,
        pass: &Pass<T>,
    ) {
        let Some(grad_input) = grad_input else { return };
        outline_layer::<Self, B, _, _>(
            simd,
            #[inline(always)]
            || {
                let half = const { Self::HALF };
                let weight = pass.term_weight * T::from_f64(K::BETA / B as f64);
                let weight = T::Vector::<S>::splat(simd, weight);
                let by = batch_slice(epsilon).chunks_exact(half).zip(batch_slice(grad_output).chunks_exact(half));
                let rows = Self::rows(batch_slice(input)).zip(by);
                for (((a, r), (epsilon, dy)), dx) in rows.zip(batch_slice_mut(grad_input).chunks_exact_mut(2 * half)) {
                    let (by_a, by_r) = dx.split_at_mut(half);
                    elementwise::update(
                        simd,
                        half,
                        [by_a, by_r],
                        [a, r, epsilon, dy],
                        #[inline(always)]
                        |_, of| K::derivatives::<T, S>(simd, weight, of),
                    );
                }
            },
        );
    }
}

step_by_step!(
    [T: Real, X: Tensor<Element = T>, Y: Tensor<Element = T>, K: UnitNoise] StochasticUnits<X, Y, K> => Y,
    |self, simd, x, y| Self::quiet(simd, x, y)
);

#[cfg(all(test, feature = "safetensors", feature = "std"))]
mod tests;
