//! A Hamiltonian network: the motion that a learned energy causes, `q′ = ∂H/∂p`, `p′ = −∂H/∂q`.
//!
//! | | shape |
//! | --- | --- |
//! | input `(q, p)` | `[2 n]` |
//! | output `(q′, p′)` | `[2 n]` |
//!
//! Greydanus, Dzamba and Yosinski, *Hamiltonian neural networks* (2019). As the right side of an equation
//! (`ode(..) { hamiltonian { .. } }`) its energy is constant along the exact solution, whatever the parameters are.

use core::marker::PhantomData;

use crate::dual::Dual;
use crate::layer::{Layer, Pass, Reads};
use crate::layers::tangent::{Dually, Tangent};
use crate::noise::Noise;
use crate::parameters::Parameters;
use crate::plain::Plain;
use crate::scalar::{Real, Scalar};
use crate::simd::Simd;
use crate::tensor::{Tensor, batch_slice_mut};

/// The motion of an energy `H`, a network that gives one number; see the module's formula. `D` is the same network with
/// dual numbers, `Y` the state.
///
/// ```
/// use monomorph::prelude::*;
///
/// network! { pub Spring<f64>: [2] -> [2] { hamiltonian { Dense(16), Tanh, Dense(1) } } }
/// network! { pub Swing: [2] -> [2] { ode(to = 1.0, solver = Rk4) { hamiltonian { Dense(16), Tanh, Dense(1) } } } }
///
/// let mut net = Spring::zeroed();
/// net.initialize(Init::default(), &mut Noise::new(1));
/// let [q, p] = net.evaluate(&[0.3, -0.5]);
/// let energy = |y: [f64; 2]| net.hamiltonian1.energy.evaluate(&y)[0];
/// let step = 1e-6;
/// assert!((q - (energy([0.3, -0.5 + step]) - energy([0.3, -0.5 - step])) / (2.0 * step)).abs() < 1e-8);
/// assert!((p + (energy([0.3 + step, -0.5]) - energy([0.3 - step, -0.5])) / (2.0 * step)).abs() < 1e-8);
/// # assert_eq!(Swing::PARAMS, Spring::PARAMS);
/// ```
///
/// Evaluation takes a backward pass through `H`, and training one through `H` with dual numbers, which is exact. So both
/// need memory for a gradient of `H`, and training for two networks with dual numbers.
#[derive(Parameters)]
#[repr(C)]
pub struct Hamiltonian<H: Layer, D: Layer, Y: Tensor> {
    /// The energy.
    pub energy: H,
    same: PhantomData<(D, Y)>,
}

/// What the motion takes.
#[derive(Plain)]
pub struct Motion<H: Layer, Y: Tensor, const B: usize> {
    output: [H::Output; B],
    saved: H::Saved<B>,
    grad_output: [H::Output; B],
    slope: [Y; B],
    /// What the backward pass adds to a gradient that nobody wants.
    nowhere: H,
}

/// What its derivative takes besides.
#[derive(Plain)]
pub struct Saved<H: Layer, D: Layer, Y: Tensor, X: Tensor, const B: usize> {
    motion: Motion<H, Y, B>,
    tangent: Tangent<D, X, B>,
}

impl<T, H, D, Y> Hamiltonian<H, D, Y>
where
    T: Real,
    Y: Tensor<Element = T>,
    H: Layer<Scalar = T, Input = Y>,
    D: Layer<Scalar = Dual<T, 1>>,
{
    /// `(∂H/∂p, −∂H/∂q)`.
    #[inline(always)]
    fn motion<S: Simd, const B: usize>(&self, simd: S, y: &[Y; B], to: &mut [Y; B], memory: &mut Motion<H, Y, B>) {
        const {
            assert!(H::Output::LEN == 1, "an energy is one number");
            assert!(Y::LEN.is_multiple_of(2), "a Hamiltonian state is positions and as many momenta");
        }
        let mut pass = Pass::new(Noise::new(0), T::ZERO);
        let Motion { output, saved, grad_output, slope, nowhere } = memory;
        self.energy.forward(simd, y, output, saved, &mut pass);
        batch_slice_mut(grad_output).fill(T::ONE);
        self.energy.backward(simd, y, output, saved, grad_output, Some(slope), nowhere, &pass);
        for (to, slope) in to.iter_mut().zip(slope) {
            turn(slope.numbers(), to.numbers_mut());
        }
    }
}

/// `(q, p) → (p, −q)`.
#[inline(always)]
fn turn<T: Scalar>(x: &[T], to: &mut [T]) {
    let (q, p) = x.split_at(x.len() / 2);
    for (to, x) in to.iter_mut().zip(p.iter().copied().chain(q.iter().map(|q| -*q))) {
        *to = x;
    }
}

impl<T, H, D, Y> Layer for Hamiltonian<H, D, Y>
where
    T: Real,
    Y: Tensor<Element = T>,
    H: Layer<Scalar = T, Input = Y> + Parameters<Scalar = T> + Send,
    D: Layer<Scalar = Dual<T, 1>, Input = Dually<Y>> + Send,
{
    type Input = Y;
    type Output = Y;
    type Saved<const B: usize> = Saved<H, D, Y, Dually<Y>, B>;
    type Workspace<const B: usize> = Motion<H, Y, B>;
    const MACS: usize = 3 * H::MACS;
    const BACKWARD_READS: Reads = Reads::INPUT;

    #[inline(always)]
    fn evaluate<S: Simd, const B: usize>(
        &self,
        simd: S,
        input: &[Y; B],
        output: &mut [Y; B],
        workspace: &mut Motion<H, Y, B>,
    ) {
        self.motion(simd, input, output, workspace);
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
        self.motion(simd, input, output, &mut saved.motion);
    }

    // The output is J ∇H, and L = v · J ∇H = u · ∇H with u = Jᵀ v = (−v_p, v_q). So the gradient is that of the derivative of
    // H along u: what the backward pass gives, derived along u.
    #[inline(always)]
    fn backward<S: Simd, const B: usize>(
        &self,
        simd: S,
        input: &[Y; B],
        _: &[Y; B],
        saved: &mut Self::Saved<B>,
        grad_output: &mut [Y; B],
        grad_input: Option<&mut [Y; B]>,
        gradient: &mut Self,
        _: &Pass<T>,
    ) {
        let Saved { motion, tangent } = saved;
        tangent.set(&self.energy);
        for (sample, y) in input.iter().enumerate() {
            let u = &mut motion.slope[sample];
            turn(grad_output[sample].numbers(), u.numbers_mut());
            let u = u.numbers();
            // `turn` is J, and Jᵀ is −J.
            tangent.place(sample, y.numbers(), |index| u.get(index).map_or(T::ZERO, |u| -*u));
        }
        tangent.pull(simd, |_, _| Dual::constant(T::ONE));
        tangent.add_to(&mut gradient.energy);
        if let Some(grad_input) = grad_input {
            for (to, from) in grad_input.iter_mut().zip(&tangent.grad_input) {
                for (to, from) in to.numbers_mut().iter_mut().zip(from.numbers()) {
                    *to = from.derivatives[0];
                }
            }
        }
    }
}

#[cfg(all(test, feature = "safetensors", feature = "std"))]
mod tests {
    use crate::prelude::*;
    use crate::testing::golden::random;
    use crate::testing::{check_gradients, passes};

    network! { Two<f64>: [4] -> [4] { hamiltonian { Dense(7), Tanh, Dense(3), Softplus, Dense(1) } } }
    network! { Swing<f64>: [2] -> [2] { Dense(2), swing: ode(to = 0.5, solver = Rk4, steps = 3) { hamiltonian { Dense(5), Tanh, Dense(1) } } } }
    network! { Ideal<f64>: [2] -> [2] { ode(to = 5.0, steps = 200, rtol = 1e-9, atol = 1e-9) { hamiltonian { Dense(8), Tanh, Dense(1) } } } }

    #[test]
    fn gradients_are_those_of_finite_differences() {
        let mut two = Two::zeroed();
        two.initialize(Init::default(), &mut Noise::new(3));
        check_gradients(&mut two, &random::<[f64; 4], 3>(1), 1e-7).expect("a right gradient");
        passes(&two, &random::<[f64; 4], 3>(1), &random::<[f64; 4], 3>(2)).expect("passes that agree");
        let mut swing = Swing::zeroed();
        swing.initialize(Init::default(), &mut Noise::new(3));
        check_gradients(&mut swing, &random::<[f64; 2], 2>(1), 1e-7).expect("a right gradient");
    }

    #[test]
    fn the_energy_stays() {
        let mut net = Ideal::zeroed();
        net.initialize(Init::default(), &mut Noise::new(3));
        let energy = |y: &[f64; 2]| net.ode1.field.hamiltonian1.energy.evaluate(y)[0];
        let (start, end) = ([0.5, -1.0], net.evaluate(&[0.5, -1.0]));
        assert!((start[0] - end[0]).abs() > 0.01 && (energy(&start) - energy(&end)).abs() < 1e-7, "{end:?}");
    }
}
