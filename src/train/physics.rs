//! Networks that fulfil differential equations.

use alloc::boxed::Box;

use super::curvature::Forward;
use super::{Settings, Shard, Step, TrainError, finish};
use crate::dual::Dual;
use crate::hyperparameters::{Range, check};
use crate::jet::Jet;
use crate::layer::{Inputs, Pass};
use crate::memory;
use crate::network::{Network, Trainable};
use crate::optim::{Objective, Optimizer, OptimizerError, Schedule, assert_parts};
use crate::parameters::has_state;
use crate::scalar::{Real, Scalar};
use crate::simd::{Simd, Task, dispatch, level};
use crate::tensor::{Tensor, batch_slice, batch_slice_mut};

/// An output of the network at a point, and its derivatives by the `D` inputs; what a residual is computed from.
#[derive(Clone, Copy, Debug)]
pub struct Field<T, const D: usize> {
    /// `u`.
    pub value: Dual<T>,
    /// `∂u/∂xᵢ`.
    pub slopes: [Dual<T>; D],
    /// `Σᵢ wᵢ ∂²u/∂xᵢ²`, with the weights of [`Physics::new`].
    pub second: Dual<T>,
}

/// A part of the loss, `weight · mean r²` over points: an equation inside of a domain, values on its boundary, measurements.
pub struct Term<'a, X, T, const D: usize, const M: usize> {
    /// Where the residual is to be 0.
    pub points: &'a [X],
    /// The factor of the mean; at least 0.
    pub weight: f64,
    /// The residual `r` at the point with this index, of the `M` outputs of the network there.
    pub residual: Residual<'a, T, D, M>,
}

/// A residual: a function of the index of a point and of the outputs of the network there.
pub type Residual<'a, T, const D: usize, const M: usize> = &'a dyn Fn(usize, &[Field<T, D>; M]) -> Dual<T>;

/// How many points are computed at a time.
const BLOCK: usize = 64;

/// Trains a network to fulfil equations in its derivatives by its inputs: the loss is `Σ weight · mean r²` over the
/// [terms](Term), and its gradient is exact. A step allocates nothing.
///
/// `J` is the network `N` with [`Jet`]s, one direction for each input. Its forward pass gives `u`, all `∂u/∂xᵢ` and a sum of
/// second derivatives together, its backward pass the gradient by the parameters; the residual itself is differentiated
/// by dual numbers. It takes any optimizer. [`LevenbergMarquardt`](crate::optim::LevenbergMarquardt), whose rows are the
/// gradients of the residuals, gets furthest with networks of a few hundred parameters; [`Adam`](crate::optim::Adam) and
/// then [`Lbfgs`](crate::optim::Lbfgs) serve larger ones. Use `f64`: in `f32` such losses end early.
///
/// Equations need second derivatives of the network, so its activations should have them (`Tanh`, not `Relu`). Layers
/// with running statistics do not compile, and terms that layers add to the loss are left out.
///
/// M. Raissi, P. Perdikaris and G. Karniadakis, *Physics-informed neural networks* (2019).
///
/// ```
/// use monomorph::Jet;
/// use monomorph::optim::Lbfgs;
/// use monomorph::prelude::*;
/// use monomorph::train::{Physics, Term};
///
/// // u″ = −π² sin πx with u(0) = u(1) = 0, of which sin πx is the solution.
/// use std::f64::consts::PI;
/// network! { Curve<T>: [1] -> [1] { Dense(8), Tanh, Dense(1) } }
/// let inside: [[f64; 1]; 20] = std::array::from_fn(|n| [(n as f64 + 0.5) / 20.0]);
/// let ends = [[0.0], [1.0]];
/// let terms = [
///     Term { points: &inside, weight: 1.0, residual: &|n, [u]| u.second + PI * PI * (PI * inside[n][0]).sin() },
///     Term { points: &ends, weight: 100.0, residual: &|_, [u]| u.value },
/// ];
///
/// let mut net = Curve::<f64>::zeroed();
/// net.initialize(Init::default(), &mut Noise::new(1));
/// let mut physics = Physics::<Curve<f64>, Curve<Jet<f64, 1>>, _>::new(Lbfgs::<10>::default(), [1.0]);
/// for _ in 0..300 {
///     physics.step(&mut net, &terms)?;
/// }
/// assert!((net.evaluate(&[0.5])[0] - 1.0).abs() < 1e-3);
/// # Ok::<(), monomorph::train::TrainError>(())
/// ```
pub struct Physics<N: Network, J: Network, O: Optimizer<N::Scalar>> {
    /// How parameters move.
    pub optimizer: O,
    /// The factor that multiplies the optimizer's learning rate at each step.
    pub schedule: Schedule,
    steps: u64,
    moments: Box<O::Memory<N>>,
    workshop: Workshop<N, J>,
}

/// What derivatives take.
struct Workshop<N: Network, J: Network> {
    /// The weights of the second derivatives, and by how much each input moves.
    second: [f64; MOST],
    scale: [N::Scalar; MOST],
    /// The network with jets.
    network: Box<J>,
    input: Box<[J::Input; BLOCK]>,
    block: Box<Shard<J, BLOCK>>,
    one: Box<Shard<J, 1>>,
    gradient: Box<N>,
    row: Box<N>,
    value: N::Scalar,
}

/// The most inputs of a network: more directions in one jet would not be fast.
const MOST: usize = 16;

/// How far an input moves whose second derivative does not count: its square is less than the rounding of any number.
const TINY: f64 = 1.0 / (1_u64 << 40) as f64;

impl<T, N, J, O, const D: usize> Physics<N, J, O>
where
    T: Real,
    N: Network<Scalar = T, Input: Tensor<Element = T>>,
    J: Network<Scalar = Jet<T, D>, Input: Tensor<Element = Jet<T, D>>>,
    O: Optimizer<T>,
{
    /// A trainer with its memory on the heap, for equations with `Σᵢ second[i] ∂²u/∂xᵢ²`: the weights are at least 0, such
    /// as `[1.0, 1.0]` for the Laplacian and `[1.0, 0.0]` for `∂²u/∂x²` of a function of `x` and `t`.
    pub fn new(optimizer: O, second: [f64; D]) -> Self
    where
        N: Trainable,
    {
        const {
            assert_parts::<N, O>();
            assert!(
                N::COUNT == J::COUNT && N::Input::LEN == J::Input::LEN && N::Output::LEN == J::Output::LEN,
                "Physics takes a network and the same network with jets"
            );
            assert!(D == N::Input::LEN, "Physics takes jets with a direction for each input of the network");
            assert!(D <= MOST, "Physics takes at most 16 inputs");
            assert!(!has_state(N::ENTRIES), "a network with running statistics is no function of its inputs alone");
        }
        let (mut weights, mut scale) = ([0.0; MOST], [T::from_f64(TINY); MOST]);
        for (index, weight) in second.into_iter().enumerate() {
            weights[index] = weight;
            if weight > 0.0 {
                scale[index] = T::from_f64(libm::sqrt(weight));
            }
        }
        let workshop = Workshop {
            second: weights,
            scale,
            network: memory::boxed(),
            input: memory::boxed(),
            block: memory::boxed(),
            one: memory::boxed(),
            gradient: memory::boxed(),
            row: memory::boxed(),
            value: T::ZERO,
        };
        Self { optimizer, schedule: Schedule::Constant, steps: 0, moments: memory::boxed(), workshop }
    }

    /// The same trainer with a schedule of the learning rate.
    pub fn schedule(mut self, schedule: Schedule) -> Self {
        self.schedule = schedule;
        self
    }

    /// How many steps have been taken.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// The optimizer's memory.
    pub fn moments(&self) -> &O::Memory<N> {
        &self.moments
    }

    /// The gradient where it was last computed.
    pub fn gradient(&self) -> &N {
        &self.workshop.gradient
    }

    /// The loss and its [gradient](Self::gradient), without a step.
    ///
    /// # Errors
    /// As [`step`](Self::step).
    pub fn differentiate<const M: usize>(
        &mut self,
        network: &N,
        terms: &[Term<'_, N::Input, T, D, M>],
    ) -> Result<T, TrainError> {
        self.check(terms)?;
        self.workshop.value = self.workshop.loss(network, terms, true);
        if self.workshop.value.is_finite() {
            Ok(self.workshop.value)
        } else {
            Err(TrainError::NotFinite { what: "loss", step: self.steps + 1 })
        }
    }

    fn check<const M: usize>(&self, terms: &[Term<'_, N::Input, T, D, M>]) -> Result<(), TrainError> {
        const { assert!(M == N::Output::LEN, "a residual is given all outputs of the network") };
        for weight in self.workshop.second {
            check::<T>("Physics", &[("second", weight, Range::NotNegative)])?;
        }
        for term in terms {
            check::<T>("Term", &[("weight", term.weight, Range::NotNegative)])?;
        }
        Ok(())
    }

    /// One step; gives the loss before it.
    ///
    /// # Errors
    /// A weight or a hyperparameter out of its range; a loss or a gradient that is not finite; whatever the optimizer
    /// refuses. The network is then unchanged.
    pub fn step<const M: usize>(
        &mut self,
        network: &mut N,
        terms: &[Term<'_, N::Input, T, D, M>],
    ) -> Result<Step<T>, TrainError> {
        self.schedule.check()?;
        let rate = self.schedule.rate(self.steps + 1);
        self.optimizer.check(rate)?;
        let loss = self.differentiate(network, terms)?;
        let Self { optimizer, steps, moments, workshop, .. } = self;
        let settings = Settings { step: *steps + 1, rate, clip: None };
        let mut points = Points { workshop, terms };
        let task = StepTask { optimizer: &*optimizer, settings, network, points: &mut points, moments: &mut **moments };
        dispatch(level(), task)?;
        *steps += 1;
        Ok(Step { loss, correct: None })
    }
}

/// The entry point of the update.
struct StepTask<'a, N: Network, O: Optimizer<N::Scalar>, P> {
    optimizer: &'a O,
    settings: Settings,
    network: &'a mut N,
    points: &'a mut P,
    moments: &'a mut O::Memory<N>,
}

impl<N: Network<Scalar: Real>, O: Optimizer<N::Scalar>, P: Objective<N>> Task for StepTask<'_, N, O, P> {
    type Output = Result<(), TrainError>;

    #[inline(always)]
    fn run<S: Simd>(&mut self, simd: S) -> Self::Output {
        let Self { optimizer, settings, network, points, moments } = self;
        finish(simd, *optimizer, *settings, *network, *points, *moments)
    }
}

impl<T, N, J, const D: usize> Workshop<N, J>
where
    T: Real,
    N: Network<Scalar = T, Input: Tensor<Element = T>>,
    J: Network<Scalar = Jet<T, D>, Input: Tensor<Element = Jet<T, D>>>,
{
    /// The network of constants.
    fn place(&mut self, network: &N) {
        for (to, from) in self.network.as_mut_slice().iter_mut().zip(network.as_slice()) {
            *to = Jet::constant(*from);
        }
    }

    /// The point as a variable.
    fn vary(scale: &[T; MOST], point: &N::Input, to: &mut [Jet<T, D>]) {
        for (index, (to, (value, scale))) in to.iter_mut().zip(point.numbers().iter().zip(scale)).enumerate() {
            *to = Jet::constant(*value);
            to.slopes[index] = *scale;
        }
    }

    /// The residual, and its derivatives in the order in which a backward pass begins.
    fn residual<const M: usize>(
        scale: &[T; MOST],
        output: &[Jet<T, D>],
        residual: impl Fn(&[Field<T, D>; M]) -> Dual<T>,
    ) -> (T, [Jet<T, D>; M]) {
        let (two, zero) = (T::from_f64(2.0), Dual::ZERO);
        let mut fields = [Field { value: zero, slopes: [zero; D], second: zero }; M];
        for (field, jet) in fields.iter_mut().zip(output) {
            field.value = Dual::constant(jet.value);
            for (to, (slope, scale)) in field.slopes.iter_mut().zip(jet.slopes.iter().zip(scale)) {
                *to = Dual::constant(*slope / *scale);
            }
            field.second = Dual::constant(two * jet.second);
        }
        let (mut value, mut back) = (T::ZERO, [Jet::ZERO; M]);
        // The derivative by one number, which is changed and left as it was.
        let mut by = |m: usize, number: fn(&mut Field<T, D>, usize) -> &mut Dual<T>, index: usize| {
            number(&mut fields[m], index).derivatives = [T::ONE];
            let r = residual(&fields);
            number(&mut fields[m], index).derivatives = [T::ZERO];
            value = r.value;
            r.derivatives[0]
        };
        for (m, back) in back.iter_mut().enumerate() {
            back.second = by(m, |field, _| &mut field.value, 0);
            back.value = two * by(m, |field, _| &mut field.second, 0);
            for n in 0..D {
                back.slopes[n] = by(m, |field, n| &mut field.slopes[n], n) / scale[n];
            }
        }
        (value, back)
    }

    /// The loss; its gradient, too, if that is wanted.
    fn loss<const M: usize>(&mut self, network: &N, terms: &[Term<'_, N::Input, T, D, M>], gradient: bool) -> T {
        self.place(network);
        let Self { scale, network, input, block, .. } = self;
        memory::clear(&mut block.gradient);
        let mut loss = T::ZERO;
        for term in terms {
            let factor = T::from_f64(term.weight / term.points.len().max(1) as f64);
            for (number, points) in term.points.chunks(BLOCK).enumerate() {
                for (to, point) in input.iter_mut().zip(points) {
                    Self::vary(scale, point, to.numbers_mut());
                }
                dispatch(
                    level(),
                    Forward { shard: &mut **block, network: &**network, input, pass: Pass::new(NOISE, Jet::ZERO) },
                );
                // What is left of an earlier block counts nothing.
                batch_slice_mut(&mut block.grad_output).fill(Jet::ZERO);
                let outputs = batch_slice(&block.output).chunks_exact(M.max(1));
                let slopes = batch_slice_mut(&mut block.grad_output).chunks_exact_mut(M.max(1));
                for (offset, (output, slopes)) in outputs.zip(slopes).enumerate().take(points.len()) {
                    let of = |fields: &[Field<T, D>; M]| (term.residual)(number * BLOCK + offset, fields);
                    let (r, back) = Self::residual(scale, output, of);
                    loss += factor * r * r;
                    let slope = Jet::constant((factor + factor) * r);
                    slopes.iter_mut().zip(back).for_each(|(to, back)| *to = slope * back);
                }
                if gradient {
                    dispatch(level(), Backward { shard: &mut **block, network: &**network, input });
                }
            }
        }
        if gradient {
            for (to, from) in self.gradient.as_mut_slice().iter_mut().zip(block.gradient.as_slice()) {
                *to = from.second;
            }
        }
        loss
    }

    /// Calls `row` with the gradient of each residual, times `√(2 weight / points)`, and with the residual times that.
    fn rows<const M: usize>(&mut self, network: &N, terms: &[Term<'_, N::Input, T, D, M>], row: &mut dyn FnMut(&N, T)) {
        self.place(network);
        let Self { scale, network, input, one, row: slopes_of, .. } = self;
        for term in terms {
            let factor = T::from_f64(libm::sqrt(2.0 * term.weight / term.points.len().max(1) as f64));
            for (number, point) in term.points.iter().enumerate() {
                let [input, ..] = &mut **input;
                Self::vary(scale, point, input.numbers_mut());
                let input = core::array::from_ref(&*input);
                dispatch(
                    level(),
                    Forward { shard: &mut **one, network: &**network, input, pass: Pass::new(NOISE, Jet::ZERO) },
                );
                let of = |fields: &[Field<T, D>; M]| (term.residual)(number, fields);
                let (r, back) = Self::residual(scale, batch_slice(&one.output), of);
                let slopes = batch_slice_mut(&mut one.grad_output);
                slopes.iter_mut().zip(back).for_each(|(to, back)| *to = Jet::constant(factor) * back);
                memory::clear(&mut one.gradient);
                dispatch(level(), Backward { shard: &mut **one, network: &**network, input });
                for (to, from) in slopes_of.as_mut_slice().iter_mut().zip(one.gradient.as_slice()) {
                    *to = from.second;
                }
                row(slopes_of, factor * r);
            }
        }
    }
}

/// Layers that draw always draw the same: the network is a function.
const NOISE: crate::noise::Noise = crate::noise::Noise::new(0);

/// From the gradient of the outputs to that of the parameters, which it adds to what is there.
struct Backward<'a, J: Network, const B: usize> {
    shard: &'a mut Shard<J, B>,
    network: &'a J,
    input: &'a [J::Input; B],
}

impl<J: Network, const B: usize> Task for Backward<'_, J, B> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(&mut self, simd: S) {
        let Self { shard, network, input } = self;
        let Shard { gradient, saved, output, grad_output } = &mut **shard;
        let pass = Pass::new(NOISE, J::Scalar::ZERO);
        let none = J::Input::no_gradient();
        network.backward(simd, J::batch(input), output, saved, grad_output, none, gradient, &pass);
    }
}

/// All terms, for optimizers that evaluate them again.
struct Points<'a, N: Network, J: Network, T, const D: usize, const M: usize> {
    workshop: &'a mut Workshop<N, J>,
    terms: &'a [Term<'a, N::Input, T, D, M>],
}

impl<T, N, J, const D: usize, const M: usize> Objective<N> for Points<'_, N, J, T, D, M>
where
    T: Real,
    N: Network<Scalar = T, Input: Tensor<Element = T>>,
    J: Network<Scalar = Jet<T, D>, Input: Tensor<Element = Jet<T, D>>>,
{
    fn loss(&self) -> T {
        self.workshop.value
    }

    fn gradient(&self) -> &N {
        &self.workshop.gradient
    }

    fn gradient_mut(&mut self) -> &mut N {
        &mut self.workshop.gradient
    }

    fn loss_at(&mut self, parameters: &N) -> T {
        self.workshop.loss(parameters, self.terms, false)
    }

    fn gradient_at(&mut self, parameters: &N) -> T {
        self.workshop.value = self.workshop.loss(parameters, self.terms, true);
        self.workshop.value
    }

    fn rows(&mut self, parameters: &N, row: &mut dyn FnMut(&N, T)) -> Result<(), OptimizerError> {
        self.workshop.rows(parameters, self.terms, &mut |slopes, r| row(slopes, -r));
        Ok(())
    }
}

#[cfg(all(test, feature = "std"))]
mod tests;
