//! Events: when the solution crosses a surface, and the gradient of that.

use core::fmt;

use super::{Number, Problem, Solver, State, Trace, numbers, numbers_mut, place, pull};
use crate::memory;
use crate::plain::Plain;
use crate::scalar::{Real, Scalar};
use crate::simd::{Simd, Task, dispatch, level};

/// The function `g(t, y)` whose zero is the event, and its derivatives.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Crossing<T, Y> {
    /// `g`.
    pub value: T,
    /// `∂g/∂t`.
    pub by_time: T,
    /// `∂g/∂y`.
    pub by_state: Y,
}

/// Where the solution first crosses `g(t, y) = 0`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Event<T, Y> {
    /// When.
    pub time: T,
    /// The state there.
    pub state: Y,
}

/// Why there is no event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum EventError {
    /// The solution crosses nothing until the last of the problem's times.
    None,
    /// There is no solution within the steps that it may take.
    Unsolved,
}

impl fmt::Display for EventError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "there is no event until the last of the times",
            Self::Unsolved => {
                "the equation is not solved within the steps that it may take, and there was no event before"
            }
        })
    }
}

impl core::error::Error for EventError {}

/// Finds the first event of a solution, and gives its gradient.
///
/// Where the sign of `g` differs between two steps, the zero is found by false position (the Illinois rule) over the size
/// of the solver's own step, to the precision of the number type. Two crossings within one step are not seen.
///
/// The gradient follows from the implicit function theorem, `dt* = −(∂g/∂y · dy) / (∂g/∂t + ∂g/∂y · f)`, with `dy` the
/// derivative of the discrete solution. It goes back through at most `STEPS` steps with `STATES` stored states, see the
/// [module](super).
///
/// ```
/// use monomorph::ode::{Crossing, Dopri5, Events, Problem};
/// use monomorph::prelude::*;
///
/// // A ball: height and speed. The weights are those of h′ = v, v′ = −9.81.
/// network! { Fall<f64>: [2] -> [2] { Dense(2) } }
/// impl Problem for Fall {
///     type Point = [f64; 2];
///     type Solver = Dopri5;
///     const TIMES: &'static [f64] = &[10.0];
/// }
/// let mut fall = Fall::zeroed();
/// fall.dense1.weight = [[0.0, 0.0], [1.0, 0.0]];
/// fall.dense1.bias = [0.0, -9.81];
///
/// let mut events = monomorph::memory::boxed::<Events<Fall, 100, 100>>();
/// let ground = |_: f64, y: &[f64; 2]| Crossing { value: y[0], by_time: 0.0, by_state: [1.0, 0.0] };
/// let landing = events.find(&fall, &[10.0, 0.0], ground)?;
/// assert!((landing.time - 1.4278431229270645).abs() < 1e-12);
///
/// // The later, the higher it began: dt/dh = 1 / (9.81 t).
/// let (mut by_start, mut by_parameters) = ([0.0; 2], Fall::zeroed());
/// events.backward(&fall, 1.0, &[0.0; 2], &mut by_start, &mut by_parameters);
/// assert!((by_start[0] - 1.0 / (9.81 * landing.time)).abs() < 1e-12);
/// # Ok::<(), monomorph::ode::EventError>(())
/// ```
#[derive(Plain)]
pub struct Events<F: Problem, const STEPS: usize, const STATES: usize> {
    trace: Trace<F, 1, STEPS, STATES>,
    start: [State<F>; 1],
    point: [F::Point; 1],
    /// The right side at the event.
    slope: [State<F>; 1],
    workspace: F::Workspace<1>,
    by_time: Number<F>,
    by_state: [State<F>; 1],
}

impl<F: Problem, const STEPS: usize, const STATES: usize> Events<F, STEPS, STATES> {
    /// The first event of the solution from `start` on, with `g` and its derivatives.
    ///
    /// # Errors
    /// [`EventError`] if there is none.
    pub fn find(
        &mut self,
        field: &F,
        start: &State<F>,
        g: impl Fn(Number<F>, &State<F>) -> Crossing<Number<F>, State<F>>,
    ) -> Result<Event<Number<F>, State<F>>, EventError> {
        numbers_mut::<F>(&mut self.start[0]).copy_from_slice(numbers::<F>(start));
        dispatch(level(), Find { events: self, field, g })
    }

    /// From `∂L/∂t*` and `∂L/∂y*` of the event that was found last computes ∂L/∂start, and adds ∂L/∂parameters to
    /// `gradient`. Before an event was found, they are those of nothing.
    pub fn backward(
        &mut self,
        field: &F,
        grad_time: Number<F>,
        grad_state: &State<F>,
        grad_start: &mut State<F>,
        gradient: &mut F,
    ) {
        let (slope, by_state) = (numbers::<F>(&self.slope[0]), numbers::<F>(&self.by_state[0]));
        let (mut along, mut rate) = (grad_time, self.by_time);
        for ((given, slope), by_state) in numbers::<F>(grad_state).iter().zip(slope).zip(by_state) {
            along += *given * *slope;
            rate += *by_state * *slope;
        }
        let cotangent = numbers_mut::<F>(&mut self.trace.cotangent[0]);
        for ((to, given), by_state) in cotangent.iter_mut().zip(numbers::<F>(grad_state)).zip(by_state) {
            *to = *given - along * *by_state / rate;
        }
        dispatch(level(), Back { events: self, field, gradient });
        numbers_mut::<F>(grad_start).copy_from_slice(numbers::<F>(&self.trace.cotangent[0]));
    }
}

struct Find<'a, F: Problem, G, const STEPS: usize, const STATES: usize> {
    events: &'a mut Events<F, STEPS, STATES>,
    field: &'a F,
    g: G,
}

impl<F, G, const STEPS: usize, const STATES: usize> Task for Find<'_, F, G, STEPS, STATES>
where
    F: Problem,
    G: Fn(Number<F>, &State<F>) -> Crossing<Number<F>, State<F>>,
{
    type Output = Result<Event<Number<F>, State<F>>, EventError>;

    #[inline(always)]
    fn run<S: Simd>(&mut self, simd: S) -> Self::Output {
        let Self { events, field, g } = self;
        let zero = Number::<F>::ZERO;
        let crosses = |a: Number<F>, b: Number<F>| (a < zero && b >= zero) || (a > zero && b <= zero);
        // The step within which the sign changes: its number, its beginning, the state and g there.
        let mut found = None;
        let (mut end, mut last) = (Number::<F>::from_f64(F::FROM), None);
        let mut output = [memory::zeroed::<State<F>>()];
        let Events { trace, start, point, slope, workspace, by_time, by_state } = &mut **events;
        let _ = trace.solve(
            field,
            simd,
            start,
            &mut output,
            #[inline(always)]
            |index, next_end, y: &State<F>| {
                let value = g(end, y).value;
                if let Some((index, time, state, before)) = last.take()
                    && crosses(before, value)
                {
                    found = Some((index, time, state, before, end - time));
                    return false;
                }
                last = Some((index, end, y.clone(), value));
                end = next_end;
                true
            },
        );
        if let (None, Some((index, time, state, before))) = (&found, last)
            && crosses(before, g(end, &trace.run.y[0]).value)
        {
            found = Some((index, time, state, before, end - time));
        }
        trace.taken = [0];
        let Some((index, time, state, before, size)) = found else {
            return Err(if trace.run.reached[0] < F::TIMES.len() { EventError::Unsolved } else { EventError::None });
        };

        // False position over the size of the step.
        let run = &mut trace.run;
        let (y, mut low, mut high) = ([state], (zero, before), None);
        let mut tried = size;
        run.at.time = [time];
        for _ in 0..200 {
            run.at.size = [tried];
            run.at.widen();
            F::Solver::step(field, simd, &run.at, &y, &mut run.next, &mut run.memory, false);
            let value = g(time + tried, &run.next[0]).value;
            if value == zero {
                break;
            }
            if crosses(before, value) {
                high = Some((tried, value));
            } else {
                low = (tried, value);
                // The end that stays counts half.
                high = high.map(|(at, value)| (at, value * Number::<F>::from_f64(0.5)));
            }
            let Some((far, value)) = high else { break };
            if (far - low.0).abs() <= Number::<F>::EPSILON * (time.abs() + size.abs()) {
                break;
            }
            let guess = low.0 + (far - low.0) * (low.1 / (low.1 - value));
            // Rounding may put it at an end; then the middle is nearer.
            tried = if guess == low.0 || guess == far { (low.0 + far) * Number::<F>::from_f64(0.5) } else { guess };
            if tried == low.0 || tried == far {
                break;
            }
        }
        let (time, state) = (time + tried, run.next[0].clone());
        run.y = [state.clone()];
        run.reached = [0];
        trace.ends[index] = [time];
        trace.taken = [index + 1];
        trace.run.at.time = [time];
        trace.run.at.size = [zero];
        place(&trace.run.at, 0.0, &trace.run.y, point);
        field.evaluate(simd, point, slope, workspace);
        let crossing = g(time, &state);
        (*by_time, *by_state) = (crossing.by_time, [crossing.by_state]);
        Ok(Event { time, state })
    }
}

struct Back<'a, F: Problem, const STEPS: usize, const STATES: usize> {
    events: &'a mut Events<F, STEPS, STATES>,
    field: &'a F,
    gradient: &'a mut F,
}

impl<F: Problem, const STEPS: usize, const STATES: usize> Task for Back<'_, F, STEPS, STATES> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(&mut self, simd: S) {
        let Events { trace, start, by_state, .. } = &mut *self.events;
        // All of the gradient is in the cotangent: no time of the problem was reached.
        pull(self.field, simd, start, by_state, trace, self.gradient);
    }
}
