//! Recurrent layers: what they compute at a step depends on all steps before it.
//!
//! `hₜ = cell(xₜ·W + b, hₜ₋₁·U + c)`, where the [`Cell`] is [`rnn`], [`lstm`] or [`gru`]
//!
//! | tensor | shape | initial value |
//! | --- | --- | --- |
//! | `x` | `[STEPS, IN]` | |
//! | `weight_ih` (W) | `[IN, GATES·HIDDEN]` | uniform in `±1/√HIDDEN` |
//! | `weight_hh` (U) | `[HIDDEN, GATES·HIDDEN]` | uniform in `±1/√HIDDEN` |
//! | `bias_ih` (b), `bias_hh` (c) | `[GATES·HIDDEN]` | uniform in `±1/√HIDDEN` |
//! | `initial` | `[STATES, HIDDEN]` if it is learned, or empty | 0 |
//! | `y` | `[STEPS, HIDDEN]`: `h` at every step, or `[HIDDEN]`: at the last | |
//!
//! Names, gates, their order and the initial values are those of PyTorch, whose weights are the transposes of these. The
//! options of a layer in a network:
//!
//! | written | what it does |
//! | --- | --- |
//! | `last` | gives `h` of the last step alone |
//! | `cell` | gives `c` of an LSTM behind `h`, in rows of `2·HIDDEN` |
//! | `bidirectional` | a second layer, `.._reverse`, reads the steps backward; its `h` are behind those of the first |
//! | `(x, h) \|> Gru(..)`, `(x, h, c) \|> Lstm(..)` | the states before the first step, otherwise 0; they have gradients |
//! | `initial = learned` | the states before the first step are parameters: `h`, and for an LSTM `c` |
//! | `init = keras` | W uniform in `±√(6/(IN + GATES·HIDDEN))`, U with orthonormal rows, biases 0, the forget gate's 1 |
//! | `reset = before` | the form of a GRU that [`gru`] describes |
//!
//! # State between windows
//! Truncated back-propagation through time trains on one window of a long sequence after the other, each from the state
//! that the one before ended with, through which no gradient flows. The state is an input and an output of the network:
//!
//! ```
//! use monomorph::prelude::*;
//!
//! network! {
//!     pub Window(x: [20, 1], h: [8]) -> (y: [20, 1], next: [8]) {
//!         let states = (x, h) |> Gru(8);
//!         let y = states |> Dense(1);
//!         let next = states |> Slice(axis = 0, start = 19) |> Flatten;
//!     }
//! }
//! let (net, mut h) = (Window::zeroed(), [0.0; 8]);
//! for x in [[[0.5]; 20], [[0.1]; 20]] {
//!     h = net.evaluate(&WindowInput { x, h }).next;
//! }
//! assert_eq!(h, [0.0; 8]);
//! ```
//!
//! Training computes the products with `W` of all steps and samples as one matrix product, and so the gradients of `W`,
//! `U` and `x`; only the products with `U` run step by step, for all samples of the batch at once.

mod backward;
pub mod gru;
pub mod lstm;
pub mod rnn;
mod sequence;
mod start;
mod steps;

pub use sequence::Sequence;
pub use start::Starts;

use core::marker::PhantomData;

use crate::activation::Identity;
use crate::kernels::elementwise::add_assign;
use crate::kernels::gemm::{self, Extent, Product};
use crate::layer::{Batch, GradientOf, Layer, Pass, Reads, outline_layer};
use crate::memory::clear;
use crate::parameters::Parameters;
use crate::plain::Plain;
use crate::scalar::Real;
use crate::simd::Simd;
use crate::tensor::{Tensor, batch_slice, batch_slice_mut};
use crate::weight::Weight;

/// The formula of a recurrent layer, for one step of one sample.
///
/// A row of gates is `GATES` times as long as the hidden state; gate after gate.
pub trait Cell<T: Real>: Starts {
    /// The state beside the hidden one: `[Z; 1]`, or `[Z; 0]` if there is none.
    type Beside<Z: Tensor<Element = T>>: Tensor<Element = T>;
    /// What `backward` needs of the products with the hidden state: `[Z; 1]`, or `[Z; 0]` if it needs nothing.
    type Kept<Z: Tensor<Element = T>>: Tensor<Element = T>;
    /// The memory for resetting: `[Z; 1]` if the cell [resets](Self::RESETS), or `[Z; 0]`.
    type Scratch<Z: Tensor<Element = T>>: Tensor<Element = T>;
    /// Whether the candidate's product is with the reset hidden state `r ∘ hₜ₋₁` ([`reset`](Self::reset)) instead of
    /// `hₜ₋₁`.
    const RESETS: bool = false;

    /// From the products with the input (`gates`) and with the previous hidden state (`products`) computes the
    /// activations of the gates, in place, and the next states, in place of the previous ones; `units` is how many numbers
    /// each of them has.
    fn forward<S: Simd>(simd: S, units: usize, gates: &mut [T], products: &mut [T], hidden: &mut [T], beside: &mut [T]);

    /// From the activations of the gates computes the gradients of the products with the input (`gates`) and with the
    /// hidden state (`products`), both in place. In: `grad` is `∂L/∂hₜ`, and `grad_beside` is `∂L/∂cₜ` by way of later
    /// steps. Out: they are those of the previous step, but for what flows through `products`.
    fn backward<S: Simd>(
        simd: S,
        step: States<'_, T>,
        gates: &mut [T],
        products: &mut [T],
        grad: &mut [T],
        grad_beside: &mut [T],
    );

    /// Before [`forward`](Self::forward): computes the activation of the reset gate in place, and the reset hidden state
    /// into the place of its product.
    #[inline(always)]
    fn reset<S: Simd>(_simd: S, _units: usize, _gates: &mut [T], _products: &mut [T], _hidden: &[T]) {}

    /// After [`backward`](Self::backward): from the gradient of the reset hidden state computes that of the reset gate,
    /// and adds the rest to `grad`.
    #[inline(always)]
    fn reset_backward<S: Simd>(_: S, _units: usize, _hidden: &[T], _gates: &mut [T], _reset: &[T], _grad: &mut [T]) {}
}

/// The states before and after a step.
#[derive(Clone, Copy, Debug)]
pub struct States<'a, T> {
    /// `hₜ₋₁`.
    pub hidden_before: &'a [T],
    /// The state beside it before the step.
    pub beside_before: &'a [T],
    /// The state beside it after the step.
    pub beside: &'a [T],
}

/// A recurrent layer with a cell `C`, from an `X` to a `Y`, with weights `I` and `H` and biases `B`: see [`Rnn`],
/// [`Lstm`] and [`Gru`].
///
/// `X` is a sequence, or a tuple of one and the states before its first step. `S` is a tensor of these, if they are
/// learned: a row for `h`, and for an LSTM one for `c`.
///
/// [`Rnn`]: rnn::Rnn
/// [`Lstm`]: lstm::Lstm
/// [`Gru`]: gru::Gru
#[derive(Clone, Debug, PartialEq, Parameters)]
#[repr(C)]
pub struct Recurrent<C: Starts, X, I, H, B, Y, S> {
    /// W: a row of all gates for each input.
    #[parameters(packed, begin = start::weight_ih::<C>(<I as Weight>::SHAPE, <H as Weight>::SHAPE))]
    pub weight_ih: I,
    /// U: a row of all gates for each number of the hidden state.
    #[parameters(packed, begin = start::weight_hh::<C>(<H as Weight>::SHAPE))]
    pub weight_hh: H,
    /// b.
    #[parameters(tensor, begin = start::bias_ih::<C>(<H as Weight>::SHAPE))]
    pub bias_ih: B,
    /// c.
    #[parameters(tensor, begin = start::bias_hh::<C>(<H as Weight>::SHAPE))]
    pub bias_hh: B,
    /// The states before the first step, if they are learned.
    #[parameters(tensor, start = 0.0)]
    pub initial: S,
    /// The cell, the input and the output.
    pub shapes: PhantomData<(C, X, Y)>,
}

/// The products of all steps of a batch of `N` with the weight of the input.
struct OverTime<X, B, const N: usize>(PhantomData<(X, B)>);

impl<X: Tensor, B: Tensor, const N: usize> Product for OverTime<X, B, N> {
    const ROWS: usize = N * X::LEN / X::CHANNELS;
    const IN: usize = X::CHANNELS;
    const OUT: usize = B::LEN;
    const BIAS: usize = B::LEN;
}

/// The products of one step of a batch of `N`: with a row `V` of the input or of the hidden state.
struct OneStep<V, B, const N: usize>(PhantomData<(V, B)>);

impl<V: Tensor, B: Tensor, const N: usize> Product for OneStep<V, B, N> {
    const ROWS: usize = N;
    const IN: usize = V::LEN;
    const OUT: usize = B::LEN;
    const BIAS: usize = B::LEN;
}

/// The products of all steps of a sample but the first with the hidden state before them.
struct Later<X, V, B>(PhantomData<(X, V, B)>);

impl<X: Tensor, V: Tensor, B: Tensor> Product for Later<X, V, B> {
    const ROWS: usize = X::LEN / X::CHANNELS - 1;
    const IN: usize = V::LEN;
    const OUT: usize = B::LEN;
    const BIAS: usize = B::LEN;
}

/// The states of a recurrent layer between steps, and scratch memory, which would have to be cleared in every step
/// if it were on the stack.
#[derive(Clone, Debug, Plain)]
#[repr(C)]
pub struct State<V, C, G> {
    /// h, zeros before the first step.
    pub hidden: V,
    /// The cell state of an LSTM.
    pub beside: C,
    gates: G,
    products: G,
}

/// The memory of one step of a batch: rows of the input, the states, and both products.
#[derive(Plain)]
#[repr(C)]
pub struct Step<I: Tensor, V: Tensor, C: Tensor, G: Tensor, R: Tensor, P: Tensor, const B: usize> {
    input: [I; B],
    hidden: [V; B],
    beside: [C; B],
    gates: [G; B],
    products: [G; B],
    /// Scratch: the reset hidden state and its product.
    reset: [R; B],
    reset_products: [P; B],
}

/// What a recurrent layer saves of a batch, and the scratch memory of its passes.
#[derive(Plain)]
#[repr(C)]
pub struct Saved<
    G: Tensor,
    K: Tensor,
    V: Tensor,
    C: Tensor,
    R: Tensor,
    N: Tensor,
    M: Tensor,
    Q: Tensor,
    P: Tensor,
    const B: usize,
> {
    gates: [G; B],
    kept: [K; B],
    hidden: [V; B],
    beside: [C; B],
    /// Scratch: a row of gates, of the hidden state, of its gradient, and of that of the state beside it.
    products: [R; B],
    reset: [Q; B],
    reset_products: [P; B],
    row: [N; B],
    grad: [N; B],
    grad_beside: [M; B],
    /// The states before the first step.
    first: [N; B],
    first_beside: [M; B],
}

/// A row of a matrix.
#[inline(always)]
fn row<T>(matrix: &[T], index: usize, width: usize) -> &[T] {
    matrix.get(index * width..(index + 1) * width).unwrap_or(&[])
}

/// A row of a matrix, mutably.
#[inline(always)]
fn row_mut<T>(matrix: &mut [T], index: usize, width: usize) -> &mut [T] {
    matrix.get_mut(index * width..(index + 1) * width).unwrap_or(&mut [])
}

/// The gates of a row.
#[inline(always)]
fn gates<T, const N: usize>(row: &mut [T]) -> [&mut [T]; N] {
    let (units, mut rest) = (row.len() / N, row);
    core::array::from_fn(
        #[inline(always)]
        |_| {
            let whole = core::mem::take(&mut rest);
            let (gate, later) = whole.split_at_mut(units.min(whole.len()));
            rest = later;
            gate
        },
    )
}

/// Copies as much as there is.
#[inline(always)]
fn copy<T: Copy>(from: &[T], to: &mut [T]) {
    let len = from.len().min(to.len());
    to[..len].copy_from_slice(&from[..len]);
}

/// The part of the weight `U` that a product with the hidden state or with the reset one uses: some of the gates.
struct Part<V, const GATES: usize>(PhantomData<V>);

impl<V: Tensor, const GATES: usize> Extent for Part<V, GATES> {
    const ROWS: usize = V::LEN;
    const COLUMNS: usize = GATES * V::LEN;
}

impl<T: Real, C, X, I, H, B, Y, Z> Recurrent<C, X, I, H, B, Y, Z>
where
    C: Cell<T>,
    X: Sequence<Steps: Tensor<Element = T>>,
    I: Weight<Scalar = T>,
    H: Weight<Scalar = T>,
    B: Tensor<Element = T>,
    Y: Tensor<Element = T>,
    Z: Tensor<Element = T>,
{
    const INPUTS: usize = <X::Steps as Tensor>::CHANNELS;
    const STEPS: usize = <X::Steps as Tensor>::LEN / Self::INPUTS;
    const HIDDEN: usize = <H::Rows as Tensor>::LEN;
    const BESIDE: usize = <C::Beside<H::Rows> as Tensor>::LEN;
    const KEEPS: bool = <C::Kept<B> as Tensor>::LEN > 0;
    /// Whether the output is that of every step, not of the last alone.
    const EVERY: bool = Y::SHAPE.len() == 2;
    /// Whether the state beside the hidden one is given, too.
    const GIVES_BESIDE: bool = Self::BESIDE > 0 && Y::CHANNELS == Self::HIDDEN + Self::BESIDE;
    /// Whether the states before the first step are other than zeros.
    const BEGINS: bool = X::STATES > 0 || Z::LEN > 0;
    const SHAPE: () = {
        let states = 1 + Self::BESIDE / Self::HIDDEN;
        assert!(<X::Steps as Tensor>::SHAPE.len() == 2 && Self::STEPS > 0, "a recurrent layer takes `[STEPS, IN]`");
        assert!(Y::LEN > 0 && Y::SHAPE.len() <= 2, "a recurrent layer gives `[STEPS, HIDDEN]` or `[HIDDEN]`");
        assert!(!Self::EVERY || Y::LEN == Self::STEPS * Y::CHANNELS, "a recurrent layer: the steps differ");
        assert!(Y::CHANNELS == Self::HIDDEN || Self::GIVES_BESIDE, "a recurrent layer: the output has another width");
        assert!(B::LEN == C::GATES * Self::HIDDEN, "a recurrent layer: the bias has all gates");
        assert!(X::STATES == 0 || X::STATES == states, "a recurrent layer: h is given, and c for an LSTM");
        assert!(X::STATES == 0 || X::WIDTH == Self::HIDDEN, "a recurrent layer: a given state has another width");
        assert!(Z::LEN == 0 || Z::LEN == states * Self::HIDDEN, "a recurrent layer: there is a row for each state");
        assert!(X::STATES == 0 || Z::LEN == 0, "a recurrent layer: its first states are either given or learned");
        let (&[inputs, a], &[hidden, b]) = (I::SHAPE, H::SHAPE) else {
            panic!("a recurrent layer: weights are matrices")
        };
        assert!(inputs == Self::INPUTS && hidden == Self::HIDDEN, "a recurrent layer: a weight has another height");
        assert!(a == B::LEN && b == B::LEN, "a recurrent layer: a weight has another width");
    };

    /// The row of the output that a step gives, if it gives one.
    #[inline(always)]
    fn given(step: usize) -> Option<usize> {
        if Self::EVERY { Some(step) } else { (step + 1 == Self::STEPS).then_some(0) }
    }

    /// Writes what a step gives.
    #[inline(always)]
    fn give(hidden: &[T], beside: &[T], y: &mut [T]) {
        copy(hidden, y);
        if const { Self::GIVES_BESIDE } {
            let (_, y) = y.split_at_mut(Self::HIDDEN);
            copy(beside, y);
        }
    }

    /// The states before the first step, of a batch.
    #[inline(always)]
    fn begin(&self, given: [Option<&[T]>; 2], hidden: &mut [T], beside: &mut [T]) {
        for (state, (given, to)) in given.into_iter().zip([hidden, beside]).enumerate() {
            match given {
                Some(given) => copy(given, to),
                None if const { Z::LEN == 0 } => to.fill(T::ZERO),
                None => {
                    for to in to.chunks_exact_mut(Self::HIDDEN) {
                        copy(row(self.initial.numbers(), state, Self::HIDDEN), to);
                    }
                }
            }
        }
    }

    /// The products of `N` rows with `U`.
    #[inline(always)]
    fn recur<S: Simd, const N: usize>(&self, simd: S, hidden: &[T], products: &mut [T]) {
        let u = &self.weight_hh;
        gemm::dense_forward::<T, H::Format, S, Identity, OneStep<H::Rows, B, N>>(
            simd,
            hidden,
            u.packed(),
            u.scale(),
            self.bias_hh.numbers(),
            products,
        );
    }

    /// One step of `N` samples, given the products with `W` in a row `at` of each sample's `gates`: computes the next
    /// states. `reset` and `scratch` are empty if the cell does not reset the hidden state.
    #[inline(always)]
    fn advance<S: Simd, const N: usize>(
        &self,
        simd: S,
        (gates, at): (&mut [T], usize),
        [products, reset, scratch]: [&mut [T]; 3],
        [hidden, beside]: [&mut [T]; 2],
    ) {
        let (length, width) = (gates.len() / N, Self::HIDDEN);
        self.recur::<S, N>(simd, hidden, products);
        if const { C::RESETS } {
            for sample in 0..N {
                let gates = row_mut(row_mut(gates, sample, length), at, B::LEN);
                let products = row_mut(products, sample, B::LEN);
                C::reset(simd, width, gates, products, row(hidden, sample, width));
                copy(products, row_mut(reset, sample, width));
            }
            self.recur::<S, N>(simd, reset, scratch);
            for (to, from) in products.chunks_exact_mut(B::LEN).zip(scratch.chunks_exact(B::LEN)) {
                let [_, _, candidate] = self::gates(to);
                copy(row(from, 2, width), candidate);
            }
        }
        for sample in 0..N {
            C::forward(
                simd,
                width,
                row_mut(row_mut(gates, sample, length), at, B::LEN),
                row_mut(products, sample, B::LEN),
                row_mut(hidden, sample, width),
                row_mut(beside, sample, Self::BESIDE),
            );
        }
    }
}

impl<T: Real, C, X, I, H, G, Y, Z> Layer for Recurrent<C, X, I, H, G, Y, Z>
where
    C: Cell<T>,
    X: Sequence<Steps: Tensor<Element = T>>,
    I: Weight<Scalar = T>,
    H: Weight<Scalar = T>,
    G: Tensor<Element = T>,
    Y: Tensor<Element = T>,
    Z: Tensor<Element = T>,
{
    type Input = X;
    type Output = Y;
    type Saved<const B: usize> = backward::Kept<T, C, X, H, G, B>;
    type Workspace<const B: usize> =
        Step<<X::Steps as Tensor>::Item, H::Rows, C::Beside<H::Rows>, G, C::Scratch<H::Rows>, C::Scratch<G>, B>;
    const MACS: usize = Self::STEPS * (Self::INPUTS + Self::HIDDEN) * G::LEN;
    const BACKWARD_READS: Reads = Reads::INPUT;

    #[inline(always)]
    fn evaluate<S: Simd, const B: usize>(
        &self,
        simd: S,
        input: Batch<'_, X, B>,
        output: &mut [Y; B],
        workspace: &mut Self::Workspace<B>,
    ) {
        let () = Self::SHAPE;
        outline_layer::<Self, B, _, _>(
            simd,
            #[inline(always)]
            || {
                let Step { input: x, hidden, beside, gates, products, reset, reset_products } = workspace;
                self.begin(X::states(input), batch_slice_mut(hidden), batch_slice_mut(beside));
                let w = &self.weight_ih;
                for step in 0..Self::STEPS {
                    for (x, input) in x.iter_mut().zip(X::steps(input)) {
                        copy(row(input.numbers(), step, Self::INPUTS), x.numbers_mut());
                    }
                    let gates = batch_slice_mut(gates);
                    gemm::dense_forward::<T, I::Format, S, Identity, OneStep<<X::Steps as Tensor>::Item, G, B>>(
                        simd,
                        batch_slice(x),
                        w.packed(),
                        w.scale(),
                        self.bias_ih.numbers(),
                        gates,
                    );
                    let products = [batch_slice_mut(products), batch_slice_mut(reset), batch_slice_mut(reset_products)];
                    self.advance::<S, B>(
                        simd,
                        (gates, 0),
                        products,
                        [batch_slice_mut(hidden), batch_slice_mut(beside)],
                    );
                    if let Some(at) = Self::given(step) {
                        for (y, (hidden, beside)) in output.iter_mut().zip(hidden.iter().zip(&*beside)) {
                            let y = row_mut(y.numbers_mut(), at, Y::CHANNELS);
                            Self::give(hidden.numbers(), beside.numbers(), y);
                        }
                    }
                }
            },
        );
    }

    #[inline(always)]
    fn forward<S: Simd, const B: usize>(
        &self,
        simd: S,
        input: Batch<'_, X, B>,
        output: &mut [Y; B],
        saved: &mut Self::Saved<B>,
        _pass: &mut Pass<T>,
    ) {
        let () = Self::SHAPE;
        outline_layer::<Self, B, _, _>(
            simd,
            #[inline(always)]
            || {
                let w = &self.weight_ih;
                gemm::dense_forward::<T, I::Format, S, Identity, OverTime<X::Steps, G, B>>(
                    simd,
                    batch_slice(X::steps(input)),
                    w.packed(),
                    w.scale(),
                    self.bias_ih.numbers(),
                    batch_slice_mut(&mut saved.gates),
                );
                let Saved {
                    first,
                    first_beside,
                    row: hidden,
                    grad_beside: beside,
                    gates,
                    products,
                    reset,
                    reset_products,
                    ..
                } = saved;
                self.begin(X::states(input), batch_slice_mut(first), batch_slice_mut(first_beside));
                // `hidden` and `beside` hold the states of the step before.
                copy(batch_slice(first), batch_slice_mut(hidden));
                copy(batch_slice(first_beside), batch_slice_mut(beside));
                for step in 0..Self::STEPS {
                    let memory = [batch_slice_mut(products), batch_slice_mut(reset), batch_slice_mut(reset_products)];
                    let states = [batch_slice_mut(hidden), batch_slice_mut(beside)];
                    self.advance::<S, B>(simd, (batch_slice_mut(gates), step), memory, states);
                    for sample in 0..B {
                        let (hidden, beside) = (hidden[sample].numbers(), beside[sample].numbers());
                        if Self::KEEPS {
                            copy(products[sample].numbers(), row_mut(saved.kept[sample].numbers_mut(), step, G::LEN));
                        }
                        copy(hidden, row_mut(saved.hidden[sample].numbers_mut(), step, Self::HIDDEN));
                        copy(beside, row_mut(saved.beside[sample].numbers_mut(), step, Self::BESIDE));
                        if let Some(at) = Self::given(step) {
                            Self::give(hidden, beside, row_mut(output[sample].numbers_mut(), at, Y::CHANNELS));
                        }
                    }
                }
            },
        );
    }

    /// Back-propagation through time. With the gradients of both products from the cell, `∂g` and `∂p`:
    /// `∂hₜ₋₁ += ∂pₜ·Uᵀ`, `∂U += Σₜ hₜ₋₁ᵀ·∂pₜ`, `∂c += Σₜ ∂pₜ`, `∂W += Σₜ xₜᵀ·∂gₜ`, `∂b += Σₜ ∂gₜ`, `∂xₜ = ∂gₜ·Wᵀ`.
    #[inline(always)]
    fn backward<S: Simd, const B: usize>(
        &self,
        simd: S,
        input: Batch<'_, X, B>,
        _output: &[Y; B],
        saved: &mut Self::Saved<B>,
        grad_output: &mut [Y; B],
        grad_input: GradientOf<'_, X, B>,
        gradient: &mut Self,
        _pass: &Pass<T>,
    ) {
        const {
            assert!(
                !I::PACKED && !H::PACKED,
                "a recurrent layer: packed weights are not trained; train the layer that they are packed from"
            );
        }
        let () = Self::SHAPE;
        outline_layer::<Self, B, _, _>(
            simd,
            #[inline(always)]
            || {
                clear(&mut saved.grad);
                clear(&mut saved.grad_beside);
                for step in (0..Self::STEPS).rev() {
                    self.backward_cell(simd, step, saved, grad_output);
                    let before = batch_slice_mut(&mut saved.row);
                    if Self::BEGINS || step > 0 {
                        let (u, products) = (self.weight_hh.trained(), batch_slice(&saved.products));
                        gemm::dense_input_gradient::<T, S, OneStep<H::Rows, G, B>>(simd, products, u, before);
                        add_assign(simd, batch_slice_mut(&mut saved.grad), before);
                    }
                }
                Self::backward_hidden_weight(simd, saved, gradient);
                let gates = batch_slice(&saved.gates);
                let (w, bias) = (gradient.weight_ih.trained_mut(), gradient.bias_ih.numbers_mut());
                let x = batch_slice(X::steps(input));
                gemm::dense_weight_gradient::<T, S, OverTime<X::Steps, G, B>>(simd, x, gates, w, bias);
                let (grad_steps, grad_states) = X::gradients(grad_input);
                if let Some(grad_x) = grad_steps {
                    let (w, grad_x) = (self.weight_ih.trained(), batch_slice_mut(grad_x));
                    gemm::dense_input_gradient::<T, S, OverTime<X::Steps, G, B>>(simd, gates, w, grad_x);
                }
                let states = [batch_slice(&saved.grad), batch_slice(&saved.grad_beside)];
                for (index, (to, from)) in grad_states.into_iter().zip(states).enumerate() {
                    if let Some(to) = to {
                        copy(from, to);
                    }
                    if const { Z::LEN > 0 } {
                        for from in from.chunks_exact(Self::HIDDEN) {
                            add_assign(simd, row_mut(gradient.initial.numbers_mut(), index, Self::HIDDEN), from);
                        }
                    }
                }
            },
        );
    }
}

#[cfg(all(test, feature = "safetensors", feature = "std"))]
mod tests;
