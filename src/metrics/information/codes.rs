//! What the codes of a variational autoencoder hold, and how they share it.

use super::binned;
use crate::distributions::{Distribution, Normal};
use crate::noise::Noise;
use crate::scalar::Real;

/// The three parts of the information term of a variational autoencoder, `E KL(q(z | x) ‖ N(0, 1))`, in nats, over samples whose
/// codes are normally distributed; `q(z)` is the mean of all their distributions:
///
/// `E ln q(z | x)/q(z) + E ln q(z)/Π q(zⱼ) + Σ E ln q(zⱼ)/p(zⱼ)`
///
/// Hoffman and Johnson, *ELBO surgery* (2016); Chen, Li, Grosse and Duvenaud, *Isolating sources of disentanglement in variational
/// autoencoders* (2018), here with `q(z)` over all samples instead of an estimate from a batch.
///
/// ```
/// use monomorph::Noise;
/// use monomorph::distributions::Normal;
/// use monomorph::metrics::information::Codes;
///
/// // Two numbers that say the same: which of two samples it is.
/// let code = |mean| [Normal { mean, deviation: 0.01 }; 2];
/// let codes = Codes::of(&[code(-1.0), code(1.0)], 1, &mut Noise::new(1)).ok_or("none")?;
/// assert!((codes.information - 2.0_f64.ln()).abs() < 1e-9);
/// assert!((codes.total_correlation - 2.0_f64.ln()).abs() < 1e-9);
/// # Ok::<(), &str>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Codes {
    /// `I(z; x)`: how much a code tells which sample it is of; not more than the logarithm of how many there are.
    pub information: f64,
    /// How much the numbers of a code depend on each other.
    pub total_correlation: f64,
    /// How far each number is from the prior, which is the standard normal distribution.
    pub dimensions: f64,
}

impl Codes {
    /// Estimates them from `draws` codes of each sample. Takes time proportional to the square of the number of samples.
    ///
    /// `None` if there is nothing to estimate them from, or a number that is not finite.
    pub fn of<const N: usize>(samples: &[[Normal<f64>; N]], draws: usize, noise: &mut Noise) -> Option<Self> {
        let prior = Normal { mean: 0.0, deviation: 1.0 };
        let share = Real::ln(samples.len() as f64);
        let (mut information, mut total_correlation, mut dimensions) = (0.0, 0.0, 0.0);
        for own in samples {
            for _ in 0..draws {
                let z: [f64; N] = core::array::from_fn(|index| own[index].sample(noise));
                let (mut of_code, mut of_each) = (LogSum::default(), [LogSum::default(); N]);
                for other in samples {
                    let mut sum = 0.0;
                    for ((normal, z), of_number) in other.iter().zip(z).zip(&mut of_each) {
                        let log = normal.log_prob(z);
                        sum += log;
                        of_number.add(log);
                    }
                    of_code.add(sum);
                }
                let conditional: f64 = own.iter().zip(z).map(|(normal, z)| normal.log_prob(z)).sum();
                let whole = of_code.value() - share;
                let each: f64 = of_each.iter().map(|of| of.value() - share).sum();
                information += conditional - whole;
                total_correlation += whole - each;
                dimensions += each - z.iter().map(|z| prior.log_prob(*z)).sum::<f64>();
            }
        }
        let count = (samples.len() * draws) as f64;
        let [information, total_correlation, dimensions] =
            [information, total_correlation, dimensions].map(|sum| sum / count);
        (information + total_correlation + dimensions).is_finite().then_some(Self {
            information,
            total_correlation,
            dimensions,
        })
    }
}

/// `ln Σ e^x` of numbers that come one by one.
#[derive(Clone, Copy)]
struct LogSum {
    largest: f64,
    sum: f64,
}

impl Default for LogSum {
    fn default() -> Self {
        Self { largest: f64::NEG_INFINITY, sum: 0.0 }
    }
}

impl LogSum {
    fn add(&mut self, x: f64) {
        if x > self.largest {
            self.sum = self.sum * Real::exp(self.largest - x) + 1.0;
            self.largest = x;
        } else {
            self.sum += Real::exp(x - self.largest);
        }
    }

    fn value(self) -> f64 {
        self.largest + Real::ln(self.sum)
    }
}

/// How much more of a factor of the data the number of the codes tells that tells most of it than the one that tells second
/// most, as a share of what there is to tell: 1 if one number of the code has all of it alone. The mean over all factors is the
/// *mutual information gap* of Chen, Li, Grosse and Duvenaud (2018). With 20 bins for the numbers and for the factor, whose
/// values are few and equally far apart.
///
/// `None` as of [`binned_information`](super::binned_information), or if the factor is always the same.
///
/// ```
/// use monomorph::metrics::information::information_gap;
/// let factor: Vec<f64> = (0..400).map(|index| f64::from(index % 4)).collect();
/// let alone: Vec<[f64; 2]> = (0..400).map(|index| [f64::from(index % 4), f64::from(index / 4 % 4)]).collect();
/// let twice: Vec<[f64; 2]> = (0..400).map(|index| [f64::from(index % 4), f64::from(index % 4)]).collect();
/// assert!(information_gap(&alone, &factor).ok_or("none")? > 0.98);
/// assert_eq!(information_gap(&twice, &factor), Some(0.0));
/// # Ok::<(), &str>(())
/// ```
pub fn information_gap<const N: usize>(codes: &[[f64; N]], factor: &[f64]) -> Option<f64> {
    const BINS: usize = 20;
    if codes.len() != factor.len() {
        return None;
    }
    let (mut first, mut second) = (0.0, 0.0);
    for index in 0..N {
        let mut found = binned::<BINS>(codes.iter().map(|code| code[index]).zip(factor.iter().copied()))?;
        if found > first {
            core::mem::swap(&mut first, &mut found);
        }
        second = f64::max(second, found);
    }
    // What a factor tells of itself.
    let whole = binned::<BINS>(factor.iter().map(|x| (*x, *x)))?;
    (whole > 0.0).then(|| (first - second) / whole)
}

#[cfg(all(test, feature = "std"))]
mod tests {
    use super::*;
    use crate::metrics::information::total_correlation;
    use std::vec::Vec;

    /// Codes that are normally distributed as a whole have parts that are known.
    #[test]
    fn the_parts_of_a_normal_representation_are_exact() {
        let (correlation, deviation) = (0.8_f64, 0.5_f64);
        let mut noise = Noise::new(1);
        let samples: Vec<[Normal<f64>; 2]> = (0..1500)
            .map(|_| {
                let a = noise.normal();
                let b = correlation * a + (1.0 - correlation * correlation).sqrt() * noise.normal();
                [a, b].map(|mean| Normal { mean, deviation })
            })
            .collect();
        let found = Codes::of(&samples, 1, &mut noise).unwrap();
        // q(z) has the variances 1 + σ² and the covariance ρ.
        let variance = 1.0 + deviation * deviation;
        let covariance = [[variance, correlation], [correlation, variance]];
        let expected = total_correlation(&covariance).unwrap();
        assert!((found.total_correlation - expected).abs() < 0.04, "{found:?} instead of {expected}");
        let determinant = variance * variance - correlation * correlation;
        let information = 0.5 * (determinant / deviation.powi(4)).ln();
        assert!((found.information - information).abs() < 0.08, "{found:?} instead of {information}");
        let dimensions = 2.0 * 0.5 * (variance - 1.0 - variance.ln());
        assert!((found.dimensions - dimensions).abs() < 0.05, "{found:?} instead of {dimensions}");
    }

    #[test]
    fn the_parts_sum_to_the_divergence() {
        let mut noise = Noise::new(2);
        let prior = Normal { mean: 0.0, deviation: 1.0 };
        let samples: Vec<[Normal<f64>; 3]> = (0..50)
            .map(|_| core::array::from_fn(|_| Normal { mean: noise.normal(), deviation: 0.1 + noise.uniform() }))
            .collect();
        let found = Codes::of(&samples, 200, &mut noise).unwrap();
        let exact = samples.iter().flatten().map(|normal| normal.divergence(&prior)).sum::<f64>() / 50.0;
        assert!((found.information + found.total_correlation + found.dimensions - exact).abs() < 0.05, "{exact}");
        assert_eq!(Codes::of::<1>(&[], 1, &mut noise), None);
        assert_eq!(Codes::of(&[[prior]], 0, &mut noise), None);
        assert_eq!(information_gap(&[[1.0], [2.0]], &[3.0, 3.0]), None);
        assert_eq!(information_gap::<1>(&[], &[]), None);
    }
}
