//! Metrics: how good predictions are, without allocation.
//!
//! | metric | of |
//! | --- | --- |
//! | [`Confusion`]: accuracy, precision, recall, F1 | classes |
//! | [`TopK`] | scores of classes |
//! | [`Regression`]: R², mean absolute and root mean square error | numbers |
//! | [`Calibration`]: expected calibration error | confidences |
//! | [`Predictive`]: entropy, mutual information; [`Moments`] | samples of a stochastic network |
//! | [`information`]: entropy, mutual information, estimates of these | probabilities, samples |
//! | [`temperature`] | logits of classes, to calibrate them |
//! | [`roc_auc`], [`average_precision`] | scores of two classes |
//!
//! Those that are structs are filled sample by sample, over as many batches as there are. The formulas are those of
//! scikit-learn; a quotient of nothing by nothing is 0, as with its `zero_division=0`, if not stated otherwise.

pub mod information;
mod uncertainty;

pub use uncertainty::{Moments, Predictive, softmax, temperature};

use crate::scalar::{Real, Scalar};

/// The index of the largest number, the first of equal ones. NaNs are passed over; 0 if there is nothing else.
///
/// ```
/// assert_eq!(monomorph::metrics::argmax(&[0.1_f32, 0.7, 0.2]), 1);
/// ```
pub fn argmax<T: Scalar>(scores: &[T]) -> usize {
    let mut best = (0, f64::NEG_INFINITY);
    for (index, score) in scores.iter().enumerate() {
        let score = score.to_f64();
        if score > best.1 {
            best = (index, score);
        }
    }
    best.0
}

/// The indices of the `K` largest numbers, largest first and the first of equal ones first. NaNs are passed over.
/// Where there are fewer than `K` numbers, the rest is `None`.
///
/// ```
/// use monomorph::metrics::top_k;
/// assert_eq!(top_k::<2, f32>(&[0.1, 0.7, 0.2]), [Some(1), Some(2)]);
/// ```
pub fn top_k<const K: usize, T: Scalar>(scores: &[T]) -> [Option<usize>; K] {
    let mut best: [Option<(usize, f64)>; K] = [None; K];
    for (index, score) in scores.iter().enumerate() {
        let score = score.to_f64();
        if score.is_nan() {
            continue;
        }
        let mut carried = Some((index, score));
        for place in &mut best {
            let larger = match (carried, *place) {
                (Some((_, new)), Some((_, old))) => new > old,
                (carried, _) => carried.is_some(),
            };
            if larger {
                core::mem::swap(place, &mut carried);
            }
        }
    }
    best.map(|found| found.map(|(index, _)| index))
}

/// `a / b`, or 0 if there is nothing to divide by.
fn share(a: f64, b: f64) -> f64 {
    if b == 0.0 { 0.0 } else { a / b }
}

/// A class that is none of those counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoSuchClass {
    /// The class.
    pub class: usize,
    /// How many classes there are.
    pub classes: usize,
}

impl core::fmt::Display for NoSuchClass {
    fn fmt(&self, out: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(out, "class {} is none of the {} classes, which count from 0", self.class, self.classes)
    }
}

impl core::error::Error for NoSuchClass {}

/// How often each of `C` classes was taken for each: the confusion matrix, and what follows from it.
///
/// ```
/// use monomorph::metrics::Confusion;
/// let mut confusion = Confusion::<3>::default();
/// for (truth, predicted) in [(0, 0), (1, 2), (2, 1), (0, 0), (1, 0), (2, 1)] {
///     confusion.add(truth, predicted)?;
/// }
/// assert_eq!(confusion.counts[1], [1, 0, 1]);
/// assert_eq!(confusion.recall(0), 1.0);
/// # Ok::<(), monomorph::metrics::NoSuchClass>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Confusion<const C: usize> {
    /// `counts[truth][predicted]`.
    pub counts: [[u64; C]; C],
}

impl<const C: usize> Default for Confusion<C> {
    fn default() -> Self {
        Self { counts: [[0; C]; C] }
    }
}

impl<const C: usize> Confusion<C> {
    /// Counts a sample.
    ///
    /// # Errors
    /// A class that is not below `C`. Nothing is counted then.
    pub fn add(&mut self, truth: usize, predicted: usize) -> Result<(), NoSuchClass> {
        let class = if truth < C { predicted } else { truth };
        let count = self.counts.get_mut(truth).and_then(|row| row.get_mut(predicted));
        *count.ok_or(NoSuchClass { class, classes: C })? += 1;
        Ok(())
    }

    /// Counts a batch of scores; the prediction is the class with the largest one.
    ///
    /// # Errors
    /// A class that is not below `C`. The samples before it are counted.
    pub fn add_scores<T: Scalar, const B: usize>(
        &mut self,
        truths: &[usize; B],
        scores: &[[T; C]; B],
    ) -> Result<(), NoSuchClass> {
        truths.iter().zip(scores).try_for_each(|(truth, scores)| self.add(*truth, argmax(scores)))
    }

    /// How often a class was predicted rightly, how often it was predicted, and how often it was the truth.
    fn of(&self, class: usize) -> (f64, f64, f64) {
        let at = |truth: usize, predicted: usize| {
            self.counts.get(truth).and_then(|row| row.get(predicted)).copied().unwrap_or(0) as f64
        };
        let sum = |of: &dyn Fn(usize) -> f64| (0..C).map(of).sum();
        (at(class, class), sum(&|truth| at(truth, class)), sum(&|predicted| at(class, predicted)))
    }

    /// The share of samples that were predicted rightly. It is also the precision, the recall and the F1 averaged over
    /// samples ("micro"), since each sample has one class.
    pub fn accuracy(&self) -> f64 {
        let right = (0..C).map(|class| self.of(class).0).sum();
        share(right, (0..C).map(|class| self.of(class).2).sum())
    }

    /// Of the samples that were taken for the class, the share that were of it.
    pub fn precision(&self, class: usize) -> f64 {
        let (right, predicted, _) = self.of(class);
        share(right, predicted)
    }

    /// Of the samples of the class, the share that were taken for it.
    pub fn recall(&self, class: usize) -> f64 {
        let (right, _, truth) = self.of(class);
        share(right, truth)
    }

    /// The harmonic mean of precision and recall: `2 right / (predicted + truth)`.
    pub fn f1(&self, class: usize) -> f64 {
        let (right, predicted, truth) = self.of(class);
        share(2.0 * right, predicted + truth)
    }

    /// The mean of [`precision`](Self::precision) over the classes, each with the same weight.
    pub fn macro_precision(&self) -> f64 {
        share((0..C).map(|class| self.precision(class)).sum(), C as f64)
    }

    /// The mean of [`recall`](Self::recall) over the classes.
    pub fn macro_recall(&self) -> f64 {
        share((0..C).map(|class| self.recall(class)).sum(), C as f64)
    }

    /// The mean of [`f1`](Self::f1) over the classes.
    pub fn macro_f1(&self) -> f64 {
        share((0..C).map(|class| self.f1(class)).sum(), C as f64)
    }
}

/// How often the true class is among the `K` with the largest scores.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TopK<const K: usize> {
    /// The samples whose class was among them.
    pub right: u64,
    /// The samples.
    pub samples: u64,
}

impl<const K: usize> TopK<K> {
    /// Counts a sample.
    pub fn add<T: Scalar>(&mut self, truth: usize, scores: &[T]) {
        self.right += u64::from(top_k::<K, T>(scores).contains(&Some(truth)));
        self.samples += 1;
    }

    /// The share of samples whose class was among them.
    pub fn accuracy(&self) -> f64 {
        share(self.right as f64, self.samples as f64)
    }
}

/// Errors of predicted numbers.
///
/// ```
/// use monomorph::metrics::Regression;
/// let mut errors = Regression::default();
/// errors.add(3.0, 2.5);
/// errors.add(-0.5, 0.0);
/// assert_eq!(errors.mae(), 0.5);
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Regression {
    count: f64,
    absolute: f64,
    squares: f64,
    mean: f64,
    spread: f64,
}

impl Regression {
    /// Counts a number.
    pub fn add<T: Scalar>(&mut self, truth: T, predicted: T) {
        let (truth, error) = (truth.to_f64(), predicted.to_f64() - truth.to_f64());
        self.count += 1.0;
        self.absolute += error.abs();
        self.squares += error * error;
        // Welford (1962): sums of squares would lose the spread of numbers far from 0.
        let distance = truth - self.mean;
        self.mean += distance / self.count;
        self.spread += distance * (truth - self.mean);
    }

    /// `1/n Σ |ŷ − y|`.
    pub fn mae(&self) -> f64 {
        share(self.absolute, self.count)
    }

    /// `√(1/n Σ (ŷ − y)²)`.
    pub fn rmse(&self) -> f64 {
        Real::sqrt(share(self.squares, self.count))
    }

    /// `R² = 1 − Σ (ŷ − y)² / Σ (y − mean y)²`. Of equal `y` it is 1 if all are met, else 0.
    pub fn r2(&self) -> f64 {
        match (self.squares == 0.0, self.spread == 0.0) {
            (true, _) => 1.0,
            (false, true) => 0.0,
            (false, false) => 1.0 - self.squares / self.spread,
        }
    }
}

/// Whether confidences are right as often as they say: the expected calibration error (Guo et al. 2017) over `BINS`
/// bins `(lo, hi]` of the same width, usually 15.
#[derive(Clone, Debug, PartialEq)]
pub struct Calibration<const BINS: usize = 15> {
    /// For each bin: samples, sum of the confidences, samples that were right.
    bins: [[f64; 3]; BINS],
}

impl<const BINS: usize> Default for Calibration<BINS> {
    fn default() -> Self {
        Self { bins: [[0.0; 3]; BINS] }
    }
}

impl<const BINS: usize> Calibration<BINS> {
    /// Counts a prediction made with a confidence from 0 to 1, and whether it was right. A confidence of 0 is counted
    /// in the first bin; one outside of 0 to 1, or NaN, is not counted.
    pub fn add(&mut self, confidence: f64, right: bool) {
        let within = (0.0..=1.0).contains(&confidence);
        // Compared with the bins' ends, because a product would round a confidence at an end into the next bin.
        let bin = (1..=BINS).position(|end| confidence <= end as f64 / BINS as f64);
        if let Some(bin) = bin.filter(|_| within).and_then(|bin| self.bins.get_mut(bin)) {
            bin[0] += 1.0;
            bin[1] += confidence;
            bin[2] += f64::from(u8::from(right));
        }
    }

    /// What a reliability diagram shows: for each bin the number of samples, their mean confidence and their accuracy;
    /// both are 0 of a bin without samples.
    pub fn bins(&self) -> [(f64, f64, f64); BINS] {
        self.bins.map(|[samples, confidence, right]| (samples, share(confidence, samples), share(right, samples)))
    }

    /// `Σ |bin| / n · |accuracy of the bin − mean confidence of the bin|`.
    pub fn error(&self) -> f64 {
        let samples = self.bins.iter().map(|bin| bin[0]).sum();
        share(self.bins.iter().map(|[_, confidence, right]| (right - confidence).abs()).sum(), samples)
    }
}

/// The area under the curve of true positives over false positives: how often a positive sample has a larger score
/// than a negative one; equal scores count half. Sorts the samples, which are scores and whether they are positive.
/// `None` if one of the classes has no sample or a score is NaN.
///
/// ```
/// let mut samples = [(0.1, false), (0.4, false), (0.35, true), (0.8, true)];
/// assert_eq!(monomorph::metrics::roc_auc(&mut samples), Some(0.75));
/// ```
pub fn roc_auc(samples: &mut [(f64, bool)]) -> Option<f64> {
    let (mut area, mut positives, mut negatives) = (0.0, 0.0, 0.0);
    thresholds(samples, |right, wrong| {
        area += wrong * (positives + 0.5 * right);
        positives += right;
        negatives += wrong;
    })?;
    (positives > 0.0 && negatives > 0.0).then(|| area / (positives * negatives))
}

/// The area under the curve of precision over recall as average precision, `Σ (Rₙ − Rₙ₋₁) Pₙ` over the thresholds,
/// without interpolation. Sorts the samples, as [`roc_auc`] does. `None` if no sample is positive or a score is NaN.
pub fn average_precision(samples: &mut [(f64, bool)]) -> Option<f64> {
    let (mut sum, mut positives, mut all) = (0.0, 0.0, 0.0);
    thresholds(samples, |right, wrong| {
        positives += right;
        all += right + wrong;
        sum += right * positives / all;
    })?;
    (positives > 0.0).then(|| sum / positives)
}

/// Calls `each` with how many positive and negative samples have each score, from the largest score down.
fn thresholds(samples: &mut [(f64, bool)], mut each: impl FnMut(f64, f64)) -> Option<()> {
    if samples.iter().any(|sample| sample.0.is_nan()) {
        return None;
    }
    samples.sort_unstable_by(|a, b| b.0.total_cmp(&a.0));
    for equal in samples.chunk_by(|a, b| a.0 == b.0) {
        let positives = equal.iter().filter(|sample| sample.1).count();
        each(positives as f64, (equal.len() - positives) as f64);
    }
    Some(())
}

/// The numbers are those of the examples in scikit-learn's documentation of each function.
#[cfg(test)]
mod tests {
    use super::*;

    fn near(value: f64, expected: f64) {
        assert!((value - expected).abs() < 1e-12, "{value} instead of {expected}");
    }

    #[test]
    fn classes() {
        let mut confusion = Confusion::<3>::default();
        for (truth, predicted) in [(0, 0), (1, 2), (2, 1), (0, 0), (1, 0), (2, 1)] {
            confusion.add(truth, predicted).unwrap();
        }
        near(confusion.macro_f1(), 0.26666666666666666);
        near(confusion.macro_precision(), 0.2222222222222222);
        near(confusion.macro_recall(), 0.3333333333333333);
        near(confusion.accuracy(), 0.3333333333333333);
        near(confusion.f1(0), 0.8);
        let before = confusion.clone();
        assert_eq!(confusion.add(0, 3), Err(NoSuchClass { class: 3, classes: 3 }));
        assert_eq!(confusion.add(4, 0), Err(NoSuchClass { class: 4, classes: 3 }));
        assert_eq!(confusion, before);
        let mut scored = Confusion::<3>::default();
        scored.add_scores(&[1, 2], &[[0.0_f32, 1.0, 0.0], [3.0, 1.0, 2.0]]).unwrap();
        near(scored.accuracy(), 0.5);
        near(Confusion::<2>::default().macro_f1(), 0.0);
    }

    #[test]
    fn largest_scores() {
        let mut top = TopK::<2>::default();
        let scores = [[0.5_f64, 0.2, 0.2], [0.3, 0.4, 0.2], [0.2, 0.4, 0.3], [0.7, 0.2, 0.1]];
        for (truth, scores) in [0, 1, 2, 2].into_iter().zip(&scores) {
            top.add(truth, scores);
        }
        near(top.accuracy(), 0.75);
        assert_eq!(top_k::<3, f32>(&[1.0, f32::NAN, 1.0]), [Some(0), Some(2), None]);
        assert_eq!(argmax(&[f32::NAN, -2.0, -1.0, -1.0]), 2);
        assert_eq!(argmax::<f32>(&[]), 0);
    }

    #[test]
    fn numbers() {
        let mut errors = Regression::default();
        for (truth, predicted) in [(3.0, 2.5), (-0.5, 0.0), (2.0, 2.0), (7.0, 8.0)] {
            errors.add(truth, predicted);
        }
        near(errors.r2(), 0.9486081370449679);
        near(errors.mae(), 0.5);
        near(errors.rmse(), 0.6123724356957945);
    }

    #[test]
    fn areas() {
        let mut samples = [(0.1, false), (0.4, false), (0.35, true), (0.8, true)];
        near(roc_auc(&mut samples).unwrap(), 0.75);
        near(average_precision(&mut samples).unwrap(), 0.8333333333333334);
        near(roc_auc(&mut [(1.0, true), (1.0, false), (0.0, false)]).unwrap(), 0.75);
        assert_eq!(roc_auc(&mut [(1.0, true)]), None);
        assert_eq!(average_precision(&mut [(f64::NAN, true)]), None);
    }

    /// By hand: |0.5 − 1| in one bin, |0.9 + 0.9 − 1| in another, of three samples.
    #[test]
    fn calibration() {
        let mut calibration = Calibration::<2>::default();
        calibration.add(0.5, true);
        calibration.add(0.9, true);
        calibration.add(0.9, false);
        calibration.add(f64::NAN, true);
        near(calibration.error(), (0.5 + 0.8) / 3.0);
    }
}
