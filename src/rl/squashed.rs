//! Actions drawn from a normal distribution and squashed into −1 to 1: appendix C of Haarnoja et al., *Soft
//! actor-critic: off-policy maximum entropy deep reinforcement learning with a stochastic actor* (2018).
//!
//! `u = μ + σ ε`, `a = tanh u`, `log π(a) = Σ −ε²/2 − log σ − ½ log 2π − log(1 − a²)`, and
//! `log(1 − tanh² u) = 2 (log 2 − u − softplus(−2u))`, which is exact where `1 − a²` is 0 to the last digit.

use crate::kernels::elementwise::{draw_normal, update};
use crate::noise::Noise;
use crate::plain::Plain;
use crate::scalar::{Real, Scalar, Vector};
use crate::simd::Simd;
use crate::tensor::{Tensor, batch_slice, batch_slice_mut};

/// The range of `log σ`.
const LOG_STD: [f64; 2] = [-5.0, 2.0];

/// `B` actions of the form `X`, drawn from what a network gives: the means `μ`, and then as many `log σ`, which are
/// clamped to −5 to 2.
#[derive(Plain)]
pub struct SquashedGaussian<X: Tensor<Element: Scalar>, const B: usize> {
    /// The actions, between −1 and 1.
    pub actions: [X; B],
    /// The logarithm of each action's density.
    pub log_prob: [X::Element; B],
    /// ε, standard normal.
    pub noise: [X; B],
    mean: [X; B],
    log_std: [X; B],
    terms: [X; B],
}

impl<X: Tensor<Element: Real>, const B: usize> SquashedGaussian<X, B> {
    /// Draws ε.
    pub fn draw(&mut self, noise: &mut Noise) {
        draw_normal(batch_slice_mut(&mut self.noise), noise);
    }

    /// Computes actions and densities from what the network gives, with the ε there is.
    #[inline(always)]
    pub fn forward<S: Simd, Y: Tensor<Element = X::Element>>(&mut self, simd: S, output: &[Y; B]) {
        const { assert!(Y::LEN == 2 * X::LEN, "the actor gives a mean and a log σ for each number of an action") };
        for ((output, mean), log_std) in output.iter().zip(&mut self.mean).zip(&mut self.log_std) {
            let (first, second) = output.numbers().split_at(X::LEN);
            mean.numbers_mut().copy_from_slice(first);
            log_std.numbers_mut().copy_from_slice(second);
        }
        let splat = |value: f64| <X::Element as Scalar>::Vector::<S>::splat(simd, X::Element::from_f64(value));
        let [least, most] = LOG_STD.map(splat);
        let (half, two, ln_2) = (splat(0.5), splat(2.0), splat(core::f64::consts::LN_2));
        let constant = splat(0.5 * libm::log(core::f64::consts::TAU));
        let inputs = [batch_slice(&self.mean), batch_slice(&self.log_std), batch_slice(&self.noise)];
        update(
            simd,
            B * X::LEN,
            [batch_slice_mut(&mut self.actions), batch_slice_mut(&mut self.terms)],
            inputs,
            #[inline(always)]
            |_, [mean, log_std, epsilon]| {
                let log_std = log_std.max(least).min(most);
                let u = X::Element::exp_lanes(simd, log_std).mul_add(epsilon, mean);
                let gaussian = -(half * epsilon * epsilon) - log_std - constant;
                let slope = two * (ln_2 - u - X::Element::softplus_lanes(simd, -(two * u)));
                [X::Element::tanh_lanes(simd, u), gaussian - slope]
            },
        );
        for (sum, terms) in self.log_prob.iter_mut().zip(&self.terms) {
            *sum = X::Element::ZERO;
            for term in terms.numbers() {
                *sum += *term;
            }
        }
    }

    /// From ∂L/∂a in `grad_actions`, which is overwritten, and ∂L/∂(log π) computes ∂L/∂output. With `∂u = (1 − a²) ∂a
    /// + 2a ∂(log π)`: `∂μ = ∂u`, `∂(log σ) = σ ε ∂u − ∂(log π)`, which is 0 where log σ was clamped.
    #[inline(always)]
    pub fn backward<S: Simd, Y: Tensor<Element = X::Element>>(
        &mut self,
        simd: S,
        grad_actions: &mut [X; B],
        grad_log_prob: &[X::Element; B],
        grad_output: &mut [Y; B],
    ) {
        for (terms, grad) in self.terms.iter_mut().zip(grad_log_prob) {
            terms.numbers_mut().fill(*grad);
        }
        let splat = |value: f64| <X::Element as Scalar>::Vector::<S>::splat(simd, X::Element::from_f64(value));
        let [least, most] = LOG_STD.map(splat);
        let (zero, one, two) = (splat(0.0), splat(1.0), splat(2.0));
        let inputs = [batch_slice(&self.actions), batch_slice(&self.log_std), batch_slice(&self.noise)];
        update(
            simd,
            B * X::LEN,
            [batch_slice_mut(grad_actions), batch_slice_mut(&mut self.terms)],
            inputs,
            #[inline(always)]
            |[grad, grad_log], [action, log_std, epsilon]| {
                let grad = (one - action * action) * grad + two * action * grad_log;
                let clamped = log_std.max(least).min(most);
                let grad_std = X::Element::exp_lanes(simd, clamped) * epsilon * grad - grad_log;
                [grad, Vector::select(clamped.eq(log_std), grad_std, zero)]
            },
        );
        for ((output, mean), log_std) in grad_output.iter_mut().zip(grad_actions).zip(&self.terms) {
            let (first, second) = output.numbers_mut().split_at_mut(X::LEN);
            first.copy_from_slice(mean.numbers());
            second.copy_from_slice(log_std.numbers());
        }
    }
}

/// The action without noise: `tanh μ`.
pub(super) fn mean_action<X: Tensor<Element: Real>, Y: Tensor<Element = X::Element>>(output: &Y) -> X {
    let mut action = crate::memory::zeroed::<X>();
    for (action, mean) in action.numbers_mut().iter_mut().zip(output.numbers()) {
        *action = tanh(*mean);
    }
    action
}

/// `tanh x`.
pub(super) fn tanh<T: Real>(x: T) -> T {
    let power = (-(x.abs() + x.abs())).exp();
    ((T::ONE - power) / (T::ONE + power)).copysign(x)
}

#[cfg(all(test, feature = "safetensors", feature = "std"))]
mod tests {
    use super::*;
    use crate::memory::zeroed;
    use crate::simd::{Task, dispatch, levels};
    use crate::testing::golden::{Case, assert_close};
    use std::vec::Vec;

    struct Both<'a, T: Real> {
        squashed: &'a mut SquashedGaussian<[T; 3], 6>,
        output: [[T; 6]; 6],
        grads: ([[T; 3]; 6], [T; 6]),
        grad_output: [[T; 6]; 6],
    }

    impl<T: Real> Task for Both<'_, T> {
        type Output = [[T; 6]; 6];
        #[inline(always)]
        fn run<S: Simd>(&mut self, simd: S) -> Self::Output {
            let Self { squashed, output, grads, grad_output } = self;
            squashed.forward(simd, output);
            squashed.backward(simd, &mut grads.0, &grads.1, grad_output);
            *grad_output
        }
    }

    fn fill<T: Scalar>(to: &mut [T], from: &[f64]) {
        assert_eq!(to.len(), from.len());
        for (to, from) in to.iter_mut().zip(from) {
            *to = T::from_f64(*from);
        }
    }

    fn check<T: Real>(tolerance: f64) {
        let case = Case::open("rl_sac_squashed_gaussian");
        let epsilon: Vec<f64> = serde_json::from_str::<Vec<Vec<f64>>>(&case.text("epsilon")).expect("rows").concat();
        for level in levels() {
            let mut squashed = zeroed::<SquashedGaussian<[T; 3], 6>>();
            let zero = [[T::ZERO; 6]; 6];
            let mut output = zero;
            let mut grads = ([[T::ZERO; 3]; 6], [T::ZERO; 6]);
            fill(squashed.noise.as_flattened_mut(), &epsilon);
            fill(output.as_flattened_mut(), &case.numbers("x"));
            fill(grads.0.as_flattened_mut(), &case.numbers("dy0"));
            fill(&mut grads.1, &case.numbers("dy1"));
            let dx = dispatch(level, Both { squashed: &mut squashed, output, grads, grad_output: zero });
            assert_close("action", squashed.actions.as_flattened(), &case.numbers("y0"), tolerance);
            assert_close("log π", &squashed.log_prob, &case.numbers("y1"), tolerance);
            assert_close("∂x", dx.as_flattened(), &case.numbers("dx"), tolerance);
        }
    }

    #[test]
    fn agrees_with_pytorch() {
        check::<f64>(1e-10);
        check::<f32>(2e-5);
    }

    #[test]
    fn is_exact_where_the_tangent_saturates() {
        let mut squashed = zeroed::<SquashedGaussian<[f32; 1], 1>>();
        squashed.noise = [[-2.0]];
        struct Forward<'a>(&'a mut SquashedGaussian<[f32; 1], 1>);
        impl Task for Forward<'_> {
            type Output = ();
            #[inline(always)]
            fn run<S: Simd>(&mut self, simd: S) {
                self.0.forward(simd, &[[-9.0_f32, 1.5]]);
            }
        }
        for level in levels() {
            dispatch(level, Forward(&mut squashed));
            assert_close("log π", &squashed.log_prob, &[30.121523387], 1e-6);
        }
    }
}
