//! Explicit Runge–Kutta methods: `kᵢ = f(t + cᵢ h, y + h Σⱼ aᵢⱼ kⱼ)`, `y₊ = y + h Σ bᵢ kᵢ`.
//!
//! Hairer, Nørsett and Wanner, *Solving ordinary differential equations I* (1993).

use super::{Number, Problem, Solver, State, Step, numbers, of_state, place, step_from, sum, times_step};
use crate::layer::Pass;
use crate::noise::Noise;
use crate::plain::Plain;
use crate::scalar::{Real, Scalar};
use crate::simd::Simd;
use crate::tensor::{Tensor, batch_slice_mut};

/// The coefficients of an explicit method. Whoever implements it has a solver.
pub trait Tableau: 'static {
    /// A value for each stage: `[X; N]`.
    type Stages<X: Plain + Send>: Plain + Send + AsRef<[X]> + AsMut<[X]>;
    /// `a`: a row for each stage, with a number for each stage before it; `cᵢ` is the sum of a row.
    const A: &'static [&'static [f64]];
    /// `b`.
    const B: &'static [f64];
    /// What estimates the error, of a method whose next stage would be the first one of the next step: a number for each
    /// stage, and one for that; nothing for a method of fixed steps.
    const ERROR: &'static [f64] = &[];
    /// The order of the estimate.
    const ERROR_ORDER: i32 = 0;
}

macro_rules! tableau {
    ($(#[$docs:meta])* $name:ident, $stages:literal, $a:expr, $b:expr $(, $error:expr, $order:literal)?) => {
        $(#[$docs])*
        #[derive(Clone, Copy, Debug, PartialEq)]
        pub struct $name;

        impl Tableau for $name {
            type Stages<X: Plain + Send> = [X; $stages];
            const A: &'static [&'static [f64]] = &$a;
            const B: &'static [f64] = &$b;
            $(
                const ERROR: &'static [f64] = &$error;
                const ERROR_ORDER: i32 = $order;
            )?
        }
    };
}

tableau! {
    /// Euler's method, of order 1.
    Euler, 1, [&[]], [1.0]
}
tableau! {
    /// The midpoint method, of order 2.
    Midpoint, 2, [&[], &[0.5]], [0.0, 1.0]
}
tableau! {
    /// The classical method of Runge and Kutta, of order 4.
    Rk4, 4, [&[], &[0.5], &[0.0, 0.5], &[0.0, 0.0, 1.0]], [1.0 / 6.0, 1.0 / 3.0, 1.0 / 3.0, 1.0 / 6.0]
}
tableau! {
    /// The method of Dormand and Prince (1980), of order 5 with an error estimate of order 4. Steps are controlled as
    /// in SciPy's `RK45`: the root mean square of the errors, each relative to `atol + rtol · max(|y|, |y₊|)`, is at most 1;
    /// a step is changed by `0.9 · error^(−1/5)`, within 0.2 to 10, and does not grow right after a rejection.
    Dopri5, 6, [
        &[],
        &[1.0 / 5.0],
        &[3.0 / 40.0, 9.0 / 40.0],
        &[44.0 / 45.0, -56.0 / 15.0, 32.0 / 9.0],
        &[19372.0 / 6561.0, -25360.0 / 2187.0, 64448.0 / 6561.0, -212.0 / 729.0],
        &[9017.0 / 3168.0, -355.0 / 33.0, 46732.0 / 5247.0, 49.0 / 176.0, -5103.0 / 18656.0]
    ],
    [35.0 / 384.0, 0.0, 500.0 / 1113.0, 125.0 / 192.0, -2187.0 / 6784.0, 11.0 / 84.0],
    [-71.0 / 57600.0, 0.0, 71.0 / 16695.0, -71.0 / 1920.0, 17253.0 / 339_200.0, -22.0 / 525.0, 1.0 / 40.0], 4
}

/// `cᵢ`.
const fn part<M: Tableau>(stage: usize) -> f64 {
    let (row, mut sum, mut index) = (M::A[stage], 0.0, 0);
    while index < row.len() {
        sum += row[index];
        index += 1;
    }
    sum
}

/// What a step of an explicit method takes.
#[derive(Plain)]
pub struct Memory<F: Problem, M: Tableau, const B: usize> {
    stages: M::Stages<[State<F>; B]>,
    /// The right side after the step.
    last: [State<F>; B],
    state: [State<F>; B],
    point: [F::Point; B],
    workspace: F::Workspace<B>,
}

/// What its derivative takes.
#[derive(Plain)]
pub struct Tape<F: Problem, M: Tableau, const B: usize> {
    points: M::Stages<[F::Point; B]>,
    /// `k`; on the way back `∂L/∂yᵢ`, where `yᵢ` is the state of the stage.
    stages: M::Stages<[State<F>; B]>,
    saved: M::Stages<F::Saved<B>>,
    state: [State<F>; B],
    grad_point: [F::Point; B],
}

impl<F: Problem, M: Tableau, const B: usize> Memory<F, M, B> {
    /// The right side at `state`.
    #[inline(always)]
    fn slope<S: Simd>(&mut self, field: &F, simd: S, at: &Step<F, B>, part: f64, stage: Option<usize>) {
        place(at, part, &self.state, &mut self.point);
        let to = match stage {
            Some(stage) => &mut self.stages.as_mut()[stage],
            None => &mut self.last,
        };
        field.evaluate(simd, &self.point, to, &mut self.workspace);
    }
}

impl<F: Problem, M: Tableau> Solver<F> for M {
    type Memory<const B: usize> = Memory<F, M, B>;
    type Tape<const B: usize> = Tape<F, M, B>;
    const EVALUATIONS: usize = M::A.len();
    const ADAPTIVE: bool = !M::ERROR.is_empty();

    #[inline(always)]
    fn step<S: Simd, const B: usize>(
        field: &F,
        simd: S,
        at: &Step<F, B>,
        y: &[State<F>; B],
        next: &mut [State<F>; B],
        memory: &mut Self::Memory<B>,
        begun: bool,
    ) {
        for stage in usize::from(begun)..M::A.len() {
            sum::<F, S, B>(simd, M::A[stage], memory.stages.as_ref(), &mut memory.state);
            step_from::<F, S, B>(simd, y, at, &mut memory.state);
            memory.slope(field, simd, at, part::<M>(stage), Some(stage));
        }
        sum::<F, S, B>(simd, M::B, memory.stages.as_ref(), next);
        step_from::<F, S, B>(simd, y, at, next);
    }

    // With λ = ∂L/∂y₊ and μᵢ = ∂L/∂yᵢ: ∂L/∂kᵢ = h (bᵢ λ + Σ_{j>i} aⱼᵢ μⱼ), μᵢ = (∂f/∂y)ᵀ ∂L/∂kᵢ, ∂L/∂y = λ + Σ μᵢ.
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
        let mut pass = Pass::new(Noise::new(0), Number::<F>::ZERO);
        let Tape { points, stages, saved, state, grad_point } = tape;
        let (points, stages, saved) = (points.as_mut(), stages.as_mut(), saved.as_mut());
        for stage in 0..M::A.len() {
            sum::<F, S, B>(simd, M::A[stage], stages, state);
            step_from::<F, S, B>(simd, y, at, state);
            place(at, part::<M>(stage), state, &mut points[stage]);
            field.forward(simd, &points[stage], &mut stages[stage], &mut saved[stage], &mut pass);
        }
        for stage in (0..M::A.len()).rev() {
            sum::<F, S, B>(simd, &[M::B[stage]], core::slice::from_ref(cotangent), state);
            for later in stage + 1..M::A.len() {
                add_scaled::<F, S, B>(simd, state, &stages[later], M::A[later][stage]);
            }
            times_step::<F, S, B>(simd, state, at);
            let (point, saved) = (&points[stage], &mut saved[stage]);
            field.backward(simd, point, &stages[stage], saved, state, Some(grad_point), gradient, &pass);
            of_state::<F, B>(grad_point, &mut stages[stage]);
        }
        for stage in stages {
            add_scaled::<F, S, B>(simd, cotangent, stage, 1.0);
        }
    }

    // Hairer, Nørsett and Wanner, II.4.
    #[inline(always)]
    fn begin<S: Simd, const B: usize>(
        field: &F,
        simd: S,
        y: &[State<F>; B],
        span: Number<F>,
        sizes: &mut [Number<F>; B],
        memory: &mut Self::Memory<B>,
    ) {
        if M::ERROR.is_empty() {
            return;
        }
        let number = Number::<F>::from_f64;
        let mut at = crate::memory::zeroed::<Step<F, B>>();
        at.time.fill(number(F::FROM));
        batch_slice_mut(&mut memory.state).copy_from_slice(crate::tensor::batch_slice(y));
        memory.slope(field, simd, &at, 0.0, Some(0));
        let sign = if span < Number::<F>::ZERO { number(-1.0) } else { Number::<F>::ONE };
        for (b, y) in y.iter().enumerate() {
            let [state, slope] = [y, &memory.stages.as_ref()[0][b]].map(|x| norm::<F>(y, y, numbers::<F>(x)));
            let small = state < number(1e-5) || slope < number(1e-5);
            let size = if small { number(1e-6) } else { number(0.01) * state / slope };
            at.size[b] = sign * size.min(span.abs());
        }
        at.widen();
        sum::<F, S, B>(simd, &[1.0], memory.stages.as_ref(), &mut memory.state);
        step_from::<F, S, B>(simd, y, &at, &mut memory.state);
        memory.slope(field, simd, &at, 1.0, None);
        add_scaled::<F, S, B>(simd, &mut memory.last, &memory.stages.as_ref()[0], -1.0);
        for (b, y) in y.iter().enumerate() {
            let first = at.size[b].abs();
            let slope = norm::<F>(y, y, numbers::<F>(&memory.stages.as_ref()[0][b]));
            let curve = norm::<F>(y, y, numbers::<F>(&memory.last[b])) / first;
            let most = slope.max(curve);
            let size = if most <= number(1e-15) {
                number(1e-6).max(first * number(1e-3))
            } else {
                (number(0.01) / most).powf(number(1.0 / f64::from(M::ERROR_ORDER + 1)))
            };
            sizes[b] = sign * (number(100.0) * first).min(size).min(span.abs());
        }
    }

    #[inline(always)]
    fn errors<S: Simd, const B: usize>(
        field: &F,
        simd: S,
        at: &Step<F, B>,
        y: &[State<F>; B],
        next: &[State<F>; B],
        errors: &mut [Number<F>; B],
        memory: &mut Self::Memory<B>,
    ) {
        let Some((last, factors)) = M::ERROR.split_last() else { return };
        batch_slice_mut(&mut memory.state).copy_from_slice(crate::tensor::batch_slice(next));
        memory.slope(field, simd, at, 1.0, None);
        sum::<F, S, B>(simd, factors, memory.stages.as_ref(), &mut memory.state);
        add_scaled::<F, S, B>(simd, &mut memory.state, &memory.last, *last);
        times_step::<F, S, B>(simd, &mut memory.state, at);
        for (b, error) in errors.iter_mut().enumerate() {
            *error = norm::<F>(&y[b], &next[b], numbers::<F>(&memory.state[b]));
        }
    }

    #[inline(always)]
    fn accept<const B: usize>(sample: usize, memory: &mut Self::Memory<B>) {
        if let (false, Some(first)) = (M::ERROR.is_empty(), memory.stages.as_mut().first_mut()) {
            super::numbers_mut::<F>(&mut first[sample]).copy_from_slice(numbers::<F>(&memory.last[sample]));
        }
    }
}

/// The root mean square of `x`, relative to what the tolerances allow at these states.
fn norm<F: Problem>(y: &State<F>, next: &State<F>, x: &[Number<F>]) -> Number<F> {
    let [atol, rtol] = [F::ATOL, F::RTOL].map(Number::<F>::from_f64);
    let states = numbers::<F>(y).iter().zip(numbers::<F>(next));
    let mut sum = Number::<F>::ZERO;
    for (x, (y, next)) in x.iter().zip(states) {
        let relative = *x / (atol + rtol * y.abs().max(next.abs()));
        sum += relative * relative;
    }
    (sum / Number::<F>::from_f64(State::<F>::LEN as f64)).sqrt()
}

/// `y ← y + factor · x`.
#[inline(always)]
pub(super) fn add_scaled<F: Problem, S: Simd, const B: usize>(
    simd: S,
    y: &mut [State<F>; B],
    x: &[State<F>; B],
    factor: f64,
) {
    if factor != 0.0 {
        let factor = Number::<F>::from_f64(factor);
        crate::kernels::elementwise::add_scaled(simd, batch_slice_mut(y), crate::tensor::batch_slice(x), factor);
    }
}
