//! What `network!` declares, and how it is evaluated.

#[cfg(feature = "alloc")]
use alloc::boxed::Box;

use crate::init::{self, Init};
use crate::layer::{Batch, Layer};
use crate::memory;
use crate::noise::Noise;
use crate::parameters;
use crate::simd::{Level, Simd, Task, dispatch, level};
use crate::summary::{Node, Summary};

mod structure;

#[doc(hidden)]
pub use structure::structure_packed;

/// A network declared with [`network!`](crate::network!).
///
/// The type holds its parameters: one `#[repr(C)]` struct with a field per layer. Gradients and the moments of
/// optimizers have the same type.
///
/// Code that is generic over networks uses `N::Scalar`, `N::Input`, `N::Output`:
///
/// ```
/// use monomorph::Tensor;
/// use monomorph::prelude::*;
///
/// fn answers<N: Network>(net: &N, inputs: &[N::Input]) -> Vec<N::Output> {
///     inputs.iter().map(|input| monomorph::network::evaluate(net, input)).collect()
/// }
///
/// fn largest<N: Network<Scalar = f32>>(net: &N, input: &N::Input) -> f32 {
///     monomorph::network::evaluate(net, input).numbers().iter().copied().fold(f32::MIN, f32::max)
/// }
///
/// network! { Line: [1] -> [1] { Dense(1) } }
/// assert_eq!(answers(&Line::zeroed(), &[[1.0], [2.0]]), [[0.0], [0.0]]);
/// assert_eq!(largest(&Line::zeroed(), &[1.0]), 0.0);
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a network",
    label = "not a network",
    note = "networks are declared with `network! {{ .. }}`"
)]
pub trait Network: Layer + Send + Sync {
    /// The name it was declared with.
    const NAME: &'static str;
    /// Its nodes in the order of computation, inputs first.
    const GRAPH: &'static [Node];
    /// How many parameters it has, running statistics included.
    const PARAMS: usize = parameters::tensor_count(Self::ENTRIES);
    /// How many bytes its parameters take, rounded up to whole cache lines if the network is aligned to them.
    const PARAM_BYTES: usize = size_of::<Self>();
    /// The size of the workspace for evaluating one sample, in bytes, excluding input and output.
    const EVALUATE_BYTES: usize = size_of::<Self::Workspace<1>>();
    /// The memory for the gradient of one sample, in bytes, excluding input and output: the saved activations, their
    /// gradients, and the gradient of the parameters.
    const TRAIN_BYTES: usize = size_of::<Self::Saved<1>>() + size_of::<Self>();

    /// A hash of its structure, by which blobs identify it.
    #[doc(hidden)]
    const STRUCTURE: u64 = structure::structure::<Self::Scalar>(Self::ENTRIES, Self::GRAPH);

    /// Converts samples to the input of the network as a layer.
    #[doc(hidden)]
    fn batch<const B: usize>(samples: &[Self::Input; B]) -> Batch<'_, Self::Input, B>;

    /// What it consists of: prints as a table; [`Summary::svg`] and [`Summary::dot`] draw it.
    ///
    /// ```
    /// use monomorph::prelude::*;
    /// network! { Line: [2] -> [1] { Dense(1) } }
    /// assert_eq!(Line::summary().parameters(), 3);
    /// println!("{}", Line::summary());
    /// ```
    fn summary() -> Summary {
        Summary {
            name: Self::NAME,
            graph: Self::GRAPH,
            number_bytes: size_of::<Self::Scalar>(),
            evaluate_bytes: Self::EVALUATE_BYTES,
            train_bytes: Self::TRAIN_BYTES,
        }
    }

    /// A network with all parameters 0, built at compile time; meant to be filled by loading or initialization.
    fn zeroed() -> Self {
        memory::zeroed()
    }

    /// A network with random parameters (Kaiming), for small networks: it is returned by value.
    #[cfg(feature = "rand")]
    fn init(rng: &mut (impl rand_core::Rng + ?Sized)) -> Self {
        let mut network = Self::zeroed();
        network.initialize(Init::default(), &mut Noise::from_rng(rng));
        network
    }

    /// A network with random parameters (Kaiming) on the heap, created in place.
    #[cfg(all(feature = "rand", feature = "alloc"))]
    fn boxed(rng: &mut (impl rand_core::Rng + ?Sized)) -> Box<Self> {
        let mut network = memory::boxed::<Self>();
        network.initialize(Init::default(), &mut Noise::from_rng(rng));
        network
    }

    /// Draws new random parameters in place.
    ///
    /// Weights are drawn by `init`; biases are set to 0, scales of normalizations to 1.
    fn initialize(&mut self, init: Init, noise: &mut Noise) {
        init::initialize(self, init, noise);
    }
}

/// A network that can be trained: every network except a [`PackedNetwork`]. Generic code that creates trainers needs
/// the bound `N: Network + Trainable`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be trained",
    label = "a packed network, or one of which nothing else is said",
    note = "train the network that a packed one is packed from, and `pack` it then",
    note = "generic code that trains says `N: Network + Trainable`"
)]
pub trait Trainable: Network {}

/// A network that shows what its forward pass keeps: one declared with `#[watched]`.
///
/// [`Activations`](crate::watch::Activations) looks at it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not show its activations",
    label = "declared without `#[watched]`",
    note = "write `network! {{ #[watched] pub Net: .. }}`"
)]
pub trait Watched: Network {
    /// Calls `f` for every value that [`forward`](Layer::forward) keeps, with the name of the layer that gives it, the size of its
    /// last axis, and the numbers of the whole batch. An activation behind a layer is part of it, as in the pass itself.
    fn each_kept<const B: usize>(saved: &Self::Saved<B>, f: &mut Show<'_, Self::Scalar>);
}

/// What [`Watched::each_kept`] calls.
pub type Show<'a, T> = dyn FnMut(&'static str, usize, &[T]) + 'a;

/// A network whose weights are packed in fewer bits than it computes with, declared by `#[packed(..)]`.
///
/// ```
/// use monomorph::prelude::*;
///
/// network! {
///     #[packed(DigitsHalf: bf16, DigitsSmall: i8)]
///     pub Digits: [784] -> [10] { Dense(64), Relu, Dense(10) }
/// }
///
/// let net = Digits::zeroed();
/// let mut small = DigitsSmall::zeroed();
/// small.pack(&net);
/// assert_eq!(small.evaluate(&[0.5; 784]), [0.0; 10]);
/// const { assert!(DigitsSmall::PARAM_BYTES < Digits::PARAM_BYTES * 27 / 100) };
/// ```
///
/// Weights of dense and convolutional layers are packed, and those of your own layers that [support
/// it](crate::parameters::Pack); everything else stays unchanged. Nested networks can be packed too; list their packed
/// types in braces.
///
/// ```
/// # use monomorph::prelude::*;
/// network! { #[packed(EyeSmall: i8)] pub Eye: [64] -> [16] { Dense(16), Relu } }
/// network! {
///     #[packed(FaceSmall: i8 { eye: EyeSmall })]
///     pub Face: [64] -> [2] { eye: Eye, Dense(2) }
/// }
/// # let mut net = Face::zeroed();
/// # net.initialize(Init::default(), &mut Noise::new(1));
///
/// let small = FaceSmall::boxed_from(&net);
/// assert_eq!(small.eye.dense1.weight.numbers.len(), 64); // of `[i8; 16]`
/// # assert!((small.evaluate(&[0.5; 64])[0] - net.evaluate(&[0.5; 64])[0]).abs() < 0.02);
/// ```
///
/// A packed network cannot be a layer of a network that is trained. `weights::blob` stores it in files and flash.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a packed network",
    label = "not a network that `#[packed(..)]` declares"
)]
pub trait PackedNetwork: Network {
    /// The network from which it is packed.
    type Of: Network<Scalar = Self::Scalar>;
    /// The format of its weights: `bf16`, `f16`, `i8`.
    const FORMAT: &'static str;

    /// Packs the parameters of `network`, in place: weights are rounded to the [format](crate::storage), everything
    /// else stays unchanged.
    fn pack(&mut self, network: &Self::Of);

    /// `network`, packed on the heap and created in place.
    #[cfg(feature = "alloc")]
    fn boxed_from(network: &Self::Of) -> Box<Self> {
        let mut packed = memory::boxed::<Self>();
        packed.pack(network);
        packed
    }
}

/// The memory in which a batch of `B` samples is evaluated.
pub type Workspace<N, const B: usize> = <N as Layer>::Workspace<B>;

/// How much of the stack [`evaluate`] and [`sample`] may take for workspace and output: 256 KiB. A network that needs
/// more is evaluated in memory that the caller provides, by [`evaluate_in`], or by an
/// [`Evaluator`](crate::train::Evaluator), which has its own; with the other two it does not compile.
///
/// The smallest stack that a program gets unasked is the one of the main thread on Windows, 1 MiB; `std` gives the other
/// threads 2 MiB. Without optimization the compiler may keep two copies of what a function returns, and half of the stack
/// is left to the caller.
pub const MOST_ON_STACK: usize = 256 << 10;

/// Whether a network is evaluated on the stack.
pub(crate) const fn fits_stack<N: Network>() -> bool {
    size_of::<Workspace<N, 1>>() + size_of::<N::Output>() <= MOST_ON_STACK
}

const fn assert_stack<N: Network>() {
    assert!(
        fits_stack::<N>(),
        "this network would take more than 256 KiB of the stack; use `evaluate_in`, or a `train::Evaluator`"
    );
}

/// Evaluates one sample, without allocation; the workspace is on the stack.
///
/// A network that would take more than [`MOST_ON_STACK`] does not compile.
#[inline]
pub fn evaluate<N: Network>(network: &N, input: &N::Input) -> N::Output {
    const { assert_stack::<N>() };
    let mut output = memory::zeroed::<[N::Output; 1]>();
    let mut workspace = memory::zeroed::<Workspace<N, 1>>();
    evaluate_in(network, core::array::from_ref(input), &mut output, &mut workspace);
    let [output] = output;
    output
}

/// Evaluates `B` samples in memory that the caller provides.
#[inline]
pub fn evaluate_in<N: Network, const B: usize>(
    network: &N,
    input: &[N::Input; B],
    output: &mut [N::Output; B],
    workspace: &mut Workspace<N, B>,
) {
    evaluate_at(level(), network, input, output, workspace);
}

/// Like [`evaluate_in`], at a given SIMD level, for tests and measurements.
#[inline]
pub fn evaluate_at<N: Network, const B: usize>(
    level: Level,
    network: &N,
    input: &[N::Input; B],
    output: &mut [N::Output; B],
    workspace: &mut Workspace<N, B>,
) {
    dispatch(level, Evaluate { network, input, output, workspace });
}

// The input stands first because the first layer's closure takes the two in the other order: in the same order, the
// compiler copies both with one load, and that load waits for the two stores that were only just made (at SSE2 this
// took a quarter of the time of a tiny network).
struct Evaluate<'a, N: Network, const B: usize> {
    input: &'a [N::Input; B],
    network: &'a N,
    output: &'a mut [N::Output; B],
    workspace: &'a mut Workspace<N, B>,
}

impl<N: Network, const B: usize> Task for Evaluate<'_, N, B> {
    type Output = ();
    const SMALL: bool = B * N::MACS < 1000;

    #[inline(always)]
    fn run<S: Simd>(&mut self, simd: S) {
        self.network.evaluate(simd, N::batch(self.input), self.output, self.workspace);
    }
}

/// Evaluates one sample with the randomness of training, like [`Layer::sample`]; the workspace is on the stack.
///
/// A network that would take more than [`MOST_ON_STACK`] does not compile.
#[inline]
pub fn sample<N: Network>(network: &N, input: &N::Input, noise: &mut Noise) -> N::Output {
    const { assert_stack::<N>() };
    let mut output = memory::zeroed::<[N::Output; 1]>();
    let mut workspace = memory::zeroed::<Workspace<N, 1>>();
    sample_in(network, core::array::from_ref(input), &mut output, &mut workspace, noise);
    let [output] = output;
    output
}

/// Evaluates `B` samples in memory that the caller provides, with the randomness of training, like [`Layer::sample`].
#[inline]
pub fn sample_in<N: Network, const B: usize>(
    network: &N,
    input: &[N::Input; B],
    output: &mut [N::Output; B],
    workspace: &mut Workspace<N, B>,
    noise: &mut Noise,
) {
    dispatch(level(), Sample { evaluate: Evaluate { network, input, output, workspace }, noise });
}

struct Sample<'a, N: Network, const B: usize> {
    evaluate: Evaluate<'a, N, B>,
    noise: &'a mut Noise,
}

impl<N: Network, const B: usize> Task for Sample<'_, N, B> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(&mut self, simd: S) {
        let Evaluate { network, input, output, workspace } = &mut self.evaluate;
        network.sample(simd, N::batch(input), output, workspace, self.noise);
    }
}
