//! The empirical Fisher information.

use alloc::boxed::Box;

use nalgebra::{DMatrix, DVector};

use crate::layer::Pass;
use crate::loss::Loss;
use crate::memory;
use crate::network::Network;
use crate::noise::Noise;
use crate::scalar::{Real, Scalar};
use crate::simd::{dispatch, level};
use crate::train::{Shard, ShardTask, TrainError};

/// The empirical Fisher information of a network: `F = 1/n · Σ g·gᵀ` over the gradients `g` of the loss of single samples.
///
/// It tells which weights the data determine. With a loss that is a negative log-likelihood (cross-entropy) at its minimum it
/// approaches the Fisher information; away from it, it does not (Kunstner, Balles and Hennig, *Limitations of the empirical
/// Fisher approximation*, 2019). What layers draw at random, such as dropout, is drawn for every sample.
///
/// ```
/// use monomorph::linalg::Fisher;
/// use monomorph::prelude::*;
///
/// network! { Line: [1] -> [1] { Dense(1) } }
/// let net = Line::zeroed();
/// let mut fisher = Fisher::<Line>::new();
/// // The gradients of (w x + b − y)² are −2 y x and −2 y.
/// let matrix = fisher.matrix(&net, &Mse, &[[1.0], [3.0]], &[[1.0], [1.0]])?;
/// assert_eq!(matrix.as_slice(), [20.0, 8.0, 8.0, 4.0]);
/// assert_eq!(fisher.diagonal(&net, &Mse, &[[1.0], [3.0]], &[[1.0], [1.0]])?.as_slice(), [20.0, 4.0]);
/// # Ok::<(), monomorph::train::TrainError>(())
/// ```
pub struct Fisher<N: Network> {
    shard: Box<Shard<N, 1>>,
    noise: Noise,
}

impl<N: Network<Scalar: Real>> Default for Fisher<N> {
    fn default() -> Self {
        Self::new()
    }
}

impl<N: Network<Scalar: Real>> Fisher<N> {
    /// Memory for the gradients.
    pub fn new() -> Self {
        Self { shard: memory::boxed(), noise: Noise::new(0) }
    }

    /// The whole matrix, in the order of the flat view of the network; of a network of 1,000 parameters it takes 8 MB.
    ///
    /// # Errors
    /// As those of a trainer's step: targets and inputs that do not fit, a loss that is not finite.
    pub fn matrix<Y, L: Loss<N::Scalar, N::Output, Y>>(
        &mut self,
        network: &N,
        loss: &L,
        inputs: &[N::Input],
        targets: &[Y],
    ) -> Result<DMatrix<f64>, TrainError> {
        let mut sum = DMatrix::zeros(N::COUNT, N::COUNT);
        self.each(network, loss, (inputs, targets), |gradient| sum.ger(1.0, gradient, gradient, 1.0))?;
        Ok(sum / (inputs.len().max(1) as f64))
    }

    /// Its diagonal: the mean of the squares of the gradients.
    ///
    /// # Errors
    /// As [`matrix`](Self::matrix).
    pub fn diagonal<Y, L: Loss<N::Scalar, N::Output, Y>>(
        &mut self,
        network: &N,
        loss: &L,
        inputs: &[N::Input],
        targets: &[Y],
    ) -> Result<DVector<f64>, TrainError> {
        let mut sum = DVector::zeros(N::COUNT);
        self.each(network, loss, (inputs, targets), |gradient| sum += gradient.component_mul(gradient))?;
        Ok(sum / (inputs.len().max(1) as f64))
    }

    /// Calls `f` with the gradient of every sample.
    fn each<Y, L: Loss<N::Scalar, N::Output, Y>>(
        &mut self,
        network: &N,
        loss: &L,
        (inputs, targets): (&[N::Input], &[Y]),
        mut f: impl FnMut(&DVector<f64>),
    ) -> Result<(), TrainError> {
        if inputs.len() != targets.len() {
            return Err(TrainError::Batch { inputs: inputs.len(), targets: targets.len(), shard: 1 });
        }
        let Self { shard, noise } = self;
        let mut gradient = DVector::zeros(N::COUNT);
        for batch in inputs.iter().zip(targets) {
            let batch = (core::array::from_ref(batch.0), core::array::from_ref(batch.1));
            let pass = Pass::new(Noise::new(noise.next_u64()), N::Scalar::ONE);
            let share = N::Scalar::ONE;
            dispatch(level(), ShardTask::<_, _, 1, _, true> { shard, network, loss, batch, pass, step: 1, share })?;
            gradient.iter_mut().zip(shard.gradient.as_slice()).for_each(|(to, from)| *to = from.to_f64());
            f(&gradient);
        }
        Ok(())
    }
}
