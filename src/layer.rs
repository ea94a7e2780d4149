//! The one trait a layer implements.

use crate::memory::Plain;
use crate::noise::Noise;
use crate::parameters::Parameters;
use crate::scalar::Scalar;
use crate::simd::{Simd, Vector, outline};
use crate::tensor::{Tensor, batch_slice_mut};

/// A layer: a function of fixed shapes with parameters and a derivative.
///
/// The type itself is the parameters; its gradient is another value of the same type. A batch of
/// `B` samples is an array, so one sample and a batch are the same code, compiled for each `B`.
///
/// | pass | reads | writes | keeps |
/// | --- | --- | --- | --- |
/// | `evaluate` | input | output | nothing |
/// | `forward` | input | output | `Saved` |
/// | `backward` | input, output, `Saved`, ∂L/∂output | ∂L/∂input, adds to ∂L/∂parameters | nothing |
///
/// # A layer of your own
/// Derive [`Parameters`] on a struct, implement this trait, and use the type's path in `network!`:
/// `examples/03_custom_layer.rs` is a complete one, checked by
/// [`testing::check_gradients`](crate::testing::check_gradients).
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a layer for numbers of type `{T}`",
    note = "a layer of your own implements `monomorph::Layer<T>`"
)]
pub trait Layer<T: Scalar>: Parameters<T> {
    /// One sample of what comes in.
    type Input: Tensor<T>;
    /// One sample of what goes out.
    type Output: Tensor<T>;
    /// What `forward` keeps for `backward` of a batch, beside the input and the output.
    type Saved<const B: usize>: Plain + Send;
    /// Memory that `evaluate` needs while it runs.
    type Workspace<const B: usize>: Plain + Send;
    /// Multiply-accumulate operations of one sample.
    const MACS: usize;

    /// Computes `output` from `input`, as in use: no dropout, running statistics.
    fn evaluate<S: Simd, const B: usize>(
        &self,
        simd: S,
        input: &[Self::Input; B],
        output: &mut [Self::Output; B],
        workspace: &mut Self::Workspace<B>,
    );

    /// Computes `output` from `input`, as in training, and keeps what `backward` needs.
    fn forward<S: Simd, const B: usize>(
        &self,
        simd: S,
        input: &[Self::Input; B],
        output: &mut [Self::Output; B],
        saved: &mut Self::Saved<B>,
        noise: &mut Noise,
    );

    /// From ∂L/∂output computes ∂L/∂input into `grad_input`, where anyone needs it, and adds
    /// ∂L/∂parameters to `gradient`.
    ///
    /// `input`, `output` and `saved` are those of the last `forward`. `grad_output` may be used
    /// as scratch: nobody reads it afterwards.
    fn backward<S: Simd, const B: usize>(
        &self,
        simd: S,
        input: &[Self::Input; B],
        output: &[Self::Output; B],
        saved: &mut Self::Saved<B>,
        grad_output: &mut [Self::Output; B],
        grad_input: Option<&mut [Self::Input; B]>,
        gradient: &mut Self,
    );

    /// `evaluate` followed by an elementwise function, in one pass where the layer can.
    #[inline(always)]
    fn evaluate_then<S: Simd, const B: usize, A: Activation<T>>(
        &self,
        simd: S,
        input: &[Self::Input; B],
        output: &mut [Self::Output; B],
        workspace: &mut Self::Workspace<B>,
    ) {
        self.evaluate(simd, input, output, workspace);
        apply::<T, S, A>(simd, batch_slice_mut(output));
    }

    /// `forward` followed by an elementwise function, in one pass where the layer can.
    ///
    /// Only for functions whose derivative follows from their output
    /// ([`Activation::FROM_OUTPUT`]), because the value between the two is not kept, and only for
    /// layers whose `backward` does not read `output`, because it holds `f` of what it was.
    #[inline(always)]
    fn forward_then<S: Simd, const B: usize, A: Activation<T>>(
        &self,
        simd: S,
        input: &[Self::Input; B],
        output: &mut [Self::Output; B],
        saved: &mut Self::Saved<B>,
        noise: &mut Noise,
    ) {
        self.forward(simd, input, output, saved, noise);
        apply::<T, S, A>(simd, batch_slice_mut(output));
    }
}

/// An elementwise function `y = f(x)` and its derivative.
///
/// Being a function of single numbers, it can run inside the layer before it, while the values
/// are still in registers.
pub trait Activation<T: Scalar>: 'static {
    /// Whether `f′(x)` can be computed from `y = f(x)` alone, so that `x` need not be kept.
    const FROM_OUTPUT: bool;

    /// `f(x)`.
    fn apply<S: Simd>(simd: S, x: T::Vector<S>) -> T::Vector<S>;

    /// `f′(x)`, given `x` and `y = f(x)`. Where `FROM_OUTPUT` holds, `x` must not be used.
    fn derivative<S: Simd>(simd: S, x: T::Vector<S>, y: T::Vector<S>) -> T::Vector<S>;
}

/// `x ← f(x)` for every number of a slice.
#[inline(always)]
pub(crate) fn apply<T: Scalar, S: Simd, A: Activation<T>>(simd: S, values: &mut [T]) {
    crate::simd::outline(
        simd,
        #[inline(always)]
        || {
            crate::kernels::elementwise::map(
                simd,
                values,
                #[inline(always)]
                |x| A::apply(simd, x),
            );
        },
    );
}

/// `forward` of a layer that keeps nothing for `backward` and computes in training what it computes in use.
macro_rules! forward_evaluates {
    () => {
        #[inline(always)]
        fn forward<S: Simd, const B: usize>(
            &self,
            simd: S,
            input: &[Self::Input; B],
            output: &mut [Self::Output; B],
            (): &mut (),
            _: &mut $crate::noise::Noise,
        ) {
            self.evaluate(simd, input, output, &mut ());
        }
    };
}
pub(crate) use forward_evaluates;

/// What follows from `evaluate_then` in a layer that keeps nothing for `backward`: `evaluate`, `forward` and `forward_then`.
macro_rules! as_evaluate_then {
    () => {
        #[inline(always)]
        fn evaluate<S: Simd, const B: usize>(
            &self,
            simd: S,
            input: &[Self::Input; B],
            output: &mut [Self::Output; B],
            (): &mut (),
        ) {
            self.evaluate_then::<S, B, $crate::layers::Identity>(simd, input, output, &mut ());
        }

        $crate::layer::forward_evaluates!();

        #[inline(always)]
        fn forward_then<S: Simd, const B: usize, A: Activation<T>>(
            &self,
            simd: S,
            input: &[Self::Input; B],
            output: &mut [Self::Output; B],
            (): &mut (),
            _: &mut $crate::noise::Noise,
        ) {
            self.evaluate_then::<S, B, A>(simd, input, output, &mut ());
        }
    };
}
pub(crate) use as_evaluate_then;

/// Calls `f`, a pass of the layer `L` over `B` samples, as [`outline`] does; where it takes so little
/// time that a call would count, the compiler is free to merge it with its neighbours.
///
/// A network of large layers that is one function takes the compiler longer than its parts.
#[inline(always)]
pub(crate) fn outline_layer<T: Scalar, L: Layer<T>, const B: usize, S: Simd, R>(simd: S, f: impl FnOnce() -> R) -> R {
    const MANY: usize = 8192;
    if const { B * (L::MACS + <L::Output as Tensor<T>>::LEN) < MANY } { simd.vectorize(f) } else { outline(simd, f) }
}

/// The lanes of `T`'s register at level `S`.
pub(crate) const fn lanes<S: Simd, T: Scalar>() -> usize {
    <T::Vector<S> as Vector<S, T>>::LANES
}
