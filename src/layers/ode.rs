//! A differential equation as a layer: `y(t)` of `y′ = f(t, y)`, `y(t₀) = x`, with a network `f`.
//!
//! | | shape |
//! | --- | --- |
//! | input `x` | that of the network's output, any rank |
//! | output `y` | the same for one time, `[times, ..]` for several |
//!
//! Chen, Rubanova, Bettencourt and Duvenaud, *Neural ordinary differential equations* (2018). How it is solved and what
//! its gradient is: [`ode`](crate::ode).
//!
//! Layers in `f` see every point of the solution, so they have no randomness and no running statistics, and terms that
//! they would add to the loss do not count.

use core::marker::PhantomData;

use crate::layer::{InputError, Layer, Pass, Reads, outline_layer};
use crate::ode::{Number, Problem, Run, Solver, State, Trace, assert_steps, pull, solve};
use crate::parameters::{Parameters, has_state};
use crate::scalar::Scalar;
use crate::simd::Simd;
use crate::tensor::{Tensor, batch_slice, batch_slice_mut};

/// A differential equation; see the module's formula. `F` is its right side, `Y` what it gives, `STEPS` how many steps it
/// may take, and `STATES` how many states are stored for the gradient.
///
/// In a network what is in braces is the right side, a network of its own, here `FlowOde1`:
///
/// ```
/// use monomorph::prelude::*;
///
/// network! {
///     pub Flow: [2] -> [2] { ode(to = 1.0, solver = Rk4, steps = 10) { Dense(32), Tanh, Dense(2) } }
/// }
/// let mut net = Flow::zeroed();
/// net.ode1.field.dense2.bias = [1.0, -2.0];
/// let y = net.evaluate(&[0.0, 0.0]);
/// assert!((y[0] - 1.0).abs() < 1e-6 && (y[1] + 2.0).abs() < 1e-6);
/// ```
///
/// | argument | |
/// | --- | --- |
/// | `to = 1.0` | the time at which the solution is wanted; or |
/// | `times = [0.5, 1.0]` | several, one after another: the output is a state for each |
/// | `from = 0.0` | the time of the initial state |
/// | `solver = Dopri5` | or `Euler`, `Midpoint`, `Rk4`, and for stiff equations `Trapezoid`, `Rosenbrock` |
/// | `steps = 64` | how many steps at most; for solvers without error estimate just as many, shared equally by the times |
/// | `rtol = 1e-6`, `atol = 1e-6` | the errors that a step of `Dopri5` may have |
/// | `gradient = checkpoints` | of the discrete solution; or `adjoint`, of the continuous one |
/// | `checkpoints = 64` | how many states are stored for it |
/// | `time` | the right side takes one number more, the time |
///
/// # Errors
/// A sample without a solution within the steps is NaN in evaluation; in training it is
/// [`InputError::Unsolved`], the step's error.
#[derive(Parameters)]
#[repr(C)]
pub struct Ode<F: Problem, Y: Tensor, const STEPS: usize, const STATES: usize> {
    /// The right side.
    pub field: F,
    output: PhantomData<Y>,
}

/// Fails to compile for what is no equation.
const fn assert_form<F: Problem, Y: Tensor>(steps: usize) {
    assert!(!has_state(F::ENTRIES), "a layer with running statistics cannot be in an equation");
    assert!(Y::LEN == F::TIMES.len() * State::<F>::LEN, "an equation gives a state for each of its times");
    assert_steps::<F>(steps);
}

impl<F, Y, const STEPS: usize, const STATES: usize> Layer for Ode<F, Y, STEPS, STATES>
where
    F: Problem,
    Y: Tensor<Element = Number<F>>,
{
    type Input = State<F>;
    type Output = Y;
    type Saved<const B: usize> = Trace<F, B, STEPS, STATES>;
    type Workspace<const B: usize> = Run<F, B>;
    const MACS: usize = F::MACS * STEPS * <F::Solver as Solver<F>>::EVALUATIONS;
    const BACKWARD_READS: Reads = Reads::INPUT;

    #[inline(always)]
    fn evaluate<S: Simd, const B: usize>(
        &self,
        simd: S,
        input: &[State<F>; B],
        output: &mut [Y; B],
        workspace: &mut Run<F, B>,
    ) {
        const { assert_form::<F, Y>(STEPS) };
        outline_layer::<Self, B, S, _>(
            simd,
            #[inline(always)]
            || {
                let _ = solve(
                    &self.field,
                    simd,
                    input,
                    output,
                    workspace,
                    STEPS,
                    #[inline(always)]
                    |_, _, _, _| true,
                );
            },
        );
    }

    #[inline(always)]
    fn forward<S: Simd, const B: usize>(
        &self,
        simd: S,
        input: &[State<F>; B],
        output: &mut [Y; B],
        saved: &mut Self::Saved<B>,
        pass: &mut Pass<Self::Scalar>,
    ) {
        const { assert_form::<F, Y>(STEPS) };
        let unsolved = outline_layer::<Self, B, S, _>(
            simd,
            #[inline(always)]
            || {
                saved.solve(
                    &self.field,
                    simd,
                    input,
                    output,
                    #[inline(always)]
                    |_, _, _| true,
                )
            },
        );
        if let Some(sample) = unsolved {
            pass.refuse(InputError::Unsolved { sample, steps: STEPS });
        }
    }

    // ∂L/∂y of every time goes back through the steps before it, see the solvers.
    #[inline(always)]
    fn backward<S: Simd, const B: usize>(
        &self,
        simd: S,
        input: &[State<F>; B],
        _: &[Y; B],
        saved: &mut Self::Saved<B>,
        grad_output: &mut [Y; B],
        grad_input: Option<&mut [State<F>; B]>,
        gradient: &mut Self,
        _: &Pass<Self::Scalar>,
    ) {
        outline_layer::<Self, B, S, _>(
            simd,
            #[inline(always)]
            || {
                batch_slice_mut(&mut saved.cotangent).fill(Number::<F>::ZERO);
                pull(&self.field, simd, input, grad_output, saved, &mut gradient.field);
            },
        );
        if let Some(grad_input) = grad_input {
            batch_slice_mut(grad_input).copy_from_slice(batch_slice(&saved.cotangent));
        }
    }
}
