//! The method of Levenberg and Marquardt for small networks, by an orthogonal factorization.

use super::vectors::{combine, dot, walk};
use super::{Memory, Objective, Optimizer, OptimizerError, Part, splat};
use crate::hyperparameters::{OutOfRange, Range, check};
use crate::kernels::training;
use crate::memory;
use crate::memory_parts;
use crate::parameters::Parameters;
use crate::plain::Plain;
use crate::scalar::{Scalar, Vector};
use crate::simd::{Simd, outline};

/// Steps to the minimum of `½‖J h − r‖² + ½ μ‖D h‖²`, where `½‖J h − r‖²` is the loss of the linearised network: of Gauss and
/// Newton, damped.
///
/// As the [fit](crate::fit::LevenbergMarquardt) of a function does it, the rows of `J` are rotated one by one into a triangle
/// of `P × P` numbers, where `P` is the network's `COUNT`: so the condition of the problem is not squared, as it is by
/// conjugate gradients, and a small network can be fitted as far as its numbers go. `D` is the largest norm that each column
/// of `J` has had, after Moré (1978); `μ` follows Nielsen (1999). For more than a few hundred parameters the triangle takes
/// too long (`P²` operations for each output of each sample, and `P³` for each trial): use
/// [`TrustRegion`](super::TrustRegion) there.
///
/// It serves any convex loss, such as [`Mse`](crate::loss::Mse), for all samples at once, and needs rows of the Jacobian: train
/// with [`SecondOrder`](crate::train::SecondOrder), which computes them for networks without running statistics and
/// without noise.
///
/// # Errors
/// No step that makes the loss smaller in `max_trials`, as at a minimum; a trainer that computes no rows. The network is then
/// unchanged.
///
/// ```
/// use monomorph::Dual;
/// use monomorph::prelude::*;
/// use monomorph::train::SecondOrder;
///
/// network! { Curve<T>: [1] -> [1] { Dense(5), Tanh, Dense(1) } }
/// type Real = Curve<f64>;
///
/// let x: [_; 20] = std::array::from_fn(|n| [n as f64 / 10.0 - 1.0]);
/// let y = x.map(|[x]| [(3.0 * x).sin()]);
/// let mut net = Real::zeroed();
/// net.initialize(Init::default(), &mut Noise::new(1));
/// let method = LevenbergMarquardt::<{ Real::COUNT }>::default();
/// let mut trainer = SecondOrder::<Real, Curve<Dual<f64>>, _, 20>::new(method, Mse);
/// let mut loss = 1.0;
/// for _ in 0..100 {
///     loss = trainer.step(&mut net, &x, &y)?.loss;
/// }
/// assert!(loss < 1e-6, "{loss}");
/// # Ok::<(), monomorph::train::TrainError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct LevenbergMarquardt<const P: usize> {
    /// μ at the first step, relative to the columns of the Jacobian; above 0, by default 1e-3.
    pub damping: f64,
    /// The most trials of a step; at least 1, by default 40.
    pub max_trials: u32,
}

impl<const P: usize> Default for LevenbergMarquardt<P> {
    fn default() -> Self {
        Self { damping: 1e-3, max_trials: 40 }
    }
}

/// What [`LevenbergMarquardt`] keeps.
#[derive(Plain)]
pub struct LevenbergMarquardtMemory<N: Parameters, const P: usize> {
    /// μ, or 0 before the first step.
    pub damping: N::Scalar,
    /// By how much μ grows after a trial that failed.
    pub growth: N::Scalar,
    /// How often the loss was evaluated, in addition to the gradient that each step begins with.
    pub evaluations: u64,
    /// D.
    scale: N,
    /// Meaningless between steps.
    start: N,
    triangle: Triangle<N, P>,
    damped: Triangle<N, P>,
    rows: [N; ROWS],
    step: [N; 1],
}

/// How many rows are rotated into a triangle together: a row of the triangle is read once for all of them.
const ROWS: usize = 8;

impl<N: Parameters, const P: usize> Memory<N> for LevenbergMarquardtMemory<N, P> {
    const PARTS: &'static [Part<Self, N>] =
        memory_parts! { damping: numbers, growth: numbers, evaluations: counter, scale: network };
}

/// `min ‖R h − b‖²` with an upper triangle `R` of rows that have the form of the network.
#[derive(Plain)]
struct Triangle<N, const P: usize> {
    factor: [N; P],
    right: N,
}

impl<T: Scalar, N: Parameters<Scalar = T>, const P: usize> Triangle<N, P> {
    /// Adds rows `row · h = right`, which are 0 before `from`, by rotations of Givens.
    #[inline(always)]
    fn add<S: Simd>(&mut self, simd: S, rows: &mut [N], rights: &mut [f64], unread: &N, from: usize) {
        let factors = self.factor.iter_mut().zip(self.right.as_mut_slice()).enumerate().skip(from);
        for (index, (factor, b)) in factors {
            let Some(upper) = factor.as_mut_slice().get_mut(index..) else { return };
            for (row, right) in rows.iter_mut().zip(rights.iter_mut()) {
                let Some(lower) = row.as_mut_slice().get_mut(index..) else { return };
                let (Some(pivot), Some(entry)) = (upper.first(), lower.first()) else { return };
                let (pivot, entry) = (pivot.to_f64(), entry.to_f64());
                if entry == 0.0 {
                    continue;
                }
                let length = libm::sqrt(pivot * pivot + entry * entry);
                let (c, s) = (pivot / length, entry / length);
                rotate(simd, upper, lower, unread.as_slice(), c, s);
                let old = b.to_f64();
                *b = T::from_f64(c * old + s * *right);
                *right = c * *right - s * old;
            }
        }
    }

    /// The solution; unknowns that no row determines are 0.
    #[inline(always)]
    fn solve<S: Simd>(&self, simd: S, h: &mut N) {
        memory::clear(h);
        for (index, (factor, b)) in self.factor.iter().zip(self.right.as_slice()).enumerate().rev() {
            // What is not known yet is 0.
            let known = dot(simd, factor, h);
            if let (Some(pivot), Some(to)) = (factor.as_slice().get(index), h.as_mut_slice().get_mut(index))
                && *pivot != T::ZERO
            {
                *to = T::from_f64((b.to_f64() - known) / pivot.to_f64());
            }
        }
    }
}

/// `(upper, lower) ← (c·upper + s·lower, c·lower − s·upper)`, by the loop of optimizers, for which `unread` is a gradient.
#[inline(always)]
fn rotate<T: Scalar, S: Simd>(simd: S, upper: &mut [T], lower: &mut [T], unread: &[T], c: f64, s: f64) {
    outline(
        simd,
        #[inline(always)]
        move || {
            let (c, s) = (splat::<T, S>(simd, c), splat::<T, S>(simd, s));
            training::update(
                simd,
                upper,
                unread,
                [lower],
                #[inline(always)]
                move |u, _, [l]| (c.mul_add(u, s * l), [c * l - s * u]),
            );
        },
    );
}

impl<T: Scalar, const P: usize> Optimizer<T> for LevenbergMarquardt<P> {
    type Memory<N: Parameters<Scalar = T>> = LevenbergMarquardtMemory<N, P>;

    fn check(&self, _rate: f64) -> Result<(), OutOfRange> {
        let trials = ("max_trials", self.max_trials.into(), Range::AtLeastOne);
        check::<T>("LevenbergMarquardt", &[("damping", self.damping, Range::Positive), trials])
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
        memory: &mut LevenbergMarquardtMemory<N, P>,
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
        memory: &mut LevenbergMarquardtMemory<N, P>,
    ) -> Result<(), OptimizerError> {
        const { assert!(P == N::COUNT, "the number of `LevenbergMarquardt` is the network's `COUNT`") };
        memory.start.as_mut_slice().copy_from_slice(parameters.as_slice());
        memory::clear(&mut memory.triangle);
        let LevenbergMarquardtMemory { triangle, rows, scale, .. } = &mut *memory;
        let (mut rights, mut count) = ([0.0; ROWS], 0);
        objective.rows(parameters, &mut |row: &N, right: T| {
            if let (Some(to), Some(b)) = (rows.get_mut(count), rights.get_mut(count)) {
                to.as_mut_slice().copy_from_slice(row.as_slice());
                (*b, count) = (right.to_f64(), count + 1);
            }
            if count == ROWS {
                triangle.add(simd, rows, &mut rights, row, 0);
                count = 0;
            }
        })?;
        triangle.add(simd, rows.get_mut(..count).unwrap_or_default(), &mut rights, scale, 0);
        // The norms of the columns; 1 for columns of zeros, which damping is to leave alone.
        for (index, scale) in scale.as_mut_slice().iter_mut().enumerate() {
            let column = triangle.factor.iter().filter_map(|row| row.as_slice().get(index));
            let norm = libm::sqrt(column.map(|entry| entry.to_f64() * entry.to_f64()).sum());
            let largest = scale.to_f64().max(norm);
            *scale = T::from_f64(if largest > 0.0 { largest } else { 1.0 });
        }
        if memory.damping == T::ZERO {
            (memory.damping, memory.growth) = (T::from_f64(self.damping), T::from_f64(2.0));
        }
        let loss = objective.loss().to_f64();
        let mut shortest = f64::INFINITY;
        for _ in 0..self.max_trials {
            let (mu, growth) = (memory.damping.to_f64(), memory.growth.to_f64());
            let LevenbergMarquardtMemory { triangle, damped, scale, rows, step: [step], .. } = &mut *memory;
            for (to, from) in damped.factor.iter_mut().zip(&triangle.factor) {
                to.as_mut_slice().copy_from_slice(from.as_slice());
            }
            damped.right.as_mut_slice().copy_from_slice(triangle.right.as_slice());
            for from in (0..P).step_by(ROWS) {
                let diagonal = scale.as_slice().get(from..).unwrap_or_default();
                for ((offset, row), scale) in rows.iter_mut().enumerate().zip(diagonal) {
                    row.as_mut_slice().fill(T::ZERO);
                    if let Some(to) = row.as_mut_slice().get_mut(from + offset) {
                        *to = T::from_f64(libm::sqrt(mu) * scale.to_f64());
                    }
                }
                let rows = rows.get_mut(..diagonal.len().min(ROWS)).unwrap_or_default();
                damped.add(simd, rows, &mut [0.0; ROWS], scale, from);
            }
            damped.solve(simd, step);
            // By how much the linearised loss falls: g·h + ½‖J h‖² = −½‖J h‖² − μ‖D h‖².
            let mut decrease = 0.0;
            for factor in &triangle.factor {
                let reached = dot(simd, factor, step);
                decrease += 0.5 * reached * reached;
            }
            let [row, ..] = rows;
            scaled(simd, step, scale, row);
            decrease += mu * dot(simd, row, row);
            let length = libm::sqrt(dot(simd, step, step));
            if !decrease.is_finite() {
                return Err(OptimizerError::NotFinite);
            }
            shortest = shortest.min(length);
            self.update(simd, number, rate, gradient_scale, parameters, objective.gradient(), memory);
            if decrease == 0.0 {
                return Ok(());
            }
            memory.evaluations += 1;
            let gain = (loss - objective.loss_at(parameters).to_f64()) / decrease;
            if gain > 0.0 {
                let miss = 2.0 * gain - 1.0;
                let factor = f64::clamp(1.0 - miss * miss * miss, 1.0 / 3.0, 2.0);
                (memory.damping, memory.growth) = (T::from_f64(mu * factor), T::from_f64(2.0));
                return Ok(());
            }
            (memory.damping, memory.growth) = (T::from_f64(mu * growth), T::from_f64(2.0 * growth));
            parameters.as_mut_slice().copy_from_slice(memory.start.as_slice());
        }
        // The next step begins anew.
        memory.damping = T::ZERO;
        Err(OptimizerError::NoDecrease { evaluations: self.max_trials, shortest })
    }
}

/// `to ← scale·step`.
#[inline(always)]
fn scaled<T: Scalar, N: Parameters<Scalar = T>, S: Simd>(simd: S, step: &N, scale: &N, to: &mut N) {
    combine(simd, 1.0, step, 0.0, to);
    super::learned(
        simd,
        to,
        scale,
        #[inline(always)]
        |h, scale| h * scale,
    );
}
