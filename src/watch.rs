//! Watching a training: norms by layer, dead units, logs, curves, and the landscape of a loss.
//!
//! | | shows |
//! | --- | --- |
//! | [`Watch`] | the norms of each layer's weights, gradient and last update |
//! | [`Activations`] | what each layer gives: mean, size, zeros, dead units |
//! | [`Activity`] | units that no sample moves, such as dead ReLU units |
//! | [`Log`] | numbers of each epoch or step in a file: CSV or JSON lines |
//! | [`Chart`] | curves as SVG |
//! | [`Landscape`] | the loss on a plane through the trained weights |

#[cfg(feature = "std")]
mod chart;
mod landscape;
#[cfg(feature = "std")]
mod log;

#[cfg(feature = "std")]
pub use self::{
    chart::{Chart, heat_map},
    log::Log,
};
pub use landscape::Landscape;

use alloc::boxed::Box;

use crate::kernels::elementwise::{zip, zip_to};
use crate::kernels::reduce;
use crate::layer::Pass;
use crate::memory;
use crate::network::{Network, Watched};
use crate::noise::Noise;
use crate::parameters::{Entry, Path, Role, for_each_layer, for_each_role, for_each_tensor};
use crate::scalar::{Scalar, Vector};
use crate::simd::{Simd, Task, dispatch, level};
use crate::tensor::{Tensor, batch_slice};
use crate::train::Shard;

/// The norms of a layer, and how far the last step moved it.
#[derive(Clone, Copy, Debug)]
pub struct LayerNorms<'a> {
    /// The layer's name in its network.
    pub layer: Path<'a>,
    /// How many numbers it learns.
    pub parameters: usize,
    /// The Euclidean norm of these.
    pub weights: f64,
    /// That of their gradient.
    pub gradient: f64,
    /// That of the difference between their values now and when they were last looked at.
    pub update: f64,
}

impl LayerNorms<'_> {
    /// The norm of the update divided by that of the weights: in many trainings about 10⁻³. NaN for weights of 0.
    pub fn ratio(&self) -> f64 {
        self.update / self.weights
    }
}

/// Looks at the layers of a network after steps: norms of weights, gradients and updates. It keeps a copy of the network and
/// allocates nothing afterwards.
///
/// ```
/// use monomorph::data::Dataset;
/// use monomorph::prelude::*;
/// use monomorph::watch::Watch;
///
/// network! { Net: [1] -> [1] { hidden: Dense(4), Tanh, Dense(1) } }
/// let mut net = Net::zeroed();
/// net.initialize(Init::default(), &mut Noise::new(1));
/// let train = Dataset::new(vec![[0.0], [1.0], [2.0], [3.0]], vec![[1.0_f32]; 4])?;
///
/// let mut watch = Watch::new(&net);
/// let mut seen = Vec::new();
/// fit(&mut net, &train)
///     .batch_size::<4>()
///     .epochs(2)
///     .on_step(|step| {
///         watch.layers(step.network, step.gradient, |norms| {
///             seen.push(norms.layer.to_string());
///             assert!(norms.gradient > 0.0 && norms.update > 0.0);
///         });
///     })
///     .run()?;
/// assert_eq!(seen, ["hidden", "dense1", "hidden", "dense1"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Watch<N: Network> {
    before: Box<N>,
}

impl<N: Network> Watch<N> {
    /// Watches from here on.
    pub fn new(network: &N) -> Self {
        let mut before = memory::boxed::<N>();
        before.as_mut_slice().copy_from_slice(network.as_slice());
        Self { before }
    }

    /// Calls `f` for every layer that learns, in the order of the network. Running statistics do not count.
    pub fn layers(&mut self, network: &N, gradient: &N, mut f: impl FnMut(LayerNorms<'_>)) {
        let Self { before } = self;
        dispatch(level(), Subtract { from: network.as_slice(), to: before.as_mut_slice() });
        for_each_layer(N::ENTRIES, &mut |layer, entries, range| {
            let part = |of: &N| learned(entries, &of.as_slice()[range.clone()]);
            let (weights, parameters) = part(network);
            if parameters > 0 {
                f(LayerNorms { layer, parameters, weights, gradient: part(gradient).0, update: part(before).0 });
            }
        });
        before.as_mut_slice().copy_from_slice(network.as_slice());
    }
}

/// The norm of the learned numbers of a layer, and how many there are.
fn learned<T: Scalar>(entries: &'static [Entry], numbers: &[T]) -> (f64, usize) {
    let (mut squares, mut count) = (0.0, 0);
    for_each_role(entries, &mut |role, range| {
        if role == Role::Learned && !range.is_empty() {
            count += range.len();
            squares += dispatch(level(), Squares(&numbers[range])).to_f64();
        }
    });
    (libm::sqrt(squares), count)
}

/// `to ← from − to`.
struct Subtract<'a, T> {
    from: &'a [T],
    to: &'a mut [T],
}

impl<T: Scalar> Task for Subtract<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(&mut self, simd: S) {
        zip(
            simd,
            self.to,
            self.from,
            #[inline(always)]
            |to, from| from - to,
        );
    }
}

/// The sum of squares.
struct Squares<'a, T>(&'a [T]);

impl<T: Scalar> Task for Squares<'_, T> {
    type Output = T;

    #[inline(always)]
    fn run<S: Simd>(&mut self, simd: S) -> T {
        reduce::sum_of_squares(simd, self.0)
    }
}

/// Finds units that no sample moves: ReLU units that are 0 for all samples, and whatever only they depend on.
///
/// Nothing of the loss flows back through a dead unit, so the gradient of its weights and of its bias is exactly 0. This adds
/// up the absolute values of gradients over as many batches as it is shown. A unit is a column of a weight, its last axis: an
/// output of a dense layer, a channel of a convolution.
///
/// ```
/// use monomorph::prelude::*;
/// use monomorph::watch::Activity;
///
/// network! { Net: [1] -> [1] { hidden: Dense(3), Relu, Dense(1) } }
/// let mut net = Net::zeroed();
/// net.hidden.weight = [[1.0, 1.0, -1.0]];
/// net.hidden.bias = [0.0, -9.0, 0.0];
/// net.dense1.weight = [[1.0]; 3];
/// let mut trainer = Trainer::<Net, _, 2>::new(Sgd::default(), Mse);
/// let mut activity = Activity::new();
/// trainer.step(&mut net, &[[1.0], [2.0]], &[[5.0], [5.0]])?;
/// activity.add(trainer.gradient());
///
/// let mut found = Vec::new();
/// activity.dead(|units| found.push((units.tensor.to_string(), units.dead, units.units)));
/// assert_eq!(found, [("hidden.weight".to_string(), 2, 3), ("dense1.weight".to_string(), 0, 1)]);
/// # Ok::<(), monomorph::train::TrainError>(())
/// ```
pub struct Activity<N: Network> {
    sum: Box<N>,
}

/// The units of a weight.
#[derive(Clone, Copy, Debug)]
pub struct Units<'a> {
    /// The name of the weight.
    pub tensor: Path<'a>,
    /// How many units there are.
    pub units: usize,
    /// How many of them nothing moved.
    pub dead: usize,
}

impl<N: Network> Default for Activity<N> {
    fn default() -> Self {
        Self::new()
    }
}

impl<N: Network> Activity<N> {
    /// Nothing seen yet.
    pub fn new() -> Self {
        Self { sum: memory::boxed() }
    }

    /// Takes the gradient of a batch into account.
    pub fn add(&mut self, gradient: &N) {
        dispatch(level(), AddAbs { from: gradient.as_slice(), to: self.sum.as_mut_slice() });
    }

    /// Forgets all batches.
    pub fn clear(&mut self) {
        memory::clear(&mut *self.sum);
    }

    /// Calls `f` for every weight that is a matrix or more. Only gradients that were [added](Self::add) count.
    pub fn dead(&self, mut f: impl FnMut(Units<'_>)) {
        let numbers = self.sum.as_slice();
        for_each_tensor(N::ENTRIES, &mut |tensor, info, range| {
            let (Role::Learned, [_, .., units]) = (info.role, info.shape) else { return };
            let sums = &numbers[range];
            let moved = |unit: usize| sums.iter().skip(unit).step_by(*units).any(|sum| *sum != N::Scalar::ZERO);
            f(Units { tensor, units: *units, dead: (0..*units).filter(|unit| !moved(*unit)).count() });
        });
    }
}

/// `to ← to + |from|`.
struct AddAbs<'a, T> {
    from: &'a [T],
    to: &'a mut [T],
}

impl<T: Scalar> Task for AddAbs<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(&mut self, simd: S) {
        zip(
            simd,
            self.to,
            self.from,
            #[inline(always)]
            |to, from| to + from.abs(),
        );
    }
}

/// Looks at what the layers of a network give for a batch of `B` samples: its activations. The network is declared
/// `#[watched]`. It allocates nothing but its memory.
///
/// ```
/// use monomorph::prelude::*;
/// use monomorph::watch::Activations;
///
/// network! { #[watched] Net: [1] -> [1] { hidden: Dense(3), Relu, Dense(1) } }
/// let mut net = Net::zeroed();
/// net.hidden.weight = [[1.0, 1.0, -1.0]];
/// net.hidden.bias = [0.0, -9.0, 0.0];
/// net.dense1.weight = [[1.0]; 3];
///
/// let mut seen = Vec::new();
/// Activations::<Net, 2>::new().of(&net, &[[3.0], [4.0]], |layer| {
///     seen.push((layer.layer, layer.mean, layer.zeros, layer.dead));
/// });
/// // One unit of three is not 0, for both samples.
/// assert_eq!(seen, [("hidden", 7.0 / 6.0, 4.0 / 6.0, 2), ("output", 3.5, 0.0, 0)]);
/// ```
pub struct Activations<N: Network, const B: usize> {
    shard: Box<Shard<N, B>>,
}

/// What a layer gives for a batch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LayerActivations {
    /// The layer, with the activation behind it; `output` for what the network gives.
    pub layer: &'static str,
    /// The mean of all numbers.
    pub mean: f64,
    /// The root of the mean of their squares: the norm, independent of how many there are.
    pub rms: f64,
    /// The share of them that are 0.
    pub zeros: f64,
    /// How many units there are: channels, the last axis.
    pub units: usize,
    /// How many of them are 0 everywhere, for all samples.
    pub dead: usize,
}

impl<N: Watched, const B: usize> Default for Activations<N, B> {
    fn default() -> Self {
        Self::new()
    }
}

impl<N: Watched, const B: usize> Activations<N, B> {
    /// Memory for the activations.
    pub fn new() -> Self {
        Self { shard: memory::boxed() }
    }

    /// Calls `f` for what every layer gives that the backward pass would read, in no particular order, and for the output.
    pub fn of(&mut self, network: &N, input: &[N::Input; B], mut f: impl FnMut(LayerActivations)) {
        let pass = Pass::new(Noise::new(0), N::Scalar::ONE);
        dispatch(level(), Forward { shard: &mut self.shard, network, input, pass });
        let mut show = |layer, units, numbers: &[N::Scalar]| f(summary(layer, units, numbers));
        N::each_kept(&self.shard.saved, &mut show);
        show("output", N::Output::CHANNELS, batch_slice(&self.shard.output));
    }
}

/// The statistics of the activations of a layer.
fn summary<T: Scalar>(layer: &'static str, units: usize, numbers: &[T]) -> LayerActivations {
    let (mut sum, mut squares, mut zeros) = (0.0, 0.0, 0);
    for x in numbers {
        let x = x.to_f64();
        (sum, squares, zeros) = (sum + x, squares + x * x, zeros + usize::from(x == 0.0));
    }
    let is_dead = |unit: &usize| numbers.iter().skip(*unit).step_by(units.max(1)).all(|x| *x == T::ZERO);
    let (count, dead) = (numbers.len().max(1) as f64, (0..units).filter(is_dead).count());
    LayerActivations {
        layer,
        mean: sum / count,
        rms: libm::sqrt(squares / count),
        zeros: zeros as f64 / count,
        units,
        dead,
    }
}

/// The forward pass.
struct Forward<'a, N: Network, const B: usize> {
    shard: &'a mut Shard<N, B>,
    network: &'a N,
    input: &'a [N::Input; B],
    pass: Pass<N::Scalar>,
}

impl<N: Network, const B: usize> Task for Forward<'_, N, B> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(&mut self, simd: S) {
        let Self { shard, network, input, pass } = self;
        let Shard { saved, output, .. } = &mut **shard;
        network.forward(simd, N::batch(input), output, saved, pass);
    }
}

/// `to ← centre + a·d₁ + b·d₂`, number by number.
struct Move<'a, T> {
    centre: &'a [T],
    directions: [(&'a [T], T); 2],
    to: &'a mut [T],
}

impl<T: Scalar> Task for Move<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(&mut self, simd: S) {
        let [(first, a), (second, b)] = self.directions;
        let (a, b) = (T::Vector::<S>::splat(simd, a), T::Vector::<S>::splat(simd, b));
        zip_to(
            simd,
            self.centre,
            first,
            self.to,
            #[inline(always)]
            |centre, direction| direction.mul_add(a, centre),
        );
        zip(
            simd,
            self.to,
            second,
            #[inline(always)]
            |to, direction| direction.mul_add(b, to),
        );
    }
}

#[cfg(all(test, feature = "std"))]
mod tests;
