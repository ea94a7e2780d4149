//! Advantages: Schulman et al., *High-dimensional continuous control using generalized advantage estimation* (2016).

use crate::scalar::Scalar;

/// A step of a rollout, as [`advantages`] needs it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Value<T> {
    /// The reward.
    pub reward: T,
    /// What the critic says of what was seen before the step.
    pub value: T,
    /// What it says of what was seen after the step, in the same episode.
    pub next: T,
    /// Whether the task ended.
    pub terminated: bool,
    /// Whether time was up.
    pub truncated: bool,
}

/// Writes the advantage of each step, by the discount `γ` and `λ`:
/// `δ = r + γ V′ (1 − terminated) − V`, `A = δ + γ λ A′`, where `A′` is 0 after the last step of an episode.
///
/// A step at which time was up counts the value of what was seen last; the sum does not go on into the next episode.
///
/// ```
/// use monomorph::rl::{Value, advantages};
///
/// let steps = [
///     Value { reward: 1.0, value: 0.5, next: 0.6, ..Value::default() },
///     Value { reward: 1.0, value: 0.6, next: 0.7, truncated: true, ..Value::default() },
/// ];
/// let mut found = [0.0_f64; 2];
/// advantages(0.99, 0.95, &steps, &mut found);
/// assert!((found[1] - (1.0 + 0.99 * 0.7 - 0.6)).abs() < 1e-12);
/// assert!((found[0] - (1.0 + 0.99 * 0.6 - 0.5 + 0.99 * 0.95 * found[1])).abs() < 1e-12);
/// ```
pub fn advantages<T: Scalar>(discount: f64, lambda: f64, steps: &[Value<T>], advantages: &mut [T]) {
    let (discount, decay) = (T::from_f64(discount), T::from_f64(discount * lambda));
    let mut after = T::ZERO;
    for (step, advantage) in steps.iter().zip(advantages).rev() {
        let next = if step.terminated { T::ZERO } else { step.next };
        let surprise = step.reward + discount * next - step.value;
        after = if step.terminated || step.truncated { surprise } else { surprise + decay * after };
        *advantage = after;
    }
}

#[cfg(all(test, feature = "safetensors", feature = "std"))]
mod tests {
    use super::*;
    use crate::testing::golden::{Case, assert_close};
    use std::vec::Vec;

    fn steps(
        [rewards, values, nexts]: [&[f64]; 3],
        terminated: impl Fn(usize) -> bool,
        truncated: impl Fn(usize) -> bool,
    ) -> Vec<Value<f64>> {
        (0..rewards.len())
            .map(|at| Value {
                reward: rewards[at],
                value: values[at],
                next: nexts[at],
                terminated: terminated(at),
                truncated: truncated(at),
            })
            .collect()
    }

    #[test]
    fn agrees_with_the_reference() {
        let case = Case::open("rl_gae");
        let [rewards, values, nexts, terminated, truncated] =
            ["rewards", "values", "next_values", "terminated", "truncated"].map(|tensor| case.numbers(tensor));
        let steps = steps([&rewards, &values, &nexts], |at| terminated[at] == 1.0, |at| truncated[at] == 1.0);
        let mut found = std::vec![0.0; steps.len()];
        advantages(0.97, 0.9, &steps, &mut found);
        assert_close("advantages", &found, &case.numbers("advantages"), 1e-12);
        let returns: Vec<f64> = found.iter().zip(&values).map(|(advantage, value)| advantage + value).collect();
        assert_close("returns", &returns, &case.numbers("returns"), 1e-12);
    }

    #[test]
    fn ends_of_both_kinds() {
        let (values, nexts) = ([0.5, 0.6, 0.7, 0.8, 0.9, 1.0], [0.6, 0.7, 0.55, 0.9, 1.0, 1.1]);
        let steps = steps([&[1.0; 6], &values, &nexts], |at| at == 4, |at| at == 2);
        let mut found = [0.0; 6];
        advantages(0.99, 0.95, &steps, &mut found);
        let expected = [2.868960741125, 1.88725225, 0.8445, 1.18505, 0.1, 1.089];
        assert_close("advantages", &found, &expected, 1e-12);
    }
}
