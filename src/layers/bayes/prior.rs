//! Priors of weights, and the divergence of their distributions from them.
//!
//! A weight is distributed as `q = N(μ, σ²)` with `σ = softplus(ρ)`. For each prior, `KL(q ‖ p)` is summed over weights:
//!
//! | prior | `p(w)` | `KL(q ‖ p)` of a weight |
//! | --- | --- | --- |
//! | [`Gaussian`] | `N(0, s²)` | `ln(s / σ) + (σ² + μ²) / 2s² − ½` |
//! | [`ScaleMixture`] | `π N(0, s₁²) + (1 − π) N(0, s₂²)` | `−ln σ − ½ ln 2πe − ln p(w)`, estimated by one `w = μ + σ ε` |

use core::marker::PhantomData;

use crate::kernels::{elementwise, reduce};
use crate::noise::Noise;
use crate::scalar::{Real, Vector, bits};
use crate::simd::{Simd, Task, dispatch, level};

/// `σ = softplus(ρ)`.
#[inline(always)]
pub(super) fn sigma<T: Real, S: Simd>(simd: S, rho: T::Vector<S>) -> T::Vector<S> {
    T::softplus_lanes(simd, rho)
}

/// What is believed of weights before there are data; implemented by [`Gaussian`] and [`ScaleMixture`].
pub trait Prior: 'static {
    /// `Σ KL(q ‖ p)` over weights with the means `mean` and the deviations `softplus(rho)`.
    fn divergence<T: Real, S: Simd>(simd: S, mean: &[T], rho: &[T], noise: &mut Noise) -> T;

    /// Adds `weight` times the derivatives of the divergence by `μ` and `σ`; for the same noise.
    fn gradient<T: Real, S: Simd>(
        simd: S,
        of: (&[T], &[T]),
        noise: &mut Noise,
        weight: T,
        by_mean: &mut [T],
        by_deviation: &mut [T],
    );
}

/// [`Prior::divergence`] at the best SIMD level.
pub(super) fn divergence<T: Real, P: Prior>(mean: &[T], rho: &[T], noise: &mut Noise) -> T {
    struct Divergence<'a, T, P>(&'a [T], &'a [T], &'a mut Noise, PhantomData<P>);
    impl<T: Real, P: Prior> Task for Divergence<'_, T, P> {
        type Output = T;

        #[inline(always)]
        fn run<S: Simd>(&mut self, simd: S) -> T {
            P::divergence(simd, self.0, self.1, self.2)
        }
    }
    dispatch(level(), Divergence(mean, rho, noise, PhantomData::<P>))
}

/// Weights are normally distributed with mean 0; `DEVIATION` is the [`bits`] of the standard deviation.
///
/// ```
/// monomorph::network! { Net: [2] -> [1] { BayesDense(8, prior = 0.5), Tanh, BayesDense(1) } }
/// assert_eq!(Net::PARAMS, 2 * (2 * 8 + 8 + 8 + 1));
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Gaussian<const DEVIATION: u64 = { bits(1.0) }>;

impl<const DEVIATION: u64> Gaussian<DEVIATION> {
    const DEVIATION: f64 = positive(DEVIATION);
}

/// A number that is checked while compiling.
const fn positive(bits: u64) -> f64 {
    let value = f64::from_bits(bits);
    assert!(value > 0.0 && value < f64::INFINITY, "a prior's deviation is above 0");
    value
}

impl<const DEVIATION: u64> Prior for Gaussian<DEVIATION> {
    #[inline(always)]
    fn divergence<T: Real, S: Simd>(simd: S, mean: &[T], rho: &[T], _: &mut Noise) -> T {
        let deviation_of = const { Self::DEVIATION };
        let precision = T::from_f64(0.5 / (deviation_of * deviation_of));
        let factor = T::Vector::<S>::splat(simd, precision);
        let constant = (libm::log(deviation_of) - 0.5) * rho.len() as f64;
        let spread = reduce::sum_of(
            simd,
            rho,
            #[inline(always)]
            |rho| {
                let sigma = sigma::<T, S>(simd, rho);
                (factor * sigma).mul_add(sigma, -T::ln_lanes(simd, sigma))
            },
        );
        spread + precision * reduce::sum_of_squares(simd, mean) + T::from_f64(constant)
    }

    /// `∂KL/∂μ = μ / s²`, `∂KL/∂σ = σ / s² − 1 / σ`.
    #[inline(always)]
    fn gradient<T: Real, S: Simd>(
        simd: S,
        (mean, rho): (&[T], &[T]),
        _: &mut Noise,
        weight: T,
        by_mean: &mut [T],
        by_deviation: &mut [T],
    ) {
        let deviation_of = const { Self::DEVIATION };
        let factor = weight * T::from_f64(1.0 / (deviation_of * deviation_of));
        elementwise::add_scaled(simd, by_mean, mean, factor);
        let [factor, weight] = [factor, weight].map(|number| T::Vector::<S>::splat(simd, number));
        elementwise::zip(
            simd,
            by_deviation,
            rho,
            #[inline(always)]
            |sum, rho| {
                let sigma = sigma::<T, S>(simd, rho);
                factor.mul_add(sigma, sum) - weight / sigma
            },
        );
    }
}

/// Weights come from a wide or a narrow normal distribution with mean 0, the wide one with probability `PI`; all three
/// are [`bits`]. Most weights are then near 0, and few are far from it.
///
/// The defaults are among those that Blundell and others (2015) tried: `π = ¼`, `s₁ = 1`, `s₂ = e⁻⁶`.
///
/// ```
/// monomorph::network! { Net: [2] -> [1] { BayesDense(8, prior = mixture), Tanh, BayesDense(1) } }
/// assert_eq!(Net::PARAMS, 2 * (2 * 8 + 8 + 8 + 1));
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ScaleMixture<
    const PI: u64 = { bits(0.25) },
    const WIDE: u64 = { bits(1.0) },
    const NARROW: u64 = { bits(0.002_478_752_176_666_358_5) },
>;

/// How many weights are drawn at a time.
const BLOCK: usize = 64;

/// `½ ln 2π`.
const HALF_LN_TAU: f64 = 0.918_938_533_204_672_8;

impl<const PI: u64, const WIDE: u64, const NARROW: u64> ScaleMixture<PI, WIDE, NARROW> {
    const PI: f64 = {
        let pi = f64::from_bits(PI);
        assert!(pi > 0.0 && pi < 1.0, "ScaleMixture: the probability of the wide distribution is between 0 and 1");
        pi
    };
    const DEVIATIONS: [f64; 2] = [positive(WIDE), positive(NARROW)];

    /// The two summands of `p(w)` as logarithms, without `½ ln 2π`.
    #[inline(always)]
    fn summands<T: Real, S: Simd>(simd: S, w: T::Vector<S>) -> [T::Vector<S>; 2] {
        let [wide, narrow] = const { Self::DEVIATIONS };
        let pi = const { Self::PI };
        let half = T::Vector::<S>::splat(simd, T::from_f64(-0.5)) * w * w;
        [(pi, wide), (1.0 - pi, narrow)].map(
            #[inline(always)]
            |(share, deviation)| {
                let factor = T::Vector::<S>::splat(simd, T::from_f64(1.0 / (deviation * deviation)));
                half.mul_add(factor, T::Vector::<S>::splat(simd, T::from_f64(libm::log(share / deviation))))
            },
        )
    }

    /// `ln p(w)`.
    #[inline(always)]
    fn log_density<T: Real, S: Simd>(simd: S, w: T::Vector<S>) -> T::Vector<S> {
        let [wide, narrow] = Self::summands::<T, S>(simd, w);
        let other = T::softplus_lanes(simd, -(wide - narrow).abs());
        wide.max(narrow) + other - T::Vector::<S>::splat(simd, T::from_f64(HALF_LN_TAU))
    }

    /// `−∂ ln p / ∂w`.
    #[inline(always)]
    fn slope<T: Real, S: Simd>(simd: S, w: T::Vector<S>) -> T::Vector<S> {
        let [wide, narrow] = Self::summands::<T, S>(simd, w);
        let share = T::sigmoid_lanes(simd, wide - narrow);
        let [wide, narrow] = const { Self::DEVIATIONS }.map(
            #[inline(always)]
            |deviation| T::Vector::<S>::splat(simd, T::from_f64(1.0 / (deviation * deviation))),
        );
        w * share.mul_add(wide - narrow, narrow)
    }
}

/// Calls `f` with every block of means and of `ρ`, with weights that are drawn from them, and with their noise.
#[inline(always)]
fn drawn<T: Real, S: Simd>(
    simd: S,
    mean: &[T],
    rho: &[T],
    noise: &mut Noise,
    mut f: impl FnMut(core::ops::Range<usize>, &mut [T], &[T]),
) {
    let (mut weights, mut epsilon) = ([T::ZERO; BLOCK], [T::ZERO; BLOCK]);
    let mut start = 0;
    for (mean, rho) in mean.chunks(BLOCK).zip(rho.chunks(BLOCK)) {
        elementwise::draw_normal(&mut epsilon, noise);
        let len = rho.len();
        elementwise::zip3_to(
            simd,
            mean,
            rho,
            &epsilon,
            &mut weights,
            #[inline(always)]
            |mean, rho, epsilon| sigma::<T, S>(simd, rho).mul_add(epsilon, mean),
        );
        f(start..start + len, weights.get_mut(..len).unwrap_or_default(), epsilon.get(..len).unwrap_or_default());
        start += len;
    }
}

impl<const PI: u64, const WIDE: u64, const NARROW: u64> Prior for ScaleMixture<PI, WIDE, NARROW> {
    #[inline(always)]
    fn divergence<T: Real, S: Simd>(simd: S, mean: &[T], rho: &[T], noise: &mut Noise) -> T {
        let entropy = reduce::sum_of(
            simd,
            rho,
            #[inline(always)]
            |rho| T::ln_lanes(simd, sigma::<T, S>(simd, rho)),
        );
        let mut likely = T::ZERO;
        drawn(
            simd,
            mean,
            rho,
            noise,
            #[inline(always)]
            |_, weights, _| {
                likely += reduce::sum_of(
                    simd,
                    weights,
                    #[inline(always)]
                    |w| Self::log_density::<T, S>(simd, w),
                );
            },
        );
        -entropy - likely - T::from_f64((HALF_LN_TAU + 0.5) * rho.len() as f64)
    }

    /// With `g = −∂ ln p / ∂w`: `∂/∂μ = g`, `∂/∂σ = g ε − 1 / σ`.
    #[inline(always)]
    fn gradient<T: Real, S: Simd>(
        simd: S,
        (mean, rho): (&[T], &[T]),
        noise: &mut Noise,
        weight: T,
        by_mean: &mut [T],
        by_deviation: &mut [T],
    ) {
        let factor = T::Vector::<S>::splat(simd, weight);
        drawn(
            simd,
            mean,
            rho,
            noise,
            #[inline(always)]
            |range, weights, epsilon| {
                elementwise::map(
                    simd,
                    weights,
                    #[inline(always)]
                    |w| factor * Self::slope::<T, S>(simd, w),
                );
                elementwise::add_assign(simd, by_mean.get_mut(range.clone()).unwrap_or_default(), weights);
                elementwise::zip3(
                    simd,
                    by_deviation.get_mut(range).unwrap_or_default(),
                    weights,
                    epsilon,
                    #[inline(always)]
                    |sum, slope, epsilon| slope.mul_add(epsilon, sum),
                );
            },
        );
        elementwise::zip(
            simd,
            by_deviation,
            rho,
            #[inline(always)]
            |sum, rho| sum - factor / sigma::<T, S>(simd, rho),
        );
    }
}
