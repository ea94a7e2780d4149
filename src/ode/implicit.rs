//! Solvers for stiff equations, whose steps solve systems with the Jacobian of the right side.
//!
//! The Jacobian is found by backward passes, a row each; so such a step costs as many as there are numbers in the state, in
//! evaluation too. Systems are solved by elimination with row exchanges.

use super::explicit::add_scaled;
use super::{Number, Problem, Solver, State, Step, numbers, numbers_mut, of_state, place, step_from};
use crate::layer::Pass;
use crate::noise::Noise;
use crate::plain::Plain;
use crate::scalar::{Real, Scalar};
use crate::simd::Simd;
use crate::tensor::{Tensor, batch_slice, batch_slice_mut};

/// The implicit trapezoidal rule `y₊ = y + h/2 (f(t, y) + f(t + h, y₊))` for states of `D` numbers: of order 2, stable for
/// every step where the solution is.
///
/// The equation is solved by Newton's method with the Jacobian at `y`, which is computed again where that is slow; where it
/// does not converge, the sample has no solution. The gradient is that of the equation's solution.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Trapezoid<const D: usize>;

/// The method ROS2, of order 2, for states of `D` numbers: with `W = I − γ h ∂f/∂y(y)` and `γ = 1 − 1/√2`,
/// `W k₁ = f(t, y)`, `W k₂ = f(t + h, y + h k₁) − 2 k₁`, `y₊ = y + h (3 k₁ + k₂) / 2`.
///
/// L-stable: what decays fast is damped, however large the step. Verwer, Spee, Blom and Hundsdorfer, *A second-order
/// Rosenbrock method applied to photochemical dispersion problems* (1999).
///
/// Its gradient has the derivative of the Jacobian in it, a term with the factor `γ h`, which is taken as the central
/// difference of two backward passes: exact to about 10⁻¹⁰ in `f64` and 10⁻⁴ in `f32`, relative to that term.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rosenbrock<const D: usize>;

const GAMMA: f64 = 1.0 - core::f64::consts::FRAC_1_SQRT_2;

/// What a step of an implicit method takes.
#[derive(Plain)]
pub struct Memory<F: Problem, const B: usize, const D: usize> {
    /// The factors of `I − c h ∂f/∂y` of each sample, and their row exchanges.
    matrix: [[[Number<F>; D]; D]; B],
    exchanges: [[usize; D]; B],
    slope: [State<F>; B],
    k: [[State<F>; B]; 2],
    state: [State<F>; B],
    unit: [State<F>; B],
    pulled: [State<F>; B],
    point: [F::Point; B],
    grad_point: [F::Point; B],
    saved: F::Saved<B>,
    /// What a backward pass adds to a gradient that nobody wants.
    nowhere: F,
}

/// What the derivative of a step takes.
#[derive(Plain)]
pub struct Tape<F: Problem, const B: usize, const D: usize> {
    memory: Memory<F, B, D>,
    next: [State<F>; B],
    u: [State<F>; B],
    sum: [State<F>; B],
    moved: [State<F>; B],
}

impl<F: Problem, const B: usize, const D: usize> Memory<F, B, D> {
    /// `slope ← f` at this part of a step.
    #[inline(always)]
    fn slope<S: Simd>(&mut self, field: &F, simd: S, at: &Step<F, B>, part: f64, state: &[State<F>; B]) {
        place(at, part, state, &mut self.point);
        let mut pass = Pass::new(Noise::new(0), Number::<F>::ZERO);
        field.forward(simd, &self.point, &mut self.slope, &mut self.saved, &mut pass);
    }

    /// `pulled ← (∂f/∂y)ᵀ cotangent`, and `gradient += (∂f/∂θ)ᵀ cotangent`, at this part of a step.
    #[inline(always)]
    fn pull<S: Simd>(
        &mut self,
        field: &F,
        simd: S,
        at: &Step<F, B>,
        (part, state): (f64, &[State<F>; B]),
        cotangent: &mut [State<F>; B],
        gradient: &mut F,
    ) {
        self.slope(field, simd, at, part, state);
        let pass = Pass::new(Noise::new(0), Number::<F>::ZERO);
        let Self { point, slope, saved, grad_point, pulled, .. } = self;
        field.backward(simd, point, slope, saved, cotangent, Some(grad_point), gradient, &pass);
        of_state::<F, B>(grad_point, pulled);
    }

    /// Factors `I − c h ∂f/∂y`, and computes `f`, at this part of a step.
    #[inline(always)]
    fn factor<S: Simd>(&mut self, field: &F, simd: S, at: &Step<F, B>, part: f64, state: &[State<F>; B], c: f64) {
        const { assert!(State::<F>::LEN == D, "the solver is for states of another size") };
        let pass = Pass::new(Noise::new(0), Number::<F>::ZERO);
        for row in 0..D {
            self.slope(field, simd, at, part, state);
            for unit in &mut self.unit {
                let unit = numbers_mut::<F>(unit);
                unit.fill(Number::<F>::ZERO);
                unit[row] = Number::<F>::ONE;
            }
            let Self { point, slope, saved, unit, grad_point, nowhere, matrix, .. } = self;
            field.backward(simd, point, slope, saved, unit, Some(grad_point), nowhere, &pass);
            for (sample, matrix) in matrix.iter_mut().enumerate() {
                let factor = -Number::<F>::from_f64(c) * at.size[sample];
                for (to, from) in matrix[row].iter_mut().zip(grad_point[sample].numbers()) {
                    *to = factor * *from;
                }
                matrix[row][row] += Number::<F>::ONE;
            }
        }
        for (matrix, exchanges) in self.matrix.iter_mut().zip(&mut self.exchanges) {
            factor(matrix, exchanges);
        }
    }

    /// `x ← A⁻¹ x`, or `A⁻ᵀ x`, of every sample.
    #[inline(always)]
    fn solve(&self, x: &mut [State<F>; B], transposed: bool) {
        for (sample, x) in x.iter_mut().enumerate() {
            let (matrix, exchanges) = (&self.matrix[sample], &self.exchanges[sample]);
            let Ok(x) = <&mut [Number<F>; D]>::try_from(numbers_mut::<F>(x)) else { continue };
            if transposed { solve_transposed(matrix, exchanges, x) } else { solve(matrix, exchanges, x) }
        }
    }
}

/// `P A = L U` in place; `L` has ones on its diagonal. A singular matrix gives numbers that are not finite.
fn factor<T: Real, const D: usize>(a: &mut [[T; D]; D], exchanges: &mut [usize; D]) {
    for column in 0..D {
        let mut largest = column;
        for row in column + 1..D {
            if a[row][column].abs() > a[largest][column].abs() {
                largest = row;
            }
        }
        // The compiler does not see that it is one of the rows.
        let largest = largest.min(D - 1);
        exchanges[column] = largest;
        a.swap(column, largest);
        for row in column + 1..D {
            let factor = a[row][column] / a[column][column];
            a[row][column] = factor;
            for index in column + 1..D {
                a[row][index] -= factor * a[column][index];
            }
        }
    }
}

fn solve<T: Real, const D: usize>(a: &[[T; D]; D], exchanges: &[usize; D], x: &mut [T; D]) {
    for row in 0..D {
        x.swap(row, exchanges[row].min(D - 1));
    }
    for row in 0..D {
        for column in 0..row {
            x[row] -= a[row][column] * x[column];
        }
    }
    for row in (0..D).rev() {
        for column in row + 1..D {
            x[row] -= a[row][column] * x[column];
        }
        x[row] /= a[row][row];
    }
}

fn solve_transposed<T: Real, const D: usize>(a: &[[T; D]; D], exchanges: &[usize; D], x: &mut [T; D]) {
    for row in 0..D {
        for column in 0..row {
            x[row] -= a[column][row] * x[column];
        }
        x[row] /= a[row][row];
    }
    for row in (0..D).rev() {
        for column in row + 1..D {
            x[row] -= a[column][row] * x[column];
        }
    }
    for row in (0..D).rev() {
        x.swap(row, exchanges[row].min(D - 1));
    }
}

/// `x ← factor · h · x`.
#[inline(always)]
fn times<F: Problem, const B: usize>(x: &mut [State<F>; B], at: &Step<F, B>, factor: f64) {
    for (x, size) in x.iter_mut().zip(&at.size) {
        let factor = Number::<F>::from_f64(factor) * *size;
        numbers_mut::<F>(x).iter_mut().for_each(|x| *x *= factor);
    }
}

#[inline(always)]
fn copy<F: Problem, const B: usize>(from: &[State<F>; B], to: &mut [State<F>; B]) {
    batch_slice_mut(to).copy_from_slice(batch_slice(from));
}

/// The largest magnitude.
fn size<F: Problem>(x: &State<F>) -> Number<F> {
    numbers::<F>(x).iter().fold(Number::<F>::ZERO, |most, x| if x.abs() <= most { most } else { x.abs() })
}

/// How many iterations Newton's method makes at most, and after how many its Jacobian is computed again.
const ITERATIONS: usize = 40;
const RENEWED: usize = 5;

impl<const D: usize> Trapezoid<D> {
    /// A step; `memory` holds the factors of its last iterations.
    #[inline(always)]
    fn newton<F: Problem, S: Simd, const B: usize>(
        field: &F,
        simd: S,
        at: &Step<F, B>,
        y: &[State<F>; B],
        next: &mut [State<F>; B],
        m: &mut Memory<F, B, D>,
    ) {
        let number = Number::<F>::from_f64;
        m.factor(field, simd, at, 0.0, y, 0.5);
        // What does not change: y + h/2 f(y). The first guess is that of Euler's method, implicit and linearized.
        let mut step = m.slope.clone();
        times::<F, B>(&mut step, at, 0.5);
        let mut fixed = y.clone();
        add_scaled::<F, S, B>(simd, &mut fixed, &step, 1.0);
        m.solve(&mut step, false);
        copy::<F, B>(y, next);
        add_scaled::<F, S, B>(simd, next, &step, 2.0);
        for iteration in 1..=ITERATIONS {
            if iteration % RENEWED == 0 {
                m.factor(field, simd, at, 1.0, next, 0.5);
            } else {
                m.slope(field, simd, at, 1.0, next);
            }
            // r = y₊ − y − h/2 (f(y) + f(y₊)).
            copy::<F, B>(&m.slope, &mut step);
            times::<F, B>(&mut step, at, -0.5);
            add_scaled::<F, S, B>(simd, &mut step, next, 1.0);
            add_scaled::<F, S, B>(simd, &mut step, &fixed, -1.0);
            m.solve(&mut step, false);
            add_scaled::<F, S, B>(simd, next, &step, -1.0);
            let mut done = true;
            for (step, next) in step.iter().zip(&mut *next) {
                let (moved, scale) = (size::<F>(step), Number::<F>::ONE + size::<F>(next));
                let close = |times: f64| moved <= number(times) * Number::<F>::EPSILON * scale;
                done &= close(8.0);
                if iteration == ITERATIONS && !close(4096.0) {
                    numbers_mut::<F>(next).fill(number(f64::NAN));
                }
            }
            if done {
                break;
            }
        }
    }
}

impl<F: Problem, const D: usize> Solver<F> for Trapezoid<D> {
    type Memory<const B: usize> = Memory<F, B, D>;
    type Tape<const B: usize> = Tape<F, B, D>;
    const EVALUATIONS: usize = 3 * D + 8;

    #[inline(always)]
    fn step<S: Simd, const B: usize>(
        field: &F,
        simd: S,
        at: &Step<F, B>,
        y: &[State<F>; B],
        next: &mut [State<F>; B],
        memory: &mut Self::Memory<B>,
        _: bool,
    ) {
        Self::newton(field, simd, at, y, next, memory);
    }

    // (I − h/2 J(y₊))ᵀ v = ∂L/∂y₊; ∂L/∂y = v + h/2 J(y)ᵀ v; ∂L/∂θ += h/2 (∂f/∂θ(y₊) + ∂f/∂θ(y))ᵀ v.
    #[inline(always)]
    fn pull<S: Simd, const B: usize>(
        field: &F,
        simd: S,
        at: &Step<F, B>,
        y: &mut [State<F>; B],
        cotangent: &mut [State<F>; B],
        tape: &mut Self::Tape<B>,
        gradient: &mut F,
    ) {
        let Tape { memory: m, next, u, .. } = tape;
        Self::newton(field, simd, at, y, next, m);
        m.factor(field, simd, at, 1.0, next, 0.5);
        m.solve(cotangent, true);
        for (part, state) in [(1.0, &*next), (0.0, &*y)] {
            copy::<F, B>(cotangent, u);
            times::<F, B>(u, at, 0.5);
            m.pull(field, simd, at, (part, state), u, gradient);
        }
        add_scaled::<F, S, B>(simd, cotangent, &m.pulled, 1.0);
    }
}

impl<const D: usize> Rosenbrock<D> {
    /// `k₁` and `k₂`, and the state at which the second one is computed.
    #[inline(always)]
    fn stages<F: Problem, S: Simd, const B: usize>(
        field: &F,
        simd: S,
        at: &Step<F, B>,
        y: &[State<F>; B],
        m: &mut Memory<F, B, D>,
    ) {
        m.factor(field, simd, at, 0.0, y, GAMMA);
        let mut k = m.slope.clone();
        m.solve(&mut k, false);
        copy::<F, B>(&k, &mut m.k[0]);
        copy::<F, B>(&k, &mut m.state);
        step_from::<F, S, B>(simd, y, at, &mut m.state);
        let second = m.state.clone();
        m.slope(field, simd, at, 1.0, &second);
        add_scaled::<F, S, B>(simd, &mut m.slope, &k, -2.0);
        copy::<F, B>(&m.slope, &mut k);
        m.solve(&mut k, false);
        copy::<F, B>(&k, &mut m.k[1]);
    }
}

impl<F: Problem, const D: usize> Solver<F> for Rosenbrock<D> {
    type Memory<const B: usize> = Memory<F, B, D>;
    type Tape<const B: usize> = Tape<F, B, D>;
    const EVALUATIONS: usize = 3 * D + 1;

    #[inline(always)]
    fn step<S: Simd, const B: usize>(
        field: &F,
        simd: S,
        at: &Step<F, B>,
        y: &[State<F>; B],
        next: &mut [State<F>; B],
        memory: &mut Self::Memory<B>,
        _: bool,
    ) {
        Self::stages(field, simd, at, y, memory);
        super::sum::<F, S, B>(simd, &[1.5, 0.5], &memory.k, next);
        step_from::<F, S, B>(simd, y, at, next);
    }

    // With λ = ∂L/∂y₊: Wᵀ u₂ = h/2 λ, p = J(y + h k₁)ᵀ u₂, Wᵀ u₁ = 3h/2 λ − 2 u₂ + h p, and
    // ∂L/∂y = λ + p + J(y)ᵀ u₁ + γ h ∂(u₁ᵀ J k₁ + u₂ᵀ J k₂)/∂y; the same for ∂L/∂θ.
    #[inline(always)]
    fn pull<S: Simd, const B: usize>(
        field: &F,
        simd: S,
        at: &Step<F, B>,
        y: &mut [State<F>; B],
        cotangent: &mut [State<F>; B],
        tape: &mut Self::Tape<B>,
        gradient: &mut F,
    ) {
        let Tape { memory: m, next, u, sum, moved } = tape;
        Self::stages(field, simd, at, y, m);
        // `sum` is the right side for u₁, `cotangent` becomes ∂L/∂y.
        copy::<F, B>(cotangent, sum);
        times::<F, B>(sum, at, 1.5);
        copy::<F, B>(cotangent, u);
        times::<F, B>(u, at, 0.5);
        m.solve(u, true);
        add_scaled::<F, S, B>(simd, sum, u, -2.0);
        copy::<F, B>(u, next);
        copy::<F, B>(&m.state, moved);
        m.pull(field, simd, at, (1.0, &*moved), next, gradient);
        add_scaled::<F, S, B>(simd, cotangent, &m.pulled, 1.0);
        times::<F, B>(&mut m.pulled, at, 1.0);
        add_scaled::<F, S, B>(simd, sum, &m.pulled, 1.0);
        m.solve(sum, true);
        copy::<F, B>(sum, next);
        m.pull(field, simd, at, (0.0, &*y), next, gradient);
        add_scaled::<F, S, B>(simd, cotangent, &m.pulled, 1.0);
        let number = Number::<F>::from_f64;
        let distance = Number::<F>::EPSILON.powf(number(1.0 / 3.0));
        for (stage, u) in [&*sum, &*u].into_iter().enumerate() {
            for side in [1.0, -1.0] {
                for sample in 0..B {
                    let length = size::<F>(&m.k[stage][sample]);
                    let here = length > Number::<F>::ZERO;
                    let scale = Number::<F>::ONE + size::<F>(&y[sample]);
                    let part = if here { distance * scale / length } else { Number::<F>::ONE };
                    let weight = number(GAMMA * 0.5 * side) * at.size[sample] / part;
                    let weight = if here { weight } else { Number::<F>::ZERO };
                    let (y, k) = (numbers::<F>(&y[sample]), numbers::<F>(&m.k[stage][sample]));
                    for (to, (y, k)) in numbers_mut::<F>(&mut moved[sample]).iter_mut().zip(y.iter().zip(k)) {
                        *to = *y + number(side) * part * *k;
                    }
                    for (to, u) in numbers_mut::<F>(&mut next[sample]).iter_mut().zip(numbers::<F>(&u[sample])) {
                        *to = weight * *u;
                    }
                }
                m.pull(field, simd, at, (0.0, &*moved), next, gradient);
                add_scaled::<F, S, B>(simd, cotangent, &m.pulled, 1.0);
            }
        }
    }
}
