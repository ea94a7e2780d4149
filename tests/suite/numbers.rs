//! Number types that no instruction knows: in registers of one lane, all layers compute what they compute in `f64`.

use std::cmp::Ordering;
use std::fmt::{Display, Formatter, Result};
use std::ops::{Add, AddAssign, Div, DivAssign, Mul, MulAssign, Neg, Sub, SubAssign};

use monomorph::Parameters;
use monomorph::fixed::{self, Fixed};
use monomorph::layer::Pass;
use monomorph::memory::{Plain, boxed};
use monomorph::prelude::*;
use monomorph::scalar::{Real, Scalar};
use monomorph::simd::{Level, Simd, Single, Task, dispatch, levels};
use monomorph::tensor::{Element, Tensor, batch_slice, batch_slice_mut};

/// The operators of a newtype, from functions of its number.
macro_rules! operators {
    ($type:ident: $($trait:ident $method:ident $assign:ident $assign_method:ident $f:expr;)*) => {
        $(
            impl $trait for $type {
                type Output = Self;
                fn $method(self, other: Self) -> Self {
                    Self($f(self.0, other.0))
                }
            }
            impl $assign for $type {
                fn $assign_method(&mut self, other: Self) {
                    *self = $trait::$method(*self, other);
                }
            }
        )*
        impl Display for $type {
            fn fmt(&self, f: &mut Formatter<'_>) -> Result {
                self.to_f64().fmt(f)
            }
        }
        impl Element for $type {}
    };
}

/// An `f64` of which nobody knows that it is one.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd, Plain)]
pub struct Plain64(f64);

operators! {
    Plain64:
    Add add AddAssign add_assign |a, b| a + b;
    Sub sub SubAssign sub_assign |a, b| a - b;
    Mul mul MulAssign mul_assign |a, b| a * b;
    Div div DivAssign div_assign |a, b| a / b;
}

impl Neg for Plain64 {
    type Output = Self;
    fn neg(self) -> Self {
        Self(-self.0)
    }
}

impl Scalar for Plain64 {
    type Vector<S: Simd> = Single<Self>;
    const ZERO: Self = Self(0.0);
    const ONE: Self = Self(1.0);
    const NAME: &'static str = "plain";

    fn from_f64(value: f64) -> Self {
        Self(value)
    }
    fn to_f64(self) -> f64 {
        self.0
    }
    fn is_finite(self) -> bool {
        self.0.is_finite()
    }
}

impl Real for Plain64 {
    const EPSILON: Self = Self(f64::EPSILON);

    fn sqrt(self) -> Self {
        Self(self.0.sqrt())
    }
    fn exp(self) -> Self {
        Self(self.0.exp())
    }
    fn ln(self) -> Self {
        Self(self.0.ln())
    }
    fn powf(self, exponent: Self) -> Self {
        Self(self.0.powf(exponent.0))
    }
    fn sqrt_lanes<S: Simd>(_: S, x: Single<Self>) -> Single<Self> {
        x.map(Self::sqrt)
    }
    fn exp_lanes<S: Simd>(_: S, x: Single<Self>) -> Single<Self> {
        x.map(Self::exp)
    }
    fn exp_m1_lanes<S: Simd>(_: S, x: Single<Self>) -> Single<Self> {
        x.map(|x| Self(x.0.exp_m1()))
    }
    fn ln_lanes<S: Simd>(_: S, x: Single<Self>) -> Single<Self> {
        x.map(Self::ln)
    }
    fn tanh_lanes<S: Simd>(_: S, x: Single<Self>) -> Single<Self> {
        x.map(|x| Self(x.0.tanh()))
    }
    fn sigmoid_lanes<S: Simd>(_: S, x: Single<Self>) -> Single<Self> {
        x.map(|x| Self(1.0 / (1.0 + (-x.0).exp())))
    }
    fn softplus_lanes<S: Simd>(_: S, x: Single<Self>) -> Single<Self> {
        x.map(|x| Self(x.0.exp().ln_1p()))
    }
    fn erf_lanes<S: Simd>(_: S, x: Single<Self>) -> Single<Self> {
        // Abramowitz and Stegun, 7.1.5 and 7.1.14.
        let (x, square) = (x.0.0, x.0.0 * x.0.0);
        let erf = if x.abs() < 3.0 {
            let (mut term, mut sum) = (x, x);
            for n in 1..80 {
                term *= -square / f64::from(n);
                sum += term / f64::from(2 * n + 1);
            }
            sum * std::f64::consts::FRAC_2_SQRT_PI
        } else {
            let fraction = (1..60).rev().fold(x.abs(), |rest, n| x.abs() + f64::from(n) / 2.0 / rest);
            (1.0 - (-square).exp() / fraction / std::f64::consts::PI.sqrt()).copysign(x)
        };
        Single(Self(erf))
    }
}

/// A fixed-point number with 15 bits behind the point and 16 before it: it has no functions.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd, Plain)]
pub struct Q15(i32);

/// The last place of a [`Q15`].
const LAST: f64 = 1.0 / 32768.0;

impl Q15 {
    fn saturating(wide: i64) -> i32 {
        wide.clamp(i32::MIN.into(), i32::MAX.into()) as i32
    }

    /// A sum of products, rounded once.
    fn rounded(wide: i64) -> i32 {
        Self::saturating((wide + (1 << 14)) >> 15)
    }
}

operators! {
    Q15:
    Add add AddAssign add_assign i32::saturating_add;
    Sub sub SubAssign sub_assign i32::saturating_sub;
    Mul mul MulAssign mul_assign |a, b| Self::rounded(i64::from(a) * i64::from(b));
    Div div DivAssign div_assign |a, b| match b {
        0 if a < 0 => i32::MIN,
        0 => i32::MAX,
        _ => Self::saturating((i64::from(a) << 15) / i64::from(b)),
    };
}

impl Neg for Q15 {
    type Output = Self;
    fn neg(self) -> Self {
        Self(self.0.saturating_neg())
    }
}

impl Scalar for Q15 {
    type Vector<S: Simd> = Single<Self>;
    const ZERO: Self = Self(0);
    const ONE: Self = Self(1 << 15);
    const NAME: &'static str = "q15";

    fn from_f64(value: f64) -> Self {
        Self((value / LAST).round() as i32)
    }
    fn from_i8(value: i8) -> Self {
        Self(i32::from(value) << 15)
    }
    fn to_f64(self) -> f64 {
        f64::from(self.0) * LAST
    }
    fn is_finite(self) -> bool {
        true
    }
    fn mul_add(self, b: Self, c: Self) -> Self {
        Self(Self::rounded(i64::from(self.0) * i64::from(b.0) + (i64::from(c.0) << 15)))
    }
}

/// What the passes of a network give.
pub struct Passes<N: Network, const B: usize> {
    pub evaluated: Box<[N::Output; B]>,
    pub output: Box<[N::Output; B]>,
    pub grad_input: Box<[N::Input; B]>,
    pub gradient: Box<N>,
}

struct Run<'a, N: Network, const B: usize> {
    net: &'a N,
    input: &'a [N::Input; B],
    grad_output: &'a [N::Output; B],
}

impl<X: Tensor<Element = N::Scalar>, N: Network<Input = X>, const B: usize> Task for Run<'_, N, B> {
    type Output = Passes<N, B>;

    fn run<S: Simd>(&mut self, simd: S) -> Passes<N, B> {
        let mut passes = Passes { evaluated: boxed(), output: boxed(), grad_input: boxed(), gradient: boxed::<N>() };
        let mut workspace: Box<N::Workspace<B>> = boxed();
        self.net.evaluate(simd, self.input, &mut passes.evaluated, &mut workspace);
        let (mut saved, mut pass): (Box<N::Saved<B>>, _) = (boxed(), Pass::new(Noise::new(4), N::Scalar::ONE));
        self.net.forward(simd, self.input, &mut passes.output, &mut saved, &mut pass);
        let mut grad_output: Box<[N::Output; B]> = boxed();
        batch_slice_mut(&mut grad_output[..]).copy_from_slice(batch_slice(self.grad_output));
        let grad_input = Some(&mut *passes.grad_input);
        let (output, gradient) = (&passes.output, &mut passes.gradient);
        self.net.backward(simd, self.input, output, &mut saved, &mut grad_output, grad_input, gradient, &pass);
        passes
    }
}

/// Runs all passes of a network.
pub fn passes<X: Tensor<Element = N::Scalar>, N: Network<Input = X>, const B: usize>(
    level: Level,
    net: &N,
    input: &[X; B],
    grad_output: &[N::Output; B],
) -> Passes<N, B> {
    dispatch(level, Run { net, input, grad_output })
}

/// Random numbers of a batch, between −1 and 1.
pub fn random<X: Tensor<Element: Scalar>, const B: usize>(noise: &mut Noise) -> Box<[X; B]> {
    let mut batch: Box<[X; B]> = boxed();
    batch_slice_mut(&mut batch[..]).fill_with(|| X::Element::from_f64(noise.uniform() * 2.0 - 1.0));
    batch
}

/// A network with random parameters, statistics among them, in moderation.
pub fn network<N: Network>(noise: &mut Noise) -> Box<N> {
    let mut net: Box<N> = boxed();
    net.initialize(Init::default(), noise);
    for parameter in net.as_mut_slice() {
        *parameter += N::Scalar::from_f64(0.2 * noise.uniform());
    }
    net
}

/// The same numbers in another type.
pub fn convert<T: Scalar, U: Scalar>(from: &[T], to: &mut [U]) {
    assert_eq!(from.len(), to.len());
    for (to, from) in to.iter_mut().zip(from) {
        *to = U::from_f64(from.to_f64());
    }
}

/// Checks numbers against others, relative to their size.
pub fn assert_close<T: Scalar, U: Scalar>(what: &str, actual: &[T], expected: &[U], tolerance: f64) {
    assert_eq!(actual.len(), expected.len());
    for (index, (actual, expected)) in actual.iter().zip(expected).enumerate() {
        let (actual, expected) = (actual.to_f64(), expected.to_f64());
        let error = (actual - expected).abs();
        let close = error.partial_cmp(&(tolerance * (1.0 + expected.abs()))) == Some(Ordering::Less);
        assert!(close, "{what} {index} is {actual:e}, not {expected:e}");
    }
}

/// Runs all passes of the network `N`, at every level, and of the same network `A` in `f64`.
pub fn agrees<A, N, X, Y, const B: usize>(tolerance: f64)
where
    X: Tensor<Element = f64>,
    Y: Tensor<Element = N::Scalar>,
    A: Network<Scalar = f64, Input = X>,
    N: Network<Input = Y>,
{
    let mut noise = Noise::new(3);
    let net = network::<A>(&mut noise);
    let (input, grad_output) = (random::<X, B>(&mut noise), random::<A::Output, B>(&mut noise));
    let expected = passes(monomorph::simd::level(), &*net, &input, &grad_output);

    let mut other: Box<N> = boxed();
    convert(net.as_slice(), other.as_mut_slice());
    let (mut other_input, mut other_gradient): (Box<[Y; B]>, Box<[N::Output; B]>) = (boxed(), boxed());
    convert(batch_slice(&input[..]), batch_slice_mut(&mut other_input[..]));
    convert(batch_slice(&grad_output[..]), batch_slice_mut(&mut other_gradient[..]));
    for level in levels() {
        let actual = passes(level, &*other, &other_input, &other_gradient);
        let what = |part| format!("{} of {} in `{}` at {level:?}: {part}", N::NAME, B, N::Scalar::NAME);
        let numbers = [(&actual.evaluated, &expected.evaluated), (&actual.output, &expected.output)];
        for (name, (actual, expected)) in ["evaluated", "output"].into_iter().zip(numbers) {
            assert_close(&what(name), batch_slice(&actual[..]), batch_slice(&expected[..]), tolerance);
        }
        let (actual_input, expected_input) = (&actual.grad_input[..], &expected.grad_input[..]);
        assert_close(&what("dx"), batch_slice(actual_input), batch_slice(expected_input), tolerance);
        assert_close(&what("gradient"), actual.gradient.as_slice(), expected.gradient.as_slice(), tolerance);
    }
}

network! { pub Denses<T>: [17] -> [3] {
    Dense(33), Tanh, Dense(1), Sigmoid, Dense(5, bias = false), LayerNorm, Dense(64), Gelu, Dense(2), Elu, Dense(48), RmsNorm, Dense(3),
} }
network! { pub Functions<T>: [19] -> [19] {
    Relu, Dense(19), Relu6, Dense(19), LeakyRelu, Dense(19), Selu, LayerNorm, Gelu, GeluTanh, Dense(19), Silu, HardSigmoid,
    Dense(19), HardSwish, HardTanh, Dense(19), Mish, Softplus, Dense(19), Softsign, Softmax, Dense(19), LogSoftmax,
} }
network! { pub Steps<T>: [11, 3] -> [5] {
    Dense(7), Conv1d(5, kernel = 3, padding = (2, 0), stride = 2), Tanh, MaxPool1d(2, stride = 1),
    ActivityRegularization(l1 = 0.1, l2 = 0.2), DepthwiseConv1d(3, padding = same), AvgPool1d(3, stride = 1, padding = same), GlobalMaxPool1d, Dense(5),
} }
network! { pub Images<T>: [10, 10, 1] -> [4] {
    Conv2d(6, kernel = 3, padding = same), Relu, MaxPool2d(2),
    residual { Conv2d(6, kernel = 3, padding = same, groups = 3), BatchNorm, Tanh, DepthwiseConv2d(3, padding = same) },
    GroupNorm(2), Conv2d(17, kernel = (2, 3), stride = (1, 2), dilation = (2, 1)), Silu, Upsample2d(2),
    AvgPool2d(3, stride = 1, padding = same), MaxPool2d(3, stride = 2), Dropout(0.25),
    residual(shortcut = Conv2d(4, kernel = 1)) { Conv2d(16, kernel = 1), Tanh, Conv2d(4, kernel = 1) },
    GlobalAvgPool2d, Dense(4),
} }
network! { pub Joined<T>: [6, 6, 2] -> [9] {
    concat {
        { Conv2d(3, kernel = 3, padding = same), Tanh }
        { MaxPool2d(3, stride = 1, padding = same) }
        { }
    },
    multiply { { Conv2d(5, kernel = 1) } { Conv2d(5, kernel = 1), Sigmoid } },
    add { { Tanh } { BatchNorm } { } },
    repeat 2 { residual { Conv2d(5, kernel = 3, padding = same), Elu } },
    Flatten, Dense(9),
} }
// An image whose pixels would share registers, and one whose pixels are kept as maxima at odd places.
network! { pub Digits<T>: [12, 12, 1] -> [10] {
    Conv2d(3, kernel = 5), Relu, MaxPool2d(2), Conv2d(7, kernel = 3, padding = 1), Relu, MaxPool2d(2),
    Flatten, Dense(10),
} }

#[test]
fn one_lane_is_enough() {
    agrees::<Denses<f64>, Denses<Plain64>, _, _, 1>(1e-11);
    agrees::<Denses<f64>, Denses<Plain64>, _, _, 5>(1e-11);
    agrees::<Functions<f64>, Functions<Plain64>, _, _, 3>(1e-11);
    agrees::<Steps<f64>, Steps<Plain64>, _, _, 4>(1e-11);
    agrees::<Images<f64>, Images<Plain64>, _, _, 3>(1e-10);
    agrees::<Joined<f64>, Joined<Plain64>, _, _, 2>(1e-10);
    agrees::<Digits<f64>, Digits<Plain64>, _, _, 2>(1e-11);
}

#[test]
fn training_agrees() {
    fn train<T: Real>(steps: usize) -> Vec<f64> {
        let mut noise = Noise::new(8);
        let mut net = network::<Denses<T>>(&mut noise);
        let optimizer = Adam { learning_rate: 0.01, ..Adam::default() };
        let mut trainer = Trainer::<Denses<T>, _, 6>::new(optimizer, CrossEntropy).clip(0.5);
        let (input, classes) = (random::<[T; 17], 6>(&mut noise), [0_u8, 1, 2, 2, 1, 0]);
        let mut losses: Vec<f64> =
            (0..steps).map(|_| trainer.step(&mut net, &input, &classes).unwrap().loss.to_f64()).collect();
        let mut trainer = Trainer::<Denses<T>, _, 6>::new(Momentum::default(), Huber::default());
        losses.push(trainer.step(&mut net, &input, &random(&mut noise)).unwrap().loss.to_f64());
        losses
    }
    let (single, plain) = (train::<Plain64>(30), train::<f64>(30));
    assert!(plain[29] < 0.8 * plain[0], "{plain:?}");
    assert_close("loss", &single, &plain, 1e-9);
}

network! {
    #[packed(SmallHalf: f16, SmallBytes: i8)]
    pub Small<T: Scalar>: [4] -> [2] { Dense(3), Relu, Dense(2) }
}
network! { pub Scanner<T: Scalar>: [6, 6, 1] -> [3] {
    Conv2d(4, kernel = 3, padding = same), Relu6, MaxPool2d(2), DepthwiseConv2d(3), LeakyRelu, HardSwish,
    residual { Conv2d(4, kernel = 1), HardTanh }, GlobalAvgPool2d, Dense(3), Softsign,
} }

#[test]
fn fixed_point_needs_no_functions() {
    // A number is off by half of the last place, and so is each of a few products.
    agrees::<Small<f64>, Small<Q15>, _, _, 3>(10.0 * LAST);
    agrees::<Scanner<f64>, Scanner<Q15>, _, _, 2>(100.0 * LAST);
}

network! { #[streaming] pub Sound<T: Scalar>: [7, 2] -> [7, 3] {
    Conv1d(4, kernel = 3, dilation = 2, padding = causal), Relu, residual { DepthwiseConv1d(2, padding = causal) }, Dense(3),
} }
network! { pub Words<T>: [u8; 5] -> [2] { Embedding(7, 3), Conv1d(4, kernel = 2), Tanh, GlobalAvgPool1d, Dense(2) } }

#[test]
fn steps_and_tokens_agree() {
    fn steps<T: Scalar>() -> [[f64; 3]; 7] {
        let mut noise = Noise::new(5);
        let mut net = Sound::<T>::zeroed();
        convert(network::<Sound<f64>>(&mut noise).as_slice(), net.as_mut_slice());
        let mut state = net.start();
        random::<[[T; 2]; 7], 1>(&mut noise)[0].map(|x| net.step(&mut state, &x).map(T::to_f64))
    }
    let expected = steps::<f64>();
    assert_close("step", expected.as_flattened(), steps::<Plain64>().as_flattened(), 1e-14);
    assert_close("step", expected.as_flattened(), steps::<Q15>().as_flattened(), 20.0 * LAST);

    let net = network::<Words<f64>>(&mut Noise::new(5));
    let mut other = Words::<Plain64>::zeroed();
    convert(net.as_slice(), other.as_mut_slice());
    assert_close("tokens", &other.evaluate(&[3, 0, 6, 6, 1]), &net.evaluate(&[3, 0, 6, 6, 1]), 1e-14);
}

#[test]
fn fixed_point_saturates() {
    let mut net = Small::<Q15>::zeroed();
    net.dense1.weight = [[Q15::from_f64(60_000.0); 3]; 4];
    net.dense2.weight = [[Q15::ONE, -Q15::ONE]; 3];
    assert_eq!(net.evaluate(&[Q15::ONE; 4]), [Q15(i32::MAX), Q15(i32::MIN)]);
    assert_eq!(Q15::from_f64(f64::NEG_INFINITY), Q15(i32::MIN));
}

#[test]
fn networks_are_converted_to_sixteen_bits() {
    fn check<A, N, X, Y>(tolerance: f64)
    where
        X: Tensor<Element = f64>,
        Y: Tensor<Element = Fixed<11>>,
        A: Network<Scalar = f64, Input = X>,
        N: Network<Scalar = Fixed<11>, Input = Y>,
    {
        let mut noise = Noise::new(3);
        let net = network::<A>(&mut noise);
        let mut fixed = boxed::<N>();
        let report = fixed::convert(&*net, &mut *fixed);
        assert!(report.saturated == 0 && report.error <= 0.5 / 2048.0 && report.largest < 16.0, "{report:?}");
        let input = random::<X, 1>(&mut noise);
        let mut rounded = boxed::<[Y; 1]>();
        convert(batch_slice(&input[..]), batch_slice_mut(&mut rounded[..]));
        let expected = monomorph::network::evaluate(&*net, &input[0]);
        let found = monomorph::network::evaluate(&*fixed, &rounded[0]);
        assert_close(N::NAME, found.numbers(), expected.numbers(), tolerance);
    }
    check::<Small<f64>, Small<Fixed<11>>, _, _>(0.005);
    check::<Scanner<f64>, Scanner<Fixed<11>>, _, _>(0.01);

    // What is out of range is counted.
    let mut net = Small::<f64>::zeroed();
    net.dense1.weight[0] = [100.0, -100.0, 1.0];
    let mut fixed = Small::<Fixed<11>>::zeroed();
    let report = fixed::convert(&net, &mut fixed);
    assert_eq!((report.saturated, report.largest), (2, 100.0));
    assert_eq!(fixed.dense1.weight[0].map(|w| w.to_bits()), [i16::MAX, i16::MIN, 2048]);
}

#[test]
fn packed_weights_are_widened_one_by_one() {
    fn check<A, N, U: Scalar>(tolerance: f64)
    where
        A: PackedNetwork<Of = Small<f64>, Scalar = f64, Input = [f64; 4], Output = [f64; 2]>,
        N: PackedNetwork<Of = Small<U>, Scalar = U, Input = [U; 4], Output = [U; 2]>,
    {
        let mut noise = Noise::new(6);
        let net = network::<Small<f64>>(&mut noise);
        let mut other = Small::<U>::zeroed();
        convert(net.as_slice(), other.as_mut_slice());
        let x = *random::<f64, 4>(&mut noise);
        let expected = monomorph::network::evaluate(&*A::boxed_from(&net), &x);
        let y = monomorph::network::evaluate(&*N::boxed_from(&other), &x.map(U::from_f64));
        assert_close(N::NAME, &y, &expected, tolerance);
    }
    check::<SmallHalf<f64>, SmallHalf<Plain64>, _>(1e-14);
    check::<SmallBytes<f64>, SmallBytes<Plain64>, _>(1e-14);
    check::<SmallHalf<f64>, SmallHalf<Q15>, _>(10.0 * LAST);
    // The scales of the weights are rounded to 15 bits behind the point, too; they are about 1/127.
    check::<SmallBytes<f64>, SmallBytes<Q15>, _>(1e-2);
}
