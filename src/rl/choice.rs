//! How an action is chosen from what a network gives, with its probability: for policy gradients.

use super::environment::clip;
use super::{Continuous, Discrete, Environment};
use crate::Parameters;
use crate::noise::Noise;
use crate::plain::Plain;
use crate::scalar::{Real, Scalar};
use crate::tensor::Tensor;

/// A distribution over the actions of `E`, given by the output of a network and by parameters of its own.
pub trait Choice<E: Environment>: Plain {
    /// Parameters that are learned beside those of the network.
    type Parameters: Parameters<Scalar = E::Number>;
    /// How many numbers the network gives.
    const OUTPUTS: usize;

    /// Draws an action.
    fn draw(parameters: &Self::Parameters, output: &[E::Number], noise: &mut Noise) -> E::Action;
    /// The action to take where nothing is to be found out any more.
    fn best(output: &[E::Number]) -> E::Action;
    /// The logarithm of an action's probability or density, and the entropy.
    fn log_prob(parameters: &Self::Parameters, output: &[E::Number], action: &E::Action) -> [E::Number; 2];
    /// Writes the gradient by the output, and adds that by the parameters, of both numbers that `log_prob` gives, whose
    /// gradients are these.
    fn backward(
        parameters: &Self::Parameters,
        output: &[E::Number],
        action: &E::Action,
        gradients: [E::Number; 2],
        grad_output: &mut [E::Number],
        gradient: &mut Self::Parameters,
    );
    /// The action as the environment takes it.
    fn in_environment(action: &E::Action) -> E::Action {
        *action
    }
}

/// One of several actions, with probabilities `p = softmax(output)`: `log π(a) = oₐ − log Σ e^o`, entropy `−Σ p log p`.
#[derive(Clone, Copy, Debug, PartialEq, Plain)]
pub struct Categorical;

/// No parameters.
#[derive(Parameters)]
#[repr(C)]
pub struct Nothing<T: Scalar> {
    nothing: [T; 0],
}

/// The largest number's index.
#[inline]
pub(super) fn argmax<T: Scalar>(numbers: &[T]) -> usize {
    let (mut best, mut largest) = (0, T::from_f64(f64::NEG_INFINITY));
    for (index, number) in numbers.iter().enumerate() {
        if *number > largest {
            (best, largest) = (index, *number);
        }
    }
    best
}

/// `log Σ e^o`.
#[inline]
fn log_sum<T: Real>(output: &[T]) -> T {
    let largest = output.iter().fold(T::from_f64(f64::NEG_INFINITY), |largest, number| largest.max(*number));
    let mut sum = T::ZERO;
    for number in output {
        sum += (*number - largest).exp();
    }
    largest + sum.ln()
}

/// Draws an index with the probabilities of a softmax.
pub(super) fn draw_index<T: Real>(output: &[T], noise: &mut Noise) -> usize {
    let (sum, mut left) = (log_sum(output), T::from_f64(noise.uniform()));
    for (index, number) in output.iter().enumerate() {
        left -= (*number - sum).exp();
        if left < T::ZERO {
            return index;
        }
    }
    output.len().saturating_sub(1)
}

impl<E: Discrete> Choice<E> for Categorical {
    type Parameters = Nothing<E::Number>;
    const OUTPUTS: usize = E::ACTIONS;

    fn draw(_: &Nothing<E::Number>, output: &[E::Number], noise: &mut Noise) -> usize {
        draw_index(output, noise)
    }

    fn best(output: &[E::Number]) -> usize {
        argmax(output)
    }

    #[inline]
    fn log_prob(_: &Nothing<E::Number>, output: &[E::Number], action: &usize) -> [E::Number; 2] {
        let sum = log_sum(output);
        let mut entropy = E::Number::ZERO;
        for number in output {
            let log = *number - sum;
            entropy -= log.exp() * log;
        }
        [output.get(*action).map_or(E::Number::ZERO, |number| *number - sum), entropy]
    }

    /// `∂o = ∂(log π)·(1ₐ − p) − ∂H·p·(log p + H)`
    #[inline]
    fn backward(
        _: &Nothing<E::Number>,
        output: &[E::Number],
        action: &usize,
        [grad_log, grad_entropy]: [E::Number; 2],
        grad_output: &mut [E::Number],
        _: &mut Nothing<E::Number>,
    ) {
        let sum = log_sum(output);
        let mut entropy = E::Number::ZERO;
        for (number, grad) in output.iter().zip(&mut *grad_output) {
            let log = *number - sum;
            let power = log.exp();
            *grad = power;
            entropy -= power * log;
        }
        for (index, (number, grad)) in output.iter().zip(grad_output).enumerate() {
            let (log, power) = (*number - sum, *grad);
            let chosen = if index == *action { E::Number::ONE } else { E::Number::ZERO };
            *grad = grad_log * (chosen - power) - grad_entropy * power * (log + entropy);
        }
    }
}

/// Normally distributed numbers around the network's output, with deviations `σ` that are learned beside it:
/// `log π(a) = Σ −½ ((a − o)/σ)² − log σ − ½ log 2π`, entropy `Σ ½ + ½ log 2π + log σ`.
///
/// Actions are in units in which the environment's bound is 1, and clipped to it where the environment takes them.
#[derive(Clone, Copy, Debug, PartialEq, Plain)]
pub struct Gaussian;

/// `log σ` for each number of an action.
#[derive(Parameters)]
#[repr(C)]
pub struct LogStd<X: Tensor<Element: Scalar>> {
    /// `log σ`.
    #[parameters(tensor, start = 0.0)]
    pub log_std: X,
}

impl<E: Continuous> Choice<E> for Gaussian {
    type Parameters = LogStd<E::Action>;
    const OUTPUTS: usize = E::Action::LEN;

    fn draw(parameters: &LogStd<E::Action>, output: &[E::Number], noise: &mut Noise) -> E::Action {
        let mut action = crate::memory::zeroed::<E::Action>();
        let log_stds = parameters.log_std.numbers().iter();
        let numbers = action.numbers_mut().iter_mut().zip(output).zip(log_stds).zip(noise.normals());
        for (((action, mean), log_std), normal) in numbers {
            *action = *mean + log_std.exp() * E::Number::from_f64(normal);
        }
        action
    }

    fn best(output: &[E::Number]) -> E::Action {
        let mut action = crate::memory::zeroed::<E::Action>();
        for (action, mean) in action.numbers_mut().iter_mut().zip(output) {
            *action = *mean;
        }
        action
    }

    #[inline]
    fn log_prob(parameters: &LogStd<E::Action>, output: &[E::Number], action: &E::Action) -> [E::Number; 2] {
        let half = E::Number::from_f64(0.5);
        let constant = E::Number::from_f64(0.5 * libm::log(core::f64::consts::TAU));
        let [mut log_prob, mut entropy] = [E::Number::ZERO; 2];
        for ((action, mean), log_std) in action.numbers().iter().zip(output).zip(parameters.log_std.numbers()) {
            let z = (*action - *mean) / log_std.exp();
            log_prob -= half * z * z + *log_std + constant;
            entropy += half + constant + *log_std;
        }
        [log_prob, entropy]
    }

    /// `∂o = ∂(log π)·z/σ`, `∂(log σ) += ∂(log π)·(z² − 1) + ∂H`, with `z = (a − o)/σ`.
    #[inline]
    fn backward(
        parameters: &LogStd<E::Action>,
        output: &[E::Number],
        action: &E::Action,
        [grad_log, grad_entropy]: [E::Number; 2],
        grad_output: &mut [E::Number],
        gradient: &mut LogStd<E::Action>,
    ) {
        let numbers = action.numbers().iter().zip(output).zip(parameters.log_std.numbers());
        let gradients = grad_output.iter_mut().zip(gradient.log_std.numbers_mut());
        for (((action, mean), log_std), (grad_mean, grad_std)) in numbers.zip(gradients) {
            let deviation = log_std.exp();
            let z = (*action - *mean) / deviation;
            *grad_mean = grad_log * z / deviation;
            *grad_std += grad_log * (z * z - E::Number::ONE) + grad_entropy;
        }
    }

    fn in_environment(action: &E::Action) -> E::Action {
        let mut scaled = *action;
        for number in scaled.numbers_mut() {
            *number = clip(*number, 1.0) * E::Number::from_f64(E::BOUND);
        }
        scaled
    }
}
