//! Losses over classes: cross-entropy and its relatives.
//!
//! The last axis of the output holds the classes; every row of it, such as a pixel or a time step, has a target of its
//! own. Taking logits, the inputs of a softmax, keeps the losses accurate where the probabilities are nearly 0 or 1: with
//! `m = max x`, `ln softmax(x)ᵢ = (xᵢ − m) − ln Σ e^(xⱼ−m)`, in which nothing overflows.

use super::{Loss, LossError, Reduction};
use crate::hyperparameters::{OutOfRange, Range, check};
use crate::kernels::reduce;
use crate::kernels::training::Sum;
use crate::scalar::{Real, Scalar};
use crate::simd::{Simd, outline};
use crate::tensor::{Tensor, batch_slice, batch_slice_mut};

/// Cross-entropy: the mean over all rows of `−Σ t·ln softmax(x)`; its gradient is `(softmax(x) − t)/n` for `n` rows.
///
/// | output | target |
/// | --- | --- |
/// | `[T; C]` | a class, or a distribution `[T; C]` over all classes (which sums to 1) |
/// | `[[T; C]; STEPS]` | a class for each step, `[u8; STEPS]`, or `[[T; C]; STEPS]` |
/// | `[[[T; C]; W]; H]` | a class for each pixel, `[[u8; W]; H]`, or `[[[T; C]; W]; H]` |
///
/// A class is a `u8`, `u16`, `u32` or `usize`. A logit of `−∞` rules a class out. [`Weighted`] gives classes weights and
/// leaves targets out.
///
/// ```
/// use monomorph::loss::{CrossEntropy, Loss};
///
/// let scores = [[0.5_f32, 2.0, -1.0]];
/// let (loss, gradient) = CrossEntropy.loss_and_gradient(&scores, &[1_u8])?;
/// assert!((loss - 0.2413).abs() < 1e-4 && gradient[0][1] < 0.0);
/// assert_eq!(CrossEntropy.correct(&scores, &[1_u8]), Some(1));
/// assert!(CrossEntropy.loss_and_gradient(&scores, &[7_u8]).is_err());
/// # Ok::<(), monomorph::loss::LossError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CrossEntropy;

/// [`CrossEntropy`] with label smoothing: the targets are `(1−ε)·t + ε/C`, which never demand certainty.
///
/// Szegedy et al., *Rethinking the inception architecture for computer vision* (2016).
///
/// ```
/// use monomorph::loss::{Loss, SmoothCrossEntropy};
///
/// // Half of the tenth is asked of the class that has no chance.
/// let (loss, _) = SmoothCrossEntropy { smoothing: 0.1 }.loss_and_gradient(&[[0.0_f32, 40.0]], &[1_u8])?;
/// assert!((loss - 0.05 * 40.0).abs() < 1e-5);
/// # Ok::<(), monomorph::loss::LossError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SmoothCrossEntropy {
    /// ε, the share spread evenly over all classes, from 0 to 1; by default 0.1.
    pub smoothing: f64,
}

impl Default for SmoothCrossEntropy {
    fn default() -> Self {
        Self { smoothing: 0.1 }
    }
}

/// The Kullback–Leibler divergence from `softmax(x)` to the target: the mean over all rows of
/// `Σ t·(ln t − ln softmax(x))`, where `0·ln 0 = 0`; its gradient is `(softmax(x) − t)/n` for `n` rows.
///
/// The target has the shape of the output and holds distributions over all classes, such as another network's softmax.
/// The divergence differs from [`CrossEntropy`] by the entropy of the target, so it is 0 where the two distributions
/// agree. (For outputs `[T; C]`, PyTorch calls this mean `batchmean`.)
///
/// ```
/// use monomorph::loss::{KlDivergence, Loss};
///
/// let (loss, gradient) = KlDivergence.loss_and_gradient(&[[3.0_f32, 3.0]], &[[0.5, 0.5]])?;
/// assert!(loss.abs() < 1e-6 && gradient == [[0.0; 2]]);
/// # Ok::<(), monomorph::loss::LossError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KlDivergence;

/// The negative log-likelihood of an output of log-probabilities, such as that of
/// [`LogSoftmax`](crate::layers::LogSoftmax): the mean over all rows of `−Σ t·x`; its gradient is `−t/n` for `n` rows.
///
/// Targets are those of [`CrossEntropy`], which computes the same from logits, in fewer operations.
///
/// ```
/// use monomorph::loss::{Loss, NegativeLogLikelihood};
/// use monomorph::simd::{Simd, Task, dispatch, level};
///
/// struct Compare;
/// impl Task for Compare {
///     type Output = f32;
///     fn run<S: Simd>(&mut self, simd: S) -> f32 {
///         NegativeLogLikelihood.value(simd, &[[-0.25, -1.5], [-0.75, -0.5]], &[0_u8, 1]).unwrap()
///     }
/// }
/// assert_eq!(dispatch(level(), Compare), (0.25 + 0.5) / 2.0);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NegativeLogLikelihood;

/// [`CrossEntropy`], [`SmoothCrossEntropy`] or [`NegativeLogLikelihood`] with a weight for each class: `t` becomes
/// `w·t`, and the mean is weighted, divided by the sum of the weights of the targets.
///
/// Targets that name the class [`ignored`](Self::ignored) are left out, as if these rows were not in the batch. A batch
/// in which nothing counts is an error ([`LossError::NothingCounts`]), and the network is left as it was. If targets are
/// distributions, nothing is left out and the mean is divided by the number of rows. All of this is PyTorch's
/// convention.
///
/// ```
/// use monomorph::loss::{CrossEntropy, Loss, Weighted};
/// use monomorph::simd::{Simd, Task, dispatch, level};
///
/// // The second class is rare. Targets of 255 are not known.
/// const LOSS: Weighted<CrossEntropy, 2> = Weighted::new(CrossEntropy, [1.0, 3.0]).ignoring(255);
///
/// struct Compare;
/// impl Task for Compare {
///     type Output = f32;
///     fn run<S: Simd>(&mut self, simd: S) -> f32 {
///         LOSS.value(simd, &[[0.0, 0.0], [0.0, 40.0], [5.0, 5.0]], &[0_u8, 1, 255]).unwrap()
///     }
/// }
/// assert!((dispatch(level(), Compare) - 0.25 * 2.0_f32.ln()).abs() < 1e-6);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Weighted<L, const C: usize> {
    /// The loss.
    pub loss: L,
    /// The weight of each class; at least 0.
    pub weights: [f64; C],
    /// The class whose targets are left out. It may be one that the output does not have.
    pub ignored: Option<usize>,
}

impl<L, const C: usize> Weighted<L, C> {
    /// The loss with a weight for each class.
    pub const fn new(loss: L, weights: [f64; C]) -> Self {
        Self { loss, weights, ignored: None }
    }

    /// The same, without targets of the class `class`.
    pub const fn ignoring(mut self, class: usize) -> Self {
        self.ignored = Some(class);
        self
    }
}

/// A class as an index: `u8`, `u16`, `u32` or `usize`.
pub trait Class: Copy {
    /// The class; one too large for `usize` is `usize::MAX`, and so out of range as well.
    fn class(self) -> usize;
}

macro_rules! classes {
    ($($class:ty),*) => { $(
        impl Class for $class {
            #[inline(always)]
            fn class(self) -> usize {
                self.try_into().unwrap_or(usize::MAX)
            }
        }
    )* };
}
classes!(u8, u16, u32, usize);

/// What the losses of this file differ in.
trait ClassLoss<T: Real> {
    /// Whether the output is log-probabilities, not logits.
    const LOG: bool = false;
    /// Whether the entropy of the target is subtracted.
    const DIVERGENCE: bool = false;
    /// Whether the probabilities of a target are other numbers for the loss.
    const CHANGED: bool = false;
    /// How many classes have a weight.
    const WEIGHTS: Option<usize> = None;

    /// What the target's probability of a class is for the loss.
    #[inline(always)]
    fn changed(&self, probability: T, class: usize, classes: usize) -> T {
        let _ = (class, classes);
        probability
    }
    /// How much a target of this class counts in the mean.
    #[inline(always)]
    fn weight(&self, class: usize) -> T {
        let _ = class;
        T::ONE
    }
    /// Whether the targets of a class are left out.
    #[inline(always)]
    fn ignores(&self, class: usize) -> bool {
        let _ = class;
        false
    }
    #[inline(always)]
    fn check(&self) -> Result<(), OutOfRange> {
        Ok(())
    }
}

impl<T: Real> ClassLoss<T> for CrossEntropy {}

impl<T: Real> ClassLoss<T> for KlDivergence {
    const DIVERGENCE: bool = true;
}

impl<T: Real> ClassLoss<T> for NegativeLogLikelihood {
    const LOG: bool = true;
}

impl<T: Real> ClassLoss<T> for SmoothCrossEntropy {
    const CHANGED: bool = true;

    #[inline(always)]
    fn changed(&self, probability: T, _class: usize, classes: usize) -> T {
        probability * T::from_f64(1.0 - self.smoothing) + T::from_f64(self.smoothing / classes as f64)
    }
    #[inline(always)]
    fn check(&self) -> Result<(), OutOfRange> {
        check::<T>("SmoothCrossEntropy", &[("smoothing", self.smoothing, Range::Share)])
    }
}

impl<T: Real, L: ClassLoss<T>, const C: usize> ClassLoss<T> for Weighted<L, C> {
    const LOG: bool = L::LOG;
    const DIVERGENCE: bool = L::DIVERGENCE;
    const CHANGED: bool = true;
    const WEIGHTS: Option<usize> = Some(C);

    #[inline(always)]
    fn changed(&self, probability: T, class: usize, classes: usize) -> T {
        self.loss.changed(probability, class, classes) * self.weight(class)
    }
    #[inline(always)]
    fn weight(&self, class: usize) -> T {
        self.weights.get(class).map_or(T::ZERO, |weight| T::from_f64(*weight))
    }
    #[inline(always)]
    fn ignores(&self, class: usize) -> bool {
        self.ignored == Some(class)
    }
    #[inline(always)]
    fn check(&self) -> Result<(), OutOfRange> {
        for weight in self.weights {
            check::<T>("Weighted", &[("weights", weight, Range::NotNegative)])?;
        }
        self.loss.check()
    }
}

/// The targets of a batch, row by row.
trait Targets<T> {
    /// The class that the target of a row names, or a distribution.
    fn row(&self, row: usize) -> Asked<'_, T>;
}

/// The target of a row.
#[derive(Clone, Copy)]
enum Asked<'a, T> {
    Class(usize),
    Distribution(&'a [T]),
}

/// Targets that are classes.
struct Named<'a, K>(&'a [K]);

impl<T, K: Class> Targets<T> for Named<'_, K> {
    #[inline(always)]
    fn row(&self, row: usize) -> Asked<'_, T> {
        Asked::Class(self.0.get(row).map_or(usize::MAX, |class| class.class()))
    }
}

/// Targets that are distributions over this many classes.
struct Distributions<'a, T>(&'a [T], usize);

impl<T> Targets<T> for Distributions<'_, T> {
    #[inline(always)]
    fn row(&self, row: usize) -> Asked<'_, T> {
        Asked::Distribution(self.0.get(row * self.1..(row + 1) * self.1).unwrap_or_default())
    }
}

/// How much the target of a row counts in the mean.
#[inline(always)]
fn counts<T: Real, L: ClassLoss<T>>(loss: &L, asked: Asked<'_, T>) -> T {
    match asked {
        Asked::Class(class) if loss.ignores(class) => T::ZERO,
        Asked::Class(class) => loss.weight(class),
        Asked::Distribution(_) => T::ONE,
    }
}

/// The loss of one row, and its gradient times `share` if requested.
#[inline(always)]
fn row<T: Real, L: ClassLoss<T>, S: Simd>(
    loss: &L,
    simd: S,
    output: &[T],
    asked: Asked<'_, T>,
    mut gradient: Option<&mut [T]>,
    share: T,
) -> T {
    let classes = output.len();
    let target = |class: usize| {
        let probability = match asked {
            Asked::Class(named) if named == class => T::ONE,
            Asked::Class(_) => T::ZERO,
            Asked::Distribution(shares) => shares.get(class).copied().unwrap_or_default(),
        };
        if L::CHANGED { loss.changed(probability, class, classes) } else { probability }
    };
    let (largest, sum) = match &mut gradient {
        _ if L::LOG => (T::ZERO, T::ONE),
        Some(gradient) => reduce::max_and_powers(simd, output, gradient),
        None => reduce::max_and_sum_exp(simd, output),
    };
    let log = if L::LOG { T::ZERO } else { sum.ln() };
    // A range of classes that contains all those with nonzero probability.
    let probable = match asked {
        Asked::Class(class) if !L::CHANGED => class..class.saturating_add(1),
        _ => 0..classes,
    };
    let (mut total, mut asks) = (T::ZERO, T::ZERO);
    for (class, x) in output.iter().enumerate().take(probable.end).skip(probable.start) {
        let probability = target(class);
        asks += probability;
        // A class with target 0 may be ruled out by −∞, and 0·∞ counts as no loss.
        if probability != T::ZERO {
            let mut surprise = (largest - *x) + log;
            if L::DIVERGENCE {
                surprise += probability.ln();
            }
            total += probability * surprise;
        }
    }
    if let Some(gradient) = gradient {
        let softmax = asks / sum;
        for (class, power) in gradient.iter_mut().enumerate() {
            let probability = if L::LOG { T::ZERO } else { *power * softmax };
            *power = (probability - target(class)) * share;
        }
    }
    total
}

/// The number by which the sum over all rows is divided.
#[inline(always)]
fn divisor<T: Real, L: ClassLoss<T>>(loss: &L, rows: usize, targets: &impl Targets<T>) -> f64 {
    // Without weights it is a constant.
    if L::WEIGHTS.is_none() {
        return rows as f64;
    }
    (0..rows).map(|row| counts(loss, targets.row(row)).to_f64()).sum()
}

/// The mean over the rows of a batch, and its gradient if requested.
#[inline(always)]
fn mean<T: Real, X: Tensor<Element = T>, L: ClassLoss<T>, S: Simd>(
    loss: &L,
    simd: S,
    output: &[X],
    targets: &impl Targets<T>,
    gradient: Option<&mut [X]>,
) -> Result<T, LossError> {
    const {
        let fit = L::WEIGHTS.is_none() || matches!(L::WEIGHTS, Some(weights) if weights == X::CHANNELS);
        assert!(fit, "`Weighted` takes a weight for each class, as many as the last axis of the output is long");
    }
    loss.check().map_err(LossError::OutOfRange)?;
    let rows = output.len() * const { rows_of::<X>() };
    for row in 0..rows {
        match targets.row(row) {
            Asked::Class(class) if class >= X::CHANNELS && !loss.ignores(class) => {
                let sample = row / const { rows_of::<X>() };
                return Err(LossError::ClassOutOfRange { sample, class, classes: X::CHANNELS });
            }
            _ => {}
        }
    }
    let divisor = divisor(loss, rows, targets);
    let share = T::from_f64(if divisor > 0.0 { 1.0 / divisor } else { 0.0 });
    let (output, mut gradient) = (batch_slice(output), gradient.map(batch_slice_mut));
    Ok(outline(
        simd,
        #[inline(always)]
        move || {
            let mut sum = Sum::default();
            for index in 0..rows {
                let range = index * X::CHANNELS..(index + 1) * X::CHANNELS;
                let output = output.get(range.clone()).unwrap_or_default();
                let gradient = gradient.as_deref_mut().and_then(|gradient| gradient.get_mut(range));
                let asked = targets.row(index);
                match asked {
                    Asked::Class(class) if loss.ignores(class) => {
                        if let Some(gradient) = gradient {
                            gradient.fill(T::ZERO);
                        }
                    }
                    _ => sum.add(row(loss, simd, output, asked, gradient, share)),
                }
            }
            sum.value() * share
        },
    ))
}

/// How many rows a sample has.
const fn rows_of<X: Tensor>() -> usize {
    match X::LEN.checked_div(X::CHANNELS) {
        Some(rows) => rows,
        None => 1,
    }
}

/// How many rows are classified correctly.
#[inline]
fn correct<T: Real, X: Tensor<Element = T>, L: ClassLoss<T>>(
    loss: &L,
    output: &[X],
    targets: &impl Targets<T>,
) -> Option<usize> {
    let right = |(row, scores): (usize, &[T])| match targets.row(row) {
        Asked::Class(class) => !loss.ignores(class) && is_first_highest(scores, class),
        Asked::Distribution(shares) => is_first_highest(scores, first_highest(shares)),
    };
    let rows = batch_slice(output).chunks_exact(X::CHANNELS.max(1)).enumerate();
    Some(rows.filter(|row| right(*row)).count())
}

/// Of how many rows that is.
#[inline]
fn counted<T: Real, X: Tensor<Element = T>, L: ClassLoss<T>>(
    loss: &L,
    batch: usize,
    targets: &impl Targets<T>,
) -> usize {
    let ignored = |row: &usize| match targets.row(*row) {
        Asked::Class(class) => loss.ignores(class),
        Asked::Distribution(_) => false,
    };
    (0..batch * const { rows_of::<X>() }).filter(|row| !ignored(row)).count()
}

/// Whether the class is the first with the highest score; NaN is not a score.
#[inline]
fn is_first_highest<T: Scalar>(scores: &[T], class: usize) -> bool {
    scores.get(class).is_some_and(|score| {
        scores.iter().enumerate().all(|(other, x)| if other < class { score > x } else { score >= x })
    })
}

/// The first class with the highest probability.
fn first_highest<T: Scalar>(shares: &[T]) -> usize {
    let mut highest = (0, shares.first());
    for (class, probability) in shares.iter().enumerate() {
        if Some(probability) > highest.1 {
            highest = (class, Some(probability));
        }
    }
    highest.0
}

macro_rules! class_loss {
    ($loss:ty, [$($generic:tt)*], [$($bound:tt)*], $output:ty, $target:ty, |$targets:ident| $view:expr) => {
        // The notes of the trait say it in words.
        #[diagnostic::do_not_recommend]
        impl<T: Real, $($generic)*> Loss<T, $output, $target> for $loss where $($bound)* {
            const REDUCTION: Reduction = match <Self as ClassLoss<T>>::WEIGHTS {
                Some(_) => Reduction::WeightedMean,
                None => Reduction::Mean,
            };

            #[inline(always)]
            fn loss<S: Simd, const B: usize>(
                &self,
                simd: S,
                output: &[$output; B],
                $targets: &[$target; B],
                gradient: &mut [$output; B],
            ) -> Result<T, LossError> {
                mean(self, simd, output, &$view, Some(gradient))
            }

            #[inline(always)]
            fn value<S: Simd, const B: usize>(
                &self,
                simd: S,
                output: &[$output; B],
                $targets: &[$target; B],
            ) -> Result<T, LossError> {
                mean(self, simd, output, &$view, None)
            }

            #[inline(always)]
            fn divisor<const B: usize>(&self, $targets: &[$target; B]) -> f64 {
                divisor::<T, Self>(self, B * const { rows_of::<$output>() }, &$view)
            }

            #[inline]
            fn correct<const B: usize>(&self, output: &[$output; B], $targets: &[$target; B]) -> Option<usize> {
                correct(self, output, &$view)
            }

            #[inline]
            fn counted<const B: usize>(&self, $targets: &[$target; B]) -> usize {
                counted::<T, $output, Self>(self, B, &$view)
            }
        }
    };
}

/// A class for each sample, step or pixel.
macro_rules! named {
    ($loss:ty, [$($generic:tt)*], [$($bound:tt)*]) => {
        class_loss!($loss, [K: Class, const C: usize $($generic)*], [$($bound)*], [T; C], K, |targets| Named(targets));
        class_loss!(
            $loss, [K: Class, const C: usize, const N: usize $($generic)*], [$($bound)*],
            [[T; C]; N], [K; N], |targets| Named(targets.as_flattened())
        );
        class_loss!(
            $loss, [K: Class, const C: usize, const W: usize, const H: usize $($generic)*], [$($bound)*],
            [[[T; C]; W]; H], [[K; W]; H], |targets| Named(targets.as_flattened().as_flattened())
        );
    };
}
named!(CrossEntropy, [], []);
named!(SmoothCrossEntropy, [], []);
named!(NegativeLogLikelihood, [], []);
named!(Weighted<L, C>, [, L], [L: ClassLoss<T>]);

/// A distribution for each.
macro_rules! distributed {
    ($loss:ty, [$($generic:tt)*], [$($bound:tt)*]) => {
        class_loss!(
            $loss, [X: Tensor<Element = T> $($generic)*], [$($bound)*],
            X, X, |targets| Distributions(batch_slice(targets), X::CHANNELS)
        );
    };
}
distributed!(CrossEntropy, [], []);
distributed!(SmoothCrossEntropy, [], []);
distributed!(NegativeLogLikelihood, [], []);
distributed!(KlDivergence, [], []);
distributed!(Weighted<L, C>, [, L, const C: usize], [L: ClassLoss<T>]);

#[cfg(all(test, feature = "safetensors", feature = "std"))]
mod tests;
