//! Steps through the time of every sample, and back.

use super::{Number, Problem, Solver, State, Step, numbers, numbers_mut};
use crate::plain::Plain;
use crate::scalar::{Real, Scalar};
use crate::simd::Simd;
use crate::tensor::{Tensor, batch_slice, batch_slice_mut};

/// The memory in which a batch is solved.
#[derive(Plain)]
pub struct Run<F: Problem, const B: usize> {
    pub(super) y: [State<F>; B],
    pub(super) next: [State<F>; B],
    pub(super) at: Step<F, B>,
    /// When the step ends.
    end: [Number<F>; B],
    /// The size that the next step should have.
    size: [Number<F>; B],
    errors: [Number<F>; B],
    /// The last step was rejected.
    rejected: [bool; B],
    /// There is no solution from here.
    lost: [bool; B],
    /// How many steps were accepted, and how many of the times they have reached.
    taken: [usize; B],
    pub(super) reached: [usize; B],
    pub(super) memory: <F::Solver as Solver<F>>::Memory<B>,
}

/// What a batch's solution leaves behind for its gradient: when each step ended, and some of the states before them.
#[derive(Plain)]
pub struct Trace<F: Problem, const B: usize, const STEPS: usize, const STATES: usize> {
    pub(super) ends: [[Number<F>; B]; STEPS],
    pub(super) taken: [usize; B],
    states: [[State<F>; B]; STATES],
    /// The step before which each state on the stack of the backward pass is.
    before: [usize; STATES],
    pub(super) run: Run<F, B>,
    tape: <F::Solver as Solver<F>>::Tape<B>,
    /// ∂L/∂y on the way back; at its end that of the initial state.
    pub(crate) cotangent: [State<F>; B],
}

/// Every how many steps a state is stored: a power of two, so that there is memory for these states and those that
/// halve the steps between.
const fn stride(steps: usize, states: usize) -> usize {
    let (mut stride, mut halves) = (1, 0);
    while steps.div_ceil(stride) + halves > states {
        assert!(
            stride < steps,
            "too few checkpoints: one is needed, and one for each time that the steps can be halved"
        );
        stride *= 2;
        halves += 1;
    }
    stride
}

impl<F: Problem, const B: usize> Run<F, B> {
    /// The time that a sample is to reach next.
    #[inline(always)]
    fn target(&self, sample: usize) -> Option<f64> {
        if self.lost[sample] { None } else { F::TIMES.get(self.reached[sample]).copied() }
    }

    /// Decides how far the next step of a sample goes.
    #[inline(always)]
    fn aim(&mut self, sample: usize, target: f64, steps: usize) {
        let time = self.at.time[sample];
        let exact = Number::<F>::from_f64(target);
        let end = if F::Solver::ADAPTIVE {
            let end = time + self.size[sample];
            // The times are exact, so that a step ends there, not just before.
            let past = if self.size[sample] < Number::<F>::ZERO { end <= exact } else { end >= exact };
            if past { exact } else { end }
        } else {
            let (each, reached) = (steps / F::TIMES.len(), self.reached[sample]);
            let from = reached.checked_sub(1).and_then(|last| F::TIMES.get(last)).copied().unwrap_or(F::FROM);
            let index = (self.taken[sample] + 1).saturating_sub(reached * each);
            let part = index as f64 / each as f64;
            if index == each { exact } else { Number::<F>::from_f64(from + (target - from) * part) }
        };
        self.end[sample] = end;
        self.at.size[sample] = end - time;
    }

    /// Whether the step is small enough; sets the size of the next.
    fn judge(&mut self, sample: usize, finite: bool) -> bool {
        if !F::Solver::ADAPTIVE {
            return true;
        }
        let number = Number::<F>::from_f64;
        let (error, size) = (self.errors[sample], self.at.size[sample]);
        if !(finite && error <= Number::<F>::ONE) {
            // No number is smaller than NaN: such a step is tried again as a smaller one, too.
            let factor = if finite && error.is_finite() { number(0.9) * error.powf(number(-0.2)) } else { number(0.2) };
            self.size[sample] = size * factor.max(number(0.2));
            self.rejected[sample] = true;
            return false;
        }
        let most = if self.rejected[sample] { Number::<F>::ONE } else { number(10.0) };
        let factor = if error <= Number::<F>::ZERO { most } else { (number(0.9) * error.powf(number(-0.2))).min(most) };
        let wanted = size * factor.max(number(0.2));
        // A step that was cut short to end at one of the times says little of how large the next one can be.
        if wanted.abs() > self.size[sample].abs() || self.rejected[sample] || size.abs() >= self.size[sample].abs() {
            self.size[sample] = wanted;
        }
        self.rejected[sample] = false;
        true
    }
}

/// Solves a batch from the states `input` on. Calls `keep` with every accepted step: the sample, its number, its end, and
/// the state before it; what it returns says whether to go on. Returns the first sample that has not arrived; what is
/// missing of it is NaN. An output that has room for fewer times than there are gets the first of them.
#[inline(always)]
pub(crate) fn solve<F: Problem, O: Tensor<Element = Number<F>>, S: Simd, const B: usize>(
    field: &F,
    simd: S,
    input: &[State<F>; B],
    output: &mut [O; B],
    run: &mut Run<F, B>,
    steps: usize,
    mut keep: impl FnMut(usize, usize, Number<F>, &State<F>) -> bool,
) -> Option<usize> {
    const { assert_times(F::FROM, F::TIMES) };
    batch_slice_mut(&mut run.y).copy_from_slice(batch_slice(input));
    let zero = Number::<F>::ZERO;
    run.at.time.fill(Number::<F>::from_f64(F::FROM));
    (run.taken, run.reached, run.rejected, run.lost) = ([0; B], [0; B], [false; B], [false; B]);
    if F::Solver::ADAPTIVE {
        let span = Number::<F>::from_f64(F::TIMES.last().map_or(0.0, |last| last - F::FROM));
        F::Solver::begin(field, simd, &run.y, span, &mut run.size, &mut run.memory);
    }
    for _ in 0..steps {
        let mut under_way = false;
        for sample in 0..B {
            run.at.size[sample] = zero;
            if let Some(target) = run.target(sample) {
                run.aim(sample, target, steps);
                under_way = true;
            }
        }
        if !under_way {
            break;
        }
        run.at.widen();
        F::Solver::step(field, simd, &run.at, &run.y, &mut run.next, &mut run.memory, F::Solver::ADAPTIVE);
        F::Solver::errors(field, simd, &run.at, &run.y, &run.next, &mut run.errors, &mut run.memory);
        for sample in 0..B {
            let Some(target) = run.target(sample) else { continue };
            let finite = numbers::<F>(&run.next[sample]).iter().all(|x| x.is_finite());
            if !run.judge(sample, finite) {
                continue;
            }
            if !finite || !keep(sample, run.taken[sample], run.end[sample], &run.y[sample]) {
                run.lost[sample] = true;
                continue;
            }
            numbers_mut::<F>(&mut run.y[sample]).copy_from_slice(numbers::<F>(&run.next[sample]));
            F::Solver::accept(sample, &mut run.memory);
            run.at.time[sample] = run.end[sample];
            run.taken[sample] += 1;
            if run.end[sample] == Number::<F>::from_f64(target) {
                let from = run.reached[sample] * State::<F>::LEN;
                if let Some(to) = output[sample].numbers_mut().get_mut(from..from + State::<F>::LEN) {
                    to.copy_from_slice(numbers::<F>(&run.y[sample]));
                }
                run.reached[sample] += 1;
            }
        }
    }
    let mut first = None;
    for sample in 0..B {
        if run.reached[sample] < F::TIMES.len() {
            if let Some(missing) = output[sample].numbers_mut().get_mut(run.reached[sample] * State::<F>::LEN..) {
                missing.fill(Number::<F>::from_f64(f64::NAN));
            }
            first = first.or(Some(sample));
        }
    }
    first
}

/// Fails to compile for times that do not follow one another.
const fn assert_times(from: f64, times: &[f64]) {
    assert!(!times.is_empty(), "an equation is solved for at least one time");
    let forward = times[0] > from;
    let (mut index, mut before) = (0, from);
    while index < times.len() {
        let later = if forward { times[index] > before } else { times[index] < before };
        assert!(later, "the times of an equation follow one another, from its beginning on");
        before = times[index];
        index += 1;
    }
}

impl<F: Problem, const B: usize, const STEPS: usize, const STATES: usize> Trace<F, B, STEPS, STATES> {
    const STRIDE: usize = if F::Solver::ADJOINT { STEPS } else { stride(STEPS, STATES) };

    /// Solves a batch, as [`solve`], and remembers how. Calls `watch` with every accepted step, which says whether to go on.
    #[inline(always)]
    pub(crate) fn solve<O: Tensor<Element = Number<F>>, S: Simd>(
        &mut self,
        field: &F,
        simd: S,
        input: &[State<F>; B],
        output: &mut [O; B],
        mut watch: impl FnMut(usize, Number<F>, &State<F>) -> bool,
    ) -> Option<usize> {
        const { assert_steps::<F>(STEPS) };
        let (ends, states) = (&mut self.ends, &mut self.states);
        let unsolved = solve(
            field,
            simd,
            input,
            output,
            &mut self.run,
            STEPS,
            #[inline(always)]
            |sample, index, end, y| {
                ends[index][sample] = end;
                if !F::Solver::ADJOINT && index % Self::STRIDE == 0 {
                    numbers_mut::<F>(&mut states[index / Self::STRIDE][sample]).copy_from_slice(numbers::<F>(y));
                }
                watch(index, end, y)
            },
        );
        self.taken = self.run.taken;
        unsolved
    }

    /// Sets the step of every sample to that of this index; those that have fewer wait.
    #[inline(always)]
    fn aim(&mut self, index: usize) {
        let Self { run, ends, taken, .. } = self;
        for sample in 0..B {
            let time = match index {
                0 => Number::<F>::from_f64(F::FROM),
                _ => ends[index - 1][sample],
            };
            let waits = index >= taken[sample];
            run.at.time[sample] = if waits { Number::<F>::from_f64(F::FROM) } else { time };
            run.at.size[sample] = if waits { Number::<F>::ZERO } else { ends[index][sample] - time };
        }
        run.at.widen();
    }
}

/// Fails to compile for a number of steps that the times do not share.
pub(crate) const fn assert_steps<F: Problem>(steps: usize) {
    let whole = <F::Solver as Solver<F>>::ADAPTIVE || steps.is_multiple_of(F::TIMES.len());
    assert!(
        whole && steps > 0,
        "the times of an equation share its steps equally: their number divides that of the steps"
    );
}

/// The gradient of a solution: adds ∂L/∂parameters to `gradient`. The trace's cotangent, which is ∂L/∂y of the last state
/// beside what `grad_output` says, becomes that of the initial state.
#[inline(always)]
pub(crate) fn pull<F, O, S, const B: usize, const STEPS: usize, const STATES: usize>(
    field: &F,
    simd: S,
    input: &[State<F>; B],
    grad_output: &[O; B],
    trace: &mut Trace<F, B, STEPS, STATES>,
    gradient: &mut F,
) where
    F: Problem,
    O: Tensor<Element = Number<F>>,
    S: Simd,
{
    let mut reached = trace.run.reached;
    let mut index = trace.taken.iter().copied().max().unwrap_or(0);
    if F::Solver::ADJOINT {
        while index > 0 {
            index -= 1;
            trace.back(field, simd, index, grad_output, &mut reached, gradient);
        }
        return;
    }
    let stride = Trace::<F, B, STEPS, STATES>::STRIDE;
    while index > 0 {
        // The states behind this one are done with, so the stack of halves lies there.
        let bottom = (index - 1) / stride;
        let (base, mut top) = (bottom * stride, bottom);
        for sample in 0..B {
            let state = &mut trace.states[bottom][sample];
            if base >= trace.taken[sample] {
                numbers_mut::<F>(state).copy_from_slice(numbers::<F>(&input[sample]));
            }
        }
        trace.before[bottom] = base;
        while index > base {
            let mut here = trace.before[top];
            let Trace { run, states, .. } = &mut *trace;
            batch_slice_mut(&mut run.y).copy_from_slice(batch_slice(&states[top]));
            while here + 1 < index {
                let middle = here + (index - here) / 2;
                while here < middle {
                    trace.aim(here);
                    let Run { y, next, at, memory, .. } = &mut trace.run;
                    F::Solver::step(field, simd, at, y, next, memory, false);
                    batch_slice_mut(y).copy_from_slice(batch_slice(next));
                    here += 1;
                }
                if top + 1 < STATES {
                    top += 1;
                    batch_slice_mut(&mut trace.states[top]).copy_from_slice(batch_slice(&trace.run.y));
                    trace.before[top] = here;
                }
            }
            index -= 1;
            trace.back(field, simd, index, grad_output, &mut reached, gradient);
            while top > bottom && trace.before[top] >= index {
                top -= 1;
            }
        }
    }
}

impl<F: Problem, const B: usize, const STEPS: usize, const STATES: usize> Trace<F, B, STEPS, STATES> {
    /// One step back from the end of the step of this index; `run.y` is the state that the solver's `pull` takes.
    #[inline(always)]
    fn back<O: Tensor<Element = Number<F>>, S: Simd>(
        &mut self,
        field: &F,
        simd: S,
        index: usize,
        grad_output: &[O; B],
        reached: &mut [usize; B],
        gradient: &mut F,
    ) {
        for sample in 0..B {
            let Some(last) = reached[sample].checked_sub(1) else { continue };
            if index < self.taken[sample] && self.ends[index][sample] == Number::<F>::from_f64(F::TIMES[last]) {
                let given = &grad_output[sample].numbers()[last * State::<F>::LEN..][..State::<F>::LEN];
                for (sum, given) in numbers_mut::<F>(&mut self.cotangent[sample]).iter_mut().zip(given) {
                    *sum += *given;
                }
                reached[sample] = last;
            }
        }
        self.aim(index);
        let Self { run: Run { y, at, .. }, cotangent, tape, .. } = self;
        F::Solver::pull(field, simd, at, y, cotangent, tape, gradient);
    }
}
