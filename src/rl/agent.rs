//! What agents have in common.

use super::{Continuous, Environment, Finished};
use crate::network::{Network, Trainable};
use crate::simd::{Simd, Task, dispatch, level};
use crate::tensor::{Tensor, batch_slice};
use crate::train::TrainError;

/// An agent: it acts in its environment and learns from what comes of it.
pub trait Agent {
    /// Where it acts.
    type Environment: Environment;
    /// In how many environments it acts at a time.
    const ENVIRONMENTS: u64 = 1;

    /// One step in each of its environments, and what is to be learned from it. Returns the episode that ended with it,
    /// if one did; the last one, if several did.
    ///
    /// # Errors
    /// A loss or a gradient that is not finite, or a hyperparameter out of its range.
    fn step(&mut self) -> Result<Option<Finished>, TrainError>;

    /// How many steps it has taken, in all its environments together.
    fn steps(&self) -> u64;

    /// What it has learned to do, without the randomness of exploration.
    fn act(
        &self,
        observation: &<Self::Environment as Environment>::Observation,
    ) -> <Self::Environment as Environment>::Action;
}

/// A network that maps what is seen in `E` to what is to be done, or to what it is worth: any with this input.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a network for what is seen in `{E}`",
    note = "its input is the environment's `Observation`, and its numbers are those of the environment"
)]
pub trait Policy<E: Environment>: Trainable + Network<Scalar = E::Number, Input = E::Observation> {}

impl<E: Environment, N: Trainable + Network<Scalar = E::Number, Input = E::Observation>> Policy<E> for N {}

/// A network that says what an action is worth: any whose input is as many numbers as what is seen and what is done
/// together, in one array or in two, and whose output is one number.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a network for what is seen and done in `{E}`",
    note = "its input is an array of the numbers of the environment's `Observation` and `Action` together, or both as \
            two inputs"
)]
pub trait Critic<E: Continuous>:
    Trainable + Network<Scalar = E::Number, Input: Tensor<Element = E::Number>, Output: Tensor<Element = E::Number>>
{
}

impl<E: Continuous, N> Critic<E> for N where
    N: Trainable + Network<Scalar = E::Number, Input: Tensor<Element = E::Number>, Output: Tensor<Element = E::Number>>
{
}

/// What a step teaches, at a SIMD level.
pub(super) trait Learn {
    fn learn<S: Simd>(&mut self, simd: S) -> Result<(), TrainError>;
}

/// Learns at the best level.
pub(super) fn learn<A: Learn>(agent: &mut A) -> Result<(), TrainError> {
    dispatch(level(), Learning(agent))
}

struct Learning<'a, A>(&'a mut A);

impl<A: Learn> Task for Learning<'_, A> {
    type Output = Result<(), TrainError>;

    #[inline(always)]
    fn run<S: Simd>(&mut self, simd: S) -> Self::Output {
        self.0.learn(simd)
    }
}

/// What a critic takes: what is seen, and then what is done.
#[inline(always)]
pub(super) fn pair<E: Continuous, C: Critic<E>, const B: usize>(
    seen: &[E::Observation; B],
    done: &[E::Action; B],
    to: &mut [C::Input; B],
) {
    const {
        let len = E::Observation::LEN + E::Action::LEN;
        assert!(C::Input::LEN == len, "a critic takes as many numbers as are seen and done together");
        assert!(C::Output::LEN == 1, "a critic gives one number");
    }
    for ((seen, done), to) in seen.iter().zip(done).zip(to) {
        let (first, second) = to.numbers_mut().split_at_mut(E::Observation::LEN);
        for (to, from) in first.iter_mut().zip(seen.numbers()).chain(second.iter_mut().zip(done.numbers())) {
            *to = *from;
        }
    }
}

/// The gradient by what is done, of the gradient by what a critic takes.
#[inline(always)]
pub(super) fn add_second<E: Continuous, C: Critic<E>, const B: usize>(
    grad_input: &mut <C::Input as crate::layer::Inputs>::Owned<B>,
    to: &mut [E::Action; B],
) {
    let to = crate::tensor::batch_slice_mut(to);
    <C::Input as crate::layer::Inputs>::each_part::<E::Number, B>(grad_input, &mut |part| {
        let (rows, columns) = (part.chunks_exact(C::Input::LEN), E::Action::LEN);
        for (row, to) in rows.zip(to.chunks_exact_mut(columns)) {
            for (from, to) in row.iter().skip(E::Observation::LEN).zip(to) {
                *to += *from;
            }
        }
    });
}

/// The one number that a critic gives, for each sample.
#[inline(always)]
pub(super) fn values<E: Continuous, C: Critic<E>, const B: usize>(output: &[C::Output; B]) -> &[E::Number; B] {
    const { assert!(C::Output::LEN == 1, "a critic gives one number") };
    crate::tensor::reshape(output)
}

/// The action in the units of the environment, of one between −1 and 1.
#[inline(always)]
pub(super) fn scaled<E: Continuous>(mut action: E::Action) -> E::Action {
    let bound = <E::Number as crate::Scalar>::from_f64(E::BOUND);
    for number in action.numbers_mut() {
        *number *= bound;
    }
    action
}

/// The mean over numbers.
#[inline(always)]
pub(super) fn mean<T: crate::Scalar>(numbers: &[T]) -> T {
    let mut sum = T::ZERO;
    for number in batch_slice(numbers) {
        sum += *number;
    }
    sum / T::from_f64(numbers.len() as f64)
}
