//! The backward pass that the macro generates, compared with finite differences: every way in which
//! values join, branch and share memory.

use monomorph::layer::Inputs;
use monomorph::prelude::*;
use monomorph::testing::check_gradients;
use monomorph::{Layer, Tensor};

pub fn check<N, const B: usize>()
where
    N: Network<Scalar = f64, Input: Tensor<Element = f64> + Inputs<Owned<B> = [N::Input; B]>>,
{
    let mut noise = Noise::new(21);
    let mut net = N::zeroed();
    net.initialize(Init::KaimingUniform, &mut noise);
    // Move biases and scales away from their special initial values.
    for parameter in net.as_mut_slice() {
        *parameter += 0.1 * (noise.uniform() - 0.5);
    }
    let mut input: Box<[N::Input; B]> = monomorph::memory::boxed();
    for sample in input.iter_mut() {
        sample.numbers_mut().fill_with(|| noise.uniform() * 2.0 - 1.0);
    }
    check_gradients::<N, B>(&mut net, &input, 1e-6).unwrap_or_else(|error| panic!("{}: {error}", N::NAME));
}

network! { pub Chain<f64>: [3] -> [2] { Dense(5), Tanh, Dense(4), Sigmoid, Dense(2) } }
network! { pub FirstActivation<f64>: [3] -> [2] { Tanh, Gelu, Dense(2), Silu } }
network! { pub Convolutional<f64>: [7, 6, 2] -> [3] {
    Conv2d(3, kernel = 3, padding = same), Tanh, AvgPool2d(2, stride = 2),
    Conv2d(5, kernel = (2, 1), stride = (1, 2), bias = false), BatchNorm, Elu,
    Flatten, Dense(3),
} }
network! { pub Sequence<f64>: [9, 3] -> [2] {
    Conv1d(4, kernel = 3, padding = (2, 0)), LayerNorm, Mish, MaxPool1d(2, stride = 2), GlobalAvgPool1d, Dense(2), LogSoftmax,
} }
network! { pub FlatFirst<f64>: [3, 2, 2] -> [2] { Flatten, Dense(4), Softplus, Dense(2) } }
network! { pub ResidualFirst<f64>: [4] -> [4] { residual { Dense(4), Tanh } } }
network! { pub ResidualMiddle<f64>: [4] -> [2] {
    Dense(6), Tanh,
    residual { Dense(5), Gelu, Dense(6) }, Tanh,
    residual { Dense(6) },
    Dense(2),
} }
network! { pub ResidualNested<f64>: [3] -> [3] {
    residual { Dense(3), residual { Tanh, Dense(3) }, Sigmoid },
    residual { Tanh },
} }
network! { pub Projected<f64>: [6, 6, 2] -> [3] {
    residual(shortcut = Conv2d(4, kernel = 1, stride = 2)) {
        Conv2d(4, kernel = 3, stride = 2, padding = same), BatchNorm, Tanh, Conv2d(4, kernel = 3, padding = same),
    },
    Tanh,
    residual(shortcut = { Conv2d(4, kernel = 1), BatchNorm }) { DepthwiseConv2d(3, padding = same), GroupNorm(2) },
    GlobalAvgPool2d, Dense(3),
} }
network! { pub Inner<f64>: [3] -> [4] { Dense(4), Tanh, residual { Dense(4) } } }
network! { pub Outer<f64>: [5] -> [2] { Dense(3), Tanh, inner: Inner, again: self::Inner2, Dense(2) } }
network! { pub Inner2<f64>: [4] -> [4] { RmsNorm, Dropout(0.25), Dense(4), BatchNorm } }

#[test]
fn backward_agrees_with_finite_differences() {
    check::<Chain, 3>();
    check::<FirstActivation, 2>();
    check::<Convolutional, 3>();
    check::<Sequence, 2>();
    check::<FlatFirst, 2>();
    check::<ResidualFirst, 2>();
    check::<ResidualMiddle, 3>();
    check::<ResidualNested, 2>();
    check::<Projected, 2>();
    check::<Outer, 3>();
}

const WIDTH: usize = 6;
const SIDE: usize = 5;

network! { pub Named<f64>: [SIDE, SIDE, 2] -> [WIDTH / 2] {
    Conv2d(WIDTH, kernel = 3, padding = same, groups = 2), Tanh,
    residual { Conv2d(WIDTH, kernel = (3, 1), padding = (1, 0)) },
    MaxPool2d(SIDE / 2, stride = 2), Flatten, Dense(WIDTH / 2),
} }
network! { pub Sized<f64, const IN: usize, const HIDDEN: usize>: [IN] -> [2] {
    Dense(HIDDEN), Tanh, residual { Dense(HIDDEN), Gelu, Dense(HIDDEN) }, residual { Tanh, Dense(HIDDEN) }, Dense(2),
} }

#[test]
fn sizes_may_be_constants_and_parameters() {
    check::<Named, 2>();
    check::<Sized<3, 5>, 2>();
    assert_eq!(<Named as Layer>::Output::SHAPE, [3]);
    assert_eq!(Sized::<3, 5>::PARAMS, 3 * 5 + 5 + 3 * (5 * 5 + 5) + 5 * 2 + 2);
}
