//! Penalties on how steep a network is in its inputs.

use alloc::boxed::Box;

use super::{Back, Curvature, Forward, OfLoss};
use crate::dual::Dual;
use crate::layer::Pass;
use crate::loss::{Loss, Reduction};
use crate::memory;
use crate::network::Network;
use crate::scalar::{Real, Scalar};
use crate::simd::{Simd, Task, dispatch, level};
use crate::tensor::{Tensor, batch_slice, batch_slice_mut};
use crate::train::{Shard, TrainError};

/// The penalty `w · mean (‖s‖ − n)²` over a batch of `B` samples, where `s` is the gradient of an output or of the loss by
/// the inputs of the sample, and its exact gradient by the parameters.
///
/// | `n` | penalty |
/// | --- | --- |
/// | 0 | `w · mean ‖s‖²`: small changes of the input change little |
/// | 1 | a critic whose slope is 1, with `w` = 10, on inputs between real and made ones |
///
/// The first is that of H. Drucker and Y. LeCun, *Improving generalization performance using double backpropagation*
/// (1992), the second that of I. Gulrajani et al., *Improved training of Wasserstein GANs* (2017).
///
/// `D` is the network `N` with dual numbers. Along `u = ∂penalty/∂s` the derivative of the gradient of the network is the
/// gradient of the penalty, so this takes as long as a gradient and a product with the Hessian. Layers that take statistics of
/// the batch make samples depend on each other; what counts is then the slope of the sum over the batch.
///
/// ```
/// use monomorph::prelude::*;
/// use monomorph::{Dual, memory};
/// use monomorph::train::GradientPenalty;
///
/// network! { Line<T>: [2] -> [1] { Dense(1) } }
/// let mut critic = Line::<f64>::zeroed();
/// critic.dense1.weight = [[3.0], [4.0]];
/// let mut penalty = GradientPenalty::<Line<f64>, Line<Dual<f64>>, 1>::new(10.0, 1.0);
/// let mut gradient = Line::zeroed();
/// // 10 (5 − 1)², which falls where the weight gets shorter.
/// assert_eq!(penalty.of_outputs(&[[0.5, 0.5]], &critic, &mut gradient), 160.0);
/// assert_eq!(gradient.dense1.weight, [[48.0], [64.0]]);
///
/// // Training with the loss and the penalty on its slope.
/// let (x, y) = ([[1.0, -1.0]], [[Dual::constant(2.0)]]);
/// let (mut penalty, optimizer) = (GradientPenalty::<Line<f64>, Line<Dual<f64>>, 1>::new(0.01, 0.0), Sgd::default());
/// let mut memory = memory::zeroed();
/// for step in 1..=10 {
///     let (_loss, _penalty) = penalty.of_loss(&Mse, (&x, &y), &critic, &mut gradient)?;
///     optimizer.apply(step, &mut critic, &gradient, &mut memory);
/// }
/// # Ok::<(), monomorph::train::TrainError>(())
/// ```
pub struct GradientPenalty<N: Network, D: Network, const B: usize> {
    /// The passes, with the seed of `Dropout`.
    pub curvature: Curvature<N, D, B>,
    slope: Box<[N::Input; B]>,
    /// The factor `w`.
    pub weight: f64,
    /// The norm `n` that slopes should have.
    pub norm: f64,
}

impl<T, N, D, const B: usize> GradientPenalty<N, D, B>
where
    T: Real,
    N: Network<Scalar = T, Input: Tensor<Element = T>>,
    D: Network<Scalar = Dual<T, 1>, Input: Tensor<Element = Dual<T, 1>>>,
{
    /// A penalty of this weight on slopes whose norm is not `norm`.
    pub fn new(weight: f64, norm: f64) -> Self {
        Self { curvature: Curvature::new(), slope: memory::boxed(), weight, norm }
    }

    /// The penalty on the slope of the sum of a sample's outputs; adds its gradient to `gradient`. For a critic there is
    /// one output.
    pub fn of_outputs(&mut self, input: &[N::Input; B], network: &N, gradient: &mut N) -> T {
        let Self { curvature, slope, .. } = self;
        let Curvature { real, noise, .. } = curvature;
        let pass = Pass::new(*noise, T::ZERO);
        dispatch(level(), Forward { shard: real, network, input, pass: pass.clone() });
        batch_slice_mut(&mut real.grad_output).fill(T::ONE);
        dispatch(level(), ToInputs { shard: real, network, input, slope, pass });

        let penalty = self.direct(input, network, T::ONE);
        let Curvature { dual, moving, input, noise, .. } = &mut self.curvature;
        let pass = Pass::new(*noise, Dual::ZERO);
        batch_slice_mut(&mut dual.grad_output).fill(Dual::ONE);
        dispatch(level(), Back { shard: dual, network: &**moving, input, pass });
        for (to, from) in gradient.as_mut_slice().iter_mut().zip(dual.gradient.as_slice()) {
            *to += from.derivatives[0];
        }
        penalty
    }

    /// The loss of the batch, with the terms that layers add, and the penalty on the slope of the loss of each sample;
    /// `gradient` becomes that of their sum.
    ///
    /// Targets are as the loss takes them for dual numbers: classes as they are, numbers as [constants](Dual::constant). The
    /// loss of a sample is what it contributes to the mean, times the [divisor](Loss::divisor) of the mean.
    ///
    /// # Errors
    /// As those of a trainer's step: targets that do not fit, a loss that is not finite.
    pub fn of_loss<L: Loss<Dual<T, 1>, D::Output, Y>, Y>(
        &mut self,
        loss: &L,
        (input, target): (&[N::Input; B], &[Y; B]),
        network: &N,
        gradient: &mut N,
    ) -> Result<(T, T), TrainError> {
        let Self { curvature, slope, .. } = self;
        let Curvature { real, dual, noise, .. } = curvature;
        let pass = Pass::new(*noise, T::ONE);
        dispatch(level(), Forward { shard: real, network, input, pass: pass.clone() });
        for (to, from) in batch_slice_mut(&mut dual.output).iter_mut().zip(batch_slice(&real.output)) {
            *to = Dual::constant(*from);
        }
        dispatch(level(), OfLoss { shard: dual, loss, target })?;
        for (to, from) in batch_slice_mut(&mut real.grad_output).iter_mut().zip(batch_slice(&dual.grad_output)) {
            *to = from.value;
        }
        dispatch(level(), ToInputs { shard: real, network, input, slope, pass });

        let samples = if matches!(L::REDUCTION, Reduction::Sum) { 1.0 } else { loss.divisor(target) };
        let penalty = self.direct(input, network, T::from_f64(samples));
        let value = self.curvature.differentiate(loss, target)?.value;
        for (to, from) in gradient.as_mut_slice().iter_mut().zip(self.curvature.dual.gradient.as_slice()) {
            *to = from.value + from.derivatives[0];
        }
        Ok((value, penalty))
    }

    /// The penalty, given slopes of which `factor` times as much is meant; lets the inputs move along its derivative.
    fn direct(&mut self, input: &[N::Input; B], network: &N, factor: T) -> T {
        self.curvature.place(input, network);
        let (weight, norm) = (T::from_f64(self.weight / B as f64), T::from_f64(self.norm));
        let mut penalty = T::ZERO;
        let moving = batch_slice_mut(&mut *self.curvature.input).chunks_mut(N::Input::LEN.max(1));
        for (moving, slope) in moving.zip(batch_slice(&*self.slope).chunks(N::Input::LEN.max(1))) {
            let mut squares = T::ZERO;
            for s in slope {
                squares += factor * *s * (factor * *s);
            }
            let length = squares.sqrt();
            penalty += weight * (length - norm) * (length - norm);
            // A slope of 0 has no direction in which it would grow.
            let share = match (self.norm == 0.0, length > T::ZERO) {
                (true, _) => T::ONE,
                (false, true) => T::ONE - norm / length,
                (false, false) => T::ZERO,
            };
            let scale = (weight + weight) * share * factor * factor;
            for (number, s) in moving.iter_mut().zip(slope) {
                number.derivatives = [scale * *s];
            }
        }
        penalty
    }
}

/// From the gradient of the outputs to that of the inputs.
struct ToInputs<'a, N: Network, X, const B: usize> {
    shard: &'a mut Shard<N, B>,
    network: &'a N,
    input: &'a [N::Input; B],
    slope: &'a mut [X; B],
    pass: Pass<N::Scalar>,
}

impl<N: Network<Input = X>, X: Tensor, const B: usize> Task for ToInputs<'_, N, X, B> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(&mut self, simd: S) {
        let Self { shard, network, input, slope, pass } = self;
        let Shard { gradient, saved, output, grad_output } = &mut **shard;
        memory::clear(gradient);
        network.backward(simd, N::batch(input), output, saved, grad_output, Some(&mut **slope), gradient, pass);
    }
}
