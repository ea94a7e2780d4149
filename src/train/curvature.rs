//! Derivatives of the second order: dual numbers go through the backward pass.

mod diagonal;
mod gradient_penalty;
mod lanczos;
#[cfg(feature = "nalgebra")]
mod matrices;

pub use gradient_penalty::GradientPenalty;
pub use lanczos::Lanczos;

use alloc::boxed::Box;

use super::{Shard, ShardTask, TrainError};
use crate::dual::Dual;
use crate::layer::{Inputs, Pass};
use crate::loss::{Loss, LossError};
use crate::memory;
use crate::network::Network;
use crate::noise::Noise;
use crate::scalar::Real;
use crate::simd::{Simd, Task, dispatch, level};
use crate::tensor::{Tensor, batch_slice, batch_slice_mut};

/// Products of a network's Jacobian, of its Gauss–Newton matrix and of the Hessian of its loss with vectors, over batches
/// of `B` samples: exact, and in the memory that this keeps.
///
/// `D` is the network `N` with dual numbers: Pearlmutter, *Fast exact multiplication by the Hessian* (1994), is what a
/// backward pass gives where every number carries its derivative along the vector. A vector has the form of the network.
///
/// The terms that layers add to the loss are part of it, and `Dropout` drops the same elements in each product; those of
/// [`gauss_newton`](Self::gauss_newton) leave them out.
///
/// ```
/// use monomorph::prelude::*;
/// use monomorph::Dual;
/// use monomorph::train::Curvature;
///
/// network! { Line<T>: [1] -> [1] { Dense(1) } }
/// let (net, mut v) = (Line::<f64>::zeroed(), Line::<f64>::zeroed());
/// v.dense1.weight = [[1.0]];
/// let (x, y) = ([[1.0], [2.0]], [[3.0], [5.0]].map(|y: [f64; 1]| y.map(Dual::constant)));
///
/// let mut curvature = Curvature::<Line<f64>, Line<Dual<f64>>, 2>::new();
/// let mut product = Line::zeroed();
/// curvature.hessian(&Mse, (&x, &y), &net, &v, &mut product)?;
/// // Of the mean of (w x + b − y)²: 2 x² and 2 x.
/// assert_eq!((product.dense1.weight, product.dense1.bias), ([[5.0]], [3.0]));
/// # Ok::<(), monomorph::train::TrainError>(())
/// ```
pub struct Curvature<N: Network, D: Network, const B: usize> {
    real: Box<Shard<N, B>>,
    dual: Box<Shard<D, B>>,
    moving: Box<D>,
    input: Box<[D::Input; B]>,
    /// The seed of `Dropout`.
    pub noise: Noise,
}

impl<T, N, D, const B: usize> Default for Curvature<N, D, B>
where
    T: Real,
    N: Network<Scalar = T, Input: Tensor<Element = T>>,
    D: Network<Scalar = Dual<T, 1>, Input: Tensor<Element = Dual<T, 1>>>,
{
    fn default() -> Self {
        Self::new()
    }
}

impl<T, N, D, const B: usize> Curvature<N, D, B>
where
    T: Real,
    N: Network<Scalar = T, Input: Tensor<Element = T>>,
    D: Network<Scalar = Dual<T, 1>, Input: Tensor<Element = Dual<T, 1>>>,
{
    /// Memory for the products.
    pub fn new() -> Self {
        const {
            assert!(
                N::COUNT == D::COUNT && N::Input::LEN == D::Input::LEN && N::Output::LEN == D::Output::LEN,
                "Curvature takes a network and the same network with dual numbers"
            );
        }
        Self {
            real: memory::boxed(),
            dual: memory::boxed(),
            moving: memory::boxed(),
            input: memory::boxed(),
            noise: Noise::new(0),
        }
    }

    /// Lets the network move along `v`, and copies the inputs.
    fn prepare(&mut self, input: &[N::Input; B], network: &N, v: &N) {
        let parameters = network.as_slice().iter().zip(v.as_slice());
        for (moving, (value, slope)) in self.moving.as_mut_slice().iter_mut().zip(parameters) {
            *moving = Dual { value: *value, derivatives: [*slope] };
        }
        self.copy(input);
    }

    /// Copies the network and the inputs, of which nothing moves.
    fn place(&mut self, input: &[N::Input; B], network: &N) {
        for (moving, value) in self.moving.as_mut_slice().iter_mut().zip(network.as_slice()) {
            *moving = Dual::constant(*value);
        }
        self.copy(input);
    }

    fn copy(&mut self, input: &[N::Input; B]) {
        for (to, from) in batch_slice_mut(&mut *self.input).iter_mut().zip(batch_slice(input)) {
            *to = Dual::constant(*from);
        }
    }

    /// `H v`, where `H` is the Hessian of the loss of a batch; gives the loss, with its derivative along `v`.
    ///
    /// Targets are as the loss takes them for dual numbers: classes as they are, numbers as [constants](Dual::constant).
    ///
    /// # Errors
    /// As those of a trainer's step: targets that do not fit, a loss that is not finite.
    pub fn hessian<L: Loss<Dual<T, 1>, D::Output, Y>, Y>(
        &mut self,
        loss: &L,
        (input, target): (&[N::Input; B], &[Y; B]),
        network: &N,
        v: &N,
        product: &mut N,
    ) -> Result<Dual<T, 1>, TrainError> {
        self.prepare(input, network, v);
        let loss = self.differentiate(loss, target)?;
        for (to, from) in product.as_mut_slice().iter_mut().zip(self.dual.gradient.as_slice()) {
            [*to] = from.derivatives;
        }
        Ok(loss)
    }

    /// The loss and its gradient, as the network and the inputs move.
    fn differentiate<L: Loss<Dual<T, 1>, D::Output, Y>, Y>(
        &mut self,
        loss: &L,
        target: &[Y; B],
    ) -> Result<Dual<T, 1>, TrainError> {
        let Self { dual, moving, input, noise, .. } = self;
        let pass = Pass::new(*noise, Dual::constant(T::ONE));
        let (batch, share) = ((&**input, target), Dual::constant(T::ONE));
        let task = ShardTask::<_, _, B, _, true> { shard: dual, network: moving, loss, batch, pass, step: 1, share };
        Ok(dispatch(level(), task)?.loss)
    }

    /// `J v`: how the outputs change along `v`, as the derivatives of the dual numbers that are given.
    pub fn jacobian(&mut self, input: &[N::Input; B], network: &N, v: &N) -> &[D::Output; B] {
        self.prepare(input, network, v);
        let Self { dual, moving, input, noise, .. } = self;
        dispatch(
            level(),
            Forward { shard: dual, network: moving, input, pass: Pass::new(*noise, Dual::constant(T::ONE)) },
        );
        &dual.output
    }

    /// `Jᵀ u`: the gradient of the sum of all outputs, each times a number.
    pub fn transposed_jacobian(&mut self, input: &[N::Input; B], network: &N, u: &[N::Output; B], product: &mut N) {
        let Self { real, noise, .. } = self;
        batch_slice_mut(&mut real.grad_output).copy_from_slice(batch_slice(u));
        dispatch(level(), Back { shard: real, network, input, pass: Pass::new(*noise, T::ZERO) });
        product.as_mut_slice().copy_from_slice(real.gradient.as_slice());
    }

    /// `G v = Jᵀ H_L J v`, where `H_L` is the Hessian of the loss with respect to the outputs: what is left of the Hessian
    /// where the network is linear. For a convex loss it is positive semidefinite.
    ///
    /// # Errors
    /// If targets do not fit.
    pub fn gauss_newton<L: Loss<Dual<T, 1>, D::Output, Y>, Y>(
        &mut self,
        loss: &L,
        (input, target): (&[N::Input; B], &[Y; B]),
        network: &N,
        v: &N,
        product: &mut N,
    ) -> Result<(), LossError> {
        self.jacobian(input, network, v);
        let Self { real, dual, noise, .. } = self;
        dispatch(level(), OfLoss { shard: dual, loss, target })?;
        let changes = batch_slice(&dual.grad_output);
        for (to, from) in batch_slice_mut(&mut real.grad_output).iter_mut().zip(changes) {
            [*to] = from.derivatives;
        }
        dispatch(level(), Back { shard: real, network, input, pass: Pass::new(*noise, T::ZERO) });
        product.as_mut_slice().copy_from_slice(real.gradient.as_slice());
        Ok(())
    }
}

/// The outputs.
pub(super) struct Forward<'a, D: Network, const B: usize> {
    pub(super) shard: &'a mut Shard<D, B>,
    pub(super) network: &'a D,
    pub(super) input: &'a [D::Input; B],
    pub(super) pass: Pass<D::Scalar>,
}

impl<D: Network, const B: usize> Task for Forward<'_, D, B> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(&mut self, simd: S) {
        let Self { shard, network, input, pass } = self;
        let Shard { saved, output, .. } = &mut **shard;
        network.forward(simd, D::batch(input), output, saved, pass);
    }
}

/// The gradient of the outputs.
struct OfLoss<'a, D: Network, L, Y, const B: usize> {
    shard: &'a mut Shard<D, B>,
    loss: &'a L,
    target: &'a [Y; B],
}

impl<D: Network, L: Loss<D::Scalar, D::Output, Y>, Y, const B: usize> Task for OfLoss<'_, D, L, Y, B> {
    type Output = Result<(), LossError>;

    #[inline(always)]
    fn run<S: Simd>(&mut self, simd: S) -> Self::Output {
        let Self { shard, loss, target } = self;
        let Shard { output, grad_output, .. } = &mut **shard;
        loss.loss(simd, output, target, grad_output).map(|_| ())
    }
}

/// From the gradient of the outputs to that of the parameters.
pub(crate) struct Back<'a, N: Network, const B: usize> {
    pub(crate) shard: &'a mut Shard<N, B>,
    pub(crate) network: &'a N,
    pub(crate) input: &'a [N::Input; B],
    pub(crate) pass: Pass<N::Scalar>,
}

impl<N: Network, const B: usize> Task for Back<'_, N, B> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(&mut self, simd: S) {
        let Self { shard, network, input, pass } = self;
        let Shard { gradient, saved, output, grad_output } = &mut **shard;
        memory::clear(gradient);
        let input = N::batch(input);
        network.forward(simd, input, output, saved, pass);
        network.backward(simd, input, output, saved, grad_output, N::Input::no_gradient(), gradient, pass);
    }
}
