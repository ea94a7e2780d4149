//! What is passed to optimizers that evaluate the loss several times per step, and what can go wrong.

use core::fmt;

use crate::parameters::Parameters;

/// The loss of a step's batch as a function of the parameters, for optimizers that evaluate it more than once.
///
/// Every evaluation is of the same function: with the same samples, the same random numbers (so `Dropout` drops the
/// same elements) and the terms that layers add. Batch statistics are the batch's; running statistics do not change.
///
/// Trainers provide it. To test an optimizer, you can implement it in a few lines:
///
/// ```
/// use monomorph::Parameters;
/// use monomorph::optim::{GradientDescent, Objective, Optimizer};
///
/// #[derive(Parameters)]
/// #[repr(C)]
/// struct Point {
///     x: [f64; 1],
/// }
///
/// /// 3x², with its gradient at some point.
/// struct Parabola(f64, Point);
///
/// impl Objective<Point> for Parabola {
///     fn loss(&self) -> f64 {
///         self.0
///     }
///     fn gradient(&self) -> &Point {
///         &self.1
///     }
///     fn gradient_mut(&mut self) -> &mut Point {
///         &mut self.1
///     }
///     fn loss_at(&mut self, at: &Point) -> f64 {
///         3.0 * at.x[0] * at.x[0]
///     }
///     fn gradient_at(&mut self, at: &Point) -> f64 {
///         *self = Self(self.loss_at(at), Point { x: [6.0 * at.x[0]] });
///         self.0
///     }
/// }
///
/// let (mut point, mut parabola) = (Point { x: [1.0] }, Parabola(3.0, Point { x: [6.0] }));
/// let mut memory = monomorph::memory::zeroed();
/// GradientDescent::default().minimize(1, &mut point, &mut parabola, &mut memory)?;
/// // Steps of 1 and ½ and ¼ lead from 1 to −5, −2, −½.
/// assert_eq!((memory.step, memory.evaluations), (0.25, 3));
/// assert_eq!(point.x, [-0.5]);
/// # Ok::<(), monomorph::optim::OptimizerError>(())
/// ```
pub trait Objective<N: Parameters> {
    /// The loss at the point where [`gradient`](Self::gradient) was taken: at first, the parameters that the step
    /// starts from.
    fn loss(&self) -> N::Scalar;

    /// The gradient; at first, at the parameters that the step starts from. It is not clipped.
    fn gradient(&self) -> &N;

    /// The gradient, for an optimizer that adds to it what is not in the loss, such as
    /// [`Regularized`](crate::optim::Regularized).
    fn gradient_mut(&mut self) -> &mut N;

    /// The loss at other parameters; [`loss`](Self::loss) and [`gradient`](Self::gradient) stay as they are.
    ///
    /// A loss that is not finite is returned as it is; one that cannot be computed is NaN.
    fn loss_at(&mut self, parameters: &N) -> N::Scalar;

    /// Computes the loss and the gradient at other parameters; from then on [`loss`](Self::loss) and
    /// [`gradient`](Self::gradient) return these.
    ///
    /// If the loss or the norm of the gradient is not finite, NaN is returned, and the gradient is then meaningless.
    fn gradient_at(&mut self, parameters: &N) -> N::Scalar;

    /// Computes `B·v` for a matrix `B` of second derivatives at `parameters`, for optimizers of the second order. `v` is 0
    /// in the place of [state](crate::parameters::Role::State), and what the product holds there means nothing.
    ///
    /// [`SecondOrder`](crate::train::SecondOrder) computes them; for whoever does not, this is the answer.
    ///
    /// # Errors
    /// If there are no such products, or they cannot be computed.
    fn product(&mut self, matrix: Matrix, parameters: &N, v: &N, product: &mut N) -> Result<(), OptimizerError> {
        let _ = (matrix, parameters, v, product);
        Err(OptimizerError::NoCurvature)
    }

    /// Calls `row` with each row `a` and each number `b` of the linear least-squares problem `min ½ Σ (a·h − b)²` that the
    /// loss is close to `parameters`, where `h` is a step: `−Σ b·a` is the gradient, and `Σ a·aᵀ` the Gauss–Newton matrix.
    ///
    /// # Errors
    /// As for [`product`](Self::product).
    fn rows(&mut self, parameters: &N, row: &mut dyn FnMut(&N, N::Scalar)) -> Result<(), OptimizerError> {
        let _ = (parameters, row);
        Err(OptimizerError::NoCurvature)
    }

    /// Calls `sample` with `Jᵀu` of each sample, the gradient of its part of the loss if its target were drawn from the model,
    /// as for [`Matrix::Fisher`]: the sum of `Jᵀu·uᵀJ` is the Gauss–Newton matrix, on average. The second argument is the
    /// number of samples.
    ///
    /// # Errors
    /// As for [`product`](Self::product).
    fn drawn(&mut self, parameters: &N, sample: &mut dyn FnMut(&N, usize)) -> Result<(), OptimizerError> {
        let _ = (parameters, sample);
        Err(OptimizerError::NoCurvature)
    }
}

/// A matrix of second derivatives of the loss by the parameters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Matrix {
    /// The Hessian `H`: all of the curvature. Far from a minimum it leads upward in some directions.
    Hessian,
    /// The Gauss–Newton matrix `G = Jᵀ·H_L·J`: what is left of the Hessian if the network is taken to be linear. For a
    /// convex loss it leads upward nowhere.
    ///
    /// For losses that are the negative logarithm of a probability, such as cross-entropy of logits and the mean square,
    /// it is the Fisher matrix of the model, so a step along `−G⁻¹·g` is along the natural gradient: Amari, *Natural
    /// gradient works efficiently in learning* (1998); Martens, *New insights and perspectives on the natural gradient
    /// method* (2020).
    #[default]
    GaussNewton,
    /// The Fisher matrix from one draw a sample: `F = Σ Jᵀu·uᵀJ`, where `u` has the mean 0 and the covariance `H_L` of the
    /// gradient of the loss by the output, had the target been drawn from the model. Its mean over draws is `G`.
    Fisher,
}

/// Why an optimizer took no step.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum OptimizerError {
    /// A line search found no step that makes the loss small enough.
    NoDecrease {
        /// How many steps were tried.
        evaluations: u32,
        /// The shortest of them, as a multiple of the gradient.
        shortest: f64,
    },
    /// The gradient is infinite or NaN, or too large for its square to be a number.
    NotFinite,
    /// The optimizer needs second derivatives, and the trainer computes none.
    NoCurvature,
    /// A pattern fits no tensor that is learned.
    NoSuchTensor {
        /// The pattern.
        pattern: &'static str,
    },
    /// A pattern that is to mean layers means none.
    NoSuchLayer {
        /// The pattern.
        pattern: &'static str,
    },
}

impl fmt::Display for OptimizerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoDecrease { evaluations, shortest } => write!(
                f,
                "no step along the gradient makes the loss of the batch small enough: {evaluations} were tried, the \
                 shortest {shortest:e} times the gradient; either this is a minimum as far as the numbers can tell, or the \
                 gradient is not that of the loss"
            ),
            Self::NotFinite => write!(f, "the gradient is not finite, or its square is not"),
            Self::NoCurvature => write!(
                f,
                "the optimizer needs second derivatives, which this trainer or wrapper does not compute: train with \
                 `train::SecondOrder`, and without a wrapper"
            ),
            Self::NoSuchTensor { pattern } => write!(
                f,
                "`{pattern}` fits the name of no tensor that is learned and concerned; names are like `dense1.weight`"
            ),
            Self::NoSuchLayer { pattern } => write!(
                f,
                "no layer or tensor of this network is called `{pattern}`; a pattern is the name of a layer such as \
                 `dense1`, or has a `*` for any characters"
            ),
        }
    }
}

impl core::error::Error for OptimizerError {}
