//! A network whose derivative is what a layer computes: the same network with dual numbers, for the derivative of that.

use crate::dual::Dual;
use crate::layer::{Layer, Pass};
use crate::memory;
use crate::noise::Noise;
use crate::parameters::Parameters;
use crate::plain::Plain;
use crate::scalar::{Real, Scalar};
use crate::simd::Simd;
use crate::tensor::Tensor;

/// The tensor with dual numbers.
pub type Dually<Y> = <Y as Tensor>::With<Dual<<Y as Tensor>::Element, 1>>;

/// The same network with dual numbers and its passes, where the input moves along a direction `u`.
#[derive(Plain)]
pub struct Tangent<D: Layer, X: Plain, const B: usize> {
    network: D,
    input: [X; B],
    pub(super) output: [D::Output; B],
    saved: D::Saved<B>,
    workspace: D::Workspace<B>,
    grad_output: [D::Output; B],
    pub(super) grad_input: [X; B],
    gradient: D,
}

impl<T, X, D, const B: usize> Tangent<D, X, B>
where
    T: Real,
    X: Tensor<Element = Dual<T, 1>>,
    D: Layer<Scalar = Dual<T, 1>, Input = X>,
{
    /// Takes the parameters of the network, which do not move.
    #[inline(always)]
    pub(super) fn set<N: Parameters<Scalar = T>>(&mut self, network: &N) {
        const { assert!(N::COUNT == D::COUNT, "the two are not the same network, once with dual numbers") };
        for (to, from) in self.network.as_mut_slice().iter_mut().zip(network.as_slice()) {
            *to = Dual::constant(*from);
        }
        memory::clear(&mut self.gradient);
    }

    /// Lets a sample's input be `y + ε u`.
    #[inline(always)]
    pub(super) fn place(&mut self, sample: usize, y: &[T], u: impl Fn(usize) -> T) {
        for (index, (to, y)) in self.input[sample].numbers_mut().iter_mut().zip(y).enumerate() {
            *to = Dual { value: *y, derivatives: [u(index)] };
        }
    }

    /// The output, and its derivative along `u`.
    #[inline(always)]
    pub(super) fn evaluate<S: Simd>(&mut self, simd: S) {
        let Self { network, input, output, workspace, .. } = self;
        network.evaluate(simd, input, output, workspace);
    }

    /// From ∂L/∂output of each sample, a number for each index, computes ∂L/∂input and adds ∂L/∂parameters: as values, and
    /// beside them their derivatives along `u`.
    #[inline(always)]
    pub(super) fn pull<S: Simd>(&mut self, simd: S, seed: impl Fn(usize, usize) -> Dual<T, 1>) {
        let mut pass = Pass::new(Noise::new(0), Dual::ZERO);
        let Self { network, input, output, saved, grad_output, grad_input, gradient, .. } = self;
        network.forward(simd, input, output, saved, &mut pass);
        for (sample, to) in grad_output.iter_mut().enumerate() {
            for (index, to) in to.numbers_mut().iter_mut().enumerate() {
                *to = seed(sample, index);
            }
        }
        network.backward(simd, input, output, saved, grad_output, Some(grad_input), gradient, &pass);
    }

    /// Adds the derivatives of ∂L/∂parameters along `u` to `gradient`.
    #[inline(always)]
    pub(super) fn add_to<N: Parameters<Scalar = T>>(&self, gradient: &mut N) {
        for (to, from) in gradient.as_mut_slice().iter_mut().zip(self.gradient.as_slice()) {
            *to += from.derivatives[0];
        }
    }
}
