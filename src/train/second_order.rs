//! Training with second derivatives.

mod root;

use alloc::boxed::Box;

use super::curvature::{Back, Curvature, Forward};
use super::shard::{Batch, Settings, finish};
use super::{Recipe, Shard, Step, TrainError};
use crate::dual::Dual;
use crate::layer::Pass;
use crate::loss::{Loss, LossError, Reduction};
use crate::memory;
use crate::network::{Network, Trainable};
use crate::noise::Noise;
use crate::optim::{Matrix, Objective, Optimizer, OptimizerError, assert_parts};
use crate::parameters::has_state;
use crate::scalar::Real;
use crate::simd::{Simd, Task, dispatch, level};
use crate::tensor::{Tensor, assert_batch_size, batch_slice, batch_slice_mut};
use root::Root;

/// A [`Trainer`](super::Trainer) for optimizers that need second derivatives: [`NewtonCg`](crate::optim::NewtonCg),
/// [`TrustRegion`](crate::optim::TrustRegion), [`LevenbergMarquardt`](crate::optim::LevenbergMarquardt). A step allocates
/// nothing.
///
/// It is a trainer of its own because only these need the network with dual numbers, `D`. All others work with it, too. The
/// batch is usually all there is, or large; terms that layers add to the loss count with the weight 1.
///
/// ```
/// use monomorph::Dual;
/// use monomorph::prelude::*;
/// use monomorph::train::SecondOrder;
///
/// network! { Classes<T>: [2] -> [3] { Dense(8), Tanh, Dense(3) } }
/// let x = [[0.0, 1.0], [1.0, 0.0], [-1.0, -1.0]];
/// let mut net = Classes::<f64>::zeroed();
/// net.initialize(Init::default(), &mut Noise::new(1));
/// // The natural gradient, in a region that is trusted.
/// let mut trainer =
///     SecondOrder::<Classes<f64>, Classes<Dual<f64>>, _, 3>::new(TrustRegion::default(), CrossEntropy);
/// let mut loss = 1.0;
/// for _ in 0..10 {
///     loss = trainer.step(&mut net, &x, &[0_u8, 1, 2])?.loss;
/// }
/// assert!(loss < 0.1);
/// assert!(trainer.moments().products > 10);
/// # Ok::<(), monomorph::train::TrainError>(())
/// ```
pub struct SecondOrder<N: Network, D: Network, R: Recipe<Optimizer: Optimizer<N::Scalar>>, const B: usize> {
    /// How parameters move.
    pub optimizer: R::Optimizer,
    /// What is minimized.
    pub loss: R::Loss,
    steps: u64,
    noise: Noise,
    moments: Box<<R::Optimizer as Optimizer<N::Scalar>>::Memory<N>>,
    shard: Box<Shard<N, B>>,
    workshop: Workshop<N, D, B>,
}

/// What second derivatives take.
struct Workshop<N: Network, D: Network, const B: usize> {
    curvature: Curvature<N, D, B>,
    target: Box<[D::Output; B]>,
    root: Root<D, N::Scalar>,
    /// Gradients of the outputs, had the targets been drawn from the model.
    drawn: Box<[N::Output; B]>,
    product: Box<[N::Output; B]>,
    /// For the derivatives of one sample's outputs.
    one: Box<Shard<N, 1>>,
}

/// A target for a network, which says what it is for the same network `D` with dual numbers: a class is the same, and
/// numbers are constants.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no target for second derivatives",
    note = "targets are classes (`u8`, `u16`, `u32`, `usize`), or have the type of the output"
)]
pub trait Target<D: Network>: Sized {
    /// The target for dual numbers.
    type Dual;

    /// The targets for dual numbers, in `memory` if they are others.
    fn constants<'a, const B: usize>(target: &'a [Self; B], memory: &'a mut [D::Output; B]) -> &'a [Self::Dual; B];
}

macro_rules! classes {
    ($($class:ty)*) => {
        $(impl<D: Network> Target<D> for $class {
            type Dual = Self;

            fn constants<'a, const B: usize>(target: &'a [Self; B], _: &'a mut [D::Output; B]) -> &'a [Self; B] {
                target
            }
        })*
    };
}
classes!(u8 u16 u32 usize);

impl<T, X, D, const K: usize> Target<D> for [X; K]
where
    T: Real,
    X: Tensor<Element = T>,
    D: Network<Scalar = Dual<T, 1>, Output = <[X; K] as Tensor>::With<Dual<T, 1>>>,
{
    type Dual = D::Output;

    fn constants<'a, const B: usize>(target: &'a [Self; B], memory: &'a mut [D::Output; B]) -> &'a [D::Output; B] {
        for (to, from) in batch_slice_mut(memory).iter_mut().zip(batch_slice(target)) {
            *to = Dual::constant(*from);
        }
        memory
    }
}

impl<T, N, D, O, L, const B: usize> SecondOrder<N, D, (O, L), B>
where
    T: Real,
    N: Network<Scalar = T, Input: Tensor<Element = T>>,
    D: Network<Scalar = Dual<T, 1>, Input: Tensor<Element = Dual<T, 1>>>,
    O: Optimizer<T>,
{
    /// A trainer with its memory on the heap.
    pub fn new(optimizer: O, loss: L) -> Self
    where
        N: Trainable,
    {
        const {
            assert_parts::<N, O>();
            assert_batch_size(B);
        }
        let workshop = Workshop {
            curvature: Curvature::new(),
            target: memory::boxed(),
            root: Root::new(),
            drawn: memory::boxed(),
            product: memory::boxed(),
            one: memory::boxed(),
        };
        let (moments, shard) = (memory::boxed(), memory::boxed());
        Self { optimizer, loss, steps: 0, noise: Noise::new(0), moments, shard, workshop }
    }

    /// The same trainer with another seed for dropout and for what is drawn.
    pub fn seed(mut self, seed: u64) -> Self {
        self.noise = Noise::new(seed);
        self
    }

    /// How many steps have been taken.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// The optimizer's memory, which counts products and evaluations.
    pub fn moments(&self) -> &O::Memory<N> {
        &self.moments
    }

    /// One step: forward, loss, backward, and what the optimizer needs besides.
    ///
    /// # Errors
    /// As those of a [`Trainer`](super::Trainer)'s step. The network and the trainer are then unchanged, except for what
    /// the optimizer counts.
    pub fn step<Y: Target<D>>(
        &mut self,
        network: &mut N,
        input: &[N::Input; B],
        target: &[Y; B],
    ) -> Result<Step<T>, TrainError>
    where
        L: Loss<T, N::Output, Y> + Loss<Dual<T, 1>, D::Output, Y::Dual>,
    {
        self.optimizer.check(1.0)?;
        if Loss::<T, N::Output, Y>::divisor(&self.loss, target) == 0.0 {
            return Err(TrainError::Loss(LossError::NothingCounts));
        }
        dispatch(level(), StepTask { trainer: self, network, samples: (input, target) })
    }
}

/// The entry point of a step.
struct StepTask<'a, N: Network, D: Network, O: Optimizer<N::Scalar>, L, Y, const B: usize> {
    trainer: &'a mut SecondOrder<N, D, (O, L), B>,
    network: &'a mut N,
    samples: (&'a [N::Input; B], &'a [Y; B]),
}

impl<T, N, D, O, L, Y, const B: usize> Task for StepTask<'_, N, D, O, L, Y, B>
where
    T: Real,
    N: Network<Scalar = T, Input: Tensor<Element = T>>,
    D: Network<Scalar = Dual<T, 1>, Input: Tensor<Element = Dual<T, 1>>>,
    O: Optimizer<T>,
    Y: Target<D>,
    L: Loss<T, N::Output, Y> + Loss<Dual<T, 1>, D::Output, Y::Dual>,
{
    type Output = Result<Step<T>, TrainError>;

    #[inline(always)]
    fn run<S: Simd>(&mut self, simd: S) -> Self::Output {
        let Self { trainer, network, samples } = self;
        let SecondOrder { optimizer, loss, steps, noise, moments, shard, workshop } = &mut **trainer;
        let settings = Settings { step: *steps + 1, rate: 1.0, clip: None };
        let mut pass = Pass::new(*noise, T::ONE);
        let outcome = shard.compute(simd, network, loss, *samples, &mut pass, settings.step, T::ONE)?;
        let batch =
            Batch { simd, shard, loss, samples: *samples, noise: *noise, term_weight: T::ONE, value: outcome.loss };
        workshop.curvature.noise = *noise;
        // The noise of what is drawn is another one than that of the layers.
        let draws = Noise::new(pass.noise.next_u64());
        let mut curved = Curved { batch, workshop, draws: Some(draws) };
        finish(simd, optimizer, settings, &mut **network, &mut curved, moments)?;
        (*steps, *noise) = (settings.step, pass.noise);
        Ok(outcome)
    }
}

/// A batch with second derivatives.
struct Curved<'a, N: Network, D: Network, S, L, Y, const B: usize> {
    batch: Batch<'a, N, S, L, Y, B>,
    workshop: &'a mut Workshop<N, D, B>,
    /// What to draw from, until that is done.
    draws: Option<Noise>,
}

impl<T, N, D, S, L, Y, const B: usize> Objective<N> for Curved<'_, N, D, S, L, Y, B>
where
    T: Real,
    N: Network<Scalar = T, Input: Tensor<Element = T>>,
    D: Network<Scalar = Dual<T, 1>, Input: Tensor<Element = Dual<T, 1>>>,
    S: Simd,
    Y: Target<D>,
    L: Loss<T, N::Output, Y> + Loss<Dual<T, 1>, D::Output, Y::Dual>,
{
    #[inline(always)]
    fn loss(&self) -> T {
        self.batch.loss()
    }

    #[inline(always)]
    fn gradient(&self) -> &N {
        self.batch.gradient()
    }

    #[inline(always)]
    fn gradient_mut(&mut self) -> &mut N {
        self.batch.gradient_mut()
    }

    #[inline(always)]
    fn loss_at(&mut self, parameters: &N) -> T {
        self.batch.loss_at(parameters)
    }

    #[inline(always)]
    fn gradient_at(&mut self, parameters: &N) -> T {
        self.batch.gradient_at(parameters)
    }

    fn product(&mut self, matrix: Matrix, parameters: &N, v: &N, product: &mut N) -> Result<(), OptimizerError> {
        let Batch { loss, samples: (input, target), .. } = self.batch;
        let Workshop { curvature, target: memory, .. } = &mut *self.workshop;
        let computed = match matrix {
            Matrix::Hessian => {
                let target = Y::constants(target, memory);
                curvature.hessian(loss, (input, target), parameters, v, product).is_ok()
            }
            Matrix::GaussNewton => {
                let target = Y::constants(target, memory);
                curvature.gauss_newton(loss, (input, target), parameters, v, product).is_ok()
            }
            Matrix::Fisher => return self.fisher(parameters, v, product),
        };
        if computed { Ok(()) } else { Err(OptimizerError::NotFinite) }
    }

    fn rows(&mut self, parameters: &N, row: &mut dyn FnMut(&N, T)) -> Result<(), OptimizerError> {
        self.each_sample(parameters, |root, sample| {
            // `−Σ b·a` is the gradient `Jᵀ·g` if `C·b = −g`, where the columns of `Jᵀ·C` are the rows `a`.
            root.solve();
            for (column, b) in root.solution().enumerate() {
                let Some(entries) = root.column(column) else { continue };
                sample.slopes().iter_mut().zip(entries).for_each(|(to, entry)| *to = entry);
                row(sample.gradient(), -b);
            }
        })
    }

    fn drawn(&mut self, parameters: &N, sample: &mut dyn FnMut(&N, usize)) -> Result<(), OptimizerError> {
        let mut noise = self.draws.take().unwrap_or(Noise::new(0));
        self.each_sample(parameters, |root, one| {
            root.draw(&mut noise, one.slopes());
            sample(one.gradient(), B);
        })
    }
}

impl<T, N, D, S, L, Y, const B: usize> Curved<'_, N, D, S, L, Y, B>
where
    T: Real,
    N: Network<Scalar = T, Input: Tensor<Element = T>>,
    D: Network<Scalar = Dual<T, 1>, Input: Tensor<Element = Dual<T, 1>>>,
    Y: Target<D>,
    L: Loss<T, N::Output, Y> + Loss<Dual<T, 1>, D::Output, Y::Dual>,
{
    /// Calls `f` for each sample with the root of its loss's Hessian, and with what writes a gradient of the output and
    /// computes that of the parameters from it.
    fn each_sample(
        &mut self,
        parameters: &N,
        mut f: impl FnMut(&mut Root<D, T>, &mut Sample<'_, N>),
    ) -> Result<(), OptimizerError> {
        const { assert!(!has_state(N::ENTRIES), "a network with running statistics has no gradient for each sample") };
        let Batch { loss, samples: (input, target), noise, .. } = self.batch;
        let divisor = divisor::<N, L, Y, B>(loss, target)?;
        let Workshop { target: memory, root, one, .. } = &mut *self.workshop;
        let pass = Pass::new(noise, T::ZERO);
        for ((input, target), constants) in input.iter().zip(target).zip(Y::constants(target, memory)) {
            let (input, target) = (core::array::from_ref(input), core::array::from_ref(target));
            dispatch(level(), Forward { shard: &mut **one, network: parameters, input, pass: pass.clone() });
            let output = batch_slice(&one.output).iter().copied();
            let share = Shard::<N, 1>::share(loss, target, 1.0, divisor);
            root.compute(loss, output, constants, share).map_err(|_| OptimizerError::NotFinite)?;
            f(root, &mut Sample { shard: &mut **one, network: parameters, input, pass: &pass });
        }
        Ok(())
    }
}

/// One sample of a batch.
struct Sample<'a, N: Network> {
    shard: &'a mut Shard<N, 1>,
    network: &'a N,
    input: &'a [N::Input; 1],
    pass: &'a Pass<N::Scalar>,
}

impl<N: Network> Sample<'_, N> {
    /// The gradient of the output, to be written.
    fn slopes(&mut self) -> &mut [N::Scalar] {
        batch_slice_mut(&mut self.shard.grad_output)
    }

    /// The gradient of the parameters that follows from it.
    fn gradient(&mut self) -> &N {
        let Self { shard, network, input, pass } = self;
        dispatch(level(), Back { shard: &mut **shard, network, input, pass: (*pass).clone() });
        &shard.gradient
    }
}

/// The number that the losses of the samples are divided by, if the loss is one of samples.
fn divisor<N: Network, L: Loss<N::Scalar, N::Output, Y>, Y, const B: usize>(
    loss: &L,
    target: &[Y; B],
) -> Result<f64, OptimizerError> {
    if matches!(L::REDUCTION, Reduction::Batch) { Err(OptimizerError::NoCurvature) } else { Ok(loss.divisor(target)) }
}

impl<T, N, D, S, L, Y, const B: usize> Curved<'_, N, D, S, L, Y, B>
where
    T: Real,
    N: Network<Scalar = T, Input: Tensor<Element = T>>,
    D: Network<Scalar = Dual<T, 1>, Input: Tensor<Element = Dual<T, 1>>>,
    Y: Target<D>,
    L: Loss<T, N::Output, Y> + Loss<Dual<T, 1>, D::Output, Y::Dual>,
{
    /// The product with the Fisher matrix.
    fn fisher(&mut self, parameters: &N, v: &N, product: &mut N) -> Result<(), OptimizerError> {
        let Batch { loss, samples: (input, target), .. } = self.batch;
        let divisor = divisor::<N, L, Y, B>(loss, target)?;
        let Workshop { curvature, target: memory, root, drawn, product: along, .. } = &mut *self.workshop;
        let outputs = curvature.jacobian(input, parameters, v);
        if let Some(mut noise) = self.draws.take() {
            let samples = outputs.iter().zip(&mut **drawn).zip(target).zip(Y::constants(target, memory));
            for (((output, drawn), target), constants) in samples {
                let output = output.numbers().iter().map(|number| number.value);
                let share = Shard::<N, 1>::share(loss, core::array::from_ref(target), 1.0, divisor);
                root.compute(loss, output, constants, share).map_err(|_| OptimizerError::NotFinite)?;
                root.draw(&mut noise, drawn.numbers_mut());
            }
        }
        for ((to, drawn), output) in along.iter_mut().zip(&**drawn).zip(outputs) {
            let pairs = drawn.numbers().iter().zip(output.numbers());
            let slope = pairs.fold(T::ZERO, |sum, (u, y)| sum + *u * y.derivatives[0]);
            for (to, u) in to.numbers_mut().iter_mut().zip(drawn.numbers()) {
                *to = slope * *u;
            }
        }
        curvature.transposed_jacobian(input, parameters, along, product);
        Ok(())
    }
}

#[cfg(all(test, feature = "std"))]
mod tests;
