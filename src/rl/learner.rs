//! A network that is trained.

use super::{Persist, Word, persist_moments, persist_parameters};
use crate::init::Init;
use crate::network::Network;
use crate::noise::Noise;
use crate::optim::{Adam, Optimizer, clip};
use crate::plain::Plain;
use crate::scalar::{Real, Scalar};
use crate::simd::Simd;
use crate::train::TrainError;

/// A network with what its optimizer keeps.
#[derive(Plain)]
pub struct Learner<N: Network, O: Optimizer<N::Scalar> = Adam> {
    /// The network.
    pub network: N,
    moments: O::Memory<N>,
    steps: u64,
}

impl<N: Network<Scalar: Real>, O: Optimizer<N::Scalar>> Learner<N, O> {
    /// Begins anew, with random parameters.
    pub fn start(&mut self, noise: &mut Noise) {
        crate::memory::clear(self);
        self.network.initialize(Init::default(), noise);
    }

    /// How many steps have been taken.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// A step along this gradient, whose norm is clipped to `norm` if there is one; `rate` multiplies the learning
    /// rate.
    ///
    /// # Errors
    /// A gradient that is not finite, a hyperparameter out of its range; the network is then unchanged.
    #[inline(always)]
    pub fn descend<S: Simd>(
        &mut self,
        simd: S,
        optimizer: &O,
        rate: f64,
        norm: Option<f64>,
        gradient: &N,
    ) -> Result<(), TrainError> {
        optimizer.check(rate)?;
        let step = self.steps + 1;
        let length = clip::global_norm(simd, gradient);
        if !length.is_finite() {
            return Err(TrainError::NotFinite { what: "norm of the gradient", step });
        }
        let scale = norm.map_or(N::Scalar::ONE, |norm| clip::clip_scale(length, N::Scalar::from_f64(norm)));
        optimizer.update(simd, step, rate, scale, &mut self.network, gradient, &mut self.moments);
        self.steps = step;
        Ok(())
    }
}

impl<N: Network<Scalar: Persist>, O: Optimizer<N::Scalar>> Persist for Learner<N, O> {
    fn persist(&mut self, word: &mut Word<'_>) {
        persist_parameters(&mut self.network, word);
        persist_moments::<N, O>(&mut self.moments, word);
        self.steps.persist(word);
    }
}

/// What is left of a learning rate that falls in a straight line, to 0 after `all` steps; for 0, everything.
pub(super) fn falling(steps: u64, all: u64) -> f64 {
    if all == 0 { 1.0 } else { (1.0 - steps as f64 / all as f64).max(0.0) }
}

/// `target ← target + share·(network − target)`.
#[inline(always)]
pub(super) fn follow<N: Network, S: Simd>(simd: S, share: f64, network: &N, target: &mut N) {
    use crate::scalar::Vector;
    let share = <N::Scalar as Scalar>::Vector::<S>::splat(simd, N::Scalar::from_f64(share));
    crate::simd::outline(
        simd,
        #[inline(always)]
        || {
            crate::kernels::elementwise::zip(
                simd,
                target.as_mut_slice(),
                network.as_slice(),
                #[inline(always)]
                |target, network| share.mul_add(network - target, target),
            )
        },
    );
}
