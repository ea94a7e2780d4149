//! Recurrent layers: what they compute at a step depends on all steps before it.
//!
//! `hₜ = cell(xₜ·W + b, hₜ₋₁·U + c)`, where the [`Cell`] is [`rnn`], [`lstm`] or [`gru`], and `h₋₁ = 0`
//!
//! | tensor | shape | initial value |
//! | --- | --- | --- |
//! | `x` | `[STEPS, IN]` | |
//! | `weight_ih` (W) | `[IN, GATES·HIDDEN]` | uniform in `±1/√HIDDEN` |
//! | `weight_hh` (U) | `[HIDDEN, GATES·HIDDEN]` | uniform in `±1/√HIDDEN` |
//! | `bias_ih` (b), `bias_hh` (c) | `[GATES·HIDDEN]` | uniform in `±1/√HIDDEN` |
//! | `y` | `[STEPS, HIDDEN]`: `h` at every step, or `[HIDDEN]`: at the last | |
//!
//! Names, gates, their order and the initial values are those of PyTorch, whose weights are the transposes of these.
//!
//! Training computes the products with `W` of all steps and samples as one matrix product, and so the gradients of `W`,
//! `U` and `x`; only the products with `U` run step by step, for all samples of the batch at once.

pub mod gru;
pub mod lstm;
pub mod rnn;

use core::marker::PhantomData;

use crate::activation::Identity;
use crate::kernels::elementwise::add_assign;
use crate::kernels::gemm::{self, Product};
use crate::layer::{Layer, Pass, Reads, outline_layer};
use crate::memory::clear;
use crate::parameters::Parameters;
use crate::plain::Plain;
use crate::scalar::Real;
use crate::simd::Simd;
use crate::streaming::Streaming;
use crate::tensor::{Tensor, batch_slice, batch_slice_mut};
use crate::weight::Weight;

/// The formula of a recurrent layer, for one step of one sample.
///
/// A row of gates is `GATES` times as long as the hidden state; gate after gate.
pub trait Cell<T: Real>: Copy + 'static {
    /// How many gates there are, the candidate among them.
    const GATES: usize;
    /// The state beside the hidden one: `[Z; 1]`, or `[Z; 0]` if there is none.
    type Beside<Z: Tensor<Element = T>>: Tensor<Element = T>;
    /// What `backward` needs of the products with the hidden state: `[Z; 1]`, or `[Z; 0]` if it needs nothing.
    type Kept<Z: Tensor<Element = T>>: Tensor<Element = T>;

    /// From the products with the input (`gates`) and with the previous hidden state (`products`) computes the
    /// activations of the gates, in place, and the next states, in place of the previous ones.
    fn forward<S: Simd>(simd: S, gates: &mut [T], products: &mut [T], hidden: &mut [T], beside: &mut [T]);

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
/// [`Rnn`]: rnn::Rnn
/// [`Lstm`]: lstm::Lstm
/// [`Gru`]: gru::Gru
#[derive(Clone, Debug, PartialEq, Parameters)]
#[repr(C)]
pub struct Recurrent<C, X, I, H, B, Y> {
    /// W: a row of all gates for each input.
    #[parameters(packed, uniform = bound(<H as Weight>::SHAPE))]
    pub weight_ih: I,
    /// U: a row of all gates for each number of the hidden state.
    #[parameters(packed, uniform = bound(<H as Weight>::SHAPE))]
    pub weight_hh: H,
    /// b.
    #[parameters(tensor, uniform = bound(<H as Weight>::SHAPE))]
    pub bias_ih: B,
    /// c.
    #[parameters(tensor, uniform = bound(<H as Weight>::SHAPE))]
    pub bias_hh: B,
    /// The cell, the input and the output.
    pub shapes: PhantomData<(C, X, Y)>,
}

/// `1/√n` for a weight of `n` rows.
const fn bound(shape: &[usize]) -> f64 {
    let n = shape[0] as f64;
    // Newton's method from above, until it no longer gets smaller.
    let mut root = if n > 1.0 { n } else { 1.0 };
    loop {
        let next = 0.5 * (root + n / root);
        if next >= root {
            return 1.0 / root;
        }
        root = next;
    }
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

/// The states of a recurrent layer between steps.
#[derive(Clone, Debug, PartialEq, Plain)]
#[repr(C)]
pub struct State<V, C> {
    /// h, zeros before the first step.
    pub hidden: V,
    /// The cell state of an LSTM.
    pub beside: C,
}

/// The memory of one step of a batch: rows of the input, the states, and both products.
#[derive(Plain)]
#[repr(C)]
pub struct Step<I: Tensor, V: Tensor, C: Tensor, G: Tensor, const B: usize> {
    input: [I; B],
    hidden: [V; B],
    beside: [C; B],
    gates: [G; B],
    products: [G; B],
}

/// What a recurrent layer saves of a batch, and the scratch memory of its passes.
#[derive(Plain)]
#[repr(C)]
pub struct Saved<G: Tensor, K: Tensor, V: Tensor, C: Tensor, R: Tensor, N: Tensor, M: Tensor, const B: usize> {
    gates: [G; B],
    kept: [K; B],
    hidden: [V; B],
    beside: [C; B],
    /// Scratch: a row of gates, of the hidden state, of its gradient, and of that of the state beside it.
    products: [R; B],
    row: [N; B],
    grad: [N; B],
    grad_beside: [M; B],
    /// The states before the first step.
    zeros: N,
    zeros_beside: M,
}

/// A row of a matrix.
#[inline(always)]
fn row<T>(matrix: &[T], index: usize, width: usize) -> &[T] {
    if width == 0 { &[] } else { matrix.chunks_exact(width).nth(index).unwrap_or(&[]) }
}

/// A row of a matrix, mutably.
#[inline(always)]
fn row_mut<T>(matrix: &mut [T], index: usize, width: usize) -> &mut [T] {
    if width == 0 { &mut [] } else { matrix.chunks_exact_mut(width).nth(index).unwrap_or(&mut []) }
}

/// The gates of a row.
#[inline(always)]
fn gates<T, const N: usize>(row: &mut [T]) -> [&mut [T]; N] {
    let mut gates = row.chunks_exact_mut((row.len() / N).max(1));
    core::array::from_fn(|_| gates.next().unwrap_or(&mut []))
}

/// Copies row after row, or as much as there is.
#[inline(always)]
fn copy<T: Copy>(from: &[T], to: &mut [T]) {
    for (to, from) in to.iter_mut().zip(from) {
        *to = *from;
    }
}

impl<T: Real, C, X, I, H, B, Y> Recurrent<C, X, I, H, B, Y>
where
    C: Cell<T>,
    X: Tensor<Element = T>,
    I: Weight<Scalar = T>,
    H: Weight<Scalar = T>,
    B: Tensor<Element = T>,
    Y: Tensor<Element = T>,
{
    const STEPS: usize = X::LEN / X::CHANNELS;
    const HIDDEN: usize = Y::CHANNELS;
    const BESIDE: usize = <C::Beside<Y::Last> as Tensor>::LEN;
    const KEEPS: bool = <C::Kept<B> as Tensor>::LEN > 0;
    /// Whether the output is that of every step, not of the last alone.
    const EVERY: bool = Y::SHAPE.len() == 2;
    const SHAPE: () = {
        assert!(X::SHAPE.len() == 2 && X::LEN > 0, "a recurrent layer takes `[STEPS, IN]`");
        assert!(Y::LEN > 0 && Y::SHAPE.len() <= 2, "a recurrent layer gives `[STEPS, HIDDEN]` or `[HIDDEN]`");
        assert!(!Self::EVERY || Y::LEN == Self::STEPS * Self::HIDDEN, "a recurrent layer: the steps differ");
        assert!(B::LEN == C::GATES * Self::HIDDEN, "a recurrent layer: the bias has all gates");
        let (&[inputs, a], &[hidden, b]) = (I::SHAPE, H::SHAPE) else {
            panic!("a recurrent layer: weights are matrices")
        };
        assert!(inputs == X::CHANNELS && hidden == Self::HIDDEN, "a recurrent layer: a weight has another height");
        assert!(a == B::LEN && b == B::LEN, "a recurrent layer: a weight has another width");
    };

    /// The row of the output that a step gives, if it gives one.
    #[inline(always)]
    fn given(step: usize) -> Option<usize> {
        if Self::EVERY { Some(step) } else { (step + 1 == Self::STEPS).then_some(0) }
    }

    /// One step of `N` samples: computes the next states from the inputs.
    #[inline(always)]
    fn advance<S: Simd, const N: usize>(&self, simd: S, input: &[T], [hidden, beside, gates, products]: [&mut [T]; 4]) {
        let (w, u) = (&self.weight_ih, &self.weight_hh);
        gemm::dense_forward::<T, I::Format, S, Identity, OneStep<X::Item, B, N>>(
            simd,
            input,
            w.packed(),
            w.scale(),
            self.bias_ih.numbers(),
            gates,
        );
        gemm::dense_forward::<T, H::Format, S, Identity, OneStep<Y::Last, B, N>>(
            simd,
            hidden,
            u.packed(),
            u.scale(),
            self.bias_hh.numbers(),
            products,
        );
        for sample in 0..N {
            C::forward(
                simd,
                row_mut(gates, sample, B::LEN),
                row_mut(products, sample, B::LEN),
                row_mut(hidden, sample, Self::HIDDEN),
                row_mut(beside, sample, Self::BESIDE),
            );
        }
    }
}

impl<T: Real, C, X, I, H, G, Y> Layer for Recurrent<C, X, I, H, G, Y>
where
    C: Cell<T>,
    X: Tensor<Element = T>,
    I: Weight<Scalar = T>,
    H: Weight<Scalar = T>,
    G: Tensor<Element = T>,
    Y: Tensor<Element = T>,
{
    type Input = X;
    type Output = Y;
    type Saved<const B: usize> = Saved<
        X::WithLast<G>,
        C::Kept<X::WithLast<G>>,
        X::WithLast<Y::Last>,
        C::Beside<X::WithLast<Y::Last>>,
        G,
        Y::Last,
        C::Beside<Y::Last>,
        B,
    >;
    type Workspace<const B: usize> = Step<X::Item, Y::Last, C::Beside<Y::Last>, G, B>;
    const MACS: usize = Self::STEPS * (X::CHANNELS + Self::HIDDEN) * G::LEN;
    const BACKWARD_READS: Reads = Reads::INPUT;

    #[inline(always)]
    fn evaluate<S: Simd, const B: usize>(
        &self,
        simd: S,
        input: &[X; B],
        output: &mut [Y; B],
        workspace: &mut Self::Workspace<B>,
    ) {
        let () = Self::SHAPE;
        outline_layer::<Self, B, _, _>(
            simd,
            #[inline(always)]
            || {
                let Step { input: x, hidden, beside, gates, products } = workspace;
                clear(hidden);
                clear(beside);
                for step in 0..Self::STEPS {
                    for (x, input) in x.iter_mut().zip(input) {
                        copy(row(input.numbers(), step, X::CHANNELS), x.numbers_mut());
                    }
                    let memory = [
                        batch_slice_mut(hidden),
                        batch_slice_mut(beside),
                        batch_slice_mut(gates),
                        batch_slice_mut(products),
                    ];
                    self.advance::<S, B>(simd, batch_slice(x), memory);
                    if let Some(at) = Self::given(step) {
                        for (hidden, y) in hidden.iter().zip(&mut *output) {
                            copy(hidden.numbers(), row_mut(y.numbers_mut(), at, Self::HIDDEN));
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
        input: &[X; B],
        output: &mut [Y; B],
        saved: &mut Self::Saved<B>,
        _pass: &mut Pass<T>,
    ) {
        let () = Self::SHAPE;
        outline_layer::<Self, B, _, _>(
            simd,
            #[inline(always)]
            || {
                let (w, u) = (&self.weight_ih, &self.weight_hh);
                gemm::dense_forward::<T, I::Format, S, Identity, OverTime<X, G, B>>(
                    simd,
                    batch_slice(input),
                    w.packed(),
                    w.scale(),
                    self.bias_ih.numbers(),
                    batch_slice_mut(&mut saved.gates),
                );
                clear(&mut saved.row);
                clear(&mut saved.grad_beside);
                for step in 0..Self::STEPS {
                    // `row` and `grad_beside` hold the states of the step before.
                    gemm::dense_forward::<T, H::Format, S, Identity, OneStep<Y::Last, G, B>>(
                        simd,
                        batch_slice(&saved.row),
                        u.packed(),
                        u.scale(),
                        self.bias_hh.numbers(),
                        batch_slice_mut(&mut saved.products),
                    );
                    for sample in 0..B {
                        let products = saved.products[sample].numbers_mut();
                        let (hidden, beside) =
                            (saved.row[sample].numbers_mut(), saved.grad_beside[sample].numbers_mut());
                        C::forward(
                            simd,
                            row_mut(saved.gates[sample].numbers_mut(), step, G::LEN),
                            products,
                            hidden,
                            beside,
                        );
                        if Self::KEEPS {
                            copy(products, row_mut(saved.kept[sample].numbers_mut(), step, G::LEN));
                        }
                        copy(hidden, row_mut(saved.hidden[sample].numbers_mut(), step, Self::HIDDEN));
                        copy(beside, row_mut(saved.beside[sample].numbers_mut(), step, Self::BESIDE));
                        if let Some(at) = Self::given(step) {
                            copy(hidden, row_mut(output[sample].numbers_mut(), at, Self::HIDDEN));
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
        input: &[X; B],
        _output: &[Y; B],
        saved: &mut Self::Saved<B>,
        grad_output: &mut [Y; B],
        grad_input: Option<&mut [X; B]>,
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
                clear(&mut saved.zeros);
                clear(&mut saved.zeros_beside);
                clear(&mut saved.grad);
                clear(&mut saved.grad_beside);
                for step in (0..Self::STEPS).rev() {
                    for sample in 0..B {
                        let grad = saved.grad[sample].numbers_mut();
                        if let Some(at) = Self::given(step) {
                            add_assign(simd, grad, row(grad_output[sample].numbers(), at, Self::HIDDEN));
                        }
                        let (hidden, beside) = (saved.hidden[sample].numbers(), saved.beside[sample].numbers());
                        let states = match step.checked_sub(1) {
                            Some(before) => States {
                                hidden_before: row(hidden, before, Self::HIDDEN),
                                beside_before: row(beside, before, Self::BESIDE),
                                beside: row(beside, step, Self::BESIDE),
                            },
                            None => States {
                                hidden_before: saved.zeros.numbers(),
                                beside_before: saved.zeros_beside.numbers(),
                                beside: row(beside, step, Self::BESIDE),
                            },
                        };
                        let gates = row_mut(saved.gates[sample].numbers_mut(), step, G::LEN);
                        let (products, grad_beside) =
                            (saved.products[sample].numbers_mut(), saved.grad_beside[sample].numbers_mut());
                        let kept =
                            row_mut(saved.kept[sample].numbers_mut(), step, if Self::KEEPS { G::LEN } else { 0 });
                        copy(kept, products);
                        C::backward(simd, states, gates, products, grad, grad_beside);
                        if Self::KEEPS {
                            copy(products, kept);
                        } else {
                            copy(gates, products);
                        }
                    }
                    let (u, products) = (self.weight_hh.trained(), batch_slice(&saved.products));
                    if step > 0 {
                        let before = batch_slice_mut(&mut saved.row);
                        gemm::dense_input_gradient::<T, S, OneStep<Y::Last, G, B>>(simd, products, u, before);
                        add_assign(simd, batch_slice_mut(&mut saved.grad), before);
                    } else {
                        for row in products.chunks_exact(G::LEN) {
                            add_assign(simd, gradient.bias_hh.numbers_mut(), row);
                        }
                    }
                }
                for sample in 0..B {
                    let gates = saved.gates[sample].numbers();
                    let products = if Self::KEEPS { saved.kept[sample].numbers() } else { gates };
                    let (_, later) = products.split_at(G::LEN);
                    let hidden = saved.hidden[sample].numbers();
                    let (before, _) = hidden.split_at(hidden.len() - Self::HIDDEN);
                    let (u, bias) = (gradient.weight_hh.trained_mut(), gradient.bias_hh.numbers_mut());
                    if Self::STEPS > 1 {
                        gemm::dense_weight_gradient::<T, S, Later<X, Y::Last, G>>(simd, before, later, u, bias);
                    }
                }
                let gates = batch_slice(&saved.gates);
                let (w, bias) = (gradient.weight_ih.trained_mut(), gradient.bias_ih.numbers_mut());
                gemm::dense_weight_gradient::<T, S, OverTime<X, G, B>>(simd, batch_slice(input), gates, w, bias);
                if let Some(grad_input) = grad_input {
                    let (w, grad_x) = (self.weight_ih.trained(), batch_slice_mut(grad_input));
                    gemm::dense_input_gradient::<T, S, OverTime<X, G, B>>(simd, gates, w, grad_x);
                }
            },
        );
    }
}

/// The states are kept from step to step.
impl<T: Real, C, X, I, H, G, Y> Streaming for Recurrent<C, X, I, H, G, Y>
where
    C: Cell<T>,
    X: Tensor<Element = T>,
    I: Weight<Scalar = T>,
    H: Weight<Scalar = T>,
    G: Tensor<Element = T>,
    Y: Tensor<Element = T>,
{
    type State = State<Y::Last, C::Beside<Y::Last>>;
    type StepInput = X::Item;
    type StepOutput = Y::Last;

    #[inline(always)]
    fn step<S: Simd>(&self, simd: S, state: &mut Self::State, input: &X::Item, output: &mut Y::Last) {
        let () = Self::SHAPE;
        const { assert!(Self::EVERY, "a recurrent layer that gives its last step alone does not run step by step") };
        outline_layer::<Self, 1, _, _>(
            simd,
            #[inline(always)]
            || {
                let mut rows = crate::memory::zeroed::<[G; 2]>();
                let [gates, products] = &mut rows;
                let memory = [
                    state.hidden.numbers_mut(),
                    state.beside.numbers_mut(),
                    gates.numbers_mut(),
                    products.numbers_mut(),
                ];
                self.advance::<S, 1>(simd, input.numbers(), memory);
                copy(state.hidden.numbers(), output.numbers_mut());
            },
        );
    }
}

#[cfg(all(test, feature = "safetensors", feature = "std"))]
mod tests;
