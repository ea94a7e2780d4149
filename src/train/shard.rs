//! The loss and the gradient of a batch, and the step that follows from them.

use super::{Step, TrainError};
use crate::kernels::elementwise::scale;
use crate::layer::{Inputs, Layer, Pass};
use crate::loss::Loss;
#[cfg(feature = "alloc")]
use crate::loss::Reduction;
use crate::memory;
use crate::network::Network;
use crate::noise::Noise;
use crate::optim::{Objective, Optimizer, OptimizerError, clip};
use crate::parameters::Parameters;
use crate::plain::Plain;
use crate::scalar::{Real, Scalar};
#[cfg(feature = "alloc")]
use crate::simd::Task;
use crate::simd::{Simd, outline};
use crate::tensor::batch_slice_mut;

/// A gradient, and the memory that computing it over `B` samples takes.
#[derive(Plain)]
pub(crate) struct Shard<N: Network, const B: usize> {
    pub(crate) gradient: N,
    pub(crate) saved: <N as Layer>::Saved<B>,
    pub(crate) output: [N::Output; B],
    pub(crate) grad_output: [N::Output; B],
}

impl<N: Network, const B: usize> Shard<N, B> {
    /// Leaves the gradient of `share` times the loss in `gradient`; `step` is counted from 1.
    #[inline(always)]
    pub(crate) fn compute<S: Simd, L: Loss<N::Scalar, N::Output, Y>, Y>(
        &mut self,
        simd: S,
        network: &N,
        loss: &L,
        (input, target): (&[N::Input; B], &[Y; B]),
        pass: &mut Pass<N::Scalar>,
        step: u64,
        share: N::Scalar,
    ) -> Result<Step<N::Scalar>, TrainError> {
        let Self { gradient, saved, output, grad_output } = self;
        memory::clear(gradient);
        let input = N::batch(input);
        network.forward(simd, input, output, saved, pass);
        if let Some(error) = pass.error() {
            return Err(TrainError::Input(error));
        }
        let value = loss.loss(simd, output, target, grad_output)? * share + pass.terms();
        if share != N::Scalar::ONE {
            scale(simd, batch_slice_mut(grad_output), share);
        }
        if !value.is_finite() {
            return Err(TrainError::NotFinite { what: "loss", step });
        }
        let correct = loss.correct(output, target);
        network.backward(simd, input, output, saved, grad_output, N::Input::no_gradient(), gradient, pass);
        Ok(Step { loss: value, correct })
    }
}

impl<N: Network, const B: usize> Shard<N, B> {
    /// The loss alone, as `compute` gives it; NaN if it cannot be computed.
    #[inline(always)]
    pub(crate) fn value<S: Simd, L: Loss<N::Scalar, N::Output, Y>, Y>(
        &mut self,
        simd: S,
        network: &N,
        loss: &L,
        (input, target): (&[N::Input; B], &[Y; B]),
        pass: &mut Pass<N::Scalar>,
        share: N::Scalar,
    ) -> N::Scalar {
        let Self { saved, output, .. } = self;
        network.forward(simd, N::batch(input), output, saved, pass);
        match (pass.error(), loss.value(simd, output, target)) {
            (None, Ok(value)) => value * share + pass.terms(),
            _ => N::Scalar::from_f64(f64::NAN),
        }
    }
}

/// The batch of a [`Trainer`](super::Trainer), for optimizers that evaluate it again.
pub(super) struct Batch<'a, N: Network, S, L, Y, const B: usize> {
    pub(super) simd: S,
    pub(super) shard: &'a mut Shard<N, B>,
    pub(super) loss: &'a L,
    pub(super) samples: (&'a [N::Input; B], &'a [Y; B]),
    /// The state before the first evaluation, so that each evaluation draws the same noise.
    pub(super) noise: Noise,
    pub(super) term_weight: N::Scalar,
    /// The loss at the point of the gradient.
    pub(super) value: N::Scalar,
}

impl<N: Network, S: Simd, L: Loss<N::Scalar, N::Output, Y>, Y, const B: usize> Objective<N>
    for Batch<'_, N, S, L, Y, B>
{
    #[inline(always)]
    fn loss(&self) -> N::Scalar {
        self.value
    }

    #[inline(always)]
    fn gradient(&self) -> &N {
        &self.shard.gradient
    }

    #[inline(always)]
    fn gradient_mut(&mut self) -> &mut N {
        &mut self.shard.gradient
    }

    #[inline(always)]
    fn loss_at(&mut self, parameters: &N) -> N::Scalar {
        let Self { simd, ref mut shard, loss, samples, noise, term_weight, .. } = *self;
        outline(
            simd,
            #[inline(always)]
            move || shard.value(simd, parameters, loss, samples, &mut Pass::new(noise, term_weight), N::Scalar::ONE),
        )
    }

    #[inline(always)]
    fn gradient_at(&mut self, parameters: &N) -> N::Scalar {
        let Self { simd, ref mut shard, loss, samples, noise, term_weight, .. } = *self;
        let step = outline(
            simd,
            #[inline(always)]
            move || {
                let mut pass = Pass::new(noise, term_weight);
                shard.compute(simd, parameters, loss, samples, &mut pass, 0, N::Scalar::ONE)
            },
        );
        self.value = match step {
            Ok(step) if clip::squares(simd, self.gradient()).is_finite() => step.loss,
            _ => N::Scalar::from_f64(f64::NAN),
        };
        self.value
    }
}

/// What a trainer prescribes for a step.
#[derive(Clone, Copy)]
pub(crate) struct Settings {
    /// Which step it is, counted from 1.
    pub(crate) step: u64,
    /// The factor by which the schedule multiplies the learning rate.
    pub(crate) rate: f64,
    /// The largest norm of a gradient.
    pub(crate) clip: Option<f64>,
}

const GRADIENT: &str = "norm of the gradient";

/// The end of a step: moves the network along the gradient of its batch.
#[inline(always)]
pub(crate) fn finish<N: Parameters<Scalar: Real>, O: Optimizer<N::Scalar>, S: Simd>(
    simd: S,
    optimizer: &O,
    Settings { step, rate, clip }: Settings,
    network: &mut N,
    objective: &mut impl Objective<N>,
    memory: &mut O::Memory<N>,
) -> Result<(), TrainError> {
    let not_finite = |what| TrainError::NotFinite { what, step };
    // The square of each number is finite too, so no moment of an optimizer overflows.
    let norm = clip::global_norm(simd, objective.gradient());
    if !norm.is_finite() {
        return Err(not_finite(GRADIENT));
    }
    if !clip::state_is_finite(objective.gradient()) {
        return Err(not_finite("change of a running statistic"));
    }
    let gradient_scale = clip.map_or(N::Scalar::ONE, |largest| clip::clip_scale(norm, N::Scalar::from_f64(largest)));
    optimizer.step(simd, step, rate, gradient_scale, network, objective, memory).map_err(|error| match error {
        OptimizerError::NotFinite => not_finite(GRADIENT),
        error => TrainError::Refused(error),
    })
}

/// The noise of one of the shards of a batch, given a seed for all of them.
#[cfg(feature = "alloc")]
pub(crate) fn noise_of(seed: u64, index: usize) -> Noise {
    Noise::new(Noise::new(seed.wrapping_add(index as u64)).next_u64())
}

#[cfg(feature = "alloc")]
impl<N: Network, const B: usize> Shard<N, B> {
    /// By how much the loss of a shard counts before the mean over all shards is taken; `divisor` is that of all their
    /// targets.
    pub(crate) fn share<L: Loss<N::Scalar, N::Output, Y>, Y>(
        loss: &L,
        target: &[Y; B],
        shards: f64,
        divisor: f64,
    ) -> N::Scalar {
        N::Scalar::from_f64(match L::REDUCTION {
            Reduction::Sum => shards,
            _ => loss.divisor(target) * shards / divisor,
        })
    }
}

/// The entry point of the forward and backward pass of a shard, or of the forward pass alone.
#[cfg(feature = "alloc")]
pub(crate) struct ShardTask<'a, N: Network, L, const B: usize, Y, const GRADIENT: bool> {
    pub(crate) shard: &'a mut Shard<N, B>,
    pub(crate) network: &'a N,
    pub(crate) loss: &'a L,
    pub(crate) batch: (&'a [N::Input; B], &'a [Y; B]),
    pub(crate) pass: Pass<N::Scalar>,
    pub(crate) step: u64,
    pub(crate) share: N::Scalar,
}

#[cfg(feature = "alloc")]
impl<N, L, const B: usize, Y, const GRADIENT: bool> Task for ShardTask<'_, N, L, B, Y, GRADIENT>
where
    N: Network,
    L: Loss<N::Scalar, N::Output, Y>,
{
    type Output = Result<Step<N::Scalar>, TrainError>;

    #[inline(always)]
    fn run<S: Simd>(&mut self, simd: S) -> Self::Output {
        let Self { shard, network, loss, batch, pass, step, share } = self;
        if GRADIENT {
            shard.compute(simd, network, *loss, *batch, pass, *step, *share)
        } else {
            Ok(Step { loss: shard.value(simd, network, *loss, *batch, pass, *share), correct: None })
        }
    }
}

/// The entry point of the update at the end of a step.
#[cfg(feature = "alloc")]
pub(crate) struct UpdateTask<'a, N: Network, O: Optimizer<N::Scalar>, J> {
    pub(crate) optimizer: &'a O,
    pub(crate) settings: Settings,
    pub(crate) network: &'a mut N,
    pub(crate) batch: &'a mut J,
    pub(crate) moments: &'a mut O::Memory<N>,
}

#[cfg(feature = "alloc")]
impl<N: Network<Scalar: Real>, O: Optimizer<N::Scalar>, J: Objective<N>> Task for UpdateTask<'_, N, O, J> {
    type Output = Result<(), TrainError>;

    #[inline(always)]
    fn run<S: Simd>(&mut self, simd: S) -> Self::Output {
        let Self { optimizer, settings, network, batch, moments } = self;
        finish(simd, *optimizer, *settings, *network, *batch, *moments)
    }
}
