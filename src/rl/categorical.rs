//! Distributions of returns: Bellemare, Dabney and Munos, *A distributional perspective on reinforcement learning*
//! (2017).

use crate::scalar::Scalar;

/// Projects the distribution of `r + γ Z` onto the atoms of `Z`, which lie evenly from `least` to `most`: the
/// probability of each is shared by the two atoms beside where it comes to lie, in proportion to how near they are.
/// `discount` is `γ`, or 0 if the task ended.
///
/// ```
/// use monomorph::rl::project;
///
/// let mut projected = [0.0; 3];
/// // An atom at 1 that comes to lie at 0.5 + 0.5·1 = 1, and one at 0 at 0.5, between 0 and 1.
/// project([0.0, 2.0], &[0.5, 0.5, 0.0], 0.5, 0.5, &mut projected);
/// assert_eq!(projected, [0.25, 0.75, 0.0]);
/// ```
pub fn project<T: Scalar, const N: usize>(
    [least, most]: [f64; 2],
    probabilities: &[T; N],
    reward: T,
    discount: T,
    projected: &mut [T; N],
) {
    const { assert!(N > 1, "a distribution has two atoms or more") };
    projected.fill(T::ZERO);
    let step = (most - least) / (N - 1) as f64;
    let (low, high) = (T::from_f64(least), T::from_f64(most));
    for (index, probability) in probabilities.iter().enumerate() {
        let atom = T::from_f64(least + step * index as f64);
        let place = ((reward + discount * atom).max(low).min(high) - low) / T::from_f64(step);
        // Numbers between 0 and N − 1, so this rounds down.
        let below = (place.to_f64() as usize).min(N - 2);
        let share = place - T::from_f64(below as f64);
        if let Some([left, right]) = projected.get_mut(below..).and_then(|rest| rest.first_chunk_mut::<2>()) {
            *left += *probability * (T::ONE - share);
            *right += *probability * share;
        }
    }
}

#[cfg(all(test, feature = "safetensors", feature = "std"))]
mod tests {
    use super::*;
    use crate::testing::golden::{Case, assert_close};

    #[test]
    fn agrees_with_the_reference() {
        let case = Case::open("rl_categorical_projection");
        let [probabilities, rewards, done, expected] =
            ["probabilities", "rewards", "done", "projected"].map(|tensor| case.numbers(tensor));
        for index in 0..6 {
            let row: &[f64; 11] = probabilities[11 * index..].first_chunk().expect("a row");
            let mut projected = [0.0; 11];
            let discount = if done[index] == 1.0 { 0.0 } else { 0.9 };
            project([-2.0, 2.0], row, rewards[index], discount, &mut projected);
            assert_close("projected", &projected, &expected[11 * index..][..11], 1e-10);
        }
    }
}
