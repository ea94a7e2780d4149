//! Values and derivatives, compared with PyTorch's.

mod edges;

use super::*;
use crate::memory::zeroed;
use crate::simd::{Task, dispatch, levels};
use crate::testing::check_gradients;
use crate::testing::golden::{Case, assert_close, check_layer, random};

/// PyTorch's values in both types, and finite differences at odd sizes.
fn check<A: Activation<f32> + Activation<f64>>(case: &str) {
    check_layer::<Activate<A, [f64; 21]>, 3>(case);
    check_layer::<Activate<A, [f32; 21]>, 3>(case);
    gradients::<A, [f64; 1], 1>();
    gradients::<A, [f64; 3], 1>();
    gradients::<A, [[f64; 17]; 1], 2>();
    gradients::<A, [[[f64; 3]; 11]; 1], 1>();
}

fn gradients<A: Activation<f64>, X: Tensor<Element = f64>, const B: usize>() {
    let mut input = random::<X, B>(21);
    for (index, x) in batch_slice_mut(&mut input[..]).iter_mut().enumerate() {
        // Spread over all pieces; the fractions stay clear of the kinks, which are integers.
        *x = (index % 16) as f64 - 8.0 + 0.25 + 0.2 * *x;
    }
    check_gradients(&mut zeroed::<Activate<A, X>>(), &input, 1e-7).unwrap();
}

macro_rules! checks {
    ($($name:ident: $type:ty),* $(,)?) => { $(
        #[test]
        fn $name() {
            check::<$type>(concat!("act_", stringify!($name)));
        }
    )* };
}
checks! {
    relu: Relu, relu6: Relu6, leaky_relu: LeakyRelu, elu: Elu, selu: Selu, gelu: Gelu, gelu_tanh: GeluTanh,
    silu: Silu, sigmoid: Sigmoid, tanh: Tanh, hard_swish: HardSwish,
    hard_tanh: HardTanh, mish: Mish, softplus: Softplus, softsign: Softsign,
}

/// PyTorch's slope is `1.0f / 6.0f` even in `f64`; finite differences confirm ours.
#[test]
fn hard_sigmoid() {
    check_layer::<Activate<HardSigmoid, [f32; 21]>, 3>("act_hard_sigmoid");
    gradients::<HardSigmoid, [f64; 3], 1>();
    gradients::<HardSigmoid, [[f64; 17]; 1], 2>();
    let case = Case::open("act_hard_sigmoid");
    let double = f64::from(1.0_f32 / 6.0) * 6.0;
    let (x, y, dy) = (case.numbers("x"), case.numbers("y"), case.numbers("dy"));
    for (index, dx) in case.numbers("dx").into_iter().enumerate() {
        for level in levels() {
            let (value, slope) = dispatch(level, At::<f64, HardSigmoid>(x[index], core::marker::PhantomData));
            assert_close("act_hard_sigmoid", &[value, slope * dy[index]], &[y[index], dx / double], 1e-10);
        }
    }
}

#[test]
fn parameters_of_activations() {
    gradients::<Identity, [f64; 5], 2>();
    gradients::<LeakyRelu<{ bits(0.3) }>, [f64; 17], 1>();
    gradients::<LeakyRelu<{ bits(-0.3) }>, [f64; 17], 1>();
    gradients::<Elu<{ bits(0.7) }>, [f64; 17], 1>();
    gradients::<Elu<{ bits(-0.7) }>, [f64; 17], 1>();
    gradients::<Celu, [f64; 17], 2>();
    gradients::<Celu<{ bits(0.3) }>, [f64; 3], 1>();
    gradients::<Selu<{ bits(0.5) }, { bits(2.0) }>, [f64; 17], 1>();
    gradients::<Selu<{ bits(-0.5) }, { bits(2.0) }>, [f64; 17], 1>();
    gradients::<HardSigmoid<{ bits(0.2) }, { bits(0.6) }>, [f64; 17], 2>();
    gradients::<HardTanh<{ bits(-3.0) }, { bits(5.0) }>, [f64; 17], 2>();
    gradients::<HardTanh<{ bits(0.0) }, { bits(f64::INFINITY) }>, [f64; 17], 1>();
    gradients::<LeakyHardTanh, [f64; 17], 2>();
    gradients::<LeakyHardTanh<{ bits(0.0) }, { bits(3.0) }, { bits(-0.5) }, { bits(0.2) }>, [[f64; 3]; 11], 1>();
    gradients::<FastTanh, [f64; 17], 2>();
    gradients::<ThresholdedRelu, [f64; 17], 1>();
    gradients::<ThresholdedRelu<{ bits(-2.0) }>, [f64; 17], 1>();
    const {
        assert!(<LeakyRelu as Activation<f32>>::FROM_OUTPUT);
        assert!(!<LeakyRelu<{ bits(-0.3) }> as Activation<f32>>::FROM_OUTPUT);
    }
}

struct At<T, A>(T, core::marker::PhantomData<A>);

impl<T: Scalar, A: Activation<T>> Task for At<T, A> {
    type Output = (T, T);
    #[inline(always)]
    fn run<S: Simd>(&mut self, simd: S) -> (T, T) {
        let x = T::Vector::<S>::splat(simd, self.0);
        let y = A::apply(simd, x);
        (y.lane(0), A::derivative(simd, x, y).lane(0))
    }
}

fn at<A: Activation<f32>>(x: f32, expected: (f32, f32)) {
    for level in levels() {
        let (y, slope) = dispatch(level, At::<f32, A>(x, core::marker::PhantomData));
        let close = |a: f32, b: f32| a == b || (a - b).abs() <= 1e-6 * b.abs() || a.is_nan() && b.is_nan();
        assert!(
            close(y, expected.0) && close(slope, expected.1),
            "{} at {x} is {y} with slope {slope}, not {expected:?}",
            core::any::type_name::<A>()
        );
    }
}

#[test]
fn values_of_limits_and_thresholds() {
    at::<Celu<{ bits(2.0) }>>(-2.0, (-1.264_241_1, 0.367_879_44));
    at::<Celu<{ bits(2.0) }>>(1.5, (1.5, 1.0));
    at::<Selu<{ bits(0.5) }, { bits(2.0) }>>(3.0, (6.0, 2.0));
    at::<HardSigmoid<{ bits(0.2) }, { bits(0.5) }>>(1.0, (0.7, 0.2));
    at::<HardSigmoid<{ bits(0.3) }, { bits(0.5) }>>(9.0, (1.0, 0.0));
    at::<HardTanh<{ bits(-2.0) }, { bits(0.5) }>>(-1.5, (-1.5, 1.0));
    at::<HardTanh<{ bits(-2.0) }, { bits(0.5) }>>(0.5, (0.5, 0.0));
    at::<LeakyHardTanh>(3.0, (1.02, 0.01));
    at::<LeakyHardTanh>(-1.0, (-1.0, 1.0));
    at::<LeakyHardTanh<{ bits(0.0) }, { bits(3.0) }, { bits(-0.5) }, { bits(0.2) }>>(-2.0, (1.0, -0.5));
    at::<FastTanh>(0.0, (0.0, 1.004_270_1));
    at::<FastTanh>(1.0, (0.761_843_5, 0.421_467_26));
    at::<ThresholdedRelu>(1.0, (0.0, 0.0));
    at::<ThresholdedRelu>(1.5, (1.5, 1.0));
    at::<ThresholdedRelu<{ bits(-1.0) }>>(-0.5, (-0.5, 1.0));
    at::<ThresholdedRelu<{ bits(-1.0) }>>(-1.5, (0.0, 0.0));
}

#[test]
fn derivatives_at_kinks_are_pytorchs() {
    at::<Relu>(0.0, (0.0, 0.0));
    at::<Relu6>(0.0, (0.0, 0.0));
    at::<Relu6>(6.0, (6.0, 0.0));
    at::<LeakyRelu>(0.0, (0.0, 0.01));
    at::<Elu<{ bits(0.7) }>>(0.0, (0.0, 0.7));
    at::<Selu>(0.0, (0.0, 1.758_099_3));
    at::<HardTanh>(1.0, (1.0, 0.0));
    at::<HardTanh>(-1.0, (-1.0, 0.0));
    at::<HardSigmoid>(-3.0, (0.0, 0.0));
    at::<HardSigmoid>(3.0, (1.0, 0.0));
    at::<HardSigmoid>(-2.999_999_8, (3.973_643e-8, 1.0 / 6.0));
    at::<HardSwish>(-3.0, (0.0, 0.0));
    at::<HardSwish>(3.0, (3.0, 1.0));
}

#[test]
fn far_values_neither_overflow_nor_vanish() {
    at::<Softplus>(1000.0, (1000.0, 1.0));
    at::<Softplus>(-80.0, (1.804_851_4e-35, 1.804_851_4e-35));
    at::<Mish>(1000.0, (1000.0, 1.0));
    at::<Mish>(-1000.0, (0.0, 0.0));
    at::<Silu>(1000.0, (1000.0, 1.0));
    at::<Gelu>(1000.0, (1000.0, 1.0));
    at::<GeluTanh>(-1000.0, (0.0, 0.0));
    at::<Elu>(1000.0, (1000.0, 1.0));
    at::<Tanh>(f32::NEG_INFINITY, (-1.0, 0.0));
    at::<LeakyHardTanh>(f32::NAN, (f32::NAN, 1.0));
    at::<FastTanh>(f32::NAN, (f32::NAN, f32::NAN));
    at::<Sigmoid>(-80.0, (1.804_851_4e-35, 1.804_851_4e-35));
}
