//! Losses: how far an output is from its target, and in which direction.
//!
//! | loss | output | target | one sample |
//! | --- | --- | --- | --- |
//! | [`Mse`] | any tensor | the same | mean of `(x − t)²` |
//! | [`Mae`] | any tensor | the same | mean of `abs(x − t)` |
//! | [`Huber`] | any tensor | the same | mean of `(x − t)²/2` if `abs(x − t) ≤ δ`, else of `δ·(abs(x − t) − δ/2)` |
//! | [`BceWithLogits`] | any tensor of logits | probabilities | mean of `−t·ln σ(x) − (1−t)·ln(1−σ(x))` |
//! | [`CrossEntropy`] | rows `[.., C]` of logits | a class or `[T; C]` for each row | mean of `−Σ t·ln softmax(x)` |
//! | [`SmoothCrossEntropy`] | the same | the same | the same with smoothed `t` |
//! | [`NegativeLogLikelihood`] | rows of log-probabilities | the same | mean of `−Σ t·x` |
//! | [`KlDivergence`] | rows of logits | `[T; C]` for each row | mean of `Σ t·(ln t − ln softmax(x))` |
//!
//! | [`LogCosh`] | any tensor | the same | mean of `ln cosh(x − t)` |
//! | [`Quantile`] | any tensor | the same | mean of `max(q·(t − x), (1 − q)·(x − t))` |
//! | [`PoissonNll`] | any tensor of logarithms of rates | counts | mean of `eˣ − t·x` |
//! | [`GaussianNll`] | means, then logarithms of variances | half as many numbers | mean of `½(s + (t − μ)²·e⁻ˢ)` |
//! | [`GaussianKl`] | the same | `()` | `½ Σ (μ² + eˢ − 1 − s)` |
//! | [`Focal`] | any tensor of logits | probabilities | mean of `a·m^γ` times that of `BceWithLogits` |
//! | [`Hinge`], [`SquaredHinge`] | any tensor | −1 and 1 | mean of `max(0, 1 − t·x)`, or of its square |
//! | [`Dice`] | any tensor of logits | 0 and 1 | `1 − (2 Σ p·t + s)/(Σ p + Σ t + s)`, over the whole batch |
//! | [`Triplet`] | anchor, positive, negative | `()` | `max(0, d(a, p) − d(a, n) + margin)` |
//! | [`InfoNce`] | query, key | `()` | `−ln softmax(q̂·k̂/τ)`, over all keys of the batch |
//! | [`Mine`] | `[T; 1]` of pairs | whether they belong together | `ln mean eᵗ − mean t`, of the whole batch |
//! | [`Ctc`] | `[[T; C]; N]` of logits | [`Labels`] | `−ln p(labels)/length` |
//!
//! The loss of a batch is the mean over its samples; [`Sum`] makes it their sum. [`Weighted`] gives classes weights. A
//! class is a `u8`, `u16`, `u32` or `usize`.
//!
//! # Several losses
//! A network with several outputs takes a tuple of losses, one for each output in the order of their declaration, with
//! weights. A target is a tuple, too:
//!
//! ```
//! use monomorph::prelude::*;
//!
//! network! { pub Detector(x: [4]) -> (class: [3], place: [2]) {
//!     let hidden = x |> Dense(8) |> Tanh;
//!     let class = hidden |> Dense(3);
//!     let place = hidden |> Dense(2);
//! } }
//! let mut net = Detector::zeroed();
//! let loss = ((1.0, CrossEntropy), (0.5, Mse));
//! let mut trainer = Trainer::<Detector, _, 2>::new(Adam::default(), loss);
//! let step = trainer.step(&mut net, &[[0.1; 4], [0.9; 4]], &[(0_u8, [0.0, 2.0]), (2, [0.0, 0.0])])?;
//! assert!((step.loss - (3.0_f32.ln() + 0.5)).abs() < 1e-6);
//! # Ok::<(), monomorph::train::TrainError>(())
//! ```
//!
//! The loss is `Σ wₖ·lossₖ`, each with its own mean over the batch. One that is a function of the
//! [whole batch](Reduction::Batch) cannot be among them.

mod binary;
mod classes;
mod contrastive;
mod ctc;
mod dice;
mod gaussian;
mod information;
mod outputs;
mod pointwise;
mod reduction;
mod regression;

pub use binary::*;
pub use classes::*;
pub use contrastive::*;
pub use ctc::*;
pub use dice::*;
pub use gaussian::*;
pub use information::*;
pub use reduction::*;
pub use regression::*;

use core::fmt;

use crate::hyperparameters::OutOfRange;
use crate::kernels::training::compare;
use crate::memory;
use crate::scalar::Scalar;
use crate::simd::{Simd, Task, dispatch, level, outline};
use crate::tensor::{Tensor, batch_slice, batch_slice_mut};

/// A measure of how far an output is from its target.
///
/// ```
/// use monomorph::loss::{CrossEntropy, Loss};
///
/// let (loss, gradient) = CrossEntropy.loss_and_gradient(&[[0.0_f32, 0.0], [0.0, 0.0]], &[0_u8, 1])?;
/// assert!((loss - 2.0_f32.ln()).abs() < 1e-6);
/// assert_eq!(gradient, [[-0.25, 0.25], [0.25, -0.25]]);
/// # Ok::<(), monomorph::loss::LossError>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot compare an output of `{Output}` with a target of `{Target}`",
    label = "does not fit the loss and the network's output",
    note = "for `CrossEntropy` and its relatives the last axis of the output holds the classes: with an output `[f32; CLASSES]` a target is a class, counted from 0 (`u8`, `u16`, `u32` or `usize`); with `[[f32; CLASSES]; N]` there is a class for each row, `[u8; N]`; with an image, one for each pixel, `[[u8; W]; H]`",
    note = "or a target has the type of the output, as for all other losses"
)]
pub trait Loss<T: Scalar, Output: Tensor<Element = T>, Target> {
    /// What the loss of a batch is: a mean, unless stated otherwise.
    const REDUCTION: Reduction = Reduction::Mean;

    /// The loss of the batch; writes ∂L/∂output into `gradient`.
    ///
    /// # Errors
    /// If a target does not fit the output; `gradient` is then not to be read.
    fn loss<S: Simd, const B: usize>(
        &self,
        simd: S,
        output: &[Output; B],
        target: &[Target; B],
        gradient: &mut [Output; B],
    ) -> Result<T, LossError>;

    /// The loss of the batch without the gradient, for validation.
    ///
    /// # Errors
    /// As [`loss`](Self::loss).
    fn value<S: Simd, const B: usize>(
        &self,
        simd: S,
        output: &[Output; B],
        target: &[Target; B],
    ) -> Result<T, LossError>;

    /// [`loss`](Self::loss) at the best SIMD level: the mean loss over the batch, and ∂L/∂output.
    ///
    /// # Errors
    /// As `loss`.
    fn loss_and_gradient<const B: usize>(
        &self,
        output: &[Output; B],
        target: &[Target; B],
    ) -> Result<(T, [Output; B]), LossError>
    where
        Self: Sized,
    {
        let mut gradient = memory::zeroed::<[Output; B]>();
        let compare = Compare { loss: self, output, target, gradient: &mut gradient };
        let loss = dispatch(level(), compare)?;
        Ok((loss, gradient))
    }

    /// The number by which a mean divides the sum over the batch: the number of samples, unless stated otherwise. If it is
    /// 0, the loss and its gradient are 0.
    ///
    /// It combines the losses of several batches: the mean over all of them divides by the sum of these numbers.
    #[inline(always)]
    fn divisor<const B: usize>(&self, target: &[Target; B]) -> f64 {
        let _ = target;
        B as f64
    }

    /// The number of correctly classified samples, for losses where that is meaningful; of rows such as pixels, if each
    /// has a class.
    ///
    /// A sample with NaN in its output does not count.
    #[inline]
    fn correct<const B: usize>(&self, output: &[Output; B], target: &[Target; B]) -> Option<usize> {
        let _ = (output, target);
        None
    }

    /// How many samples or rows [`correct`](Self::correct) judges.
    #[inline]
    fn counted<const B: usize>(&self, target: &[Target; B]) -> usize {
        let _ = target;
        B
    }
}

/// What the loss of a batch is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reduction {
    /// The mean of the losses of its samples, or of what they consist of. Each sample counts the same.
    Mean,
    /// A mean in which samples count by their targets: as much as the [`divisor`](Loss::divisor) of each says.
    WeightedMean,
    /// The sum of the losses of its samples.
    Sum,
    /// A function of all samples together, which does not follow from the losses of parts of the batch. `Evaluator`,
    /// `ParallelTrainer` and `DistributedTrainer`, which compute a batch in parts, do not compile with such a loss.
    Batch,
}

impl Reduction {
    /// Fails to compile for losses that parts of a batch do not determine.
    pub(crate) const fn assert_of_parts(self) {
        assert!(
            !matches!(self, Self::Batch),
            "this loss is a function of the whole batch, which is computed in parts here: use a `Trainer`, whose batch is \
             one array, and `Loss::loss_and_gradient` for its value"
        );
    }
}

struct Compare<'a, L, Output, Target, const B: usize> {
    loss: &'a L,
    output: &'a [Output; B],
    target: &'a [Target; B],
    gradient: &'a mut [Output; B],
}

impl<L: Loss<Output::Element, Output, Target>, Output: Tensor<Element: Scalar>, Target, const B: usize> Task
    for Compare<'_, L, Output, Target, B>
{
    type Output = Result<Output::Element, LossError>;

    #[inline(always)]
    fn run<S: Simd>(&mut self, simd: S) -> Self::Output {
        self.loss.loss(simd, self.output, self.target, self.gradient)
    }
}

/// Why a loss could not be computed.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum LossError {
    /// A target names a class that the output does not have.
    ClassOutOfRange {
        /// The sample's index in the batch.
        sample: usize,
        /// The class its target names.
        class: usize,
        /// How many classes the output has.
        classes: usize,
    },
    /// A target of [`Ctc`] names the blank.
    Blank {
        /// The sample's index in the batch.
        sample: usize,
        /// The label's index in the target.
        position: usize,
        /// The class of the blank.
        class: usize,
    },
    /// A target of [`Ctc`] has more labels or steps than there are.
    TooLong {
        /// The sample's index in the batch.
        sample: usize,
        /// The field.
        name: &'static str,
        /// Its value.
        value: usize,
        /// The largest that it can have.
        most: usize,
    },
    /// The labels of a target of [`Ctc`] do not fit in its steps.
    TooFewSteps {
        /// The sample's index in the batch.
        sample: usize,
        /// How many steps count.
        steps: usize,
        /// How many its labels need: one for each, and one between equal neighbors.
        needed: usize,
    },
    /// All targets are left out, or of classes without weight, so there is nothing to take the mean of.
    NothingCounts,
    /// A parameter of the loss is out of its range.
    OutOfRange(OutOfRange),
}

impl LossError {
    /// The same error in a batch in which this many samples come before.
    #[must_use]
    pub fn later_by(mut self, samples: usize) -> Self {
        match &mut self {
            Self::ClassOutOfRange { sample, .. }
            | Self::Blank { sample, .. }
            | Self::TooLong { sample, .. }
            | Self::TooFewSteps { sample, .. } => *sample += samples,
            Self::NothingCounts | Self::OutOfRange(_) => {}
        }
        self
    }
}

impl fmt::Display for LossError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ClassOutOfRange { sample, class, classes } => write!(
                f,
                "the target of sample {sample} is class {class}, but the output has {classes} classes, counted \
                 from 0: correct the label, or give the last layer at least {} outputs",
                class.saturating_add(1)
            ),
            Self::Blank { sample, position, class } => write!(
                f,
                "label {position} of the target of sample {sample} is class {class}, which is the blank: labels are the \
                 other classes"
            ),
            Self::TooLong { sample, name, value, most } => {
                write!(f, "`{name}` of the target of sample {sample} is {value}, but there are only {most}")
            }
            Self::TooFewSteps { sample, steps, needed } => write!(
                f,
                "the target of sample {sample} needs at least {needed} steps, but has {steps}: one for each label, and one \
                 for the blank between two that are equal"
            ),
            Self::NothingCounts => f.write_str(
                "no target counts, because all are of the ignored class or of classes whose weight is 0: leave such batches out",
            ),
            Self::OutOfRange(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for LossError {}

/// `1 / n`; 0 if there is nothing to take the mean of.
#[inline(always)]
fn reciprocal<T: Scalar>(n: usize) -> T {
    if n == 0 { T::ZERO } else { T::from_f64(1.0 / n as f64) }
}

/// The mean over all numbers of a batch, where `f(output, target)` gives the loss of one and its derivative; also the
/// gradient, if requested.
#[inline(always)]
fn mean_of_numbers<T: Scalar, X: Tensor<Element = T>, S: Simd>(
    simd: S,
    output: &[X],
    target: &[X],
    gradient: Option<&mut [X]>,
    f: impl Fn(T::Vector<S>, T::Vector<S>) -> (T::Vector<S>, T::Vector<S>),
) -> T {
    let share: T = reciprocal(output.len() * X::LEN);
    let (output, target) = (batch_slice(output), batch_slice(target));
    let gradient = gradient.map(batch_slice_mut);
    let sum = outline(
        simd,
        #[inline(always)]
        move || compare(simd, output, target, gradient, share, f),
    );
    sum * share
}

/// What the tests of all losses share.
#[cfg(all(test, feature = "safetensors", feature = "std"))]
mod check {
    use super::*;
    use crate::simd::{Level, Task, dispatch, levels};
    use crate::tensor::{batch_slice, batch_slice_mut};
    use crate::testing::golden::{Case, assert_close};
    use std::format;
    use std::marker::PhantomData;

    struct Pass<'a, T, L, X, Y, const B: usize> {
        loss: &'a L,
        output: &'a [X; B],
        target: &'a [Y; B],
        gradient: Option<&'a mut [X; B]>,
        scalar: PhantomData<T>,
    }

    impl<T: Scalar, L: Loss<T, X, Y>, X: Tensor<Element = T>, Y, const B: usize> Task for Pass<'_, T, L, X, Y, B> {
        type Output = Result<T, LossError>;
        #[inline(always)]
        fn run<S: Simd>(&mut self, simd: S) -> Self::Output {
            match &mut self.gradient {
                Some(gradient) => self.loss.loss(simd, self.output, self.target, gradient),
                None => self.loss.value(simd, self.output, self.target),
            }
        }
    }

    pub(super) fn loss<T: Scalar, X: Tensor<Element = T>, Y, L: Loss<T, X, Y>, const B: usize>(
        level: Level,
        loss: &L,
        output: &[X; B],
        target: &[Y; B],
        gradient: &mut [X; B],
    ) -> Result<T, LossError> {
        dispatch(level, Pass { loss, output, target, gradient: Some(gradient), scalar: PhantomData })
    }

    pub(super) fn value<T: Scalar, X: Tensor<Element = T>, Y, L: Loss<T, X, Y>, const B: usize>(
        level: Level,
        loss: &L,
        output: &[X; B],
        target: &[Y; B],
    ) -> Result<T, LossError> {
        dispatch(level, Pass { loss, output, target, gradient: None, scalar: PhantomData })
    }

    /// A reference case from PyTorch. Tolerance 1e-10 in `f64`, 2e-6 in `f32`.
    pub(super) fn golden<T: Scalar, X: Tensor<Element = T>, Y, const B: usize>(
        name: &str,
        loss: &impl Loss<T, X, Y>,
        target: &[Y; B],
    ) {
        let tolerance = if size_of::<T>() == 8 { 1e-10 } else { 2e-6 };
        let case = Case::open(name);
        let output: [X; B] = tensors(&case.numbers("x"));
        for level in levels() {
            let what = |part| format!("{name} at {level:?}: {part}");
            let mut gradient: [X; B] = memory::zeroed();
            let with = self::loss(level, loss, &output, target, &mut gradient).expect("targets in range");
            assert_close(&what("loss"), &[with], &case.numbers("loss"), tolerance);
            assert_close(&what("dx"), batch_slice(&gradient), &case.numbers("dx"), tolerance);
            assert!(value(level, loss, &output, target) == Ok(with), "{}", what("value"));
        }
    }

    /// The targets of a case whose targets are numbers.
    pub(super) fn numbers<X: Tensor<Element: Scalar>, const B: usize>(name: &str) -> [X; B] {
        tensors(&Case::open(name).numbers("target"))
    }

    /// A batch with these numbers.
    pub(super) fn tensors<X: Tensor<Element: Scalar>, const B: usize>(numbers: &[f64]) -> [X; B] {
        assert_eq!(numbers.len(), B * X::LEN);
        let mut batch: [X; B] = memory::zeroed();
        for (to, from) in batch_slice_mut(&mut batch).iter_mut().zip(numbers) {
            *to = X::Element::from_f64(*from);
        }
        batch
    }

    /// The targets of a case whose targets are classes.
    pub(super) fn classes<Y: TryFrom<u64>>(name: &str) -> [Y; 4] {
        let target = Case::open(name).numbers("target");
        core::array::from_fn(|sample| Y::try_from(target[sample] as u64).ok().expect("a class"))
    }

    /// Compares the gradient with central differences, at every level.
    pub(super) fn differences<X: Tensor<Element = f64>, Y, L: Loss<f64, X, Y>, const B: usize>(
        loss: &L,
        output: &mut [X; B],
        target: &[Y; B],
    ) {
        for level in levels() {
            let mut gradient: [X; B] = crate::memory::zeroed();
            let mut again: [X; B] = crate::memory::zeroed();
            // A number that a loss forgets to write must not be mistaken for a zero.
            batch_slice_mut(&mut gradient).fill(f64::NAN);
            let with = self::loss(level, loss, output, target, &mut gradient).expect("targets in range");
            assert_close("value", &[value(level, loss, output, target).unwrap()], &[with], 1e-14);
            for index in 0..B * X::LEN {
                let here = batch_slice(&output[..])[index];
                let mut at = |x: f64| {
                    batch_slice_mut(&mut output[..])[index] = x;
                    self::loss(level, loss, output, target, &mut again).expect("targets in range")
                };
                let difference = (at(here + 1e-5) - at(here - 1e-5)) / 2e-5;
                at(here);
                let what = format!("gradient {index} at {level:?}");
                assert_close(&what, &batch_slice(&gradient)[index..=index], &[difference], 1e-8);
            }
        }
    }
}
