//! A flow with what it does to volumes: `(z, ℓ) → (f(z), −tr ∂f/∂z)`, the right side of a continuous normalizing flow.
//!
//! | | shape |
//! | --- | --- |
//! | input `(z, ℓ)` | `[d + 1]` |
//! | output `(z′, ℓ′)` | `[d + 1]` |
//!
//! Along `z′ = f(z)` the logarithm of a density changes by `ℓ′ = −tr ∂f/∂z`: Chen, Rubanova, Bettencourt and Duvenaud,
//! *Neural ordinary differential equations* (2018). The trace is exact, by `d` passes with dual numbers.

use core::marker::PhantomData;

use crate::dual::Dual;
use crate::layer::{Layer, Pass, Reads};
use crate::layers::tangent::{Dually, Tangent};
use crate::parameters::Parameters;
use crate::scalar::Real;
use crate::simd::Simd;
use crate::tensor::Tensor;

/// A flow and its divergence; see the module's formula. `F` is the flow, `D` the same network with dual numbers, `Z` what
/// flows, `Y` the same and a number more.
///
/// ```
/// use monomorph::prelude::*;
///
/// // From data to noise: a sample `(x, 0)` becomes `(z, ℓ)`, and log p(x) = log N(z) − ℓ.
/// network! {
///     pub Flow: [3] -> [3] { ode(to = 1.0, solver = Rk4, steps = 8) { divergence { Dense(32), Tanh, Dense(2) } } }
/// }
/// // The flow z′ = a z multiplies areas by e^(2 a t).
/// network! { pub Grow<f64>: [3] -> [3] { ode(to = 1.0, solver = Rk4, steps = 8) { divergence { Dense(2) } } } }
/// let mut net = Grow::zeroed();
/// net.ode1.field.divergence1.flow.dense1.weight = [[0.5, 0.0], [0.0, 0.5]];
/// let [x, _, l] = net.evaluate(&[1.0, 2.0, 0.0]);
/// assert!((x - 0.5_f64.exp()).abs() < 1e-6 && (l + 1.0).abs() < 1e-12);
/// # assert_eq!(Flow::PARAMS, 3 * 32 + 33 * 2);
/// ```
#[derive(Parameters)]
#[repr(C)]
pub struct Divergence<F: Layer, D: Layer, Z: Tensor, Y: Tensor> {
    /// The flow.
    pub flow: F,
    same: PhantomData<(D, Z, Y)>,
}

impl<T, F, D, Z, Y> Divergence<F, D, Z, Y>
where
    T: Real,
    Y: Tensor<Element = T>,
    Z: Tensor<Element = T>,
    F: Layer<Scalar = T, Input = Z> + Parameters<Scalar = T>,
    D: Layer<Scalar = Dual<T, 1>, Input = Dually<Z>>,
{
    #[inline(always)]
    fn apply<S: Simd, const B: usize>(
        &self,
        simd: S,
        input: &[Y; B],
        output: &mut [Y; B],
        tangent: &mut Tangent<D, Dually<Z>, B>,
    ) {
        const {
            assert!(F::Output::LEN == Z::LEN, "a flow gives as many numbers as it takes");
            assert!(Y::LEN == Z::LEN + 1, "beside what flows is one number");
        }
        tangent.set(&self.flow);
        for axis in 0..Z::LEN {
            along(axis, input, tangent);
            tangent.evaluate(simd);
            for (to, from) in output.iter_mut().zip(&tangent.output) {
                let (to, from) = (to.numbers_mut(), from.numbers());
                let (Some((trace, flow)), Some(here)) = (to.split_last_mut(), from.get(axis)) else { continue };
                if axis == 0 {
                    *trace = T::ZERO;
                    for (to, from) in flow.iter_mut().zip(from) {
                        *to = from.value;
                    }
                }
                *trace -= here.derivatives[0];
            }
        }
    }
}

/// Lets every sample move along an axis.
#[inline(always)]
fn along<T: Real, Y: Tensor<Element = T>, X: Tensor<Element = Dual<T, 1>>, D, const B: usize>(
    axis: usize,
    input: &[Y; B],
    tangent: &mut Tangent<D, X, B>,
) where
    D: Layer<Scalar = Dual<T, 1>, Input = X>,
{
    for (sample, y) in input.iter().enumerate() {
        tangent.place(sample, y.numbers(), |index| if index == axis { T::ONE } else { T::ZERO });
    }
}

impl<T, F, D, Z, Y> Layer for Divergence<F, D, Z, Y>
where
    T: Real,
    Y: Tensor<Element = T>,
    Z: Tensor<Element = T>,
    F: Layer<Scalar = T, Input = Z> + Parameters<Scalar = T>,
    D: Layer<Scalar = Dual<T, 1>, Input = Dually<Z>> + Send,
{
    type Input = Y;
    type Output = Y;
    type Saved<const B: usize> = Tangent<D, Dually<Z>, B>;
    type Workspace<const B: usize> = Tangent<D, Dually<Z>, B>;
    const MACS: usize = 2 * Z::LEN * F::MACS;
    const BACKWARD_READS: Reads = Reads::INPUT;

    #[inline(always)]
    fn evaluate<S: Simd, const B: usize>(
        &self,
        simd: S,
        input: &[Y; B],
        output: &mut [Y; B],
        workspace: &mut Self::Workspace<B>,
    ) {
        self.apply(simd, input, output, workspace);
    }

    #[inline(always)]
    fn forward<S: Simd, const B: usize>(
        &self,
        simd: S,
        input: &[Y; B],
        output: &mut [Y; B],
        saved: &mut Self::Saved<B>,
        _: &mut Pass<T>,
    ) {
        self.apply(simd, input, output, saved);
    }

    // L = v · f − w Σᵢ eᵢ · ∂f/∂zᵢ. The derivative along eᵢ of the backward pass from −w eᵢ is the gradient of a term of the
    // trace; and a seed that moves, −w eᵢ + ε v, adds that of v · f.
    #[inline(always)]
    fn backward<S: Simd, const B: usize>(
        &self,
        simd: S,
        input: &[Y; B],
        _: &[Y; B],
        tangent: &mut Self::Saved<B>,
        grad_output: &mut [Y; B],
        grad_input: Option<&mut [Y; B]>,
        gradient: &mut Self,
        _: &Pass<T>,
    ) {
        tangent.set(&self.flow);
        let mut grad_input = grad_input;
        for axis in 0..Z::LEN {
            along(axis, input, tangent);
            tangent.pull(simd, |sample, index| {
                let given = grad_output[sample].numbers();
                let w = given.last().copied().unwrap_or(T::ZERO);
                let value = if index == axis { -w } else { T::ZERO };
                let moving = if axis == 0 { given.get(index).copied().unwrap_or(T::ZERO) } else { T::ZERO };
                Dual { value, derivatives: [moving] }
            });
            let Some(grad_input) = &mut grad_input else { continue };
            for (to, from) in grad_input.iter_mut().zip(&tangent.grad_input) {
                let to = to.numbers_mut();
                if axis == 0 {
                    to.fill(T::ZERO);
                }
                for (to, from) in to.iter_mut().zip(from.numbers()) {
                    *to += from.derivatives[0];
                }
            }
        }
        tangent.add_to(&mut gradient.flow);
    }
}

#[cfg(all(test, feature = "safetensors", feature = "std"))]
mod tests {
    use crate::prelude::*;
    use crate::testing::golden::random;
    use crate::testing::{check_gradients, passes};

    network! { Flow<f64>: [4] -> [4] { divergence { Dense(7), Tanh, Dense(3) } } }
    network! { Whole<f64>: [3] -> [3] { ode(to = 0.5, solver = Rk4, steps = 3) { divergence { Dense(5), Tanh, Dense(2) } } } }

    #[test]
    fn the_trace_is_that_of_finite_differences() {
        let mut net = Flow::zeroed();
        net.initialize(Init::default(), &mut Noise::new(3));
        let at = [0.3, -0.2, 0.9];
        let flow = |z: &[f64; 3]| net.divergence1.flow.evaluate(z);
        let mut trace = 0.0;
        for axis in 0..3 {
            let moved = |step: f64| {
                let mut z = at;
                z[axis] += step;
                flow(&z)[axis]
            };
            trace += (moved(1e-5) - moved(-1e-5)) / 2e-5;
        }
        let y = net.evaluate(&[at[0], at[1], at[2], 17.0]);
        // Dual numbers may round in another order than plain ones.
        assert!(y.iter().zip(flow(&at)).all(|(y, flow)| (y - flow).abs() < 1e-12));
        assert!((y[3] + trace).abs() < 1e-9);
    }

    #[test]
    fn gradients_are_those_of_finite_differences() {
        let mut net = Flow::zeroed();
        net.initialize(Init::default(), &mut Noise::new(3));
        check_gradients(&mut net, &random::<[f64; 4], 3>(1), 1e-7).expect("a right gradient");
        passes(&net, &random::<[f64; 4], 3>(1), &random::<[f64; 4], 3>(2)).expect("passes that agree");
        let mut whole = Whole::zeroed();
        whole.initialize(Init::default(), &mut Noise::new(3));
        check_gradients(&mut whole, &random::<[f64; 3], 2>(1), 1e-7).expect("a right gradient");
    }
}
