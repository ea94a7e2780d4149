//! The backward adjoint: the gradient of the continuous solution, in memory that does not depend on the number of steps.
//!
//! `λ′ = −(∂f/∂y)ᵀ λ` is solved backward beside `y′ = f(t, y)`, by [`Rk4`] over the steps that the solver took, and
//! `∂L/∂θ = ∫ (∂f/∂θ)ᵀ λ dt` is summed up by its weights. Pontryagin; Chen, Rubanova, Bettencourt and Duvenaud, *Neural
//! ordinary differential equations* (2018).

use super::explicit::add_scaled;
use super::{Number, Problem, Rk4, Solver, State, Step, Tableau, of_state, place, step_from, sum, times_step};
use crate::layer::Pass;
use crate::noise::Noise;
use crate::plain::Plain;
use crate::scalar::Scalar;
use crate::simd::Simd;
use crate::tensor::{batch_slice, batch_slice_mut};

use core::marker::PhantomData;

/// The solver `M` with the gradient of the continuous solution: `gradient = adjoint`.
///
/// It needs no stored states. What it gives is not the derivative of the discrete solution, but differs from it as two
/// solutions of this accuracy do; and going back `y` drifts from where it came, far where the equation is stiff or
/// unstable.
///
/// ```
/// use monomorph::prelude::*;
/// network! { Flow: [2] -> [2] { ode(to = 1.0, steps = 10, gradient = adjoint) { Dense(8), Tanh, Dense(2) } } }
/// # assert_eq!(Flow::PARAMS, 3 * 8 + 9 * 2);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Adjoint<M>(PhantomData<M>);

/// What a step back takes.
#[derive(Plain)]
pub struct Back<F: Problem, const B: usize> {
    /// `f`, and `(∂f/∂y)ᵀ λ` with the sign of going back.
    slopes: [[State<F>; B]; 4],
    pulls: [[State<F>; B]; 4],
    state: [State<F>; B],
    cotangent: [State<F>; B],
    point: [F::Point; B],
    grad_point: [F::Point; B],
    back: Step<F, B>,
    saved: F::Saved<B>,
}

impl<F: Problem, M: Solver<F>> Solver<F> for Adjoint<M> {
    type Memory<const B: usize> = M::Memory<B>;
    type Tape<const B: usize> = Back<F, B>;
    const EVALUATIONS: usize = M::EVALUATIONS;
    const ADAPTIVE: bool = M::ADAPTIVE;
    const ADJOINT: bool = true;

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
        M::step(field, simd, at, y, next, memory, begun);
    }

    // Backward in time, the step is −h: y ← y − h Σ bᵢ fᵢ, λ ← λ + h Σ bᵢ (∂f/∂y)ᵀ λᵢ, ∂L/∂θ += h Σ bᵢ (∂f/∂θ)ᵀ λᵢ.
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
        for sample in 0..B {
            tape.back.time[sample] = at.time[sample] + at.size[sample];
            tape.back.size[sample] = -at.size[sample];
        }
        tape.back.widen();
        let Back { slopes, pulls, state, cotangent: lambda, point, grad_point, back, saved } = tape;
        for stage in 0..4 {
            let part: f64 = Rk4::A[stage].iter().sum();
            sum::<F, S, B>(simd, Rk4::A[stage], slopes, state);
            step_from::<F, S, B>(simd, y, back, state);
            place(back, part, state, point);
            field.forward(simd, point, &mut slopes[stage], saved, &mut pass);
            sum::<F, S, B>(simd, Rk4::A[stage], pulls, lambda);
            step_from::<F, S, B>(simd, cotangent, back, lambda);
            // What is given to `backward` is h bᵢ λᵢ, so that it adds just that to the gradient.
            let weight = Rk4::B[stage];
            batch_slice_mut(state).fill(Number::<F>::ZERO);
            add_scaled::<F, S, B>(simd, state, lambda, weight);
            times_step::<F, S, B>(simd, state, at);
            field.backward(simd, point, &slopes[stage], saved, state, Some(grad_point), gradient, &pass);
            of_state::<F, B>(grad_point, lambda);
            // λ′ = −(∂f/∂y)ᵀ λ, of which there is h bᵢ times.
            for sample in 0..B {
                let size = at.size[sample];
                let factor = Number::<F>::from_f64(-1.0 / weight);
                let to = super::numbers_mut::<F>(&mut pulls[stage][sample]);
                for (to, from) in to.iter_mut().zip(super::numbers::<F>(&lambda[sample])) {
                    *to = if size == Number::<F>::ZERO { Number::<F>::ZERO } else { *from * factor / size };
                }
            }
        }
        for (of, pulled) in [(&mut *y, &*slopes), (cotangent, &*pulls)] {
            sum::<F, S, B>(simd, Rk4::B, pulled, state);
            step_from::<F, S, B>(simd, of, back, state);
            batch_slice_mut(of).copy_from_slice(batch_slice(state));
        }
    }

    #[inline(always)]
    fn begin<S: Simd, const B: usize>(
        field: &F,
        simd: S,
        y: &[State<F>; B],
        span: Number<F>,
        sizes: &mut [Number<F>; B],
        memory: &mut Self::Memory<B>,
    ) {
        M::begin(field, simd, y, span, sizes, memory);
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
        M::errors(field, simd, at, y, next, errors, memory);
    }

    #[inline(always)]
    fn accept<const B: usize>(sample: usize, memory: &mut Self::Memory<B>) {
        M::accept(sample, memory);
    }
}
