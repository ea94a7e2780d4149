//! Newton's method by conjugate gradients: Nocedal and Wright, *Numerical Optimization* (2nd edition, 2006), Algorithm 7.1.

use super::conjugate::{Conjugate, System, solve};
use super::line_search::{Line, Search, Wolfe};
use super::vectors::{dot, walk};
use super::{Matrix, Memory, Objective, Optimizer, OptimizerError, Part};
use crate::hyperparameters::{OutOfRange, Range, check};
use crate::memory_parts;
use crate::parameters::Parameters;
use crate::plain::Plain;
use crate::scalar::Scalar;
use crate::simd::Simd;

/// Steps along `−(B + λ)⁻¹·g` by conjugate gradients, with a line search: Newton's method if `B` is the
/// [Hessian](Matrix::Hessian), that of Gauss and Newton or the natural gradient with the other [matrices](Matrix).
///
/// Conjugate gradients end at a residual of `min(½, √‖g‖)·‖g‖`, so steps are rough where the minimum is far and exact
/// close to it, and convergence is faster than linear. They end, too, where the curvature is not positive. The line search
/// is that of [`Lbfgs`](super::Lbfgs), and as there, the optimizer is for all samples at once or for large batches, and for
/// `f64`. [State](crate::parameters::Role::State) decreases by its gradient once.
///
/// It needs products with the matrix: train with [`SecondOrder`](crate::train::SecondOrder).
///
/// # Errors
/// A search that finds no decrease in `max_evaluations`, as at a minimum; a trainer that computes no products. The network
/// is then unchanged.
///
/// ```
/// use monomorph::Dual;
/// use monomorph::prelude::*;
/// use monomorph::train::SecondOrder;
///
/// network! { Curve<T>: [1] -> [1] { Dense(8), Tanh, Dense(1) } }
/// let x: [_; 20] = std::array::from_fn(|n| [n as f64 / 10.0 - 1.0]);
/// let y = x.map(|[x]| [(3.0 * x).sin()]);
/// let mut net = Box::new(Curve::<f64>::zeroed());
/// net.initialize(Init::default(), &mut Noise::new(1));
/// let newton = NewtonCg { matrix: Matrix::Hessian, ..NewtonCg::default() };
/// let mut trainer = SecondOrder::<Curve<f64>, Curve<Dual<f64>>, _, 20>::new(newton, Mse);
/// let mut loss = 1.0;
/// for _ in 0..60 {
///     loss = trainer.step(&mut net, &x, &y)?.loss;
/// }
/// assert!(loss < 1e-6);
/// # Ok::<(), monomorph::train::TrainError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct NewtonCg {
    /// B; by default the Gauss–Newton matrix.
    pub matrix: Matrix,
    /// λ; at least 0, by default 0. [`Matrix::Fisher`] needs some where it has fewer draws than there are parameters.
    pub damping: f64,
    /// The most products with the matrix that a step takes; at least 1, by default 250.
    pub max_products: u32,
    /// c₁, as of [`Lbfgs`](super::Lbfgs): by default 1e-4.
    pub sufficient_decrease: f64,
    /// c₂, as of [`Lbfgs`](super::Lbfgs): by default 0.9.
    pub curvature: f64,
    /// How often a search may evaluate the loss and its gradient; at least 1, by default 25.
    pub max_evaluations: u32,
}

impl Default for NewtonCg {
    fn default() -> Self {
        Self {
            matrix: Matrix::GaussNewton,
            damping: 0.0,
            max_products: 250,
            sufficient_decrease: 1e-4,
            curvature: 0.9,
            max_evaluations: 25,
        }
    }
}

impl NewtonCg {
    fn wolfe(&self) -> Wolfe {
        let Self { sufficient_decrease, curvature, max_evaluations, .. } = *self;
        Wolfe { sufficient_decrease, curvature, max_evaluations }
    }
}

/// What [`NewtonCg`] keeps.
#[derive(Plain)]
pub struct NewtonCgMemory<N: Parameters> {
    /// How many products with the matrix there were.
    pub products: u64,
    /// How often the loss and its gradient were evaluated, in addition to the gradient that each step begins with.
    pub evaluations: u64,
    /// Meaningless between steps.
    line: Line<N>,
    conjugate: Conjugate<N>,
}

impl<N: Parameters> Memory<N> for NewtonCgMemory<N> {
    const PARTS: &'static [Part<Self, N>] = memory_parts! { products: counter, evaluations: counter };
}

impl<T: Scalar> Optimizer<T> for NewtonCg {
    type Memory<N: Parameters<Scalar = T>> = NewtonCgMemory<N>;

    fn check(&self, _rate: f64) -> Result<(), OutOfRange> {
        self.wolfe().check::<T>("NewtonCg")?;
        let products = ("max_products", self.max_products.into(), Range::AtLeastOne);
        check::<T>("NewtonCg", &[("damping", self.damping, Range::NotNegative), products])
    }

    /// Moves along the last direction, without a search.
    #[inline(always)]
    fn update<N: Parameters<Scalar = T>, S: Simd>(
        &self,
        simd: S,
        _step: u64,
        _rate: f64,
        _gradient_scale: T,
        parameters: &mut N,
        gradient: &N,
        memory: &mut NewtonCgMemory<N>,
    ) {
        walk(simd, parameters, gradient, &mut memory.line.direction);
    }

    #[inline(always)]
    fn step<N: Parameters<Scalar = T>, S: Simd>(
        &self,
        simd: S,
        _step: u64,
        _rate: f64,
        _gradient_scale: T,
        parameters: &mut N,
        objective: &mut impl Objective<N>,
        memory: &mut NewtonCgMemory<N>,
    ) -> Result<(), OptimizerError> {
        let squares = dot(simd, objective.gradient(), objective.gradient());
        if !squares.is_finite() {
            return Err(OptimizerError::NotFinite);
        }
        let NewtonCgMemory { products, evaluations, line, conjugate } = memory;
        line.start.as_mut_slice().copy_from_slice(parameters.as_slice());
        line.gradient.as_mut_slice().copy_from_slice(objective.gradient().as_slice());
        let norm = libm::sqrt(squares);
        let system = System {
            matrix: self.matrix,
            damping: self.damping,
            tolerance: libm::sqrt(norm).min(0.5),
            radius: f64::INFINITY,
            max_products: self.max_products,
        };
        let Line { start, gradient, direction: [direction] } = &mut *line;
        let solution = solve(simd, objective, system, (start, gradient), direction, conjugate)?;
        *products += u64::from(solution.products);
        let slope = dot(simd, gradient, direction);
        // Along the gradient there is no natural length: the first step has the length 1 at most.
        let first = if solution.at_edge { (1.0 / norm).min(1.0) } else { 1.0 };
        let mut search = Search::new(simd, self.wolfe(), parameters, objective, line, evaluations, slope);
        if squares == 0.0 {
            search.place(0.0);
            return Ok(());
        }
        search.find(first).map(|_| ()).ok_or_else(|| search.give_up())
    }
}
