//! Networks that run step by step, keeping the state they need from previous steps.

use crate::activation::Activation;
use crate::kernels::elementwise::apply;
use crate::layer::Layer;
use crate::memory;
use crate::plain::Plain;
use crate::simd::{Simd, Task, dispatch, level};
use crate::tensor::Tensor;

/// A layer that computes a sequence step by step: its output for the steps so far does not depend on later ones.
///
/// Its steps equal the pass over the whole sequence, [`Layer::evaluate`], up to rounding; the sequence may be longer
/// than the layer's input. `#[streaming]` on a network implements it for the network:
///
/// ```
/// use monomorph::prelude::*;
///
/// network! {
///     #[streaming]
///     pub Difference: [4, 1] -> [4, 1] { Conv1d(1, kernel = 2, padding = causal), Tanh }
/// }
/// let mut net = Difference::zeroed();
/// net.conv1.weight = [[[-1.0]], [[1.0]]];
///
/// let whole = net.evaluate(&[[0.5], [0.7], [0.6], [0.9]]);
/// let mut state = net.start();
/// for (x, y) in [0.5, 0.7, 0.6, 0.9].into_iter().zip(whole) {
///     assert_eq!(net.step(&mut state, &[x]), y);
/// }
/// ```
///
/// A step allocates nothing, and executes the same instructions for every input.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot run step by step",
    label = "needs the whole sequence",
    note = "layers that do: `Dense` on [time, features], `Conv1d` with `padding = causal`, elementwise functions, `Dropout`, \
            `BatchNorm`, `LayerNorm`, `RmsNorm`, `Softmax`, `Embedding`, `Positions`, causal `SelfAttention`, `Rnn`, `Lstm`, `Gru`, `#[streaming]` networks, and layers of your own \
            that implement `monomorph::Streaming`"
)]
pub trait Streaming: Layer {
    /// The state kept from previous steps.
    type State: Plain + Clone + Send + Sync;
    /// One step of its input.
    type StepInput: Tensor;
    /// One step of its output.
    type StepOutput: Tensor<Element = Self::Scalar>;

    /// Resets the state to that before the first step, where `evaluate` pads its input with zeros.
    fn start(&self, state: &mut Self::State) {
        memory::clear(state);
    }

    /// Computes one step of the output from one step of the input.
    fn step<S: Simd>(&self, simd: S, state: &mut Self::State, input: &Self::StepInput, output: &mut Self::StepOutput);

    /// `step` followed by an elementwise function, in one pass if the layer can do that.
    #[inline(always)]
    fn step_then<S: Simd, A: Activation<Self::Scalar>>(
        &self,
        simd: S,
        state: &mut Self::State,
        input: &Self::StepInput,
        output: &mut Self::StepOutput,
    ) {
        self.step(simd, state, input, output);
        apply::<Self::Scalar, S, A>(simd, output.numbers_mut());
    }
}

/// Computes one step, without allocation.
#[inline]
pub fn step<N: Streaming>(network: &N, state: &mut N::State, input: &N::StepInput) -> N::StepOutput {
    let mut output = memory::zeroed();
    dispatch(level(), Step { network, state, input, output: &mut output });
    output
}

struct Step<'a, N: Streaming> {
    network: &'a N,
    state: &'a mut N::State,
    input: &'a N::StepInput,
    output: &'a mut N::StepOutput,
}

impl<N: Streaming> Task for Step<'_, N> {
    type Output = ();
    const SMALL: bool = true;

    #[inline(always)]
    fn run<S: Simd>(&mut self, simd: S) {
        self.network.step(simd, self.state, self.input, self.output);
    }
}

/// The implementation for a stateless layer that computes each step from the same step of its input: `$compute` is a
/// function of the level, the input and the output.
macro_rules! step_by_step {
    ([$($generics:tt)*] $layer:ty, |$self:ident, $simd:ident, $x:ident, $y:ident| $compute:expr) => {
        impl<$($generics)*> $crate::streaming::Streaming for $layer {
            type State = ();
            type StepInput = X::Item;
            type StepOutput = X::Item;

            #[inline(always)]
            fn step<S: $crate::simd::Simd>(&$self, $simd: S, (): &mut (), input: &X::Item, output: &mut X::Item) {
                let ($x, $y) = ($crate::Tensor::numbers(input), $crate::Tensor::numbers_mut(output));
                $compute;
            }
        }
    };
}
pub(crate) use step_by_step;
