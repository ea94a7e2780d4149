//! Elementwise functions: `y = f(x)`, `∂L/∂x = ∂L/∂y · f′(x)`.
//!
//! | marker | `f(x)` | `f′` | from |
//! | --- | --- | --- | --- |
//! | [`Identity`] | `x` | `1` | `y` |
//! | [`Relu`] | `max(x, 0)` | `0` if `y <= 0`, else `1` | `y` |
//! | [`Relu6`] | `min(max(x, 0), 6)` | `0` if `y <= 0` or `y >= 6`, else `1` | `y` |
//! | [`LeakyRelu`] | `x` if `x > 0`, else `slope · x` | `1` if `y > 0`, else `slope` | `y` |
//! | [`Elu`] | `x` if `x > 0`, else `α (eˣ − 1)` | `1` if `x > 0`, else `α eˣ` | `x` |
//! | [`Celu`] | `x` if `x > 0`, else `α (e^(x/α) − 1)` | `1` if `x > 0`, else `e^(x/α)` | `x` |
//! | [`Selu`] | `λ · Elu` | `λ` if `x > 0`, else `λα eˣ` | `x` |
//! | [`Sigmoid`] | `σ(x) = 1 / (1 + e⁻ˣ)` | `y (1 − y)` | `y` |
//! | [`Tanh`] | `tanh x` | `1 − y²` | `y` |
//! | [`HardSigmoid`] | `min(max(slope · x + offset, 0), 1)` | `slope` if `0 < y < 1`, else `0` | `y` |
//! | [`HardTanh`] | `min(max(x, min), max)` | `0` if `y <= min` or `y >= max`, else `1` | `y` |
//! | [`LeakyHardTanh`] | the same, but with slopes instead of constants beyond the limits | those slopes, else `1` | `x` |
//! | [`FastTanh`] | a rational function near `tanh x` | see there | `x` |
//! | [`ThresholdedRelu`] | `x` if `x > α`, else `0` | `1` if `x > α`, else `0` | `y` |
//! | [`Softplus`] | `ln(1 + eˣ)` | `1 − e⁻ʸ` | `y` |
//! | [`Softsign`] | `x / (1 + abs x)` | `(1 − abs y)²` | `y` |
//! | [`Gelu`] | `x · Φ(x)` | `Φ(x) + x · φ(x)` | `x` |
//! | [`GeluTanh`] | its approximation by `tanh` | see there | `x` |
//! | [`Silu`] | `x · σ(x)` | `σ(x) (1 + x (1 − σ(x)))` | `x` |
//! | [`HardSwish`] | `x · HardSigmoid(x)` | `0` if `x <= −3`, `1` if `x >= 3`, else `x / 3 + ½` | `x` |
//! | [`Mish`] | `x · tanh(ln(1 + eˣ))` | see there | `x` |
//!
//! Where the derivative follows from the output, the preceding layer can apply the function while its results are still
//! in registers, and the input is not kept. That of an ELU would follow from the output too, `y + α`, but where `y` is near
//! `−α` the sum has no correct digit; from the input it costs an exponential and the input's memory in training.
//!
//! Names, constants, and the values and derivatives at kinks, at infinity and at NaN follow PyTorch's definitions: `f(NaN)`
//! is NaN, and so is `f′(NaN)`, but `Relu`, `Relu6` and `HardTanh` pass the gradient on, and `HardSigmoid` stops it. The
//! functions that are `x` times something that vanishes at −∞ are NaN there.

use core::marker::PhantomData;

pub use crate::activation::Identity;
use crate::kernels::elementwise;
use crate::layer::{Activation, Layer, Pass, Reads, forward_evaluates, outline_layer};
use crate::parameters::Parameters;
use crate::scalar::{Real, Scalar, Vector, bits};
use crate::simd::Simd;
use crate::streaming::step_by_step;
use crate::tensor::{Tensor, batch_slice, batch_slice_mut};

/// The layer that applies the [`Activation`] `A` to every number of an `X`.
///
/// In `network!` write the activation's name alone.
///
/// ```
/// use monomorph::layers::{Activate, Tanh};
/// use monomorph::testing::check_gradients;
/// let mut layer: Activate<Tanh, [f64; 3]> = monomorph::memory::zeroed();
/// check_gradients(&mut layer, &[[0.5, -1.0, 2.0]], 1e-7)?;
/// # Ok::<(), monomorph::testing::GradientError>(())
/// ```
#[derive(Clone, Copy, Debug, Parameters)]
#[parameters(of = X)]
#[repr(C)]
pub struct Activate<A, X>(PhantomData<(A, X)>);

impl<T: Scalar, A: Activation<T>, X: Tensor<Element = T>> Layer for Activate<A, X> {
    type Input = X;
    type Output = X;
    type Saved<const B: usize> = ();
    type Workspace<const B: usize> = ();
    const MACS: usize = 0;
    const BACKWARD_READS: Reads = Reads { input: !A::FROM_OUTPUT, output: true };

    #[inline(always)]
    fn evaluate<S: Simd, const B: usize>(&self, simd: S, input: &[X; B], output: &mut [X; B], (): &mut ()) {
        outline_layer::<Self, B, _, _>(
            simd,
            #[inline(always)]
            || elementwise::activation::<T, S, A>(simd, batch_slice(input), batch_slice_mut(output)),
        );
    }

    forward_evaluates!();

    #[inline(always)]
    fn backward<S: Simd, const B: usize>(
        &self,
        simd: S,
        input: &[X; B],
        output: &[X; B],
        (): &mut (),
        grad_output: &mut [X; B],
        grad_input: Option<&mut [X; B]>,
        _: &mut Self,
        _pass: &Pass<T>,
    ) {
        let Some(grad_input) = grad_input else { return };
        outline_layer::<Self, B, _, _>(
            simd,
            #[inline(always)]
            || {
                elementwise::activation_backward::<T, S, A>(
                    simd,
                    batch_slice(input),
                    batch_slice(output),
                    batch_slice(grad_output),
                    batch_slice_mut(grad_input),
                )
            },
        );
    }
}

/// A constant in every lane.
#[inline(always)]
fn all<T: Scalar, S: Simd>(simd: S, value: f64) -> T::Vector<S> {
    T::Vector::<S>::splat(simd, T::from_f64(value))
}

/// `x` within `low..=high`; NaN stays NaN.
#[inline(always)]
fn clamp<T: Scalar, S: Simd>(simd: S, x: T::Vector<S>, low: f64, high: f64) -> T::Vector<S> {
    all::<T, S>(simd, high).min(all::<T, S>(simd, low).max(x))
}

/// 0 where `y <= low` or `y >= high`, 1 elsewhere, also for NaN.
#[inline(always)]
fn within<T: Scalar, S: Simd>(simd: S, y: T::Vector<S>, low: f64, high: f64) -> T::Vector<S> {
    let zero = all::<T, S>(simd, 0.0);
    let above = T::Vector::<S>::select(y.le(all::<T, S>(simd, low)), zero, all::<T, S>(simd, 1.0));
    T::Vector::<S>::select(all::<T, S>(simd, high).le(y), zero, above)
}

/// The turns of a function that never falls.
const RISES: Option<&'static [f64]> = Some(&[]);

macro_rules! activation {
    (
        $(#[$doc:meta])*
        $name:ident $(<$(const $constant:ident: u64 = $default:literal),+>)?, from_output = $from_output:expr,
        turns = $turns:expr;
        apply($T:ident: $bound:ident, $simd:ident, $x:ident) $apply:block
        derivative($dx:ident, $dy:ident) $derivative:block
    ) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct $name $(<$(const $constant: u64 = { bits($default) }),+>)?;

        impl<$T: $bound $($(, const $constant: u64)+)?> Activation<$T> for $name $(<$($constant),+>)? {
            const FROM_OUTPUT: bool = $from_output;
            const TURNS: Option<&'static [f64]> = $turns;

            #[inline(always)]
            fn apply<S: Simd>($simd: S, $x: $T::Vector<S>) -> $T::Vector<S> {
                $T::piecewise(
                    $simd,
                    $x,
                    <Self as Activation<$T>>::TURNS,
                    #[inline(always)]
                    |$x: $T::Vector<S>| $apply,
                )
            }

            #[inline(always)]
            fn derivative<S: Simd>($simd: S, $dx: $T::Vector<S>, $dy: $T::Vector<S>) -> $T::Vector<S> $derivative
        }
    };
}

activation! {
    /// `f(x) = max(x, 0)`, the rectified linear unit (Nair and Hinton, 2010); `f′(0) = 0`.
    Relu, from_output = true, turns = RISES;
    apply(T: Scalar, simd, x) {
        all::<T, S>(simd, 0.0).max(x)
    }
    derivative(_x, y) {
        let (zero, one) = (all::<T, S>(simd, 0.0), all::<T, S>(simd, 1.0));
        T::Vector::<S>::select(y.le(zero), zero, one)
    }
}

activation! {
    /// `f(x) = min(max(x, 0), 6)` (Krizhevsky, 2010; MobileNets); `f′(0) = f′(6) = 0`.
    Relu6, from_output = true, turns = RISES;
    apply(T: Scalar, simd, x) { clamp::<T, S>(simd, x, 0.0, 6.0) }
    derivative(_x, y) { within::<T, S>(simd, y, 0.0, 6.0) }
}

activation! {
    /// `f(x) = x` for `x > 0`, else `slope · x` (Maas, Hannun and Ng, 2013); `f′(0) = slope`.
    ///
    /// `SLOPE` is the [`bits`] of the slope. The derivative follows from the output if the slope is not negative.
    LeakyRelu<const SLOPE: u64 = 0.01>, from_output = f64::from_bits(SLOPE) >= 0.0,
    turns = if f64::from_bits(SLOPE) >= 0.0 { RISES } else { Some(&[0.0]) };
    apply(T: Scalar, simd, x) {
        let slope = all::<T, S>(simd, f64::from_bits(SLOPE));
        T::Vector::<S>::select(all::<T, S>(simd, 0.0).lt(x), x, x * slope)
    }
    derivative(x, y) {
        let (one, slope) = (all::<T, S>(simd, 1.0), all::<T, S>(simd, f64::from_bits(SLOPE)));
        let side = if <Self as Activation<T>>::FROM_OUTPUT { y } else { x };
        T::Vector::<S>::select(all::<T, S>(simd, 0.0).lt(side), one, slope)
    }
}

activation! {
    /// `f(x) = x` for `x > 0`, else `α (eˣ − 1)`, the exponential linear unit (Clevert,
    /// Unterthiner and Hochreiter, 2016); `f′(0) = α`.
    ///
    /// `ALPHA` is the [`bits`] of α. `f′(x) = α eˣ` for `x <= 0`.
    Elu<const ALPHA: u64 = 1.0>, from_output = false,
    turns = if f64::from_bits(ALPHA) >= 0.0 { RISES } else { Some(&[0.0]) };
    apply(T: Real, simd, x) {
        let alpha = all::<T, S>(simd, f64::from_bits(ALPHA));
        T::Vector::<S>::select(all::<T, S>(simd, 0.0).lt(x), x, alpha * T::exp_m1_lanes(simd, x))
    }
    derivative(x, _y) {
        let (one, alpha) = (all::<T, S>(simd, 1.0), all::<T, S>(simd, f64::from_bits(ALPHA)));
        T::Vector::<S>::select(all::<T, S>(simd, 0.0).lt(x), one, alpha * T::exp_lanes(simd, x))
    }
}

activation! {
    /// `f(x) = x` for `x > 0`, else `α (e^(x/α) − 1)` (Barron, *Continuously differentiable exponential linear units*,
    /// 2017); `f′(0) = 1`.
    ///
    /// `ALPHA` is the [`bits`] of α, which is not 0. `f′(x) = e^(x/α)` for `x <= 0`.
    Celu<const ALPHA: u64 = 1.0>, from_output = false, turns = RISES;
    apply(T: Real, simd, x) {
        let alpha = f64::from_bits(ALPHA);
        let below = all::<T, S>(simd, alpha) * T::exp_m1_lanes(simd, x * all::<T, S>(simd, 1.0 / alpha));
        T::Vector::<S>::select(all::<T, S>(simd, 0.0).lt(x), x, below)
    }
    derivative(x, _y) {
        let below = T::exp_lanes(simd, x * all::<T, S>(simd, 1.0 / f64::from_bits(ALPHA)));
        T::Vector::<S>::select(all::<T, S>(simd, 0.0).lt(x), all::<T, S>(simd, 1.0), below)
    }
}

activation! {
    /// `f(x) = λ x` for `x > 0`, else `λα (eˣ − 1)`; the default `λ` and `α` keep activations
    /// normalized (Klambauer and others, *Self-normalizing neural networks*, 2017); `f′(0) = λα`.
    ///
    /// `ALPHA` and `SCALE` are the [`bits`] of α and λ. `f′(x) = λα eˣ` for `x <= 0`.
    Selu<const ALPHA: u64 = 1.673_263_242_354_377_2, const SCALE: u64 = 1.050_700_987_355_480_5>, from_output = false,
    turns = if f64::from_bits(ALPHA) * f64::from_bits(SCALE) >= 0.0 { RISES } else { Some(&[0.0]) };
    apply(T: Real, simd, x) {
        let (alpha, scale) = (f64::from_bits(ALPHA), f64::from_bits(SCALE));
        let (scale, alpha) = (all::<T, S>(simd, scale), all::<T, S>(simd, scale * alpha));
        T::Vector::<S>::select(all::<T, S>(simd, 0.0).lt(x), scale * x, alpha * T::exp_m1_lanes(simd, x))
    }
    derivative(x, _y) {
        let (alpha, scale) = (f64::from_bits(ALPHA), f64::from_bits(SCALE));
        let (scale, alpha) = (all::<T, S>(simd, scale), all::<T, S>(simd, scale * alpha));
        T::Vector::<S>::select(all::<T, S>(simd, 0.0).lt(x), scale, alpha * T::exp_lanes(simd, x))
    }
}

activation! {
    /// `f(x) = x · Φ(x)` with `Φ(x) = ½ (1 + erf(x / √2))`, the normal distribution function
    /// (Hendrycks and Gimpel, 2016).
    ///
    /// `f′(x) = Φ(x) + x · φ(x)` with the normal density `φ(x) = e^(−x²/2) / √(2π)`.
    Gelu, from_output = false, turns = Some(&[-0.751_791_524_693_564_5]);
    apply(T: Real, simd, x) { x * normal_distribution::<T, S>(simd, x) }
    derivative(x, _y) {
        let density = T::exp_lanes(simd, x * x * all::<T, S>(simd, -0.5)) * all::<T, S>(simd, ROOT_2_PI_INVERSE);
        x.mul_add(density, normal_distribution::<T, S>(simd, x))
    }
}

/// `1 / √(2π)`.
const ROOT_2_PI_INVERSE: f64 = 0.398_942_280_401_432_7;

/// `Φ(x)`.
#[inline(always)]
fn normal_distribution<T: Real, S: Simd>(simd: S, x: T::Vector<S>) -> T::Vector<S> {
    let half = all::<T, S>(simd, 0.5);
    half.mul_add(T::erf_lanes(simd, x * all::<T, S>(simd, core::f64::consts::FRAC_1_SQRT_2)), half)
}

activation! {
    /// `f(x) = ½ x (1 + tanh u)` with `u = √(2/π) (x + 0.044715 x³)`, the approximation of
    /// [`Gelu`] in its paper, used by GPT-2 and others.
    ///
    /// `f′(x) = ½ (1 + tanh u) + ½ x (1 − tanh² u) √(2/π) (1 + 3 · 0.044715 x²)`.
    GeluTanh, from_output = false, turns = Some(&[-0.752_461_422_071_016_2]);
    apply(T: Real, simd, x) {
        let half = all::<T, S>(simd, 0.5);
        x * half.mul_add(T::tanh_lanes(simd, gelu_inner::<T, S>(simd, x)), half)
    }
    derivative(x, _y) {
        let (half, one) = (all::<T, S>(simd, 0.5), all::<T, S>(simd, 1.0));
        let tanh = T::tanh_lanes(simd, gelu_inner::<T, S>(simd, x));
        // Far out `1 − tanh²` is 0, which times an infinite square would be NaN.
        let square = all::<T, S>(simd, 1e4).min(x * x);
        let inner = square.mul_add(all::<T, S>(simd, 3.0 * 0.044_715 * ROOT_2_OVER_PI), all::<T, S>(simd, ROOT_2_OVER_PI));
        half * (x * (one - tanh * tanh)).mul_add(inner, one + tanh)
    }
}

/// `√(2/π)`.
const ROOT_2_OVER_PI: f64 = 0.797_884_560_802_865_4;

/// `√(2/π) (x + 0.044715 x³)`.
#[inline(always)]
fn gelu_inner<T: Scalar, S: Simd>(simd: S, x: T::Vector<S>) -> T::Vector<S> {
    x * (x * x).mul_add(all::<T, S>(simd, 0.044_715 * ROOT_2_OVER_PI), all::<T, S>(simd, ROOT_2_OVER_PI))
}

activation! {
    /// `f(x) = x · σ(x)`, also called swish (Elfwing, Uchibe and Doya, 2018; Ramachandran, Zoph and Le, 2017).
    ///
    /// `f′(x) = σ(x) (1 + x (1 − σ(x)))`.
    Silu, from_output = false, turns = Some(&[-1.278_464_542_761_074]);
    apply(T: Real, simd, x) { x * T::sigmoid_lanes(simd, x) }
    derivative(x, _y) {
        let (one, sigmoid) = (all::<T, S>(simd, 1.0), T::sigmoid_lanes(simd, x));
        sigmoid * x.mul_add(one - sigmoid, one)
    }
}

activation! {
    /// `f(x) = σ(x) = 1 / (1 + e⁻ˣ)`, the logistic function; `f′ = y (1 − y)`.
    Sigmoid, from_output = true, turns = RISES;
    apply(T: Real, simd, x) { T::sigmoid_lanes(simd, x) }
    derivative(_x, y) { y * (all::<T, S>(simd, 1.0) - y) }
}

activation! {
    /// `f(x) = tanh x`; `f′ = 1 − y²`.
    Tanh, from_output = true, turns = RISES;
    apply(T: Real, simd, x) { T::tanh_lanes(simd, x) }
    derivative(_x, y) { all::<T, S>(simd, 1.0) - y * y }
}

activation! {
    /// `f(x) = min(max(slope · x + offset, 0), 1)`; the defaults ⅙ and ½ are PyTorch's, ONNX has 0.2 and ½.
    ///
    /// `f′ = slope` where `0 < y < 1`, else 0. `SLOPE` and `OFFSET` are [`bits`]; the slope is positive.
    HardSigmoid<const SLOPE: u64 = 0.166_666_666_666_666_66, const OFFSET: u64 = 0.5>, from_output = true,
    turns = RISES;
    apply(T: Scalar, simd, x) {
        // This form is exact near the foot of the slope.
        let (slope, offset) = (f64::from_bits(SLOPE), f64::from_bits(OFFSET));
        let y = (x + all::<T, S>(simd, offset / slope)) * all::<T, S>(simd, slope);
        clamp::<T, S>(simd, y, 0.0, 1.0)
    }
    derivative(_x, y) {
        let zero = all::<T, S>(simd, 0.0);
        let above = T::Vector::<S>::select(zero.lt(y), all::<T, S>(simd, f64::from_bits(SLOPE)), zero);
        T::Vector::<S>::select(y.lt(all::<T, S>(simd, 1.0)), above, zero)
    }
}

activation! {
    /// `f(x) = x · min(max(x + 3, 0), 6) / 6` (Howard and others, *Searching for MobileNetV3*,
    /// 2019).
    ///
    /// `f′ = x/3 + ½` for `−3 < x < 3`, 0 from −3 down and 1 from 3 up.
    HardSwish, from_output = false, turns = Some(&[-1.5]);
    apply(T: Scalar, simd, x) {
        // The factor first, because `6 x` overflows.
        x * (clamp::<T, S>(simd, x + all::<T, S>(simd, 3.0), 0.0, 6.0) * all::<T, S>(simd, 1.0 / 6.0))
    }
    derivative(x, _y) {
        let middle = x.mul_add(all::<T, S>(simd, 1.0 / 3.0), all::<T, S>(simd, 0.5));
        let above = T::Vector::<S>::select(all::<T, S>(simd, 3.0).le(x), all::<T, S>(simd, 1.0), middle);
        T::Vector::<S>::select(x.le(all::<T, S>(simd, -3.0)), all::<T, S>(simd, 0.0), above)
    }
}

activation! {
    /// `f(x) = min(max(x, min), max)`, by default from −1 to 1, called `Clip` in ONNX; `f′(min) = f′(max) = 0`.
    ///
    /// `MIN` and `MAX` are [`bits`]; either may be infinite.
    HardTanh<const MIN: u64 = -1.0, const MAX: u64 = 1.0>, from_output = true, turns = RISES;
    apply(T: Scalar, simd, x) { clamp::<T, S>(simd, x, f64::from_bits(MIN), f64::from_bits(MAX)) }
    derivative(_x, y) { within::<T, S>(simd, y, f64::from_bits(MIN), f64::from_bits(MAX)) }
}

activation! {
    /// `f(x) = x` from `min` to `max`, `min + min_slope · (x − min)` below and `max + max_slope · (x − max)` above, as in
    /// Neural Amp Modeler; `f′` is 1 at the limits.
    ///
    /// All four are [`bits`]; the limits are finite.
    LeakyHardTanh<
        const MIN: u64 = -1.0, const MAX: u64 = 1.0, const MIN_SLOPE: u64 = 0.01, const MAX_SLOPE: u64 = 0.01
    >, from_output = false,
    turns = if f64::from_bits(MIN_SLOPE).min(f64::from_bits(MAX_SLOPE)) >= 0.0 { RISES } else { None };
    apply(T: Scalar, simd, x) {
        let [min, max, below, above] =
            [MIN, MAX, MIN_SLOPE, MAX_SLOPE].map(#[inline(always)] |bits| all::<T, S>(simd, f64::from_bits(bits)));
        let y = T::Vector::<S>::select(x.lt(min), (x - min).mul_add(below, min), x);
        T::Vector::<S>::select(max.lt(x), (x - max).mul_add(above, max), y)
    }
    derivative(x, _y) {
        let [min, max, below, above] =
            [MIN, MAX, MIN_SLOPE, MAX_SLOPE].map(#[inline(always)] |bits| all::<T, S>(simd, f64::from_bits(bits)));
        let slope = T::Vector::<S>::select(x.lt(min), below, all::<T, S>(simd, 1.0));
        T::Vector::<S>::select(max.lt(x), above, slope)
    }
}

activation! {
    /// A rational function within 0.5 % of `tanh x` where that is not near ±1, and up to 0.8 % beyond ±1 far out
    /// (Vaneev, *fast tanh*, 2013; Neural Amp Modeler's `Fasttanh`):
    /// `f(x) = x (a + a z + (b + c z) z²) / (e + (e + z²) (z + d z²))` with `z = abs x`.
    ///
    /// Models that were trained with it differ audibly with [`Tanh`]; for others it is no faster here.
    FastTanh, from_output = false,
    turns = Some(&[-6.726_453_131_559_791, -4.840_751_056_575_972, 4.840_751_056_575_972, 6.726_453_131_559_791]);
    apply(T: Scalar, simd, x) {
        let [z, above, below, _, _] = fast_tanh::<T, S>(simd, x);
        (z * above / below).copysign(x)
    }
    derivative(x, _y) {
        let [z, above, below, d_above, d_below] = fast_tanh::<T, S>(simd, x);
        (z.mul_add(d_above, above) - z * above / below * d_below) / below
    }
}

/// Of [`FastTanh`]: `z`, the polynomial beside it, the denominator, and the derivatives of both. Beyond 10⁸ nothing
/// changes, but a power could overflow.
#[inline(always)]
fn fast_tanh<T: Scalar, S: Simd>(simd: S, x: T::Vector<S>) -> [T::Vector<S>; 5] {
    let z = all::<T, S>(simd, 1e8).min(x.abs());
    let square = z * z;
    let (a, b, c) = (all::<T, S>(simd, 2.455_507_507_029_56), 0.893_229_853_513_558, 0.821_226_666_969_744);
    let (d, e) = (0.814_642_734_961_073, all::<T, S>(simd, 2.445_066_346_522_99));
    let above = z.mul_add(all::<T, S>(simd, c), all::<T, S>(simd, b)).mul_add(square, z.mul_add(a, a));
    let d_above = z.mul_add(all::<T, S>(simd, 3.0 * c), all::<T, S>(simd, 2.0 * b)).mul_add(z, a);
    let (inner, outer) = (square.mul_add(all::<T, S>(simd, d), z), square + e);
    let d_below = (z + z).mul_add(inner, outer * z.mul_add(all::<T, S>(simd, 2.0 * d), all::<T, S>(simd, 1.0)));
    [z, above, outer.mul_add(inner, e), d_above, d_below]
}

activation! {
    /// `f(x) = x` for `x > α`, else 0, as in ONNX (Konda, Memisevic and Krueger, 2014); `f′(α) = 0`.
    ///
    /// `ALPHA` is the [`bits`] of α. The derivative follows from the output if α is not negative.
    ThresholdedRelu<const ALPHA: u64 = 1.0>, from_output = f64::from_bits(ALPHA) >= 0.0,
    turns = if f64::from_bits(ALPHA) >= 0.0 { RISES } else { None };
    apply(T: Scalar, simd, x) {
        T::Vector::<S>::select(x.le(all::<T, S>(simd, f64::from_bits(ALPHA))), all::<T, S>(simd, 0.0), x)
    }
    derivative(x, y) {
        let (zero, one) = (all::<T, S>(simd, 0.0), all::<T, S>(simd, 1.0));
        let above = if <Self as Activation<T>>::FROM_OUTPUT {
            zero.lt(y)
        } else {
            all::<T, S>(simd, f64::from_bits(ALPHA)).lt(x)
        };
        T::Vector::<S>::select(above, one, zero)
    }
}

activation! {
    /// `f(x) = x · tanh(ln(1 + eˣ))` (Misra, 2019).
    ///
    /// With `e = eˣ` and `n = e (e + 2)`: `f(x) = x · n / (n + 2)` and
    /// `f′(x) = n / (n + 2) + 4 x e (e + 1) / (n + 2)²`.
    Mish, from_output = false, turns = Some(&[-1.192_431_214_515_495_2]);
    apply(T: Real, simd, x) {
        let (_, n, _) = mish_parts::<T, S>(simd, x);
        x * (n / (n + all::<T, S>(simd, 2.0)))
    }
    derivative(x, _y) {
        let (e, n, x) = mish_parts::<T, S>(simd, x);
        let inverse = all::<T, S>(simd, 1.0) / (n + all::<T, S>(simd, 2.0));
        // `x e` first, because `4 x` overflows.
        let slope = x * e * (all::<T, S>(simd, 4.0) * (e + all::<T, S>(simd, 1.0))) * inverse;
        (n + slope) * inverse
    }
}

/// `eˣ`, `eˣ (eˣ + 2)` and `x`, for `x` clamped at 20, where `f(x) = x` to full precision and the squares do not
/// overflow yet.
#[inline(always)]
fn mish_parts<T: Real, S: Simd>(simd: S, x: T::Vector<S>) -> (T::Vector<S>, T::Vector<S>, T::Vector<S>) {
    let end = all::<T, S>(simd, 20.0);
    let x = T::Vector::<S>::select(end.lt(x), end, x);
    let e = T::exp_lanes(simd, x);
    (e, e * (e + all::<T, S>(simd, 2.0)), x)
}

activation! {
    /// `f(x) = ln(1 + eˣ)`, a smooth [`Relu`] (Dugas and others, 2001).
    ///
    /// `f′ = σ(x) = 1 − e⁻ʸ`.
    Softplus, from_output = true, turns = RISES;
    apply(T: Real, simd, x) { T::softplus_lanes(simd, x) }
    derivative(_x, y) { -T::exp_m1_lanes(simd, -y) }
}

activation! {
    /// `f(x) = x / (1 + |x|)` (Turian, Bergstra and Bengio, 2009); `f′ = (1 − |y|)²`.
    Softsign, from_output = true, turns = RISES;
    apply(T: Scalar, simd, x) { x / (all::<T, S>(simd, 1.0) + x.abs()) }
    derivative(_x, y) {
        let root = all::<T, S>(simd, 1.0) - y.abs();
        root * root
    }
}

step_by_step!(
    [T: Scalar, A: Activation<T>, X: Tensor<Element = T>] Activate<A, X>,
    |self, simd, x, y| elementwise::activation::<T, S, A>(simd, x, y)
);

#[cfg(all(test, feature = "safetensors", feature = "std"))]
mod tests;
