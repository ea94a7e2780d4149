//! Networks that run step by step, keeping the state they need from previous steps.

use crate::activation::Activation;
use crate::kernels::elementwise::apply;
use crate::layer::Layer;
use crate::memory;
use crate::plain::Plain;
use crate::simd::{Simd, Task, dispatch, level, outline};
use crate::tensor::{Tensor, batch_slice_mut};

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
///
/// # Blocks
/// [`steps`](Self::steps) computes several steps at once, which takes less time for each: products with the weights
/// become matrix products. The result is that of single steps up to rounding, and so is the state.
///
/// ```
/// # use monomorph::prelude::*;
/// network! {
///     #[streaming]
///     pub Average: [32, 1] -> [32, 1] { Conv1d(1, kernel = 3, padding = causal, bias = false) }
/// }
/// let mut net = Average::zeroed();
/// net.conv1.weight = [[[0.25]], [[0.5]], [[0.25]]];
///
/// let mut state = net.start();
/// assert_eq!(net.steps(&mut state, &[[1.0], [2.0], [4.0], [8.0]]), [[0.25], [1.0], [2.25], [4.5]]);
/// assert_eq!(net.step(&mut state, &[0.0]), [5.0]);
/// const { assert!(matches!(<Average as monomorph::Streaming>::RECEPTIVE_FIELD, Some(3))) };
/// ```
///
/// Values between layers are on the stack, `N` steps of each that lives at the same time; so large networks take
/// blocks of 16 to 64 steps.
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

    /// How many steps of the input one step of the output depends on, itself included; `None` if there is no limit, as
    /// in recurrent layers, or if it is not known.
    const RECEPTIVE_FIELD: Option<usize> = None;

    /// Resets the state to that before the first step, where `evaluate` pads its input with zeros.
    fn start(&self, state: &mut Self::State) {
        memory::clear(state);
    }

    /// Computes one step of the output from one step of the input.
    fn step<S: Simd>(&self, simd: S, state: &mut Self::State, input: &Self::StepInput, output: &mut Self::StepOutput);

    /// Computes `N` consecutive steps: what as many calls of [`step`](Self::step) would give, up to rounding.
    #[inline(always)]
    fn steps<S: Simd, const N: usize>(
        &self,
        simd: S,
        state: &mut Self::State,
        input: &[Self::StepInput; N],
        output: &mut [Self::StepOutput; N],
    ) {
        for (input, output) in input.iter().zip(output) {
            self.step(simd, state, input, output);
        }
    }

    /// `steps` followed by an elementwise function, in one pass if the layer can do that.
    #[inline(always)]
    fn steps_then<S: Simd, A: Activation<Self::Scalar>, const N: usize>(
        &self,
        simd: S,
        state: &mut Self::State,
        input: &[Self::StepInput; N],
        output: &mut [Self::StepOutput; N],
    ) {
        self.steps(simd, state, input, output);
        apply::<Self::Scalar, S, A>(simd, batch_slice_mut(output));
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

/// Computes `STEPS` consecutive steps into `output`, without allocation; values between layers are on the stack.
#[inline]
pub fn steps<N: Streaming, const STEPS: usize>(
    network: &N,
    state: &mut N::State,
    input: &[N::StepInput; STEPS],
    output: &mut [N::StepOutput; STEPS],
) {
    dispatch(level(), Steps { network, state, input, output });
}

struct Steps<'a, N: Streaming, const STEPS: usize> {
    network: &'a N,
    state: &'a mut N::State,
    input: &'a [N::StepInput; STEPS],
    output: &'a mut [N::StepOutput; STEPS],
}

impl<N: Streaming, const STEPS: usize> Task for Steps<'_, N, STEPS> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(&mut self, simd: S) {
        self.network.steps(simd, self.state, self.input, self.output);
    }
}

/// Resets a state and lets it settle: makes steps of zeros until the output no longer changes.
///
/// Layers with biases give something other than zeros for zeros, and at the start of a stream that would be heard as a
/// click. If the network has a [receptive field](Streaming::RECEPTIVE_FIELD), as many steps are made. Otherwise they
/// end when the output has been the same for 64 steps, or after 65,536. The result depends on the network alone:
/// streams begin with clones of a state that was computed once.
pub fn prewarm<N: Streaming>(network: &N, state: &mut N::State) {
    network.start(state);
    let silence = memory::zeroed();
    if let Some(steps) = N::RECEPTIVE_FIELD {
        for _ in 0..steps {
            step(network, state, &silence);
        }
        return;
    }
    let (mut before, mut same) = (step(network, state, &silence), 0);
    for _ in 1..65_536 {
        let output = step(network, state, &silence);
        same = if output.numbers() == before.numbers() { same + 1 } else { 0 };
        before = output;
        if same == 64 {
            break;
        }
    }
}

/// How many steps of its input the last of a network's values depends on. For each node: its output, its inputs, and
/// the receptive field of its layer; value 0 is the input.
#[doc(hidden)]
pub const fn receptive_field<const VALUES: usize>(
    nodes: &[(usize, &[usize], Option<usize>)],
    result: usize,
) -> Option<usize> {
    let mut fields = [Some(1_usize); VALUES];
    let mut node = 0;
    while node < nodes.len() {
        let (output, inputs, own) = nodes[node];
        let (mut farthest, mut input) = (Some(1), 0);
        while input < inputs.len() {
            farthest = match (farthest, fields[inputs[input]]) {
                (Some(a), Some(b)) => Some(if a > b { a } else { b }),
                _ => None,
            };
            input += 1;
        }
        fields[output] = match (farthest, own) {
            (Some(before), Some(own)) => Some(before + own - 1),
            _ => None,
        };
        node += 1;
    }
    fields[result]
}

/// Calls `f`, the pass of the layer `L` over `N` steps, like [`outline_layer`](crate::layer::outline_layer), but for less
/// work: inlined into the step of a network, a large product would be interleaved with what stands around it, for which
/// registers do not suffice.
#[inline(always)]
pub(crate) fn outline_steps<L: Streaming, const N: usize, S: Simd, R>(simd: S, f: impl FnOnce() -> R) -> R {
    const MANY: usize = 2048;
    if const { N * (L::MACS + L::Output::LEN) < MANY * (L::Output::LEN / L::StepOutput::LEN) } {
        simd.vectorize(f)
    } else {
        outline(simd, f)
    }
}

/// `step` and `steps` of a layer that implements `steps_then`.
macro_rules! as_steps_then {
    () => {
        #[inline(always)]
        fn step<S: $crate::simd::Simd>(
            &self,
            simd: S,
            state: &mut Self::State,
            input: &Self::StepInput,
            output: &mut Self::StepOutput,
        ) {
            self.steps(simd, state, core::array::from_ref(input), core::array::from_mut(output));
        }

        #[inline(always)]
        fn steps<S: $crate::simd::Simd, const N: usize>(
            &self,
            simd: S,
            state: &mut Self::State,
            input: &[Self::StepInput; N],
            output: &mut [Self::StepOutput; N],
        ) {
            self.steps_then::<S, $crate::activation::Identity, N>(simd, state, input, output);
        }
    };
}
pub(crate) use as_steps_then;

/// The implementation for a stateless layer that computes each step from the same step of its input: `$compute` is a
/// function of the level, the input and the output, of any number of steps.
macro_rules! step_by_step {
    ([$($generics:tt)*] $layer:ty, |$($names:ident),*| $compute:expr) => {
        $crate::streaming::step_by_step!([$($generics)*] $layer => X, |$($names),*| $compute);
    };
    ([$($generics:tt)*] $layer:ty => $output:ident, |$self:ident, $simd:ident, $x:ident, $y:ident| $compute:expr) => {
        impl<$($generics)*> $crate::streaming::Streaming for $layer {
            type State = ();
            type StepInput = X::Item;
            type StepOutput = $output::Item;
            const RECEPTIVE_FIELD: Option<usize> = Some(1);

            #[inline(always)]
            fn step<S: $crate::simd::Simd>(
                &self,
                simd: S,
                state: &mut (),
                input: &X::Item,
                output: &mut $output::Item,
            ) {
                self.steps(simd, state, core::array::from_ref(input), core::array::from_mut(output));
            }

            #[inline(always)]
            fn steps<S: $crate::simd::Simd, const N: usize>(
                &$self,
                $simd: S,
                (): &mut (),
                input: &[X::Item; N],
                output: &mut [$output::Item; N],
            ) {
                let ($x, $y) = ($crate::tensor::batch_slice(input), $crate::tensor::batch_slice_mut(output));
                $compute;
            }
        }
    };
}
pub(crate) use step_by_step;
