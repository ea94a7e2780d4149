//! How well a network performs.

use alloc::boxed::Box;

use super::{Score, ScoreError};
use crate::layer::Layer;
use crate::loss::{Loss, LossError, Reduction};
use crate::memory;
use crate::network::{Network, Workspace, evaluate_in};
use crate::scalar::Scalar;
use crate::simd::{Simd, Task, dispatch, level};
use crate::tensor::assert_batch_size;

/// Evaluates a network on any number of samples, `B` at a time, in memory that it keeps.
///
/// ```
/// use monomorph::prelude::*;
/// network! { Line: [1] -> [1] { Dense(1) } }
/// let net = Line::zeroed();
/// let mut evaluator = Evaluator::<Line, 2>::new();
/// let score = evaluator.score(&net, &Mse, &[[1.0], [2.0], [3.0]], &[[1.0], [1.0], [1.0]])?;
/// assert_eq!(score.loss, 1.0);
/// # Ok::<(), monomorph::train::ScoreError>(())
/// ```
pub struct Evaluator<N: Network, const B: usize> {
    memory: Box<EvaluateMemory<N, B>>,
}

/// Workspaces of a batch and of a single sample, and the batch's outputs.
type EvaluateMemory<N, const B: usize> = (Workspace<N, B>, Workspace<N, 1>, [<N as Layer>::Output; B]);

impl<N: Network, const B: usize> Default for Evaluator<N, B> {
    fn default() -> Self {
        Self::new()
    }
}

impl<N: Network, const B: usize> Evaluator<N, B> {
    /// An evaluator with its memory on the heap.
    pub fn new() -> Self {
        const { assert_batch_size(B) };
        Self { memory: memory::boxed() }
    }

    /// Calls `each` with the index of every sample and the network's output for it.
    pub fn for_each(&mut self, network: &N, inputs: &[N::Input], mut each: impl FnMut(usize, &N::Output)) {
        self.batches(network, inputs, &mut |first, outputs| {
            for (offset, output) in outputs.iter().enumerate() {
                each(first + offset, output);
            }
        });
    }

    /// The loss of all samples, and the accuracy if the loss is a classification loss.
    ///
    /// # Errors
    /// No sample, or not one target for each; a target that does not fit the output.
    pub fn score<Y, L>(
        &mut self,
        network: &N,
        loss: &L,
        inputs: &[N::Input],
        targets: &[Y],
    ) -> Result<Score, ScoreError>
    where
        L: Loss<N::Scalar, N::Output, Y>,
    {
        const { L::REDUCTION.assert_of_parts() };
        if inputs.len() != targets.len() || inputs.is_empty() {
            return Err(ScoreError::Samples { inputs: inputs.len(), targets: targets.len() });
        }
        let (mut sum, mut divisor, mut correct, mut counted, mut failed) = (0.0, 0.0, 0, 0, None);
        self.batches(network, inputs, &mut |first, outputs| {
            for (offset, (output, target)) in outputs.iter().zip(&targets[first..]).enumerate() {
                let (output, target) = (core::array::from_ref(output), core::array::from_ref(target));
                let share = loss.divisor(target);
                match dispatch(level(), Value::<N, L, Y> { loss, output, target }) {
                    Ok(value) => (sum, divisor) = (sum + value.to_f64() * share, divisor + share),
                    Err(error) => failed = failed.or(Some(error.later_by(first + offset))),
                }
                if let Some(right) = loss.correct(output, target) {
                    (correct, counted) = (correct + right, counted + loss.counted(target));
                }
            }
        });
        if let Some(error) = failed {
            return Err(ScoreError::Loss(error));
        }
        if divisor == 0.0 {
            return Err(ScoreError::Loss(LossError::NothingCounts));
        }
        let loss = match L::REDUCTION {
            Reduction::Sum => sum,
            _ => sum / divisor,
        };
        Ok(Score { loss, accuracy: (counted > 0).then(|| correct as f64 / counted as f64) })
    }

    fn batches(&mut self, network: &N, inputs: &[N::Input], each: &mut dyn FnMut(usize, &[N::Output])) {
        let (workspace, single, outputs) = &mut *self.memory;
        let (batches, rest) = inputs.as_chunks::<B>();
        for (index, batch) in batches.iter().enumerate() {
            evaluate_in(network, batch, outputs, workspace);
            each(index * B, &outputs[..]);
        }
        for (offset, input) in rest.iter().enumerate() {
            let Some(output) = outputs.first_chunk_mut::<1>() else { break };
            evaluate_in(network, core::array::from_ref(input), output, single);
            each(batches.len() * B + offset, &output[..]);
        }
    }
}

/// The entry point of the loss of one sample.
struct Value<'a, N: Network, L, Y> {
    loss: &'a L,
    output: &'a [N::Output; 1],
    target: &'a [Y; 1],
}

impl<N: Network, L: Loss<N::Scalar, N::Output, Y>, Y> Task for Value<'_, N, L, Y> {
    type Output = Result<N::Scalar, LossError>;

    #[inline(always)]
    fn run<S: Simd>(&mut self, simd: S) -> Self::Output {
        self.loss.value(simd, self.output, self.target)
    }
}
