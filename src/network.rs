//! What `network!` declares, and how it is evaluated.

#[cfg(feature = "alloc")]
use alloc::boxed::Box;

use crate::init::Init;
use crate::layer::Layer;
use crate::memory;
use crate::noise::Noise;
use crate::parameters::{self, Parameters};
use crate::scalar::Scalar;
use crate::simd::{Level, Simd, Task, dispatch, level};
use crate::summary::{Node, Summary};
use crate::weights;

/// A network that was declared with [`network!`](crate::network!).
///
/// The type is its parameters: one `#[repr(C)]` struct with a field a layer. Gradients and the
/// moments of optimizers have the same type.
///
/// Code that is generic over networks speaks of `N::Scalar`:
///
/// ```
/// use monomorph::prelude::*;
///
/// fn answers<N: Network>(net: &N, inputs: &[N::Input]) -> Vec<N::Output> {
///     inputs.iter().map(|input| monomorph::network::evaluate(net, input)).collect()
/// }
/// # network! { Line: [1] -> [1] { Dense(1) } }
/// # assert_eq!(answers(&Line::zeroed(), &[[1.0], [2.0]]), [[0.0], [0.0]]);
/// ```
///
/// Where it fixes the number type, the compiler calls `N::Input` ambiguous; there, [`Input<N>`] is the same:
///
/// ```
/// use monomorph::Tensor;
/// use monomorph::network::{Input, evaluate};
/// use monomorph::prelude::*;
///
/// fn largest<N: Network<Scalar = f32>>(net: &N, input: &Input<N>) -> f32 {
///     evaluate(net, input).as_slice().iter().copied().fold(f32::MIN, f32::max)
/// }
/// # network! { Line: [1] -> [2] { Dense(2) } }
/// # assert_eq!(largest(&Line::zeroed(), &[1.0]), 0.0);
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a network",
    label = "not a network",
    note = "networks are declared with `network! {{ .. }}`"
)]
pub trait Network: Layer<Self::Scalar> + Send + Sync {
    /// The number type.
    type Scalar: Scalar;
    /// The name it was declared by.
    const NAME: &'static str;
    /// Its nodes in the order of computation, inputs first.
    const GRAPH: &'static [Node];
    /// How many parameters it has, running statistics included.
    const PARAMS: usize = parameters::tensor_count(<Self as Parameters<Self::Scalar>>::ENTRIES);
    /// How many bytes its parameters take; of a network that begins at a cache line, whole lines.
    const PARAM_BYTES: usize = size_of::<Self>();
    /// How many bytes it works in while it evaluates one sample, beside input and output.
    const EVALUATE_BYTES: usize = size_of::<<Self as Layer<Self::Scalar>>::Workspace<1>>();
    /// How many bytes the gradient of one sample takes, beside input and output: the activations
    /// that are kept, their gradients, and the gradient of the parameters.
    const TRAIN_BYTES: usize = size_of::<<Self as Layer<Self::Scalar>>::Saved<1>>() + size_of::<Self>();
    /// Multiply-accumulate operations of one evaluation.
    const OPERATIONS: usize = <Self as Layer<Self::Scalar>>::MACS;

    /// A hash of its structure, by which [blobs](crate::weights::blob) know it.
    #[doc(hidden)]
    const STRUCTURE: u64 =
        weights::blob::structure::<Self::Scalar>(<Self as Parameters<Self::Scalar>>::ENTRIES, Self::GRAPH);

    /// Calls `f` with all numbers, as bytes where they lie.
    #[doc(hidden)]
    fn pieces(&self, f: &mut dyn FnMut(&[u8]))
    where
        Self::Scalar: weights::Stored,
    {
        f(weights::blob::bytes_of(self.as_slice()));
    }

    /// What it consists of: printed, a table; [`Summary::svg`] and [`Summary::dot`] draw it.
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

    /// A network with all parameters 0, built by the compiler; to be loaded into.
    fn zeroed() -> Self {
        memory::zeroed()
    }

    /// A network with random parameters (Kaiming), for small networks: the value moves.
    #[cfg(feature = "rand")]
    fn init(rng: &mut (impl rand_core::Rng + ?Sized)) -> Self {
        let mut network = Self::zeroed();
        network.initialize(Init::default(), &mut Noise::from_rng(rng));
        network
    }

    /// A network with random parameters (Kaiming) on the heap, made in place.
    #[cfg(all(feature = "rand", feature = "alloc"))]
    fn boxed(rng: &mut (impl rand_core::Rng + ?Sized)) -> Box<Self> {
        let mut network = memory::boxed::<Self>();
        network.initialize(Init::default(), &mut Noise::from_rng(rng));
        network
    }

    /// Draws new random parameters in place.
    ///
    /// Weights are drawn by `init`; biases start at 0, scales of norms at 1.
    fn initialize(&mut self, init: Init, noise: &mut Noise) {
        parameters::initialize(self, init, noise);
    }
}

/// A network that can be trained: every one but a [`StoredNetwork`]. Generic code that makes trainers asks for it:
/// `N: Network + Trainable`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be trained",
    label = "a stored network, or one of which nothing else is said",
    note = "train the network that a stored one is stored from, and `store` it then",
    note = "generic code that trains says `N: Network + Trainable`"
)]
pub trait Trainable: Network {}

/// A network whose weights are stored in fewer bits than it computes with: what `#[stored(..)]` declares.
///
/// ```
/// use monomorph::prelude::*;
///
/// network! {
///     #[stored(DigitsHalf: bf16, DigitsSmall: i8)]
///     pub Digits: [784] -> [10] { Dense(64), Relu, Dense(10) }
/// }
///
/// let net = Digits::zeroed();
/// let mut small = DigitsSmall::zeroed();
/// small.store(&net);
/// assert_eq!(small.evaluate(&[0.5; 784]), [0.0; 10]);
/// const { assert!(DigitsSmall::PARAM_BYTES < Digits::PARAM_BYTES * 27 / 100) };
/// ```
///
/// Everything that is neither dense nor a convolution stays as it is, and so do layers and networks that are used by
/// their path. Networks inside can be stored too: braces say as what.
///
/// ```
/// # use monomorph::prelude::*;
/// network! { #[stored(EyeSmall: i8)] pub Eye: [64] -> [16] { Dense(16), Relu } }
/// network! {
///     #[stored(FaceSmall: i8 { eye: EyeSmall })]
///     pub Face: [64] -> [2] { eye: Eye, Dense(2) }
/// }
/// # let mut net = Face::zeroed();
/// # net.initialize(Init::default(), &mut Noise::new(1));
///
/// let small = FaceSmall::boxed_from(&net);
/// assert_eq!(small.eye.dense1.weight.len(), 64); // of `[i8; 16]`
/// # assert!((small.evaluate(&[0.5; 64])[0] - net.evaluate(&[0.5; 64])[0]).abs() < 0.02);
/// ```
///
/// A stored network cannot be a layer of one that is trained. [`weights::blob`] keeps it in files and flash.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a stored network",
    label = "not a network that `#[stored(..)]` declares"
)]
pub trait StoredNetwork: Network {
    /// The network that it is stored from.
    type Of: Network<Scalar = Self::Scalar>;
    /// The format of its weights: `bf16`, `f16`, `i8`.
    const FORMAT: &'static str;

    /// Stores the parameters of `network`, in place: weights of dense and convolutional layers rounded to the
    /// [format](crate::storage), everything else as it is.
    fn store(&mut self, network: &Self::Of);

    /// `network` stored on the heap, made in place.
    #[cfg(feature = "alloc")]
    fn boxed_from(network: &Self::Of) -> Box<Self> {
        let mut stored = memory::boxed::<Self>();
        stored.store(network);
        stored
    }
}

/// What a network takes: a sample.
pub type Input<N> = <N as Layer<<N as Network>::Scalar>>::Input;

/// What a network gives for a sample.
pub type Output<N> = <N as Layer<<N as Network>::Scalar>>::Output;

/// What a batch of `B` samples is evaluated in.
pub type Workspace<N, const B: usize> = <N as Layer<<N as Network>::Scalar>>::Workspace<B>;

/// Evaluates one sample, without allocation; the workspace is on the stack.
#[inline]
pub fn evaluate<N: Network>(network: &N, input: &N::Input) -> N::Output {
    let mut output = memory::zeroed::<[N::Output; 1]>();
    let mut workspace = memory::zeroed::<Workspace<N, 1>>();
    evaluate_in(network, core::array::from_ref(input), &mut output, &mut workspace);
    let [output] = output;
    output
}

/// Evaluates `B` samples in memory of the caller's.
#[inline]
pub fn evaluate_in<N: Network, const B: usize>(
    network: &N,
    input: &[N::Input; B],
    output: &mut [N::Output; B],
    workspace: &mut Workspace<N, B>,
) {
    evaluate_at(level(), network, input, output, workspace);
}

/// As [`evaluate_in`] at a SIMD level that is given, for tests and measurements.
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

struct Evaluate<'a, N: Network, const B: usize> {
    network: &'a N,
    input: &'a [N::Input; B],
    output: &'a mut [N::Output; B],
    workspace: &'a mut Workspace<N, B>,
}

impl<N: Network, const B: usize> Task for Evaluate<'_, N, B> {
    type Output = ();
    const SMALL: bool = B * N::MACS < 1000;

    #[inline(always)]
    fn run<S: Simd>(&mut self, simd: S) {
        self.network.evaluate(simd, self.input, self.output, self.workspace);
    }
}
