//! Drawing tokens from the scores that a language model gives them.

use crate::noise::Noise;
use crate::scalar::Real;

/// How a token is drawn from scores (logits): with a probability in proportion to `e^(score / temperature)`, from among
/// the likeliest.
///
/// ```
/// use monomorph::Noise;
/// use monomorph::sampling::Sampling;
///
/// let mut noise = Noise::new(1);
/// assert_eq!(Sampling::GREEDY.draw(&mut [0.5, 2.0, 1.0], &mut noise), 1);
/// let careful = Sampling { temperature: 0.8, top_k: 2, ..Sampling::default() };
/// assert_ne!(careful.draw(&mut [0.5, 2.0, 1.0], &mut noise), 0);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sampling {
    /// What the scores are divided by. Below 1, likely tokens become likelier; at 0 or less, the likeliest is taken.
    pub temperature: f64,
    /// From how many of the likeliest tokens one is drawn; 0 is from all. Fan et al., *Hierarchical neural story
    /// generation* (2018).
    pub top_k: usize,
    /// One is drawn from as few of the likeliest tokens as have this probability together; 1 is from all. Holtzman et
    /// al., *The curious case of neural text degeneration* (2020).
    pub top_p: f64,
}

/// From all tokens, at a temperature of 1.
impl Default for Sampling {
    fn default() -> Self {
        Self { temperature: 1.0, top_k: 0, top_p: 1.0 }
    }
}

impl Sampling {
    /// Always the likeliest token, and the first of several that are.
    pub const GREEDY: Self = Self { temperature: 0.0, top_k: 0, top_p: 1.0 };

    /// Draws the index of one of `scores`, which are overwritten. Scores that are NaN are never drawn; without any
    /// score it is 0.
    ///
    /// Tokens that are equally likely are all kept or all left out. To keep `n` tokens takes `n` passes over the
    /// scores; nothing is sorted or allocated.
    pub fn draw<T: Real>(&self, scores: &mut [T], noise: &mut Noise) -> usize {
        let (mut best, mut max) = (0, T::from_f64(f64::NEG_INFINITY));
        for (index, score) in scores.iter().enumerate() {
            if *score > max {
                (best, max) = (index, *score);
            }
        }
        if self.temperature.is_nan() || self.temperature <= 0.0 {
            return best;
        }
        let factor = T::from_f64(1.0 / self.temperature);
        let mut total = 0.0;
        for score in &mut *scores {
            let power = ((*score - max) * factor).exp();
            *score = if power >= T::ZERO { power } else { T::ZERO };
            total += score.to_f64();
        }
        let (least, kept) = self.least(scores, total);
        let mut left = noise.uniform() * kept;
        for (index, power) in scores.iter().enumerate().filter(|(_, power)| **power >= least && **power > T::ZERO) {
            left -= power.to_f64();
            if left < 0.0 {
                return index;
            }
        }
        // What rounding leaves over goes to the likeliest.
        best
    }

    /// The smallest power that is kept, and the sum of those that are.
    fn least<T: Real>(&self, powers: &[T], total: f64) -> (T, f64) {
        if self.top_k == 0 && self.top_p >= 1.0 {
            return (T::ZERO, total);
        }
        let (count, enough) = (if self.top_k == 0 { usize::MAX } else { self.top_k }, self.top_p * total);
        let (mut least, mut sum, mut kept) = (T::from_f64(f64::INFINITY), 0.0, 0);
        loop {
            let (mut next, mut times) = (T::ZERO, 0);
            for power in powers {
                if *power < least && *power >= next {
                    times = if *power > next { 1 } else { times + 1 };
                    next = *power;
                }
            }
            if next <= T::ZERO {
                return (least, sum);
            }
            (least, sum, kept) = (next, sum + next.to_f64() * f64::from(times), kept + times as usize);
            if kept >= count || self.top_p < 1.0 && sum >= enough {
                return (least, sum);
            }
        }
    }
}

#[cfg(all(test, feature = "std"))]
mod tests {
    use super::*;

    /// How often each of four tokens is drawn.
    fn shares(sampling: Sampling, scores: [f32; 4]) -> [f64; 4] {
        let (mut noise, mut counts) = (Noise::new(3), [0.0; 4]);
        for _ in 0..40_000 {
            counts[sampling.draw(&mut scores.clone(), &mut noise)] += 1.0 / 40_000.0;
        }
        counts
    }

    fn close(found: [f64; 4], expected: [f64; 4]) {
        let far = found.iter().zip(expected).any(|(a, b)| if b == 0.0 { *a != 0.0 } else { (a - b).abs() > 0.01 });
        assert!(!far, "{found:?} is not {expected:?}");
    }

    const SCORES: [f64; 4] = [0.4, 0.1, 0.3, 0.2];

    fn scores() -> [f32; 4] {
        SCORES.map(|p| p.ln() as f32)
    }

    #[test]
    fn tokens_are_drawn_by_their_probability() {
        close(shares(Sampling::default(), scores()), SCORES);
        let squares = SCORES.map(|p| p * p / 0.3);
        close(shares(Sampling { temperature: 0.5, ..Sampling::default() }, scores()), squares);
    }

    #[test]
    fn the_unlikely_are_left_out() {
        close(shares(Sampling { top_k: 2, ..Sampling::default() }, scores()), [4.0 / 7.0, 0.0, 3.0 / 7.0, 0.0]);
        close(shares(Sampling { top_k: 9, ..Sampling::default() }, scores()), SCORES);
        close(shares(Sampling { top_p: 0.65, ..Sampling::default() }, scores()), [4.0 / 7.0, 0.0, 3.0 / 7.0, 0.0]);
        close(
            shares(Sampling { top_p: 0.75, ..Sampling::default() }, scores()),
            [4.0 / 9.0, 0.0, 3.0 / 9.0, 2.0 / 9.0],
        );
        close(shares(Sampling { top_p: 0.0, ..Sampling::default() }, scores()), [1.0, 0.0, 0.0, 0.0]);
        close(
            shares(Sampling { top_k: 1, top_p: 0.9, ..Sampling::default() }, [0.0, 1.0, 1.0, 0.5]),
            [0.0, 0.5, 0.5, 0.0],
        );
    }

    #[test]
    fn the_likeliest_is_taken_without_temperature() {
        let mut noise = Noise::new(1);
        for temperature in [0.0, -1.0, f64::NAN] {
            let sampling = Sampling { temperature, ..Sampling::default() };
            assert_eq!(sampling.draw(&mut [1.0, 3.0, 3.0, 2.0], &mut noise), 1);
        }
        assert_eq!(Sampling::GREEDY.draw(&mut [f32::NEG_INFINITY, -4.0], &mut noise), 1);
        assert_eq!(Sampling::GREEDY.draw::<f32>(&mut [], &mut noise), 0);
    }

    #[test]
    fn what_is_no_number_is_never_drawn() {
        close(shares(Sampling::default(), [0.0, f32::NAN, f32::NEG_INFINITY, 0.0]), [0.5, 0.0, 0.0, 0.5]);
        let mut noise = Noise::new(1);
        assert_eq!(Sampling::default().draw(&mut [f32::NAN; 3], &mut noise), 0);
    }
}
