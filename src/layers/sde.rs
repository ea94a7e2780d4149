//! A stochastic differential equation as a layer: a path of `dy = f(y) dt + g(y) dW`, in Itô's sense, from `y(t₀) = x`, with
//! networks `f` and `g` and noise of its own for every number of the state.
//!
//! | | shape |
//! | --- | --- |
//! | input `x` | that of the networks' outputs, any rank |
//! | output `y` | the same for one time, `[times, ..]` for several |
//!
//! | method | step, with `ΔW` normal of variance `h` | strong order |
//! | --- | --- | --- |
//! | Euler–Maruyama | `y + f h + g ΔW` | ½ |
//! | Milstein | the same `+ (g(ŷ) − g(y)) (ΔW² − h) / (2 √h)` with `ŷ = y + f h + g √h` | 1 where `gᵢ` depends on `yᵢ` alone |
//!
//! The second is Milstein's without derivatives: Kloeden and Platen, *Numerical solution of stochastic differential
//! equations* (1992), 11.1. In evaluation there is no noise, and the path is Euler's for `y′ = f(y)`; `sample` draws one.
//! The gradient is that of the drawn path: Tzen and Raginsky (2019); Li, Wong, Chen and Duvenaud (2020).

use core::marker::PhantomData;

use crate::kernels::elementwise::{self, draw_normal};
use crate::layer::{InputError, Layer, Pass, Reads};
use crate::noise::Noise;
use crate::ode::{Problem, assert_steps};
use crate::parameters::{Parameters, has_state};
use crate::plain::Plain;
use crate::scalar::Real;
use crate::simd::Simd;
use crate::tensor::{Tensor, batch_slice, batch_slice_mut};

/// A stochastic differential equation; see the module's formula. `F` is its drift, whose [`Problem`] has the times (its
/// solver is not used), `G` its diffusion, `X` the state, `Y` what it gives, and `STEPS` how many steps the times share.
///
/// ```
/// use monomorph::layers::Sde;
/// use monomorph::ode::{Euler, Problem};
/// use monomorph::prelude::*;
///
/// network! { pub Drift: [2] -> [2] { Dense(8), Tanh, Dense(2) } }
/// network! { pub Diffusion: [2] -> [2] { Dense(2), Sigmoid } }
/// impl Problem for Drift {
///     type Point = [f32; 2];
///     type Solver = Euler;
///     const TIMES: &'static [f64] = &[1.0];
/// }
/// /// By Milstein's method, in 20 steps.
/// type Walk = Sde<Drift, Diffusion, [f32; 2], [f32; 2], 20, true>;
/// network! { pub Path: [2] -> [2] { Walk } }
///
/// let net = Path::zeroed();
/// let (a, b) = (net.sample(&[0.0; 2], &mut Noise::new(1)), net.sample(&[0.0; 2], &mut Noise::new(2)));
/// assert!(a != b && net.evaluate(&[0.0; 2]) == [0.0; 2]);
/// ```
#[derive(Parameters)]
#[repr(C)]
pub struct Sde<F: Layer, G: Layer, X: Tensor, Y: Tensor, const STEPS: usize, const MILSTEIN: bool> {
    /// `f`.
    pub drift: F,
    /// `g`.
    pub diffusion: G,
    form: PhantomData<(X, Y)>,
}

/// What a path takes.
#[derive(Plain)]
pub struct Walk<F: Layer, G: Layer, X: Tensor, const B: usize> {
    y: [X; B],
    f: [X; B],
    g: [X; B],
    moved: [X; B],
    g_moved: [X; B],
    increment: [X; B],
    drift: F::Workspace<B>,
    diffusion: G::Workspace<B>,
}

/// A path and what its gradient takes.
#[derive(Plain)]
pub struct Saved<F: Layer, G: Layer, X: Tensor, const B: usize, const STEPS: usize> {
    walk: Walk<F, G, X, B>,
    states: [[X; B]; STEPS],
    /// `ΔW` of each step.
    pub increments: [[X; B]; STEPS],
    drift: F::Saved<B>,
    diffusion: [G::Saved<B>; 2],
    cotangent: [X; B],
    pulled: [X; B],
    of_f: [X; B],
    of_g: [X; B],
}

impl<T, F, G, X, Y, const STEPS: usize, const MILSTEIN: bool> Sde<F, G, X, Y, STEPS, MILSTEIN>
where
    T: Real,
    X: Tensor<Element = T>,
    Y: Tensor<Element = T>,
    F: Problem<Point = X> + Layer<Output = X> + Parameters<Scalar = T>,
    G: Layer<Input = X, Output = X> + Parameters<Scalar = T>,
{
    /// How many steps there are between two times.
    const EACH: usize = STEPS / F::TIMES.len();

    /// How long a step is.
    #[inline(always)]
    fn size(index: usize) -> T {
        let time = index / Self::EACH;
        let from = time.checked_sub(1).and_then(|before| F::TIMES.get(before)).copied().unwrap_or(F::FROM);
        T::from_f64(F::TIMES.get(time).map_or(0.0, |to| (to - from) / Self::EACH as f64))
    }

    /// `ŷ = y + f h + g √h`.
    #[inline(always)]
    fn ahead<S: Simd, const B: usize>(simd: S, size: T, y: &[X; B], f: &[X; B], g: &[X; B], to: &mut [X; B]) {
        let to = batch_slice_mut(to);
        to.copy_from_slice(batch_slice(y));
        elementwise::add_scaled(simd, to, batch_slice(f), size);
        elementwise::add_scaled(simd, to, batch_slice(g), size.sqrt());
    }

    /// A path; `prepare` gives the increments of a step, `keep` is told its state and them.
    #[inline(always)]
    fn walk<S: Simd, const B: usize>(
        &self,
        simd: S,
        input: &[X; B],
        output: &mut [Y; B],
        walk: &mut Walk<F, G, X, B>,
        mut noise: Option<&mut Noise>,
        mut keep: impl FnMut(usize, &[X; B], &[X; B]),
    ) {
        const {
            assert!(!has_state(F::ENTRIES) && !has_state(G::ENTRIES), "running statistics cannot be in an equation");
            assert!(Y::LEN == F::TIMES.len() * X::LEN, "an equation gives a state for each of its times");
            assert!(F::TIMES[0] > F::FROM, "a stochastic equation goes forward in time");
            assert_steps::<F>(STEPS);
        }
        let Walk { y, f, g, moved, g_moved, increment, drift, diffusion } = walk;
        batch_slice_mut(y).copy_from_slice(batch_slice(input));
        for index in 0..STEPS {
            let size = Self::size(index);
            self.drift.evaluate(simd, y, f, drift);
            let noise = noise.as_deref_mut();
            if let Some(noise) = noise {
                draw_normal(batch_slice_mut(increment), noise);
                elementwise::scale(simd, batch_slice_mut(increment), size.sqrt());
                keep(index, y, increment);
                self.diffusion.evaluate(simd, y, g, diffusion);
                if MILSTEIN {
                    Self::ahead(simd, size, y, f, g, moved);
                    self.diffusion.evaluate(simd, moved, g_moved, diffusion);
                    let correction =
                        batch_slice_mut(g_moved).iter_mut().zip(batch_slice(g)).zip(batch_slice(increment));
                    for ((change, g), w) in correction {
                        *change = (*change - *g) * Self::factor(*w, size);
                    }
                    elementwise::add_assign(simd, batch_slice_mut(y), batch_slice(g_moved));
                }
                for (g, w) in batch_slice_mut(g).iter_mut().zip(batch_slice(increment)) {
                    *g *= *w;
                }
                elementwise::add_assign(simd, batch_slice_mut(y), batch_slice(g));
            }
            elementwise::add_scaled(simd, batch_slice_mut(y), batch_slice(f), size);
            if (index + 1).is_multiple_of(Self::EACH) {
                let from = index / Self::EACH * X::LEN;
                for (output, y) in output.iter_mut().zip(&*y) {
                    if let Some(to) = output.numbers_mut().get_mut(from..from + X::LEN) {
                        to.copy_from_slice(y.numbers());
                    }
                }
            }
        }
    }

    /// `(ΔW² − h) / (2 √h)`.
    #[inline(always)]
    fn factor(increment: T, size: T) -> T {
        (increment * increment - size) / (T::from_f64(2.0) * size.sqrt())
    }
}

impl<T, F, G, X, Y, const STEPS: usize, const MILSTEIN: bool> Layer for Sde<F, G, X, Y, STEPS, MILSTEIN>
where
    T: Real,
    X: Tensor<Element = T>,
    Y: Tensor<Element = T>,
    F: Problem<Point = X> + Layer<Output = X> + Parameters<Scalar = T>,
    G: Layer<Input = X, Output = X> + Parameters<Scalar = T>,
{
    type Input = X;
    type Output = Y;
    type Saved<const B: usize> = Saved<F, G, X, B, STEPS>;
    type Workspace<const B: usize> = Walk<F, G, X, B>;
    const MACS: usize = STEPS * (F::MACS + G::MACS);
    const BACKWARD_READS: Reads = Reads::NOTHING;

    #[inline(always)]
    fn evaluate<S: Simd, const B: usize>(
        &self,
        simd: S,
        input: &[X; B],
        output: &mut [Y; B],
        workspace: &mut Self::Workspace<B>,
    ) {
        self.walk(simd, input, output, workspace, None, |_, _, _| {});
    }

    #[inline(always)]
    fn sample<S: Simd, const B: usize>(
        &self,
        simd: S,
        input: &[X; B],
        output: &mut [Y; B],
        workspace: &mut Self::Workspace<B>,
        noise: &mut Noise,
    ) {
        self.walk(simd, input, output, workspace, Some(noise), |_, _, _| {});
    }

    #[inline(always)]
    fn forward<S: Simd, const B: usize>(
        &self,
        simd: S,
        input: &[X; B],
        output: &mut [Y; B],
        saved: &mut Self::Saved<B>,
        pass: &mut Pass<T>,
    ) {
        let Saved { walk, states, increments, .. } = saved;
        self.walk(simd, input, output, walk, Some(&mut pass.noise), |index, y, increment| {
            batch_slice_mut(&mut states[index]).copy_from_slice(batch_slice(y));
            batch_slice_mut(&mut increments[index]).copy_from_slice(batch_slice(increment));
        });
        let lost = output.iter().position(|y| !y.numbers().iter().all(|y| y.is_finite()));
        if let Some(sample) = lost {
            pass.refuse(InputError::Unsolved { sample, steps: STEPS });
        }
    }

    // With λ = ∂L/∂y₊ and c = (ΔW² − h) / (2 √h): p = (∂g/∂y(ŷ))ᵀ c λ, ∂L/∂f = h (λ + p), ∂L/∂g = (ΔW − c) λ + √h p, and
    // ∂L/∂y = λ + p + (∂f/∂y)ᵀ ∂L/∂f + (∂g/∂y)ᵀ ∂L/∂g; without Milstein's term, c and p are 0.
    #[inline(always)]
    fn backward<S: Simd, const B: usize>(
        &self,
        simd: S,
        _: &[X; B],
        _: &[Y; B],
        saved: &mut Self::Saved<B>,
        grad_output: &mut [Y; B],
        grad_input: Option<&mut [X; B]>,
        gradient: &mut Self,
        _: &Pass<T>,
    ) {
        let mut pass = Pass::new(Noise::new(0), T::ZERO);
        let Saved { walk, states, increments, drift, diffusion, cotangent, pulled, of_f, of_g } = saved;
        let Walk { f, g, moved, g_moved, .. } = walk;
        let [at_y, at_moved] = diffusion;
        batch_slice_mut(cotangent).fill(T::ZERO);
        for (index, (y, increment)) in states.iter().zip(&*increments).enumerate().rev() {
            let size = Self::size(index);
            if (index + 1).is_multiple_of(Self::EACH) {
                let from = index / Self::EACH * X::LEN;
                for (sum, given) in cotangent.iter_mut().zip(&*grad_output) {
                    let given = given.numbers().get(from..from + X::LEN).unwrap_or_default();
                    sum.numbers_mut().iter_mut().zip(given).for_each(|(sum, given)| *sum += *given);
                }
            }
            self.drift.forward(simd, y, f, drift, &mut pass);
            self.diffusion.forward(simd, y, g, at_y, &mut pass);
            let both = batch_slice(cotangent).iter().zip(batch_slice(increment));
            for (to, (lambda, w)) in batch_slice_mut(of_g).iter_mut().zip(both) {
                *to = *lambda * *w;
            }
            batch_slice_mut(of_f).fill(T::ZERO);
            elementwise::add_scaled(simd, batch_slice_mut(of_f), batch_slice(cotangent), size);
            if MILSTEIN {
                Self::ahead(simd, size, y, f, g, moved);
                self.diffusion.forward(simd, moved, g_moved, at_moved, &mut pass);
                let mut seed = g_moved.clone();
                let both = batch_slice(cotangent).iter().zip(batch_slice(increment));
                for (to, (lambda, w)) in batch_slice_mut(&mut seed).iter_mut().zip(both) {
                    *to = *lambda * Self::factor(*w, size);
                }
                elementwise::add_scaled(simd, batch_slice_mut(of_g), batch_slice(&seed), -T::ONE);
                let to = Some(&mut *pulled);
                self.diffusion.backward(simd, moved, g_moved, at_moved, &mut seed, to, &mut gradient.diffusion, &pass);
                elementwise::add_assign(simd, batch_slice_mut(cotangent), batch_slice(pulled));
                elementwise::add_scaled(simd, batch_slice_mut(of_f), batch_slice(pulled), size);
                elementwise::add_scaled(simd, batch_slice_mut(of_g), batch_slice(pulled), size.sqrt());
            }
            self.drift.backward(simd, y, f, drift, of_f, Some(pulled), &mut gradient.drift, &pass);
            elementwise::add_assign(simd, batch_slice_mut(cotangent), batch_slice(pulled));
            self.diffusion.backward(simd, y, g, at_y, of_g, Some(pulled), &mut gradient.diffusion, &pass);
            elementwise::add_assign(simd, batch_slice_mut(cotangent), batch_slice(pulled));
        }
        if let Some(grad_input) = grad_input {
            batch_slice_mut(grad_input).copy_from_slice(batch_slice(cotangent));
        }
    }
}

#[cfg(all(test, feature = "safetensors", feature = "std"))]
mod tests {
    use super::*;
    use crate::memory::boxed;
    use crate::ode::Euler;
    use crate::prelude::*;
    use crate::simd::{Task, dispatch, level};
    use crate::testing::golden::random;
    use crate::testing::{check_gradients, passes};

    network! { Drift<f64>: [1] -> [1] { Dense(1) } }
    network! { Diffusion<f64>: [1] -> [1] { Dense(1) } }
    impl Problem for Drift {
        type Point = [f64; 1];
        type Solver = Euler;
        const TIMES: &'static [f64] = &[1.0];
    }

    type Brownian<const STEPS: usize, const MILSTEIN: bool> =
        Sde<Drift, Diffusion, [f64; 1], [f64; 1], STEPS, MILSTEIN>;
    const PATHS: usize = 4000;

    /// The mean error of geometric Brownian motion, `dy = μ y dt + σ y dW`, whose solution is `y₀ e^((μ − σ²/2) t + σ W)`.
    fn error<const STEPS: usize, const MILSTEIN: bool>() -> f64 {
        struct Forward<const STEPS: usize, const MILSTEIN: bool>;
        impl<const STEPS: usize, const MILSTEIN: bool> Task for Forward<STEPS, MILSTEIN> {
            type Output = f64;
            fn run<S: Simd>(&mut self, simd: S) -> f64 {
                let (mu, sigma) = (0.5, 0.8);
                let mut layer = boxed::<Brownian<STEPS, MILSTEIN>>();
                (layer.drift.dense1.weight, layer.diffusion.dense1.weight) = ([[mu]], [[sigma]]);
                let mut saved = boxed::<Saved<Drift, Diffusion, [f64; 1], PATHS, STEPS>>();
                let mut output = boxed::<[[f64; 1]; PATHS]>();
                let mut pass = Pass::new(Noise::new(STEPS as u64), 1.0);
                layer.forward(simd, &[[1.0]; PATHS], &mut output, &mut saved, &mut pass);
                let mut sum = 0.0;
                for path in 0..PATHS {
                    let w: f64 = saved.increments.iter().map(|increments| increments[path][0]).sum();
                    sum += (output[path][0] - (mu - sigma * sigma / 2.0 + sigma * w).exp()).abs();
                }
                sum / PATHS as f64
            }
        }
        dispatch(level(), Forward::<STEPS, MILSTEIN>)
    }

    #[test]
    fn the_strong_orders_are_a_half_and_one() {
        let order = |coarse: f64, fine: f64| (coarse / fine).log2() / 4.0;
        let (euler, milstein) =
            (order(error::<16, false>(), error::<256, false>()), order(error::<16, true>(), error::<256, true>()));
        assert!((euler - 0.5).abs() < 0.1, "{euler}");
        assert!((milstein - 1.0).abs() < 0.1, "{milstein}");
    }

    network! { Field<f64>: [3] -> [3] { Dense(5), Tanh, Dense(3) } }
    network! { Spread<f64>: [3] -> [3] { Dense(4), Tanh, Dense(3), Sigmoid } }
    impl Problem for Field {
        type Point = [f64; 3];
        type Solver = Euler;
        const TIMES: &'static [f64] = &[0.3, 1.0];
    }

    fn check<const MILSTEIN: bool>() {
        let mut layer = boxed::<Sde<Field, Spread, [f64; 3], [[f64; 3]; 2], 6, MILSTEIN>>();
        layer.as_mut_slice().iter_mut().zip(&*random::<f64, 200>(5)).for_each(|(to, from)| *to = *from);
        check_gradients(&mut *layer, &random::<[f64; 3], 3>(1), 1e-7).expect("a right gradient");
        passes(&*layer, &random::<[f64; 3], 3>(1), &random::<[[f64; 3]; 2], 3>(2)).expect("passes that agree");
    }

    #[test]
    fn gradients_are_those_of_the_drawn_path() {
        check::<false>();
        check::<true>();
    }
}
