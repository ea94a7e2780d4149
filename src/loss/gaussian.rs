//! Losses of outputs that are normal distributions: a mean and the logarithm of a variance for each number.
//!
//! The first half of an output's numbers are the means, the second half the logarithms. That is what a network with two
//! outputs gives, `(mean: [4], log_variance: [4])`, or one with a single output of twice as many numbers.

use super::{Loss, LossError, reciprocal};
use crate::kernels::training::{Sum, compare_parts};
use crate::scalar::{Real, Vector};
use crate::simd::{Simd, outline};
use crate::tensor::{Tensor, batch_slice};

/// The negative log-likelihood of the target `t` under a normal distribution with mean `μ` and variance `eˢ`: the mean
/// over all numbers of the target of `½(s + (t − μ)²·e⁻ˢ)`; its gradient is `(μ − t)·e⁻ˢ/n` to `μ` and
/// `½(1 − (t − μ)²·e⁻ˢ)/n` to `s`.
///
/// | output | target |
/// | --- | --- |
/// | `n` means, then `n` logarithms of variances, such as `[T; 2 * n]` | `n` numbers, such as `[T; n]` |
///
/// Nix and Weigend (1994). PyTorch's `GaussianNLLLoss` takes the variance itself.
///
/// ```
/// use monomorph::prelude::*;
/// use monomorph::loss::GaussianNll;
///
/// network! { pub Doubt(x: [1]) -> (mean: [1], log_variance: [1]) {
///     let hidden = x |> Dense(8) |> Tanh;
///     let mean = hidden |> Dense(1);
///     let log_variance = hidden |> Dense(1);
/// } }
/// let mut net = Doubt::zeroed();
/// let adam = Adam { learning_rate: 0.05, ..Adam::default() };
/// let mut trainer = Trainer::<Doubt, _, 2>::new(adam, GaussianNll::default());
/// for _ in 0..500 {
///     trainer.step(&mut net, &[[0.0]; 2], &[[1.0], [3.0]])?;
/// }
/// let output = net.evaluate(&[0.0]);
/// assert!((output.mean[0] - 2.0).abs() < 0.01 && output.log_variance[0].abs() < 0.01);
/// # Ok::<(), monomorph::train::TrainError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GaussianNll {
    /// Whether the constant `½ ln 2π` is part of it; by default not, as in PyTorch.
    pub full: bool,
}

/// The Kullback–Leibler divergence from a standard normal distribution to one with mean `μ` and variance `eˢ`: the mean
/// over the samples of `½ Σ (μ² + eˢ − 1 − s)`; its gradient is `μ/B` and `½(eˢ − 1)/B` for a batch of `B`.
///
/// The output is `n` means, then `n` logarithms of variances. There is nothing to compare with: the target is `()`.
///
/// Kingma and Welling, *Auto-encoding variational Bayes* (2014), appendix B. It is summed over the numbers of a sample,
/// as there, so that together with a summed reconstruction error it is a bound of the likelihood.
///
/// ```
/// use monomorph::loss::{GaussianKl, Loss};
///
/// let (divergence, gradient) = GaussianKl.loss_and_gradient(&[[1.0_f64, 0.0]], &[()])?;
/// assert_eq!((divergence, gradient), (0.5, [[1.0, 0.0]]));
/// # Ok::<(), monomorph::loss::LossError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GaussianKl;

/// `ln 2π`.
const LN_TAU: f64 = 1.837_877_066_409_345_3;

/// The sum over all samples of what `f([μ, s], t)` gives, times `share`, and the gradient if requested. Without
/// targets, `t` is `μ`.
#[inline(always)]
fn halves<T: Real, X: Tensor<Element = T>, S: Simd>(
    simd: S,
    output: &[X],
    target: Option<&[T]>,
    mut gradient: Option<&mut [X]>,
    share: T,
    f: impl Fn([T::Vector<S>; 2], T::Vector<S>) -> (T::Vector<S>, [T::Vector<S>; 2]),
) -> T {
    const {
        assert!(
            X::LEN % 2 == 0,
            "a normal distribution is a mean and the logarithm of a variance: an even number of outputs"
        );
    }
    outline(
        simd,
        #[inline(always)]
        move || {
            let half = X::LEN / 2;
            let mut sum = Sum::default();
            for (sample, output) in output.iter().enumerate() {
                let (mean, log) = output.numbers().split_at(half);
                let target = target.map_or(mean, |all| all.get(sample * half..(sample + 1) * half).unwrap_or_default());
                let gradient = gradient.as_deref_mut().and_then(|gradient| gradient.get_mut(sample)).map(|gradient| {
                    let (mean, log) = gradient.numbers_mut().split_at_mut(half);
                    [mean, log]
                });
                sum.add(compare_parts(simd, [mean, log], target, gradient, share, &f));
            }
            sum.value() * share
        },
    )
}

impl GaussianNll {
    #[inline(always)]
    fn mean<T: Real, X: Tensor<Element = T>, Y: Tensor<Element = T>, S: Simd>(
        self,
        simd: S,
        output: &[X],
        target: &[Y],
        gradient: Option<&mut [X]>,
    ) -> T {
        const {
            assert!(
                X::LEN == 2 * Y::LEN,
                "`GaussianNll` takes an output with a mean and the logarithm of a variance for each number of the target"
            );
        }
        let all = |number: f64| T::Vector::<S>::splat(simd, T::from_f64(number));
        let (half, one) = (all(0.5), all(1.0));
        let constant = all(if self.full { LN_TAU } else { 0.0 });
        halves(
            simd,
            output,
            Some(batch_slice(target)),
            gradient,
            reciprocal(target.len() * Y::LEN),
            #[inline(always)]
            move |[mean, log], t| {
                let (d, precision) = (mean - t, T::exp_lanes(simd, -log));
                let scaled = d * precision;
                let square = d * scaled;
                (half * ((log + square) + constant), [scaled, half * (one - square)])
            },
        )
    }
}

// The notes of the trait say it in words.
#[diagnostic::do_not_recommend]
impl<T: Real, X: Tensor<Element = T>, Y: Tensor<Element = T>> Loss<T, X, Y> for GaussianNll {
    #[inline(always)]
    fn loss<S: Simd, const B: usize>(
        &self,
        simd: S,
        output: &[X; B],
        target: &[Y; B],
        gradient: &mut [X; B],
    ) -> Result<T, LossError> {
        Ok(self.mean(simd, output, target, Some(gradient)))
    }

    #[inline(always)]
    fn value<S: Simd, const B: usize>(&self, simd: S, output: &[X; B], target: &[Y; B]) -> Result<T, LossError> {
        Ok(self.mean(simd, output, target, None))
    }

    #[inline(always)]
    fn divisor<const B: usize>(&self, _target: &[Y; B]) -> f64 {
        (B * Y::LEN) as f64
    }
}

/// [`GaussianKl`] of a batch, and its gradient if requested.
#[inline(always)]
fn divergence<T: Real, X: Tensor<Element = T>, S: Simd>(simd: S, output: &[X], gradient: Option<&mut [X]>) -> T {
    let half = T::Vector::<S>::splat(simd, T::from_f64(0.5));
    halves(
        simd,
        output,
        None,
        gradient,
        reciprocal(output.len()),
        #[inline(always)]
        |[mean, log], _| {
            // eˢ − 1 − s, exact near 0.
            let more = T::exp_m1_lanes(simd, log);
            (half * (mean * mean + (more - log)), [mean, half * more])
        },
    )
}

// The notes of the trait say it in words.
#[diagnostic::do_not_recommend]
impl<T: Real, X: Tensor<Element = T>> Loss<T, X, ()> for GaussianKl {
    #[inline(always)]
    fn loss<S: Simd, const B: usize>(
        &self,
        simd: S,
        output: &[X; B],
        _target: &[(); B],
        gradient: &mut [X; B],
    ) -> Result<T, LossError> {
        Ok(divergence(simd, output, Some(gradient)))
    }

    #[inline(always)]
    fn value<S: Simd, const B: usize>(&self, simd: S, output: &[X; B], _target: &[(); B]) -> Result<T, LossError> {
        Ok(divergence(simd, output, None))
    }
}

#[cfg(all(test, feature = "safetensors", feature = "std"))]
mod tests {
    use super::*;
    use crate::loss::check;
    use crate::simd::levels;
    use crate::testing::golden::{Case, assert_close, random};

    #[test]
    fn likelihood_agrees_with_pytorch() {
        fn every<T: Real>() {
            let target: [[T; 4]; 5] = check::numbers("loss_gaussian_nll");
            check::golden::<T, [T; 8], _, 5>("loss_gaussian_nll", &GaussianNll { full: true }, &target);
        }
        every::<f64>();
        every::<f32>();
        let (loss, _) = GaussianNll::default().loss_and_gradient(&[[2.0_f64, 0.0]], &[[2.0]]).unwrap();
        assert_eq!(loss, 0.0, "without the constant");
    }

    /// The file's `x` are the logarithms.
    #[test]
    fn divergence_agrees_with_the_formula() {
        let case = Case::open("loss_gaussian_kl_standard");
        let (mean, log) = (case.numbers("mu"), case.numbers("x"));
        let rows: [[f64; 12]; 4] = core::array::from_fn(|sample| {
            core::array::from_fn(|index| if index < 6 { mean[sample * 6 + index] } else { log[sample * 6 + index - 6] })
        });
        for level in levels() {
            let mut gradient = [[f64::NAN; 12]; 4];
            let loss = check::loss(level, &GaussianKl, &rows, &[(); 4], &mut gradient).unwrap();
            assert_close("loss", &[loss], &case.numbers("loss"), 1e-10);
            assert_close(
                "ds",
                gradient.map(|row| *row.last_chunk::<6>().unwrap()).as_flattened(),
                &case.numbers("dx"),
                1e-10,
            );
            let expected: std::vec::Vec<f64> = mean.iter().map(|mean| mean / 4.0).collect();
            assert_close("dμ", gradient.map(|row| *row.first_chunk::<6>().unwrap()).as_flattened(), &expected, 1e-10);
        }
    }

    #[test]
    fn gradients() {
        fn every<const N: usize, const M: usize>() {
            let (mut output, target) = (random::<[f64; M], 3>(1), random::<[f64; N], 3>(2));
            check::differences(&GaussianNll { full: true }, &mut output, &target);
            check::differences(&GaussianKl, &mut output, &[(); 3]);
        }
        every::<1, 2>();
        every::<3, 6>();
        every::<17, 34>();
        every::<33, 66>();
    }
}
