//! What samples of a stochastic network's predictions say: how sure it is, and whether more data would help.

use super::information::entropy;
use crate::scalar::{Real, Scalar};

/// The probabilities of `C` classes, over samples of the predictive distribution: draws of a Bayesian network, of one
/// with dropout (`Network::sample`), or the members of an ensemble.
///
/// The entropy of the mean is the total uncertainty. It is the sum of two parts: the mean of the entropies, which is in
/// the data (aleatoric), and the mutual information between prediction and weights, which more data would remove
/// (epistemic): Houlsby et al. (2011), Depeweg et al. (2018). All in nats.
///
/// ```
/// use monomorph::metrics::Predictive;
/// let mut predictive = Predictive::<2>::default();
/// predictive.add(&[1.0_f32, 0.0]);
/// predictive.add(&[0.0, 1.0]); // sure, and of another opinion
/// assert_eq!(predictive.mean(), [0.5, 0.5]);
/// assert!((predictive.mutual_information() - 2.0_f64.ln()).abs() < 1e-12);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Predictive<const C: usize> {
    count: f64,
    sums: [f64; C],
    entropies: f64,
}

impl<const C: usize> Default for Predictive<C> {
    fn default() -> Self {
        Self { count: 0.0, sums: [0.0; C], entropies: 0.0 }
    }
}

impl<const C: usize> Predictive<C> {
    /// Counts the probabilities of a sample.
    pub fn add<T: Scalar>(&mut self, probabilities: &[T; C]) {
        let probabilities = (*probabilities).map(Scalar::to_f64);
        self.count += 1.0;
        for (sum, probability) in self.sums.iter_mut().zip(&probabilities) {
            *sum += probability;
        }
        self.entropies += entropy(&probabilities);
    }

    /// Counts the logits of a sample, whose probabilities are their softmax.
    pub fn add_logits<T: Scalar>(&mut self, logits: &[T; C]) {
        self.add(&softmax(logits, 1.0));
    }

    /// The mean probabilities: the prediction.
    pub fn mean(&self) -> [f64; C] {
        self.sums.map(|sum| super::share(sum, self.count))
    }

    /// The entropy of the mean: all uncertainty there is.
    pub fn entropy(&self) -> f64 {
        entropy(&self.mean())
    }

    /// The mean of the entropies: the uncertainty that is in the data.
    pub fn expected_entropy(&self) -> f64 {
        super::share(self.entropies, self.count)
    }

    /// How much a label would tell of the weights: the uncertainty of not having seen enough.
    pub fn mutual_information(&self) -> f64 {
        // Rounding could make it negative.
        (self.entropy() - self.expected_entropy()).max(0.0)
    }
}

/// Mean and variance of `N` numbers over samples of them.
///
/// ```
/// use monomorph::metrics::Moments;
/// let mut moments = Moments::<1>::default();
/// for sample in [[1.0_f32], [2.0], [3.0]] {
///     moments.add(&sample);
/// }
/// assert_eq!((moments.mean(), moments.variance()), ([2.0], [1.0]));
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Moments<const N: usize> {
    count: f64,
    mean: [f64; N],
    squares: [f64; N],
}

impl<const N: usize> Default for Moments<N> {
    fn default() -> Self {
        Self { count: 0.0, mean: [0.0; N], squares: [0.0; N] }
    }
}

impl<const N: usize> Moments<N> {
    /// Counts a sample, by Welford's method (1962).
    pub fn add<T: Scalar>(&mut self, sample: &[T; N]) {
        self.count += 1.0;
        for ((mean, squares), x) in self.mean.iter_mut().zip(&mut self.squares).zip(sample) {
            let distance = x.to_f64() - *mean;
            *mean += distance / self.count;
            *squares += distance * (x.to_f64() - *mean);
        }
    }

    /// The means.
    pub fn mean(&self) -> [f64; N] {
        self.mean
    }

    /// The variances, with `n − 1` in the denominator; 0 of a single sample.
    pub fn variance(&self) -> [f64; N] {
        self.squares.map(|squares| super::share(squares, (self.count - 1.0).max(0.0)))
    }
}

/// `softmax(logits / temperature)`.
///
/// ```
/// assert_eq!(monomorph::metrics::softmax(&[3.0_f32, 3.0], 2.0), [0.5, 0.5]);
/// ```
pub fn softmax<T: Scalar, const C: usize>(logits: &[T; C], temperature: f64) -> [f64; C] {
    let logits = (*logits).map(|logit| logit.to_f64() / temperature);
    let largest = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let powers = logits.map(|logit| Real::exp(logit - largest));
    let sum: f64 = powers.iter().sum();
    powers.map(|power| power / sum)
}

/// The temperature that makes `softmax(logits / temperature)` as likely as it can be: calibrates a trained classifier on
/// data that it has not seen (Guo, Pleiss, Sun and Weinberger, 2017), without changing what it decides.
///
/// Between 1/1000 and 1000; where all are right, one at which their probability rounds to 1. `None` if there are no samples, numbers that are not finite, or a class that does not exist.
///
/// ```
/// use monomorph::metrics::temperature;
/// // Three of four are right, at probabilities of 0.98.
/// let logits = [[4.0, 0.0], [4.0, 0.0], [0.0, 4.0], [4.0, 0.0]];
/// let found = temperature(&logits, &[0, 0, 1, 1]).ok_or("none")?;
/// assert!((found - 4.0 / 3.0_f64.ln()).abs() < 1e-9); // then at 0.75
/// # Ok::<(), &str>(())
/// ```
pub fn temperature<T: Scalar, const C: usize>(logits: &[[T; C]], truths: &[usize]) -> Option<f64> {
    let finite = logits.iter().flatten().all(|logit| logit.is_finite());
    if logits.is_empty() || logits.len() != truths.len() || !finite || truths.iter().any(|truth| *truth >= C) {
        return None;
    }
    // The mean negative log-likelihood is convex in s = 1 / temperature, with the derivative Σ (Σ p z − z of the truth).
    let slope = |s: f64| -> f64 {
        let samples = logits.iter().zip(truths);
        let slopes = samples.map(|(logits, truth)| {
            let expected: f64 = softmax(logits, 1.0 / s).iter().zip(logits).map(|(p, z)| p * z.to_f64()).sum();
            expected - logits.get(*truth).map_or(0.0, |logit| logit.to_f64())
        });
        slopes.sum()
    };
    let (mut low, mut high) = (-LOG_LIMIT, LOG_LIMIT);
    for _ in 0..60 {
        let middle = 0.5 * (low + high);
        *if slope(Real::exp(middle)) < 0.0 { &mut low } else { &mut high } = middle;
    }
    Some(Real::exp(-0.5 * (low + high)))
}

/// `ln 1000`.
const LOG_LIMIT: f64 = 6.907_755_278_982_137;

#[cfg(all(test, feature = "std"))]
mod tests {
    use super::*;

    fn near(value: f64, expected: f64) {
        assert!((value - expected).abs() < 1e-12, "{value} instead of {expected}");
    }

    #[test]
    fn uncertainty_has_two_parts() {
        let mut predictive = Predictive::<3>::default();
        near(predictive.entropy(), 0.0);
        predictive.add(&[0.5, 0.25, 0.25]);
        near(predictive.mutual_information(), 0.0);
        predictive.add_logits(&[0.0_f32, 0.0, 0.0]);
        near(predictive.expected_entropy(), (1.5 * 2.0_f64.ln() + 3.0_f64.ln()) / 2.0);
        near(predictive.mean()[0], 5.0 / 12.0);
        near(predictive.entropy() - predictive.expected_entropy(), predictive.mutual_information());
        assert!(predictive.mutual_information() > 0.0);
    }

    #[test]
    fn moments() {
        let mut moments = Moments::<2>::default();
        assert_eq!(moments.variance(), [0.0; 2]);
        for sample in [[1e9_f64, 0.0], [1e9 + 1.0, 2.0], [1e9 + 2.0, 4.0]] {
            moments.add(&sample);
        }
        assert_eq!((moments.mean(), moments.variance()), ([1e9 + 1.0, 2.0], [1.0, 4.0]));
    }

    #[test]
    fn temperatures_at_the_edges() {
        assert_eq!(temperature::<f32, 2>(&[], &[]), None);
        assert_eq!(temperature(&[[f32::NAN, 0.0]], &[0]), None);
        assert_eq!(temperature(&[[1.0_f32, 0.0]], &[2]), None);
        // Where all are right, nothing is too sure: the probability becomes 1 but for rounding.
        assert!(temperature(&[[1.0_f32, 0.0]], &[0]).unwrap() < 0.03);
        near(temperature(&[[1.0_f32, 0.0]], &[1]).unwrap() / 1e3, 1.0);
        let softened = softmax(&[1.0_f32, 2.0, 3.0], 1.0);
        near(softened.iter().sum(), 1.0);
    }
}
