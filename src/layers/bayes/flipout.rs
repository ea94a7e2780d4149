//! Flipout (Wen et al., 2018): weights are drawn once for a batch, and their deviations from the mean are multiplied by
//! random signs for each sample, so that samples are nearly independent.
//!
//! With `Δ = σ ∘ ε`, drawn for the batch, and signs `r`, `s` for each sample, one for each output and input channel:
//!
//! | pass | `y` |
//! | --- | --- |
//! | training | `μ ⋆ x + r ∘ (Δ ⋆ (s ∘ x))`, biases included |
//! | inference | `μ ⋆ x` |
//!
//! `∂Δ` and `∂x` are those of two layers; `∂σ = ∂Δ ∘ ε = ∂Δ ∘ Δ / σ`. Unlike local reparameterization this needs no
//! square roots of outputs, and draws a number for each weight instead of each output: cheaper for convolutions.

use core::marker::PhantomData;

use super::prior::{self, Gaussian, Prior, sigma};
use super::{Rho, learn};
use crate::kernels::elementwise;
use crate::layer::{Layer, Pass, Reads, outline_layer};
use crate::memory;
use crate::noise::Noise;
use crate::parameters::Parameters;
use crate::plain::Plain;
use crate::scalar::{Real, Vector};
use crate::simd::Simd;
use crate::tensor::{Tensor, batch_slice_mut};

/// A layer with distributions instead of weights, as [`Bayes`](super::Bayes), whose weights are drawn for each batch.
///
/// ```
/// use monomorph::prelude::*;
///
/// network! { pub Net: [8, 8, 1] -> [2] {
///     BayesConv2d(4, kernel = 3, estimator = flipout), Relu, Flatten, BayesDense(2, estimator = flipout)
/// } }
/// let mut net = Net::zeroed();
/// net.initialize(Init::default(), &mut Noise::new(1));
/// let mut noise = Noise::new(2);
/// assert!(net.sample(&[[[1.0]; 8]; 8], &mut noise) != net.sample(&[[[1.0]; 8]; 8], &mut noise));
/// ```
#[derive(Clone, Debug, PartialEq, Parameters)]
#[repr(C)]
pub struct Flipout<L: Layer, P = Gaussian> {
    /// The means.
    pub mean: L,
    /// The deviations, as `σ = softplus(ρ)`.
    pub rho: Rho<L>,
    /// The prior.
    pub prior: PhantomData<P>,
}

impl<T: Real, L: Layer<Scalar = T>, P: Prior> Flipout<L, P> {
    /// As [`Bayes::divergence`](super::Bayes::divergence).
    pub fn divergence(&self, noise: &mut Noise) -> T {
        prior::divergence::<T, P>(self.mean.as_slice(), self.rho.as_slice(), noise)
    }
}

/// What `sample` and the passes of training compute with.
#[derive(Plain)]
pub struct Flipped<L: Layer<Input: Tensor>, const B: usize> {
    /// `Δ`.
    delta: L,
    /// `s`, for the channels of the input.
    s: [<L::Input as Tensor>::Last; B],
    /// `r`, for the channels of the output.
    r: [<L::Output as Tensor>::Last; B],
    /// `s ∘ x`.
    input: [L::Input; B],
    /// `Δ ⋆ (s ∘ x)`; in `backward`, its gradient.
    output: [L::Output; B],
}

/// What a batch needs until its backward pass.
#[derive(Plain)]
pub struct Saved<L: Layer<Input: Tensor>, const B: usize> {
    /// The noise of the prior's estimate.
    noise: Noise,
    flipped: Flipped<L, B>,
    mean: L::Saved<B>,
    delta: L::Saved<B>,
    /// The gradient of `Δ`.
    gradient: L,
    grad_input: [L::Input; B],
}

/// Adds to `y`, or writes, each number of `x` times the sign of its channel and sample.
#[inline(always)]
fn flip<T: Real, S: Simd, X: Tensor<Element = T>, const ADD: bool>(simd: S, x: &[X], signs: &[X::Last], y: &mut [X]) {
    let samples = x.iter().zip(signs).zip(y);
    for ((x, signs), y) in samples {
        let signs = signs.numbers();
        let rows = x.numbers().chunks(X::CHANNELS).zip(y.numbers_mut().chunks_mut(X::CHANNELS));
        for (x, y) in rows {
            if ADD {
                elementwise::zip3(
                    simd,
                    y,
                    x,
                    signs,
                    #[inline(always)]
                    |y, x, sign| x.mul_add(sign, y),
                );
            } else {
                elementwise::zip_to(
                    simd,
                    x,
                    signs,
                    y,
                    #[inline(always)]
                    |x, sign| x * sign,
                );
            }
        }
    }
}

impl<T: Real, X: Tensor<Element = T>, L: Layer<Scalar = T, Input = X> + Send, P: Prior> Flipout<L, P> {
    const LINEAR: () = {
        assert!(L::BACKWARD_READS.input && !L::BACKWARD_READS.output, "Flipout: takes a Dense, a Conv1d or a Conv2d");
    };

    /// Draws `Δ` and the signs, and computes `s ∘ x`.
    #[inline(always)]
    fn draw<S: Simd, const B: usize>(&self, simd: S, input: &[X; B], flipped: &mut Flipped<L, B>, noise: &mut Noise) {
        let () = Self::LINEAR;
        outline_layer::<Self, B, _, _>(
            simd,
            #[inline(always)]
            || {
                let Flipped { delta, s, r, input: flipped, .. } = flipped;
                let delta = delta.as_mut_slice();
                elementwise::draw_normal(delta, noise);
                elementwise::zip(
                    simd,
                    delta,
                    self.rho.as_slice(),
                    #[inline(always)]
                    |epsilon, rho| epsilon * sigma::<T, S>(simd, rho),
                );
                for signs in [batch_slice_mut(s), batch_slice_mut(r)] {
                    for signs in signs.chunks_mut(64) {
                        let bits = noise.next_u64();
                        for (index, sign) in signs.iter_mut().enumerate() {
                            *sign = if bits >> index & 1 == 0 { T::ONE } else { -T::ONE };
                        }
                    }
                }
                flip::<T, S, X, false>(simd, input, s, flipped);
            },
        );
    }

    /// Adds `r ∘ (Δ ⋆ (s ∘ x))`.
    #[inline(always)]
    fn add<S: Simd, const B: usize>(simd: S, flipped: &Flipped<L, B>, output: &mut [L::Output; B]) {
        outline_layer::<Self, B, _, _>(
            simd,
            #[inline(always)]
            || flip::<T, S, L::Output, true>(simd, &flipped.output, &flipped.r, output),
        );
    }
}

impl<T: Real, X: Tensor<Element = T>, L: Layer<Scalar = T, Input = X> + Send, P: Prior> Layer for Flipout<L, P> {
    type Input = X;
    type Output = L::Output;
    type Saved<const B: usize> = Saved<L, B>;
    type Workspace<const B: usize> = (L::Workspace<B>, Flipped<L, B>);
    const MACS: usize = L::MACS;
    const BACKWARD_READS: Reads = Reads::INPUT;

    #[inline(always)]
    fn evaluate<S: Simd, const B: usize>(
        &self,
        simd: S,
        input: &[X; B],
        output: &mut [L::Output; B],
        (workspace, _): &mut (L::Workspace<B>, Flipped<L, B>),
    ) {
        self.mean.evaluate(simd, input, output, workspace);
    }

    #[inline(always)]
    fn sample<S: Simd, const B: usize>(
        &self,
        simd: S,
        input: &[X; B],
        output: &mut [L::Output; B],
        (workspace, flipped): &mut (L::Workspace<B>, Flipped<L, B>),
        noise: &mut Noise,
    ) {
        self.draw(simd, input, flipped, noise);
        self.mean.evaluate(simd, input, output, workspace);
        flipped.delta.evaluate(simd, &flipped.input, &mut flipped.output, workspace);
        Self::add(simd, flipped, output);
    }

    #[inline(always)]
    fn forward<S: Simd, const B: usize>(
        &self,
        simd: S,
        input: &[X; B],
        output: &mut [L::Output; B],
        saved: &mut Saved<L, B>,
        pass: &mut Pass<T>,
    ) {
        let Saved { noise, flipped, mean, delta, .. } = saved;
        self.draw(simd, input, flipped, &mut pass.noise);
        self.mean.forward(simd, input, output, mean, pass);
        flipped.delta.forward(simd, &flipped.input, &mut flipped.output, delta, pass);
        Self::add(simd, flipped, output);
        *noise = pass.noise;
        let term = P::divergence(simd, self.mean.as_slice(), self.rho.as_slice(), &mut pass.noise);
        pass.add_term(term);
    }

    #[inline(always)]
    fn backward<S: Simd, const B: usize>(
        &self,
        simd: S,
        input: &[X; B],
        output: &[L::Output; B],
        saved: &mut Saved<L, B>,
        grad_output: &mut [L::Output; B],
        mut grad_input: Option<&mut [X; B]>,
        gradient: &mut Self,
        pass: &Pass<T>,
    ) {
        let Saved { noise, flipped, mean, delta: kept, gradient: by_delta, grad_input: by_flipped } = saved;
        let Flipped { delta, s, r, input: flipped_input, output: grad_flipped } = flipped;
        outline_layer::<Self, B, _, _>(
            simd,
            #[inline(always)]
            || {
                flip::<T, S, L::Output, false>(simd, grad_output, r, grad_flipped);
                memory::clear(by_delta);
            },
        );
        let through = grad_input.is_some().then_some(&mut *by_flipped);
        delta.backward(simd, flipped_input, output, kept, grad_flipped, through, by_delta, pass);
        let means = &mut gradient.mean;
        self.mean.backward(simd, input, output, mean, grad_output, grad_input.as_deref_mut(), means, pass);
        outline_layer::<Self, B, _, _>(
            simd,
            #[inline(always)]
            || {
                if let Some(grad_input) = grad_input {
                    flip::<T, S, X, true>(simd, by_flipped, s, grad_input);
                }
                // ∂σ, in the place of ∂Δ.
                let zero = T::Vector::<S>::splat(simd, T::ZERO);
                elementwise::zip3(
                    simd,
                    by_delta.as_mut_slice(),
                    delta.as_slice(),
                    self.rho.as_slice(),
                    #[inline(always)]
                    |by_delta, delta, rho| {
                        let sigma = sigma::<T, S>(simd, rho);
                        T::Vector::<S>::select(sigma.eq(zero), zero, by_delta * delta / sigma)
                    },
                );
                let of = (&self.mean, &self.rho);
                let (by_mean, by_rho) = (&mut gradient.mean, &mut gradient.rho);
                learn::<T, L, P, S>(simd, of, noise, pass.term_weight, by_delta.as_mut_slice(), by_mean, by_rho);
            },
        );
    }
}
