//! The trait that a layer implements.

use crate::memory;
use crate::noise::Noise;
use crate::parameters::Parameters;
use crate::plain::{Element, Plain};
use crate::scalar::Scalar;
use crate::simd::{Simd, Task, dispatch, level, outline};
use crate::tensor::{Tensor, batch_slice, batch_slice_mut};

pub use crate::activation::Activation;
pub use crate::kernels::elementwise::apply;

/// A layer: a function of fixed shapes with parameters and a derivative.
///
/// The type itself holds the parameters; its gradient is another value of the same type. A batch of `B` samples is an
/// array, so a single sample and a batch use the same code, compiled for each `B`.
///
/// | pass | reads | writes | keeps |
/// | --- | --- | --- | --- |
/// | `evaluate` | input | output | nothing |
/// | `forward` | input | output | `Saved` |
/// | `backward` | input, output, `Saved`, ∂L/∂output | ∂L/∂input, adds to ∂L/∂parameters | nothing |
///
/// # A layer of your own
/// Derive [`Parameters`] on a struct, implement this trait, and use the type's path in `network!`:
/// `examples/03_custom_layer.rs` is a complete example, checked by
/// [`testing::check_gradients`](crate::testing::check_gradients).
///
/// A layer with one input writes `input: &[Self::Input; B]` and `grad_input: Option<&mut [Self::Input; B]>`, which is
/// what [`Batch`] and [`GradientOf`] are for a tensor; a layer with two inputs has a pair of each.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a layer",
    note = "a layer of your own implements `monomorph::Layer`"
)]
pub trait Layer: Parameters {
    /// One sample of the input: a tensor, or several as a tuple.
    type Input: Inputs;
    /// One sample of the output.
    type Output: Tensor<Element = Self::Scalar>;
    /// What `forward` saves of a batch for `backward`, in addition to the input and the output.
    type Saved<const B: usize>: Plain + Send;
    /// Memory that `evaluate` needs while it runs.
    type Workspace<const B: usize>: Plain + Send;
    /// Multiply-accumulate operations of one sample.
    const MACS: usize;
    /// Which of its input and output `backward` reads. Values that nothing reads are not kept during training.
    const BACKWARD_READS: Reads = Reads::BOTH;

    /// Computes `output` from `input` for inference: no dropout, running statistics.
    fn evaluate<S: Simd, const B: usize>(
        &self,
        simd: S,
        input: Batch<'_, Self::Input, B>,
        output: &mut [Self::Output; B],
        workspace: &mut Self::Workspace<B>,
    );

    /// Computes `output` from `input` for training, and saves what `backward` needs.
    fn forward<S: Simd, const B: usize>(
        &self,
        simd: S,
        input: Batch<'_, Self::Input, B>,
        output: &mut [Self::Output; B],
        saved: &mut Self::Saved<B>,
        pass: &mut Pass<Self::Scalar>,
    );

    /// From ∂L/∂output computes ∂L/∂input into `grad_input`, if it is needed, and adds ∂L/∂parameters to `gradient`.
    ///
    /// `input`, `output` and `saved` are those of the last `forward`; those it does not [read](Self::BACKWARD_READS)
    /// may hold anything. `grad_output` may be used as scratch memory: nothing reads it afterwards.
    fn backward<S: Simd, const B: usize>(
        &self,
        simd: S,
        input: Batch<'_, Self::Input, B>,
        output: &[Self::Output; B],
        saved: &mut Self::Saved<B>,
        grad_output: &mut [Self::Output; B],
        grad_input: GradientOf<'_, Self::Input, B>,
        gradient: &mut Self,
        pass: &Pass<Self::Scalar>,
    );

    /// Like `evaluate`, but with the randomness that a stochastic layer has in training: one random sample of the
    /// network's output. For layers without randomness it is `evaluate`.
    #[inline(always)]
    fn sample<S: Simd, const B: usize>(
        &self,
        simd: S,
        input: Batch<'_, Self::Input, B>,
        output: &mut [Self::Output; B],
        workspace: &mut Self::Workspace<B>,
        noise: &mut Noise,
    ) {
        let _ = noise;
        self.evaluate(simd, input, output, workspace);
    }

    /// `evaluate` followed by an elementwise function, in one pass if the layer can do that.
    #[inline(always)]
    fn evaluate_then<S: Simd, const B: usize, A: Activation<Self::Scalar>>(
        &self,
        simd: S,
        input: Batch<'_, Self::Input, B>,
        output: &mut [Self::Output; B],
        workspace: &mut Self::Workspace<B>,
    ) {
        self.evaluate(simd, input, output, workspace);
        apply::<Self::Scalar, S, A>(simd, batch_slice_mut(output));
    }

    /// `forward` followed by an elementwise function, in one pass if the layer can do that.
    ///
    /// Only for functions whose derivative follows from their output ([`Activation::FROM_OUTPUT`]), because the value
    /// between the two is not kept, and only for layers whose `backward` does not read `output`, because `output` then
    /// holds `f` of the layer's own output.
    #[inline(always)]
    fn forward_then<S: Simd, const B: usize, A: Activation<Self::Scalar>>(
        &self,
        simd: S,
        input: Batch<'_, Self::Input, B>,
        output: &mut [Self::Output; B],
        saved: &mut Self::Saved<B>,
        pass: &mut Pass<Self::Scalar>,
    ) {
        self.forward(simd, input, output, saved, pass);
        apply::<Self::Scalar, S, A>(simd, batch_slice_mut(output));
    }
}

/// What a layer makes of a batch, without a network around it: `evaluate` at the best SIMD level.
///
/// Output and workspace are on the stack. A layer with several inputs takes a tuple of batches.
///
/// ```
/// use monomorph::layer::evaluate;
/// use monomorph::layers::{Activate, Relu};
///
/// let relu: Activate<Relu, [f32; 3]> = monomorph::memory::zeroed();
/// assert_eq!(evaluate(&relu, &[[1.0, -2.0, 3.0]]), [[1.0, 0.0, 3.0]]);
/// ```
///
/// [`testing::passes`](crate::testing::passes) runs all passes.
pub fn evaluate<L: Layer, const B: usize>(layer: &L, input: Batch<'_, L::Input, B>) -> [L::Output; B] {
    let mut output = memory::zeroed::<[L::Output; B]>();
    let mut workspace = memory::zeroed::<L::Workspace<B>>();
    dispatch(level(), Evaluate { layer, input, output: &mut output, workspace: &mut workspace });
    output
}

struct Evaluate<'i, 'a, L: Layer, const B: usize> {
    layer: &'a L,
    input: Batch<'i, L::Input, B>,
    output: &'a mut [L::Output; B],
    workspace: &'a mut L::Workspace<B>,
}

impl<L: Layer, const B: usize> Task for Evaluate<'_, '_, L, B> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(&mut self, simd: S) {
        self.layer.evaluate(simd, self.input, self.output, self.workspace);
    }
}

/// The input of a layer: a tensor, or a tuple of tensors.
///
/// Inputs that are not differentiable, such as tokens, are tensors of integers; their gradient is not written.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not what a layer can take",
    note = "a layer takes a tensor, such as `[f32; 8]`, or several as a tuple"
)]
pub trait Inputs: Plain + Send + Sync {
    /// A batch, for reading: `&[X; B]` for a tensor `X`, a tuple of such references for several.
    type Batch<'a, const B: usize>: Copy;
    /// Where the gradient of a batch is written, each part only if it is needed: `Option<&mut [X; B]>`.
    type Gradient<'a, const B: usize>;
    /// The memory for a batch: `[X; B]`.
    type Owned<const B: usize>: Plain + Send + Sync;

    /// The batch in this memory.
    fn batch<const B: usize>(owned: &Self::Owned<B>) -> Self::Batch<'_, B>;
    /// All of this memory, as the destination of a gradient.
    fn gradient<const B: usize>(owned: &mut Self::Owned<B>) -> Self::Gradient<'_, B>;
    /// No gradient.
    fn no_gradient<'a, const B: usize>() -> Self::Gradient<'a, B>;
    /// Copies a batch.
    fn copy<const B: usize>(from: &Self::Owned<B>, to: &mut Self::Owned<B>);
    /// Calls `f` with all parts that are numbers of type `T`, always in the same order.
    fn each_part<T: Element, const B: usize>(owned: &mut Self::Owned<B>, f: &mut dyn FnMut(&mut [T]));
}

/// A tensor's numbers, if they are of type `T`.
#[doc(hidden)]
pub fn numbers_of<T: Element, X: Tensor>(batch: &mut [X]) -> Option<&mut [T]> {
    if core::any::TypeId::of::<T>() != core::any::TypeId::of::<X::Element>() {
        return None;
    }
    let numbers = batch_slice_mut(batch);
    // SAFETY: the two types are the same one.
    Some(unsafe { core::slice::from_raw_parts_mut(numbers.as_mut_ptr().cast(), numbers.len()) })
}

/// A batch of a layer's input, for reading: `&[X; B]` for a tensor `X`, and `(&[X; B], &[Y; B])` for two.
pub type Batch<'a, X, const B: usize> = <X as Inputs>::Batch<'a, B>;

/// Where the gradient of a layer's input is written: `Option<&mut [X; B]>` for a tensor `X`, and a pair of these for
/// two.
pub type GradientOf<'a, X, const B: usize> = <X as Inputs>::Gradient<'a, B>;

impl<X: Tensor> Inputs for X {
    type Batch<'a, const B: usize> = &'a [X; B];
    type Gradient<'a, const B: usize> = Option<&'a mut [X; B]>;
    type Owned<const B: usize> = [X; B];

    #[inline(always)]
    fn batch<const B: usize>(owned: &[X; B]) -> &[X; B] {
        owned
    }
    #[inline(always)]
    fn gradient<const B: usize>(owned: &mut [X; B]) -> Option<&mut [X; B]> {
        Some(owned)
    }
    #[inline(always)]
    fn no_gradient<'a, const B: usize>() -> Option<&'a mut [X; B]> {
        None
    }
    fn copy<const B: usize>(from: &[X; B], to: &mut [X; B]) {
        batch_slice_mut(to).copy_from_slice(batch_slice(from));
    }
    fn each_part<T: Element, const B: usize>(owned: &mut [X; B], f: &mut dyn FnMut(&mut [T])) {
        numbers_of(owned).map(f);
    }
}

macro_rules! tuples {
    ($($X:ident $index:tt),*) => {
        impl<$($X: Tensor),*> Inputs for ($($X,)*) {
            type Batch<'a, const B: usize> = ($(&'a [$X; B],)*);
            type Gradient<'a, const B: usize> = ($(Option<&'a mut [$X; B]>,)*);
            type Owned<const B: usize> = ($([$X; B],)*);

            #[inline(always)]
            fn batch<const B: usize>(owned: &Self::Owned<B>) -> Self::Batch<'_, B> {
                ($(&owned.$index,)*)
            }
            #[inline(always)]
            fn gradient<const B: usize>(owned: &mut Self::Owned<B>) -> Self::Gradient<'_, B> {
                ($(Some(&mut owned.$index),)*)
            }
            #[inline(always)]
            fn no_gradient<'a, const B: usize>() -> Self::Gradient<'a, B> {
                ($(None::<&'a mut [$X; B]>,)*)
            }
            fn copy<const B: usize>(from: &Self::Owned<B>, to: &mut Self::Owned<B>) {
                $(batch_slice_mut(&mut to.$index).copy_from_slice(batch_slice(&from.$index));)*
            }
            fn each_part<T: Element, const B: usize>(owned: &mut Self::Owned<B>, f: &mut dyn FnMut(&mut [T])) {
                $(numbers_of(&mut owned.$index).map(&mut *f);)*
            }
        }
    };
}
tuples!(X 0, Y 1);
tuples!(X 0, Y 1, Z 2);
tuples!(X 0, Y 1, Z 2, V 3);

/// What the backward pass of a layer reads, in addition to the gradient of its output and what it saved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reads {
    /// Whether it reads the layer's input.
    pub input: bool,
    /// Whether it reads the layer's output.
    pub output: bool,
}

impl Reads {
    /// Both.
    pub const BOTH: Self = Self { input: true, output: true };
    /// The input, but not the output.
    pub const INPUT: Self = Self { input: true, output: false };
    /// The output, but not the input.
    pub const OUTPUT: Self = Self { input: false, output: true };
    /// Neither.
    pub const NOTHING: Self = Self { input: false, output: false };
}

/// What a training pass carries from layer to layer, in addition to their inputs and outputs.
#[derive(Clone, Debug)]
pub struct Pass<T> {
    /// The source of random numbers.
    pub noise: Noise,
    /// The weight of the [terms](Self::add_term) that layers add to the loss.
    pub term_weight: T,
    /// Whether only the gradient of the input is wanted: `backward` may then leave out that of the parameters.
    pub input_only: bool,
    terms: T,
    error: Option<InputError>,
}

impl<T: Scalar> Pass<T> {
    /// A pass that draws from `noise`, with terms of this weight.
    pub fn new(noise: Noise, term_weight: T) -> Self {
        Self { noise, term_weight, input_only: false, terms: T::ZERO, error: None }
    }

    /// Adds a term to the loss, a mean over the batch; called in `forward`.
    ///
    /// The total loss is the loss of the data plus [`term_weight`](Self::term_weight) times the sum of all terms, so
    /// `backward` adds the term's derivative times the weight to its gradients.
    #[inline(always)]
    pub fn add_term(&mut self, term: T) {
        self.terms += term;
    }

    /// The contribution of all terms to the loss.
    #[inline(always)]
    pub fn terms(&self) -> T {
        self.term_weight * self.terms
    }

    /// Reports an invalid input; called in `forward`, which continues with the rest. Only the first error is kept.
    #[inline(always)]
    pub fn refuse(&mut self, error: InputError) {
        self.error.get_or_insert(error);
    }

    /// The first error of an input, if there was one.
    pub fn error(&self) -> Option<InputError> {
        self.error
    }
}

/// Why a layer refuses a sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum InputError {
    /// An integer in the input is out of range: a token beyond the vocabulary, a node that does not exist.
    OutOfRange {
        /// The sample's index in the batch.
        sample: usize,
        /// Its position among the sample's numbers.
        position: usize,
        /// The number.
        index: usize,
        /// The limit that the number must be below.
        limit: usize,
    },
    /// An equation with this sample as its initial state has no solution within the steps that it may take.
    Unsolved {
        /// The sample's index in the batch.
        sample: usize,
        /// How many steps it may take.
        steps: usize,
    },
}

impl InputError {
    /// The sample's index in the batch.
    pub const fn sample(&self) -> usize {
        match self {
            Self::OutOfRange { sample, .. } | Self::Unsolved { sample, .. } => *sample,
        }
    }

    /// The same error of a sample further back in the batch.
    #[cfg(any(feature = "rayon", test))]
    #[must_use]
    pub(crate) const fn later_by(mut self, samples: usize) -> Self {
        match &mut self {
            Self::OutOfRange { sample, .. } | Self::Unsolved { sample, .. } => *sample += samples,
        }
        self
    }
}

impl core::fmt::Display for InputError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::OutOfRange { sample, position, index, limit } => write!(
                f,
                "number {position} of the input of sample {sample} is {index}, but the layer knows {limit} of them, \
                 counted from 0"
            ),
            Self::Unsolved { sample, steps } => write!(
                f,
                "the equation of sample {sample} is not solved within the {steps} steps that it may take, or leaves the \
                 numbers"
            ),
        }
    }
}

impl core::error::Error for InputError {}

/// `forward` of a layer that saves nothing for `backward` and computes the same in training as at inference.
macro_rules! forward_evaluates {
    () => {
        #[inline(always)]
        fn forward<S: Simd, const B: usize>(
            &self,
            simd: S,
            input: $crate::layer::Batch<'_, Self::Input, B>,
            output: &mut [Self::Output; B],
            (): &mut (),
            _: &mut $crate::layer::Pass<Self::Scalar>,
        ) {
            self.evaluate(simd, input, output, &mut ());
        }
    };
}
pub(crate) use forward_evaluates;

/// What follows from `evaluate_then` in a layer that saves nothing for `backward`: `evaluate`, `forward` and
/// `forward_then`.
macro_rules! as_evaluate_then {
    () => {
        #[inline(always)]
        fn evaluate<S: Simd, const B: usize>(
            &self,
            simd: S,
            input: $crate::layer::Batch<'_, Self::Input, B>,
            output: &mut [Self::Output; B],
            (): &mut (),
        ) {
            self.evaluate_then::<S, B, $crate::activation::Identity>(simd, input, output, &mut ());
        }

        $crate::layer::forward_evaluates!();

        #[inline(always)]
        fn forward_then<S: Simd, const B: usize, A: $crate::activation::Activation<Self::Scalar>>(
            &self,
            simd: S,
            input: $crate::layer::Batch<'_, Self::Input, B>,
            output: &mut [Self::Output; B],
            (): &mut (),
            _: &mut $crate::layer::Pass<Self::Scalar>,
        ) {
            self.evaluate_then::<S, B, A>(simd, input, output, &mut ());
        }
    };
}
pub(crate) use as_evaluate_then;

/// Calls `f`, a pass of the layer `L` over `B` samples, like [`outline`]; but if it takes so little time that the cost
/// of a call matters, the compiler is free to inline it.
///
/// A network of large layers takes longer to compile as one function than in parts.
#[inline(always)]
pub(crate) fn outline_layer<L: Layer, const B: usize, S: Simd, R>(simd: S, f: impl FnOnce() -> R) -> R {
    const MANY: usize = 8192;
    if const { B * (L::MACS + L::Output::LEN) < MANY } { simd.vectorize(f) } else { outline(simd, f) }
}

/// `forward` and `backward` of a layer that can only be evaluated: calling them does not compile and reports `refusal`.
#[doc(hidden)]
#[macro_export]
macro_rules! __untrained {
    ($refusal:literal) => {
        fn forward<__S: $crate::simd::Simd, const __B: usize>(
            &self,
            _: __S,
            _: $crate::layer::Batch<'_, Self::Input, __B>,
            _: &mut [Self::Output; __B],
            _: &mut Self::Saved<__B>,
            _: &mut $crate::layer::Pass<Self::Scalar>,
        ) {
            const { ::core::panic!($refusal) }
        }

        fn backward<__S: $crate::simd::Simd, const __B: usize>(
            &self,
            _: __S,
            _: $crate::layer::Batch<'_, Self::Input, __B>,
            _: &[Self::Output; __B],
            _: &mut Self::Saved<__B>,
            _: &mut [Self::Output; __B],
            _: $crate::layer::GradientOf<'_, Self::Input, __B>,
            _: &mut Self,
            _: &$crate::layer::Pass<Self::Scalar>,
        ) {
            const { ::core::panic!($refusal) }
        }
    };
}

#[cfg(all(test, feature = "std"))]
mod tests;
