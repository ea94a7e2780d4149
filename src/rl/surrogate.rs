//! What proximal policy optimization minimizes: Schulman et al., *Proximal policy optimization algorithms* (2017).

use crate::scalar::{Real, Scalar};

/// `−min(ρ A, clip(ρ, 1 ± c) A)` with `ρ = π/π_old`, and its derivative by `log π`.
///
/// ```
/// use monomorph::rl::surrogate;
///
/// // Half as probable again as it was, with an advantage: more is not worth more.
/// let [loss, slope] = surrogate(0.2, 1.5_f64.ln(), 0.0, 2.0);
/// assert_eq!((loss, slope), (-2.4, 0.0));
/// let [loss, slope] = surrogate(0.2, 0.0, 0.0, 2.0);
/// assert_eq!((loss, slope), (-2.0, -2.0));
/// ```
#[inline(always)]
pub fn surrogate<T: Real>(clip: f64, log_prob: T, old: T, advantage: T) -> [T; 2] {
    let ratio = (log_prob - old).exp();
    let [least, most] = [T::from_f64(1.0 - clip), T::from_f64(1.0 + clip)];
    let (plain, clipped) = (ratio * advantage, ratio.max(least).min(most) * advantage);
    if clipped < plain { [-clipped, T::ZERO] } else { [-plain, -plain] }
}

/// `½ max((V − R)², (V_old + clip(V − V_old, ±c) − R)²)` and its derivative by `V`; without a `clip`, `½ (V − R)²`.
///
/// ```
/// use monomorph::rl::value_loss;
/// assert_eq!(value_loss(None, 1.0, 0.0, 3.0), [2.0, -2.0]);
/// assert_eq!(value_loss(Some(0.5), 1.0, 0.0, 3.0), [3.125, 0.0]);
/// ```
#[inline(always)]
pub fn value_loss<T: Scalar>(clip: Option<f64>, value: T, old: T, wanted: T) -> [T; 2] {
    let half = T::from_f64(0.5);
    let error = value - wanted;
    let plain = [half * error * error, error];
    let Some(clip) = clip else { return plain };
    let moved = value - old;
    let within = moved.max(T::from_f64(-clip)).min(T::from_f64(clip));
    let error = old + within - wanted;
    let clipped = [half * error * error, if within == moved { error } else { T::ZERO }];
    if clipped[0] > plain[0] { clipped } else { plain }
}

/// Brings numbers to mean 0 and deviation 1, that of a sample.
#[inline(always)]
pub(super) fn standardize<T: Real>(numbers: &mut [T]) {
    let count = numbers.len() as f64;
    let [mut mean, mut variance] = [T::ZERO; 2];
    for number in &*numbers {
        mean += *number / T::from_f64(count);
    }
    for number in &*numbers {
        let from_mean = *number - mean;
        variance += from_mean * from_mean / T::from_f64((count - 1.0).max(1.0));
    }
    let scale = T::ONE / (variance.sqrt() + T::from_f64(1e-8));
    for number in numbers {
        *number = (*number - mean) * scale;
    }
}

#[cfg(all(test, feature = "safetensors", feature = "std"))]
mod tests {
    use super::*;
    use crate::memory::zeroed;
    use crate::plain::Plain;
    use crate::rl::{Choice, Continuous, Environment, Gaussian, LogStd, Outcome, Word};
    use crate::testing::golden::{Case, assert_close};
    use std::vec::Vec;

    /// Actions of three numbers; nothing else is asked of it.
    #[derive(Plain)]
    struct Three;

    impl Environment for Three {
        type Number = f64;
        type Observation = [f64; 1];
        type Action = [f64; 3];
        const STEPS: u32 = 1;
        fn seeded(_: u64) -> Self {
            Self
        }
        fn reset(&mut self) {}
        fn observe(&self) -> [f64; 1] {
            [0.0]
        }
        fn step(&mut self, _: &[f64; 3]) -> Outcome<f64> {
            Outcome { reward: 0.0, terminated: true }
        }
        fn persist(&mut self, _: &mut Word<'_>) {}
    }
    impl Continuous for Three {
        const BOUND: f64 = 1.0;
    }

    #[test]
    fn agrees_with_the_reference() {
        let case = Case::open("rl_ppo_loss");
        let list = |key: &str| serde_json::from_str::<Vec<f64>>(&case.text(key)).expect("numbers");
        let actions: Vec<[f64; 3]> = serde_json::from_str(&case.text("action")).expect("actions");
        let [mut advantages, olds, returns, old_values] =
            ["advantages", "old_log_prob", "returns", "old_values"].map(list);
        let (means, values) = (case.numbers("x0"), case.numbers("x1"));
        let (mut parameters, mut gradient) = (zeroed::<LogStd<[f64; 3]>>(), zeroed::<LogStd<[f64; 3]>>());
        parameters.log_std.copy_from_slice(&case.numbers("p.log_std"));
        standardize(&mut advantages);
        let (mut loss, mut grad_means, mut grad_values) = (0.0, [[0.0; 3]; 6], [0.0; 6]);
        for index in 0..6 {
            let mean = &means[3 * index..][..3];
            let [log_prob, entropy] = <Gaussian as Choice<Three>>::log_prob(&parameters, mean, &actions[index]);
            let [policy, by_log] = surrogate(0.2, log_prob, olds[index], advantages[index]);
            let [value, by_value] = value_loss(Some(0.2), values[index], old_values[index], returns[index]);
            loss += (policy + 0.5 * value - 0.01 * entropy) / 6.0;
            grad_values[index] = 0.5 * by_value / 6.0;
            <Gaussian as Choice<Three>>::backward(
                &parameters,
                mean,
                &actions[index],
                [by_log / 6.0, -0.01 / 6.0],
                &mut grad_means[index],
                &mut gradient,
            );
        }
        assert_close("loss", &[loss], &case.numbers("y"), 1e-10);
        let scale = case.numbers("dy")[0];
        let scaled = |numbers: &[f64]| -> Vec<f64> { numbers.iter().map(|number| number * scale).collect() };
        assert_close("means", &scaled(grad_means.as_flattened()), &case.numbers("dx0"), 1e-10);
        assert_close("values", &scaled(&grad_values), &case.numbers("dx1"), 1e-10);
        assert_close("log σ", &scaled(&gradient.log_std), &case.numbers("g.log_std"), 1e-10);
    }
}
