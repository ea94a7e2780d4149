//! Optimizers: how a gradient moves the parameters.
//!
//! | type | keeps | update of a parameter `θ` with gradient `g`, learning rate `η` |
//! | --- | --- | --- |
//! | [`Sgd`] | – | `θ ← θ − η·g` |
//! | [`Momentum`] | `m` | `m ← μ·m + g`, `θ ← θ − η·m` |
//! | [`Adagrad`] | `v` | `v ← v + g²`, `θ ← θ − η·g/(√v + ε)` |
//! | [`RmsProp`] | `v` | `v ← α·v + (1−α)·g²`, `θ ← θ − η·g/(√v + ε)` |
//! | [`Adam`], [`AdamW`] | `m`, `v` | `θ ← θ − η·m̂/(√v̂ + ε)` |
//! | [`Lbfgs`] | the last `s`, `y` | `θ ← θ − α·H·g`, with an `H` from the last steps and an `α` that fulfils Wolfe's conditions |
//! | [`NewtonCg`] | – | `θ ← θ − α·(B + λ)⁻¹·g` by conjugate gradients, with a [matrix](Matrix) `B` of second derivatives |
//! | [`TrustRegion`] | the radius | the minimum of the quadratic model within a radius |
//! | [`LevenbergMarquardt`] | the damping | the minimum of the linearised network, damped; by orthogonal factors |
//! | [`Kfac`] | factors, the last step | the direction `−A⁻¹·∇W·G⁻¹` for each layer, and momentum, by the quadratic model |
//! | [`AmsGrad`] | `m`, `v`, `w` | Adam, divided by the largest `v` so far |
//! | [`Adamax`] | `m`, `u` | Adam, divided by the largest `\|g\|` of late |
//! | [`NAdam`] | `m`, `v` | Adam with Nesterov's look-ahead |
//! | [`RAdam`] | `m`, `v` | Adam that begins as momentum, without warm-up |
//! | [`Adadelta`] | `v`, `u` | `θ ← θ − η·g·√(u + ε)/√(v + ε)`, `u` of the squared steps |
//! | [`RmsPropMomentum`] | `v`, `a`, `m` | RMSProp with momentum, centred or not |
//! | [`Asgd`] | average | SGD with a falling rate, and the mean of the parameters |
//! | [`Rprop`] | `g`, step | `θ ← θ − s·sign g`, a step `s` for each parameter |
//! | [`Lion`] | `m` | `θ ← θ − η·sign(β₁·m + (1−β₁)·g)` |
//! | [`Muon`] | `m`, `v` | momentum of matrices, made orthogonal; [`AdamW`] for all else |
//! | [`ScheduleFreeSgd`], [`ScheduleFreeAdamW`] | `z`, (`v`) | gradients near the average of the parameters, which is the result |
//! | [`Sgld`] | – | SGD with noise, which draws from the posterior: `θ ← θ − η·g + √(2ηT)·ε` |
//! | [`GradientDescent`] | the last `α` | `θ ← θ − α·g`, with an `α` that makes the loss smaller |
//!
//! [`NewtonCg`], [`TrustRegion`], [`LevenbergMarquardt`] and [`Kfac`] need second derivatives: train with
//! [`SecondOrder`](crate::train::SecondOrder).
//!
//! [`Sag`], [`Saga`] and [`Svrg`] minimize a mean of finitely many functions, whose gradients they remember.
//!
//! Some wrap another optimizer, and each other: [`Averaged`] keeps an average of the parameters, [`Lookahead`] goes back
//! part of the way, [`Sam`] takes the gradient at the worst point nearby, [`Accumulated`] takes one step for several
//! batches, [`PerLayer`] has learning rates by layer and freezes, [`Regularized`] adds penalties and constraints on weights.
//!
//! The formulas, the position of `ε` and the defaults are PyTorch's, where PyTorch has the optimizer. A [`Schedule`]
//! varies the learning rate, [`ReduceOnPlateau`] lowers it, [`RateFinder`] suggests one, [`clip`] bounds the gradient. Each
//! step is one pass over parameters, gradient and memory; a [line search](GradientDescent) takes several. Nothing allocates.

mod accumulated;
mod adadelta;
mod adagrad;
mod adam;
mod adamax;
mod amsgrad;
mod asgd;
mod averaged;
pub mod clip;
mod conjugate;
mod finite_sums;
mod gradient_descent;
mod kfac;
mod lbfgs;
mod levenberg_marquardt;
mod line_search;
mod lion;
mod lookahead;
mod memory;
mod muon;
mod nadam;
mod newton_cg;
mod objective;
mod penalty;
mod per_layer;
mod plateau;
mod radam;
mod rate_finder;
mod regularized;
mod rmsprop;
mod rprop;
mod sam;
mod schedule;
mod schedule_free;
mod sgd;
mod sgld;
#[cfg(all(test, feature = "safetensors", feature = "std"))]
mod testing;
mod trust_region;
mod vectors;

pub use accumulated::*;
pub use adadelta::*;
pub use adagrad::*;
pub use adam::*;
pub use adamax::*;
pub use amsgrad::*;
pub use asgd::*;
pub use averaged::*;
pub use finite_sums::*;
pub use gradient_descent::*;
#[cfg(all(feature = "nalgebra", feature = "alloc"))]
pub(crate) use kfac::sizes as kfac_sizes;
pub use kfac::{Kfac, KfacMemory, kfac_numbers};
pub use lbfgs::*;
pub use levenberg_marquardt::*;
pub use lion::*;
pub use lookahead::*;
pub(crate) use memory::assert_parts;
pub use memory::{Memory, Part, PartMut, PartName, PartRef, for_each_part, for_each_part_mut};
pub use muon::*;
pub use nadam::*;
pub use newton_cg::*;
pub use objective::*;
pub use penalty::{Penalty, Rule};
pub use per_layer::*;
pub use plateau::*;
pub use radam::*;
pub use rate_finder::*;
pub use regularized::Regularized;
pub use rmsprop::*;
pub use rprop::*;
pub use sam::*;
pub use schedule::*;
pub use schedule_free::*;
pub use sgd::*;
pub use sgld::*;
pub use trust_region::*;

pub use crate::{layer_rates, memory_parts};

use core::ops;

use crate::hyperparameters::{OutOfRange, Range, check};
use crate::kernels::{elementwise, training};
use crate::parameters::{Parameters, Role, for_each_role, has_state};
use crate::scalar::Scalar;
use crate::simd::{Simd, Task, Vector, dispatch, level, outline};

/// A rule that moves parameters along their gradient.
///
/// What it keeps between steps is its [`Memory`]: values of the same form as the network, numbers and counters, each
/// with a name. So a checkpoint is a simple loop:
///
/// ```
/// use monomorph::Parameters;
/// use monomorph::optim::{Adam, GradientDescent, Optimizer, PartRef, for_each_part};
/// use monomorph::parameters::for_each_tensor;
///
/// fn names<N: Parameters<Scalar = f32>, O: Optimizer<f32>>(memory: &O::Memory<N>) -> Vec<String> {
///     let mut names = Vec::new();
///     for_each_part::<N, O>(memory, &mut |part, value| match value {
///         PartRef::Tensors(state) => for_each_tensor(N::ENTRIES, &mut |path, _, range| {
///             let _numbers: &[f32] = &state.as_slice()[range];
///             names.push(format!("{part}.{path}"));
///         }),
///         PartRef::Numbers(_shape, _numbers) => names.push(part.to_string()),
///         PartRef::Counter(_counter) => names.push(part.to_string()),
///     });
///     names
/// }
///
/// #[derive(Parameters)]
/// #[repr(C)]
/// struct Line {
///     slope: [f32; 1],
///     offset: [f32; 1],
/// }
/// let memory = monomorph::memory::zeroed();
/// assert_eq!(names::<Line, Adam>(&memory), ["m.slope", "m.offset", "v.slope", "v.offset"]);
/// let memory = monomorph::memory::zeroed();
/// assert_eq!(names::<Line, GradientDescent>(&memory), ["step", "evaluations", "failures"]);
/// ```
///
/// # An optimizer of your own
/// [`update`] is the loop: give it what happens to one register of parameters.
///
/// ```
/// use monomorph::optim::{Optimizer, update};
/// use monomorph::simd::{Simd, Vector};
/// use monomorph::{Parameters, Scalar};
///
/// /// Sign descent: every parameter moves by the same amount.
/// struct Sign {
///     learning_rate: f64,
/// }
///
/// impl<T: Scalar> Optimizer<T> for Sign {
///     type Memory<N: Parameters<Scalar = T>> = [N; 0];
///
///     fn update<N: Parameters<Scalar = T>, S: Simd>(
///         &self,
///         simd: S,
///         _step: u64,
///         rate: f64,
///         gradient_scale: T,
///         parameters: &mut N,
///         gradient: &N,
///         memory: &mut [N; 0],
///     ) {
///         let step = T::Vector::<S>::splat(simd, T::from_f64(self.learning_rate * rate));
///         update(
///             simd,
///             gradient_scale,
///             parameters,
///             gradient,
///             memory,
///             #[inline(always)]
///             move |p, g, []| (p - step.copysign(g), []),
///         );
///     }
/// }
/// ```
///
/// An optimizer that keeps `K` values of the network's form has the memory `[N; K]` and lists their names in
/// [`MEMORY`](Self::MEMORY), such as `&["m", "v"]`; `f` gets them as registers, too, and returns their new values.
///
/// An optimizer that keeps anything else has a struct for it, which names its parts with [`memory_parts!`]. One that
/// evaluates the loss several times per step, as a line search does, has its own [`step`](Self::step):
///
/// ```
/// use monomorph::memory::Plain;
/// use monomorph::optim::{Memory, Objective, Optimizer, OptimizerError, Part, Sgd, memory_parts};
/// use monomorph::prelude::*;
/// use monomorph::simd::Simd;
/// use monomorph::{Parameters, Scalar};
///
/// /// Goes back where the loss has become larger, and then takes half the steps.
/// struct Careful(Sgd);
///
/// #[derive(Plain)]
/// struct State<N: Parameters> {
///     halvings: u64,
///     best: N::Scalar,
///     start: N, // not listed, so not in checkpoints
/// }
///
/// impl<N: Parameters> Memory<N> for State<N> {
///     const PARTS: &'static [Part<Self, N>] = memory_parts! { halvings: counter, best: numbers };
/// }
///
/// impl<T: Scalar> Optimizer<T> for Careful {
///     type Memory<N: Parameters<Scalar = T>> = State<N>;
///
///     #[inline(always)]
///     fn update<N: Parameters<Scalar = T>, S: Simd>(
///         &self,
///         simd: S,
///         step: u64,
///         rate: f64,
///         gradient_scale: T,
///         parameters: &mut N,
///         gradient: &N,
///         memory: &mut State<N>,
///     ) {
///         let rate = rate * 0.5_f64.powi(memory.halvings as i32);
///         self.0.update(simd, step, rate, gradient_scale, parameters, gradient, &mut []);
///     }
///
///     #[inline(always)]
///     fn step<N: Parameters<Scalar = T>, S: Simd>(
///         &self,
///         simd: S,
///         step: u64,
///         rate: f64,
///         gradient_scale: T,
///         parameters: &mut N,
///         objective: &mut impl Objective<N>,
///         memory: &mut State<N>,
///     ) -> Result<(), OptimizerError> {
///         memory.start.as_mut_slice().copy_from_slice(parameters.as_slice());
///         self.update(simd, step, rate, gradient_scale, parameters, objective.gradient(), memory);
///         memory.best = objective.loss_at(parameters);
///         if memory.best > objective.loss() {
///             parameters.as_mut_slice().copy_from_slice(memory.start.as_slice());
///             memory.halvings += 1;
///         }
///         Ok(())
///     }
/// }
///
/// network! { Line: [1] -> [1] { Dense(1) } }
/// let mut net = Line::zeroed();
/// let sgd = Sgd { learning_rate: 0.6, ..Sgd::default() };
/// let mut trainer = Trainer::<Line, _, 1>::new(Careful(sgd), Mse);
/// for _ in 0..10 {
///     trainer.step(&mut net, &[[1.0]], &[[1.0]])?;
/// }
/// assert_eq!(trainer.moments().halvings, 1);
/// assert!((net.evaluate(&[1.0])[0] - 1.0).abs() < 1e-5);
/// # Ok::<(), monomorph::train::TrainError>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an optimizer for numbers of type `{T}`",
    label = "not an optimizer",
    note = "an optimizer is a value that holds its learning rate, such as `Sgd {{ learning_rate: 0.1, ..Sgd::default() }}` or `Adam::default()`; the optimizers are in `monomorph::optim`"
)]
pub trait Optimizer<T: Scalar>: 'static {
    /// The names of the values in a memory of the form `[N; K]`. There must be exactly `K`, otherwise trainers do not
    /// compile. A struct names its own parts.
    const MEMORY: &'static [&'static str] = &[];

    /// What it keeps between steps; it starts as zeros. `[N; K]` serves most optimizers.
    type Memory<N: Parameters<Scalar = T>>: Memory<N>;

    /// Checks the hyperparameters; `rate` is the factor by which the schedule multiplies the learning rate. Trainers call
    /// it before every step. By default, everything is accepted.
    ///
    /// # Errors
    /// The first hyperparameter that is out of its range.
    fn check(&self, rate: f64) -> Result<(), OutOfRange> {
        let _ = rate;
        Ok(())
    }

    /// Updates the parameters from a gradient. Steps are numbered from 1.
    ///
    /// `rate` multiplies the learning rate, as given by a [`Schedule`]; `gradient_scale` multiplies the gradient, as
    /// given by [`clip::clip_scale`]. A [state](Role::State) tensor decreases by exactly its gradient, whatever the
    /// multipliers are.
    fn update<N: Parameters<Scalar = T>, S: Simd>(
        &self,
        simd: S,
        step: u64,
        rate: f64,
        gradient_scale: T,
        parameters: &mut N,
        gradient: &N,
        memory: &mut Self::Memory<N>,
    );

    /// Takes one step: [`update`](Self::update) with the gradient of the batch, unless the optimizer evaluates the loss
    /// more often. This is what trainers call; the arguments are as for `update`.
    ///
    /// `objective` has the batch's loss and gradient at `parameters`, and computes both at other points.
    ///
    /// # Errors
    /// The reason that no step was taken; `parameters` must then be unchanged. `update` never fails: trainers have checked
    /// the hyperparameters, and that the norm of the gradient is finite.
    #[inline(always)]
    fn step<N: Parameters<Scalar = T>, S: Simd>(
        &self,
        simd: S,
        step: u64,
        rate: f64,
        gradient_scale: T,
        parameters: &mut N,
        objective: &mut impl Objective<N>,
        memory: &mut Self::Memory<N>,
    ) -> Result<(), OptimizerError> {
        self.update(simd, step, rate, gradient_scale, parameters, objective.gradient(), memory);
        Ok(())
    }

    /// Writes the network to evaluate and to save, for optimizers whose result is an average of the parameters that
    /// training passes through; by default the parameters as they are.
    fn averaged<N: Parameters<Scalar = T>>(&self, parameters: &N, memory: &Self::Memory<N>, out: &mut N) {
        let _ = memory;
        out.as_mut_slice().copy_from_slice(parameters.as_slice());
    }

    /// [`update`](Self::update) at the best SIMD level, without a trainer: with the learning rate and the gradient as they
    /// are. Steps are numbered from 1.
    ///
    /// ```
    /// use monomorph::prelude::*;
    ///
    /// network! { Line: [1] -> [1] { Dense(1) } }
    /// let (mut net, mut gradient) = (Line::zeroed(), Line::zeroed());
    /// gradient.dense1.bias = [2.0];
    /// let sgd = Sgd { learning_rate: 0.1, ..Sgd::default() };
    /// sgd.apply(1, &mut net, &gradient, &mut []);
    /// assert_eq!(net.dense1.bias, [-0.2]);
    /// ```
    fn apply<N: Parameters<Scalar = T>>(
        &self,
        step: u64,
        parameters: &mut N,
        gradient: &N,
        memory: &mut Self::Memory<N>,
    ) where
        Self: Sized,
    {
        dispatch(level(), Apply { optimizer: self, step, parameters, gradient, memory });
    }

    /// [`step`](Self::step) at the best SIMD level, without a trainer, as [`apply`](Self::apply); [`Objective`] has an
    /// example.
    ///
    /// # Errors
    /// As `step`.
    fn minimize<N: Parameters<Scalar = T>>(
        &self,
        step: u64,
        parameters: &mut N,
        objective: &mut impl Objective<N>,
        memory: &mut Self::Memory<N>,
    ) -> Result<(), OptimizerError>
    where
        Self: Sized,
    {
        dispatch(level(), Minimize { optimizer: self, step, parameters, objective, memory })
    }
}

struct Apply<'a, O: Optimizer<N::Scalar>, N: Parameters> {
    optimizer: &'a O,
    step: u64,
    parameters: &'a mut N,
    gradient: &'a N,
    memory: &'a mut O::Memory<N>,
}

impl<O: Optimizer<N::Scalar>, N: Parameters> Task for Apply<'_, O, N> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(&mut self, simd: S) {
        let Self { optimizer, step, parameters, gradient, memory } = self;
        optimizer.update(simd, *step, 1.0, N::Scalar::ONE, *parameters, gradient, memory);
    }
}

struct Minimize<'a, O: Optimizer<N::Scalar>, N: Parameters, F> {
    optimizer: &'a O,
    step: u64,
    parameters: &'a mut N,
    objective: &'a mut F,
    memory: &'a mut O::Memory<N>,
}

impl<O: Optimizer<N::Scalar>, N: Parameters, F: Objective<N>> Task for Minimize<'_, O, N, F> {
    type Output = Result<(), OptimizerError>;

    #[inline(always)]
    fn run<S: Simd>(&mut self, simd: S) -> Self::Output {
        let Self { optimizer, step, parameters, objective, memory } = self;
        optimizer.step(simd, *step, 1.0, N::Scalar::ONE, *parameters, *objective, memory)
    }
}

/// The loop that optimizers share: `(p, m) ← f(p, gradient_scale·g, m)` for every learned number, `p ← p − g` for
/// state.
///
/// `f` works on registers: the parameters, their gradient and their `K` memory values.
#[inline(always)]
pub fn update<T: Scalar, N: Parameters<Scalar = T>, S: Simd, const K: usize>(
    simd: S,
    gradient_scale: T,
    parameters: &mut N,
    gradient: &N,
    memory: &mut [N; K],
    f: impl Fn(T::Vector<S>, T::Vector<S>, [T::Vector<S>; K]) -> (T::Vector<S>, [T::Vector<S>; K]) + Copy,
) {
    update_parts(simd, gradient_scale, parameters, gradient, memory.each_mut(), f);
}

/// [`update`] with a memory whose values are not one array.
#[inline(always)]
pub(crate) fn update_parts<T: Scalar, N: Parameters<Scalar = T>, S: Simd, const K: usize>(
    simd: S,
    gradient_scale: T,
    parameters: &mut N,
    gradient: &N,
    mut memory: [&mut N; K],
    f: impl Fn(T::Vector<S>, T::Vector<S>, [T::Vector<S>; K]) -> (T::Vector<S>, [T::Vector<S>; K]) + Copy,
) {
    for_each_stretch::<T, N>(
        #[inline(always)]
        |role, range| {
            let parameters = parameters.as_mut_slice().get_mut(range.clone()).unwrap_or_default();
            let gradient = gradient.as_slice().get(range.clone()).unwrap_or_default();
            match role {
                Role::Learned => {
                    let memory = memory.each_mut().map(
                        #[inline(always)]
                        |part| part.as_mut_slice().get_mut(range.clone()).unwrap_or_default(),
                    );
                    // `f` is taken by value, so that its constants stay in registers.
                    outline(
                        simd,
                        #[inline(always)]
                        move || {
                            let scale = T::Vector::<S>::splat(simd, gradient_scale);
                            training::update(
                                simd,
                                parameters,
                                gradient,
                                memory,
                                #[inline(always)]
                                move |p, g, m| f(p, g * scale, m),
                            );
                        },
                    );
                }
                Role::State => outline(
                    simd,
                    #[inline(always)]
                    move || {
                        training::update(
                            simd,
                            parameters,
                            gradient,
                            [],
                            #[inline(always)]
                            |p, g, []| (p - g, []),
                        );
                    },
                ),
            }
        },
    );
}

/// What optimizers with a learning rate check.
fn check_rate<T: Scalar>(of: &'static str, learning_rate: f64, rate: f64) -> Result<(), OutOfRange> {
    check::<T>(
        of,
        &[
            ("learning_rate", learning_rate, Range::LearningRate),
            ("learning_rate times the rate of the schedule", learning_rate * rate, Range::LearningRate),
        ],
    )
}

/// A hyperparameter in all lanes.
#[inline(always)]
fn splat<T: Scalar, S: Simd>(simd: S, value: f64) -> T::Vector<S> {
    T::Vector::<S>::splat(simd, T::from_f64(value))
}

/// [`for_each_role`], without walking the entries if there is no state.
#[inline(always)]
fn for_each_stretch<T: Scalar, N: Parameters<Scalar = T>>(mut f: impl FnMut(Role, ops::Range<usize>)) {
    if const { has_state(N::ENTRIES) } {
        for_each_role(N::ENTRIES, &mut f);
    } else {
        f(Role::Learned, 0..N::COUNT);
    }
}

/// Copies the learned numbers, and leaves state as it is.
fn copy_learned<T: Scalar, N: Parameters<Scalar = T>>(from: &N, to: &mut N) {
    for_each_stretch::<T, N>(|role, range| {
        if role == Role::Learned {
            let from = from.as_slice().get(range.clone()).unwrap_or_default();
            to.as_mut_slice().get_mut(range).unwrap_or_default().copy_from_slice(from);
        }
    });
}

/// `x ← f(x, y)` for the learned numbers alone.
#[inline(always)]
fn learned<T: Scalar, N: Parameters<Scalar = T>, S: Simd>(
    simd: S,
    x: &mut N,
    y: &N,
    f: impl Fn(T::Vector<S>, T::Vector<S>) -> T::Vector<S> + Copy,
) {
    for_each_stretch::<T, N>(
        #[inline(always)]
        |role, range| {
            if role == Role::Learned {
                let x = x.as_mut_slice().get_mut(range.clone()).unwrap_or_default();
                let y = y.as_slice().get(range).unwrap_or_default();
                outline(
                    simd,
                    #[inline(always)]
                    move || elementwise::zip(simd, x, y, f),
                );
            }
        },
    );
}
