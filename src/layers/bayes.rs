//! Bayesian layers: every weight has a distribution instead of a value, `q(w) = N(μ, σ²)` with `σ = softplus(ρ)`.
//!
//! Of a layer that is linear in its weights, `y = w ⋆ x + b`, the outputs are then normally distributed too, and training
//! draws these instead of the weights: independently for each sample, which makes the gradient less noisy (local
//! reparameterization: Kingma, Salimans and Welling, 2015):
//!
//! | pass | `y` |
//! | --- | --- |
//! | training | `m + ε s`, `m = μ ⋆ x + μ_b`, `s² = σ² ⋆ x² + σ_b²`, `ε` standard normal |
//! | inference | `m` |
//!
//! The loss grows by `Σ KL(q(w) ‖ p(w))` over all weights and biases, with the [prior](Prior) `p`, times the trainer's
//! [term weight](crate::train::Trainer::term_weight): set it to 1 / the number of training samples. So the mean loss of
//! the data plus that is the negative evidence lower bound per sample (Blundell et al., *Weight uncertainty in neural
//! networks*, 2015), which is eq. (2) of Achille and Soatto with `λ` = term weight × that number.
//!
//! With `G = ∂L/∂s² = ∂y ε / 2s`: `∂μ` and one part of `∂x` are those of the layer; `∂σ²` and `∂(x²)` are those of the
//! layer for the gradient `G`, so `∂x += 2x ∂(x²)` and `∂ρ = (2σ ∂σ² + ∂KL/∂σ) sigmoid ρ`.

mod flipout;
mod prior;

use core::marker::PhantomData;

pub use flipout::Flipout;
pub use prior::{Gaussian, Prior, ScaleMixture};

use crate::kernels::elementwise;
use crate::layer::{Layer, Pass, Reads, outline_layer};
use crate::memory;
use crate::noise::Noise;
use crate::parameters::{Entry, Parameters, Start, TensorInfo};
use crate::plain::Plain;
use crate::scalar::{Real, Vector};
use crate::simd::Simd;
use crate::tensor::{Tensor, batch_slice, batch_slice_mut};
use prior::sigma;

/// Where `ρ` begins: deviations of 0.0067.
const START: f64 = -5.0;

/// The most tensors that a layer in [`Bayes`] can have.
const TENSORS: usize = 4;

/// The `ρ` of a layer's weights: numbers of the form of the layer, which begin at −5.
#[derive(Clone, Copy, Debug, PartialEq, Plain)]
#[repr(transparent)]
pub struct Rho<L>(pub L);

impl<L: Parameters> Rho<L> {
    /// The tensors of the layer, with another start.
    const TABLE: [Entry; TENSORS] = {
        let mut table = [Entry::Padding(0); TENSORS];
        let mut index = 0;
        while index < L::ENTRIES.len() {
            table[index] = match L::ENTRIES[index] {
                Entry::Tensor(tensor) => Entry::Tensor(TensorInfo { start: Start::Constant(START), ..tensor }),
                _ => panic!("Bayes: takes a layer of tensors, such as a Dense or a Conv2d"),
            };
            index += 1;
        }
        table
    };
}

// SAFETY: `Rho` is a transparent struct of `L`, and has its tensors in the same order.
unsafe impl<L: Parameters> Parameters for Rho<L> {
    type Scalar = L::Scalar;
    const ENTRIES: &'static [Entry] = {
        let table: &'static [Entry] = &Self::TABLE;
        table.split_at(L::ENTRIES.len()).0
    };
}

/// A layer with distributions instead of weights; `L` is a [`Dense`](super::Dense), [`Conv1d`](super::Conv1d) or
/// [`Conv2d`](super::Conv2d), `P` the [prior](Prior).
///
/// [`Flipout`] is the same with weights that are drawn for a batch. `evaluate` computes with the means; [`sample`](crate::network::sample) draws outputs, independently for each sample
/// of a batch.
///
/// ```
/// use monomorph::prelude::*;
///
/// network! { pub Guess: [1] -> [1] { BayesDense(32), Tanh, BayesDense(1) } }
/// let mut net = Guess::zeroed();
/// net.initialize(Init::default(), &mut Noise::new(1));
/// let mut trainer = Trainer::<Guess, _, 8>::new(Adam::default(), Mse);
/// trainer.term_weight = 1.0 / 8.0; // one batch is all the data
/// let x: [[f32; 1]; 8] = core::array::from_fn(|index| [index as f32 / 8.0]);
/// for _ in 0..10 {
///     trainer.step(&mut net, &x, &x)?;
/// }
/// let mut noise = Noise::new(2);
/// assert!(net.sample(&[0.5], &mut noise) != net.sample(&[0.5], &mut noise));
/// # Ok::<(), monomorph::train::TrainError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Parameters)]
#[repr(C)]
pub struct Bayes<L: Layer, P = Gaussian> {
    /// The means.
    pub mean: L,
    /// The deviations, as `σ = softplus(ρ)`.
    pub rho: Rho<L>,
    /// The prior.
    pub prior: PhantomData<P>,
}

/// What `sample` and the passes of training compute with.
#[derive(Plain)]
pub struct Spread<L: Layer<Input: Tensor>, const B: usize> {
    /// `σ²`.
    variance: L,
    /// `x²`.
    squares: [L::Input; B],
    /// `s`, the deviation of the output; in `backward`, the gradient of `s²`.
    deviation: [L::Output; B],
    epsilon: [L::Output; B],
}

/// What a batch needs until its backward pass.
#[derive(Plain)]
pub struct Saved<L: Layer<Input: Tensor>, const B: usize> {
    /// The noise of the prior's estimate.
    noise: Noise,
    spread: Spread<L, B>,
    mean: L::Saved<B>,
    variance: L::Saved<B>,
    /// The gradient of `σ²`.
    gradient: L,
    grad_squares: [L::Input; B],
}

impl<T: Real, L: Layer<Scalar = T>, P: Prior> Bayes<L, P> {
    /// `Σ KL(q(w) ‖ p(w))` over all weights and biases, in nats: what they cost. Divided by `ln 2`, it is the bits of a message
    /// that tells them to someone who knows the prior, as exactly as the data determine them, when the bits that choose
    /// among all that fit are used for something else ("bits back": G. Hinton and D. van Camp, *Keeping neural networks simple
    /// by minimizing the description length of the weights*, 1993). A mixture's is estimated by a draw.
    ///
    /// ```
    /// use monomorph::prelude::*;
    ///
    /// network! { Net: [2] -> [1] { BayesDense(1, prior = 0.5) } }
    /// let mut net = Net::zeroed();
    /// // σ = ½, as the prior's, and μ = 0: nothing was learned.
    /// net.bayes1.rho.0.weight = [[0.5_f32.exp_m1().ln()]; 2];
    /// net.bayes1.rho.0.bias = [0.5_f32.exp_m1().ln()];
    /// assert!(net.bayes1.divergence(&mut Noise::new(1)).abs() < 1e-5);
    /// net.bayes1.mean.bias = [1.0];
    /// assert!((net.bayes1.divergence(&mut Noise::new(1)) - 2.0).abs() < 1e-5); // ½ (μ / s)²
    /// ```
    pub fn divergence(&self, noise: &mut Noise) -> T {
        prior::divergence::<T, P>(self.mean.as_slice(), self.rho.as_slice(), noise)
    }
}

impl<T: Real, X: Tensor<Element = T>, L: Layer<Scalar = T, Input = X> + Send, P: Prior> Bayes<L, P> {
    const LINEAR: () = {
        assert!(L::BACKWARD_READS.input && !L::BACKWARD_READS.output, "Bayes: takes a Dense, a Conv1d or a Conv2d");
    };

    /// `σ²`, `x²` and `ε`.
    #[inline(always)]
    fn spread<S: Simd, const B: usize>(&self, simd: S, input: &[X; B], spread: &mut Spread<L, B>, noise: &mut Noise) {
        let () = Self::LINEAR;
        outline_layer::<Self, B, _, _>(
            simd,
            #[inline(always)]
            || {
                let Spread { variance, squares, epsilon, .. } = spread;
                elementwise::map_to(
                    simd,
                    self.rho.as_slice(),
                    variance.as_mut_slice(),
                    #[inline(always)]
                    |rho| {
                        let sigma = sigma::<T, S>(simd, rho);
                        sigma * sigma
                    },
                );
                elementwise::map_to(
                    simd,
                    batch_slice(input),
                    batch_slice_mut(squares),
                    #[inline(always)]
                    |x| x * x,
                );
                elementwise::draw_normal(batch_slice_mut(epsilon), noise);
            },
        );
    }

    /// `y = m + ε s`, from `m` and `s²`.
    #[inline(always)]
    fn draw<S: Simd, const B: usize>(simd: S, spread: &mut Spread<L, B>, output: &mut [L::Output; B]) {
        outline_layer::<Self, B, _, _>(
            simd,
            #[inline(always)]
            || {
                let Spread { deviation, epsilon, .. } = spread;
                elementwise::map(
                    simd,
                    batch_slice_mut(deviation),
                    #[inline(always)]
                    |square| T::sqrt_lanes(simd, square),
                );
                elementwise::zip3(
                    simd,
                    batch_slice_mut(output),
                    batch_slice(deviation),
                    batch_slice(epsilon),
                    #[inline(always)]
                    |m, s, epsilon| epsilon.mul_add(s, m),
                );
            },
        );
    }

    /// `forward` with an `ε` and `x²` that are there.
    #[inline(always)]
    fn forward_with<S: Simd, const B: usize>(
        &self,
        simd: S,
        input: &[X; B],
        output: &mut [L::Output; B],
        saved: &mut Saved<L, B>,
        pass: &mut Pass<T>,
    ) {
        let Saved { spread, mean, variance, .. } = saved;
        self.mean.forward(simd, input, output, mean, pass);
        let Spread { variance: squared, squares, deviation, .. } = spread;
        squared.forward(simd, squares, deviation, variance, pass);
        Self::draw(simd, spread, output);
        saved.noise = pass.noise;
        let term = P::divergence(simd, self.mean.as_slice(), self.rho.as_slice(), &mut pass.noise);
        pass.add_term(term);
    }
}

/// Adds the derivatives of the divergence to those of the loss by `μ` and `σ`, and the latter to those by `ρ`:
/// `∂ρ = ∂σ sigmoid ρ`.
#[inline(always)]
fn learn<T: Real, L: Parameters<Scalar = T>, P: Prior, S: Simd>(
    simd: S,
    (mean, rho): (&L, &Rho<L>),
    noise: &mut Noise,
    weight: T,
    by_deviation: &mut [T],
    by_mean: &mut L,
    by_rho: &mut Rho<L>,
) {
    let (mean, rho) = (mean.as_slice(), rho.as_slice());
    P::gradient(simd, (mean, rho), noise, weight, by_mean.as_mut_slice(), by_deviation);
    elementwise::zip3(
        simd,
        by_rho.as_mut_slice(),
        rho,
        by_deviation,
        #[inline(always)]
        |sum, rho, by_deviation| T::sigmoid_lanes(simd, rho).mul_add(by_deviation, sum),
    );
}

impl<T: Real, X: Tensor<Element = T>, L: Layer<Scalar = T, Input = X> + Send, P: Prior> Layer for Bayes<L, P> {
    type Input = X;
    type Output = L::Output;
    type Saved<const B: usize> = Saved<L, B>;
    type Workspace<const B: usize> = (L::Workspace<B>, Spread<L, B>);
    const MACS: usize = L::MACS;
    const BACKWARD_READS: Reads = Reads::INPUT;

    #[inline(always)]
    fn evaluate<S: Simd, const B: usize>(
        &self,
        simd: S,
        input: &[X; B],
        output: &mut [L::Output; B],
        (workspace, _): &mut (L::Workspace<B>, Spread<L, B>),
    ) {
        self.mean.evaluate(simd, input, output, workspace);
    }

    #[inline(always)]
    fn sample<S: Simd, const B: usize>(
        &self,
        simd: S,
        input: &[X; B],
        output: &mut [L::Output; B],
        (workspace, spread): &mut (L::Workspace<B>, Spread<L, B>),
        noise: &mut Noise,
    ) {
        self.spread(simd, input, spread, noise);
        self.mean.evaluate(simd, input, output, workspace);
        let Spread { variance, squares, deviation, .. } = spread;
        variance.evaluate(simd, squares, deviation, workspace);
        Self::draw(simd, spread, output);
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
        self.spread(simd, input, &mut saved.spread, &mut pass.noise);
        self.forward_with(simd, input, output, saved, pass);
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
        let Saved { noise, spread, mean, variance, gradient: by_variance, grad_squares } = saved;
        let Spread { variance: squared, squares, deviation, epsilon } = spread;
        outline_layer::<Self, B, _, _>(
            simd,
            #[inline(always)]
            || {
                let zero = T::Vector::<S>::splat(simd, T::ZERO);
                let half = T::Vector::<S>::splat(simd, T::from_f64(0.5));
                // Where nothing comes in, nothing is uncertain, and nothing changes that.
                elementwise::zip3(
                    simd,
                    batch_slice_mut(deviation),
                    batch_slice(epsilon),
                    batch_slice(grad_output),
                    #[inline(always)]
                    |s, epsilon, dy| T::Vector::<S>::select(s.eq(zero), zero, half * epsilon * dy / s),
                );
                memory::clear(by_variance);
            },
        );
        let through = grad_input.is_some().then_some(&mut *grad_squares);
        squared.backward(simd, squares, output, variance, deviation, through, by_variance, pass);
        let means = &mut gradient.mean;
        self.mean.backward(simd, input, output, mean, grad_output, grad_input.as_deref_mut(), means, pass);
        outline_layer::<Self, B, _, _>(
            simd,
            #[inline(always)]
            || {
                let two = T::Vector::<S>::splat(simd, T::from_f64(2.0));
                if let Some(grad_input) = grad_input {
                    elementwise::zip3(
                        simd,
                        batch_slice_mut(grad_input),
                        batch_slice(input),
                        batch_slice(grad_squares),
                        #[inline(always)]
                        |dx, x, by_square| (two * x).mul_add(by_square, dx),
                    );
                }
                // 2σ ∂σ², in its place.
                elementwise::zip(
                    simd,
                    by_variance.as_mut_slice(),
                    self.rho.as_slice(),
                    #[inline(always)]
                    |by_variance, rho| two * sigma::<T, S>(simd, rho) * by_variance,
                );
                let (of, by_deviation) = ((&self.mean, &self.rho), by_variance.as_mut_slice());
                learn::<T, L, P, S>(
                    simd,
                    of,
                    noise,
                    pass.term_weight,
                    by_deviation,
                    &mut gradient.mean,
                    &mut gradient.rho,
                );
            },
        );
    }
}

#[cfg(all(test, feature = "safetensors", feature = "std"))]
mod tests;
#[cfg(all(test, feature = "safetensors", feature = "std"))]
pub(super) use tests::listed;
