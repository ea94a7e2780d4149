//! Differential equations `y′ = f(t, y)` whose right side is a network: solvers, their gradients, and events.
//!
//! In a network an equation is a layer, `ode(to = 1.0, solver = Rk4, steps = 10) { Dense(32), Tanh, Dense(2) }`; what is in
//! braces is `f`. The layer is [`layers::Ode`](crate::layers::Ode), and this module is how it computes.
//!
//! | solver | order | for |
//! | --- | --- | --- |
//! | [`Euler`] | 1 | comparison; the cheapest step |
//! | [`Midpoint`] | 2 | cheap steps |
//! | [`Rk4`] | 4 | fixed steps |
//! | [`Dopri5`] | 5, error of order 4 | steps of the size that tolerances ask for |
//! | [`Trapezoid`] | 2, A-stable | stiff equations; solves an equation in every step |
//! | [`Rosenbrock`] | 2, L-stable | stiff equations; two linear systems a step |
//!
//! # Samples
//! Every sample of a batch has its own time and its own steps, so that its solution does not depend on the others; the
//! network computes all of them at once. A sample that has arrived waits with a step of 0.
//!
//! # Gradients
//! They are those of the discrete solution: what `backward` gives is the derivative of the very numbers that `forward`
//! gave, with step sizes as constants. For that it computes steps again from stored states. If there is memory for
//! fewer states than steps, every `2ⁿ`th state is stored and the spans between are halved again and again (recursive
//! checkpoints): a span of `2ⁿ` steps takes `n` further states and at most `n / 2 + 1` times the work.
//! [`Adjoint`] needs no states, and its gradient is that of the continuous solution, with errors of its own.
//!
//! # Bounds
//! The number of steps is bounded by a constant, those that the error estimate rejects included, and so are memory and
//! time. A sample that has not arrived within them is NaN in evaluation, and the error of a training step.

mod adjoint;
mod drive;
mod event;
mod explicit;
mod implicit;

pub use adjoint::Adjoint;
pub use drive::{Run, Trace};
pub(crate) use drive::{assert_steps, pull, solve};
pub use event::{Crossing, Event, EventError, Events};
pub use explicit::{Dopri5, Euler, Midpoint, Rk4, Tableau};
pub use implicit::{Rosenbrock, Trapezoid};

use crate::kernels::elementwise;
use crate::layer::Layer;
use crate::parameters::Parameters;
use crate::plain::Plain;
use crate::scalar::{Real, Scalar, Vector};
use crate::simd::Simd;
use crate::tensor::{Tensor, batch_slice, batch_slice_mut};

/// A layer that is the right side of an equation, and how that is solved: from a state `y` and, if it takes one number
/// more than it gives, the time behind it, to `y′`. `ode(..) { .. }` in a network implements it.
///
/// ```
/// use monomorph::layers::Ode;
/// use monomorph::ode::{Problem, Rk4};
/// use monomorph::prelude::*;
///
/// network! { Field<f64>: [1] -> [1] { Dense(1) } }
///
/// impl Problem for Field {
///     type Point = [f64; 1];
///     type Solver = Rk4;
///     const TIMES: &'static [f64] = &[0.5, 1.0];
/// }
///
/// // y′ = −y from 1: twenty steps, two times.
/// let mut ode: Ode<Field, [[f64; 1]; 2], 20, 20> = monomorph::memory::zeroed();
/// ode.field.dense1.weight = [[-1.0]];
/// let [[[half], [one]]] = monomorph::layer::evaluate(&ode, &[[1.0]]);
/// assert!((half - (-0.5_f64).exp()).abs() < 1e-7 && (one - (-1.0_f64).exp()).abs() < 1e-7);
/// ```
pub trait Problem: Layer<Input = Self::Point> + Parameters<Scalar: Real> + Send + Sync {
    /// What the right side takes: the state, or an array of the state's numbers and the time.
    type Point: Tensor<Element = Self::Scalar>;
    /// How the equation is solved.
    type Solver: Solver<Self>;
    /// The time of the initial state.
    const FROM: f64 = 0.0;
    /// The times at which the solution is wanted, one after another from [`FROM`](Self::FROM) on, forward or back.
    const TIMES: &'static [f64];
    /// The error that a step of an adaptive solver may have, relative to the state.
    const RTOL: f64 = 1e-6;
    /// The error that such a step may have beside that.
    const ATOL: f64 = 1e-6;
}

/// The numbers of a problem.
pub type Number<F> = <F as Parameters>::Scalar;
/// The state of a problem.
pub type State<F> = <F as Layer>::Output;

/// A way to take a step, and its derivative.
pub trait Solver<F: Problem>: 'static {
    /// What a step takes.
    type Memory<const B: usize>: Plain + Send;
    /// What the derivative of a step takes.
    type Tape<const B: usize>: Plain + Send;
    /// How often a step computes the right side.
    const EVALUATIONS: usize;
    /// Whether it estimates its error.
    const ADAPTIVE: bool = false;
    /// Whether its gradient is that of the continuous solution, which is solved backward beside it.
    const ADJOINT: bool = false;

    /// From `y` computes the state after a step. Of a solver that estimates its error, `begun` says that the right side at
    /// `y` is known. A state that it cannot find is NaN.
    fn step<S: Simd, const B: usize>(
        field: &F,
        simd: S,
        at: &Step<F, B>,
        y: &[State<F>; B],
        next: &mut [State<F>; B],
        memory: &mut Self::Memory<B>,
        begun: bool,
    );

    /// From ∂L/∂next computes ∂L/∂y in place, and adds ∂L/∂parameters to `gradient`. `y` is the state before the step; of
    /// an adjoint that behind it, which it replaces by that before.
    fn pull<S: Simd, const B: usize>(
        field: &F,
        simd: S,
        at: &Step<F, B>,
        y: &mut [State<F>; B],
        cotangent: &mut [State<F>; B],
        tape: &mut Self::Tape<B>,
        gradient: &mut F,
    );

    /// Computes the right side at the initial state and from it the size of the first step, within `span`.
    fn begin<S: Simd, const B: usize>(
        field: &F,
        simd: S,
        y: &[State<F>; B],
        span: Number<F>,
        sizes: &mut [Number<F>; B],
        memory: &mut Self::Memory<B>,
    ) {
        let _ = (field, simd, y, memory);
        sizes.fill(span);
    }

    /// The errors of the step that was just taken, relative to what tolerances allow.
    fn errors<S: Simd, const B: usize>(
        field: &F,
        simd: S,
        at: &Step<F, B>,
        y: &[State<F>; B],
        next: &[State<F>; B],
        errors: &mut [Number<F>; B],
        memory: &mut Self::Memory<B>,
    ) {
        let _ = (field, simd, at, y, next, memory);
        errors.fill(Number::<F>::ZERO);
    }

    /// Goes on from the step of one sample that was just taken.
    fn accept<const B: usize>(sample: usize, memory: &mut Self::Memory<B>) {
        let _ = (sample, memory);
    }
}

/// A step: from when, and how long, for each sample.
#[derive(Plain)]
pub struct Step<F: Problem, const B: usize> {
    /// When it begins.
    pub time: [Number<F>; B],
    /// How long it is: negative backward in time, 0 for a sample that waits.
    pub size: [Number<F>; B],
    /// The same for every number of the state.
    wide: [State<F>; B],
}

impl<F: Problem, const B: usize> Step<F, B> {
    /// To be called when `size` has changed.
    #[inline(always)]
    fn widen(&mut self) {
        for (wide, size) in self.wide.iter_mut().zip(&self.size) {
            numbers_mut::<F>(wide).fill(*size);
        }
    }
}

/// The numbers of a state.
#[inline(always)]
pub(crate) fn numbers<F: Problem>(state: &State<F>) -> &[Number<F>] {
    state.numbers()
}

/// The numbers of a state, mutably.
#[inline(always)]
pub(crate) fn numbers_mut<F: Problem>(state: &mut State<F>) -> &mut [Number<F>] {
    state.numbers_mut()
}

/// `out ← Σ cᵢ xᵢ`.
#[inline(always)]
fn sum<F: Problem, S: Simd, const B: usize>(simd: S, factors: &[f64], of: &[[State<F>; B]], out: &mut [State<F>; B]) {
    let out = batch_slice_mut(out);
    out.fill(Number::<F>::ZERO);
    for (factor, x) in factors.iter().zip(of) {
        if *factor != 0.0 {
            elementwise::add_scaled(simd, out, batch_slice(x), Number::<F>::from_f64(*factor));
        }
    }
}

/// `out ← y + h · out`.
#[inline(always)]
fn step_from<F: Problem, S: Simd, const B: usize>(
    simd: S,
    y: &[State<F>; B],
    at: &Step<F, B>,
    out: &mut [State<F>; B],
) {
    elementwise::zip3(
        simd,
        batch_slice_mut(out),
        batch_slice(&at.wide),
        batch_slice(y),
        #[inline(always)]
        |slope, size, y| size.mul_add(slope, y),
    );
}

/// `x ← h · x`.
#[inline(always)]
fn times_step<F: Problem, S: Simd, const B: usize>(simd: S, x: &mut [State<F>; B], at: &Step<F, B>) {
    elementwise::zip(
        simd,
        batch_slice_mut(x),
        batch_slice(&at.wide),
        #[inline(always)]
        |x, size| x * size,
    );
}

/// What the right side takes at this state, a part of the step after its beginning.
#[inline(always)]
fn place<F: Problem, const B: usize>(at: &Step<F, B>, part: f64, state: &[State<F>; B], point: &mut [F::Point; B]) {
    const {
        assert!(
            F::Point::LEN == State::<F>::LEN || F::Point::LEN == State::<F>::LEN + 1,
            "the right side of an equation gives as many numbers as its state has, and takes them, or them and the time"
        );
    }
    let part = Number::<F>::from_f64(part);
    for (sample, (state, point)) in state.iter().zip(point).enumerate() {
        let (to, time) = point.numbers_mut().split_at_mut(State::<F>::LEN);
        to.copy_from_slice(numbers::<F>(state));
        if let Some(time) = time.first_mut() {
            *time = at.time[sample] + part * at.size[sample];
        }
    }
}

/// The part of a gradient that belongs to the state.
#[inline(always)]
fn of_state<F: Problem, const B: usize>(point: &[F::Point; B], state: &mut [State<F>; B]) {
    for (point, state) in point.iter().zip(state) {
        numbers_mut::<F>(state).copy_from_slice(&point.numbers()[..State::<F>::LEN]);
    }
}

#[cfg(all(test, feature = "safetensors", feature = "std"))]
mod tests;
