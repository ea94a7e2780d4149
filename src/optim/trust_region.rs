//! Trust regions: Nocedal and Wright, *Numerical Optimization* (2nd edition, 2006), Algorithms 4.1 and 7.2.

use super::conjugate::{Conjugate, System, solve};
use super::vectors::{dot, walk};
use super::{Matrix, Memory, Objective, Optimizer, OptimizerError, Part};
use crate::hyperparameters::{OutOfRange, Range, check};
use crate::memory_parts;
use crate::parameters::Parameters;
use crate::plain::Plain;
use crate::scalar::Scalar;
use crate::simd::Simd;

/// Steps to about the minimum of the model `f + g·p + ½ pᵀB·p` within `‖p‖ ≤ Δ`, by conjugate gradients that end at the edge
/// (Steihaug 1983).
///
/// `ρ` is the fall of the loss, divided by that of the model. Steps of `ρ ≤ 10⁻⁴` are not taken. Below ¼, `Δ` becomes
/// `¼·‖p‖`; above ¾, at the edge, it doubles. So `B` may be the [Hessian](Matrix::Hessian), which leads upward in places:
/// there the step goes to the edge. With the Gauss–Newton matrix, this is the method of Levenberg and Marquardt for
/// networks whose [triangle](super::LevenbergMarquardt) would be too large.
///
/// It is for all samples at once or for large batches, and needs products with the matrix: train with
/// [`SecondOrder`](crate::train::SecondOrder). [State](crate::parameters::Role::State) decreases by its gradient once.
///
/// # Errors
/// No step that makes the loss smaller in `max_trials`, as at a minimum; a trainer that computes no products. The network
/// is then unchanged.
///
/// ```
/// use monomorph::Dual;
/// use monomorph::prelude::*;
/// use monomorph::train::SecondOrder;
///
/// network! { Line<T>: [1] -> [1] { Dense(1) } }
/// let (mut net, x, y) = (Line::<f64>::zeroed(), [[-1.0], [0.0], [1.0]], [[-1.0], [1.0], [3.0]]);
/// let region = TrustRegion { radius: 10.0, ..TrustRegion::default() };
/// let mut trainer = SecondOrder::<Line<f64>, Line<Dual<f64>>, _, 3>::new(region, Mse);
/// // Where the loss is quadratic, one step is enough.
/// trainer.step(&mut net, &x, &y)?;
/// assert!((net.evaluate(&[10.0])[0] - 21.0).abs() < 1e-12);
/// # Ok::<(), monomorph::train::TrainError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct TrustRegion {
    /// B; by default the Gauss–Newton matrix.
    pub matrix: Matrix,
    /// Δ at the first step; above 0, by default 1.
    pub radius: f64,
    /// The residual at which conjugate gradients end, relative to the gradient, and at most its root; above 0 and below
    /// 1, by default 0.1.
    pub tolerance: f64,
    /// The most products with the matrix for a trial; at least 1, by default 250.
    pub max_products: u32,
    /// The most trials of a step; at least 1, by default 25.
    pub max_trials: u32,
}

impl Default for TrustRegion {
    fn default() -> Self {
        Self { matrix: Matrix::GaussNewton, radius: 1.0, tolerance: 0.1, max_products: 250, max_trials: 25 }
    }
}

/// What [`TrustRegion`] keeps.
#[derive(Plain)]
pub struct TrustRegionMemory<N: Parameters> {
    /// Δ, or 0 before the first step.
    pub radius: N::Scalar,
    /// How many products with the matrix there were.
    pub products: u64,
    /// How often the loss was evaluated, in addition to the gradient that each step begins with.
    pub evaluations: u64,
    /// Meaningless between steps.
    start: N,
    gradient: N,
    step: [N; 1],
    conjugate: Conjugate<N>,
}

impl<N: Parameters> Memory<N> for TrustRegionMemory<N> {
    const PARTS: &'static [Part<Self, N>] = memory_parts! { radius: numbers, products: counter, evaluations: counter };
}

impl<T: Scalar> Optimizer<T> for TrustRegion {
    type Memory<N: Parameters<Scalar = T>> = TrustRegionMemory<N>;

    fn check(&self, _rate: f64) -> Result<(), OutOfRange> {
        check::<T>(
            "TrustRegion",
            &[
                ("radius", self.radius, Range::Positive),
                ("tolerance", self.tolerance, Range::Between),
                ("max_products", self.max_products.into(), Range::AtLeastOne),
                ("max_trials", self.max_trials.into(), Range::AtLeastOne),
            ],
        )
    }

    /// Takes the last step again.
    #[inline(always)]
    fn update<N: Parameters<Scalar = T>, S: Simd>(
        &self,
        simd: S,
        _step: u64,
        _rate: f64,
        _gradient_scale: T,
        parameters: &mut N,
        gradient: &N,
        memory: &mut TrustRegionMemory<N>,
    ) {
        walk(simd, parameters, gradient, &mut memory.step);
    }

    #[inline(always)]
    fn step<N: Parameters<Scalar = T>, S: Simd>(
        &self,
        simd: S,
        number: u64,
        rate: f64,
        gradient_scale: T,
        parameters: &mut N,
        objective: &mut impl Objective<N>,
        memory: &mut TrustRegionMemory<N>,
    ) -> Result<(), OptimizerError> {
        let squares = dot(simd, objective.gradient(), objective.gradient());
        if !squares.is_finite() {
            return Err(OptimizerError::NotFinite);
        }
        if memory.radius == T::ZERO {
            memory.radius = T::from_f64(self.radius);
        }
        memory.start.as_mut_slice().copy_from_slice(parameters.as_slice());
        memory.gradient.as_mut_slice().copy_from_slice(objective.gradient().as_slice());
        let tolerance = libm::sqrt(libm::sqrt(squares)).min(self.tolerance);
        let (matrix, max_products, loss) = (self.matrix, self.max_products, objective.loss().to_f64());
        let mut shortest = f64::INFINITY;
        for _ in 0..self.max_trials {
            let radius = memory.radius.to_f64();
            let system = System { matrix, damping: 0.0, tolerance, radius, max_products };
            let TrustRegionMemory { start, gradient, step: [step], conjugate, .. } = memory;
            let solution = solve(simd, objective, system, (start, gradient), step, conjugate)?;
            memory.products += u64::from(solution.products);
            self.update(simd, number, rate, gradient_scale, parameters, objective.gradient(), memory);
            if squares == 0.0 {
                return Ok(());
            }
            memory.evaluations += 1;
            let [step] = &memory.step;
            let length = libm::sqrt(dot(simd, step, step));
            shortest = shortest.min(length);
            let ratio = (loss - objective.loss_at(parameters).to_f64()) / solution.decrease;
            // A ratio that is no number is a bad one.
            if ratio > 0.75 && solution.at_edge {
                memory.radius = T::from_f64(2.0 * radius);
            } else if ratio.is_nan() || ratio < 0.25 {
                memory.radius = T::from_f64(0.25 * length);
            }
            if ratio > 1e-4 {
                return Ok(());
            }
            parameters.as_mut_slice().copy_from_slice(memory.start.as_slice());
        }
        // The next step begins anew.
        memory.radius = T::ZERO;
        Err(OptimizerError::NoDecrease { evaluations: self.max_trials, shortest })
    }
}
