//! Graphs of named values: derivatives, multiple inputs and outputs, layers that are used twice.

use super::gradients::check;
use monomorph::Parameters;
use monomorph::layer::Pass;
use monomorph::prelude::*;

network! { pub Skips<f64>: [4, 4, 2] -> [4, 4, 1] {
    let fine = input |> Conv2d(3, kernel = 3, padding = same) |> Tanh;
    let coarse = fine |> AvgPool2d(2) |> Conv2d(4, kernel = 1) |> Silu;
    let up = coarse |> Flatten |> Dense(16);
    let gate = fine |> Conv2d(1, kernel = 1) |> Flatten |> Sigmoid;
    let mixed = multiply(up, gate);
    let wide = concat(fine, fine |> DepthwiseConv2d(3, padding = same)) |> Conv2d(1, kernel = 1) |> Flatten;
    add(mixed, wide, up) |> Dense(16) |> self::Unflatten
} }

network! { pub Branches<f64>: [5, 5, 2] -> [3] {
    concat {
        { Conv2d(2, kernel = 1), Relu6 }
        { Conv2d(2, kernel = 1), Tanh, Conv2d(3, kernel = 3, padding = same) }
        { }
    },
    multiply { { Conv2d(4, kernel = 1) } { Conv2d(4, kernel = 1), Sigmoid } },
    add { { Tanh } { BatchNorm } { } },
    repeat 2 { residual { Conv2d(4, kernel = 3, padding = same), narrow: Elu } },
    GlobalAvgPool2d, Dense(3),
} }

network! { pub TwoEnds<f64>(state: [3], goal: [2, 2]) -> (policy: [4], value: [1]) {
    let trunk = concat(state, goal |> Flatten) |> Dense(6) |> Tanh;
    let policy = trunk |> Dense(4);
    let value = concat(trunk, state) |> Dense(1);
} }

network! { pub Encoder<f64>: [4] -> [3] { Dense(5), Tanh, BatchNorm, Dense(3) } }
network! { pub Siamese<f64>(left: [4], right: [4]) -> [2] {
    let a = left |> encoder: Encoder |> Tanh;
    let b = right |> encoder |> Tanh;
    concat(a, b, multiply(a, b)) |> Dense(2)
} }
network! { pub Square<f64>: [3] -> [3] { let x = input |> Dense(3); multiply(x, x) } }
network! { pub SelfProduct<f64>: [3] -> [6] { concat(multiply(input, input), input) } }
network! { pub Recycled<f64>: [4] -> [4] { shared: Dense(4), Tanh, shared, Gelu, shared } }

const WIDTH: usize = 3;
network! { pub NamedSizes<f64>: [WIDTH] -> [WIDTH + 4] {
    let a = input |> Dense(WIDTH) |> Tanh;
    let b = a |> Dense(4);
    concat(add(a, input), b)
} }
network! { #[unaligned] pub Head<f64>: [5] -> (policy: [4], value: [1]) {
    let trunk = input |> Dense(3) |> Tanh;
    let policy = trunk |> Dense(4);
    let value = trunk |> Dense(1);
} }
network! { pub Parts<f64>: [3] -> [4] {
    let first = input |> Dense(5) |> Silu |> head: Head;
    let second = input |> Dense(5) |> head;
    let both = concat(first.policy, second.value, first.value) |> Dense(4) |> Tanh;
    add(both, multiply(second.policy, first.policy))
} }
network! { pub OnePart<f64>: [5] -> [2] {
    let head = input |> Head;
    head.policy |> Softmax |> Dense(2)
} }
network! { pub ParametricParts<f64, const N: usize>: [N] -> [2] {
    let head = input |> Dense(N) |> Dense(5) |> Head;
    add(head.value |> Dense(2), head.policy |> Dense(2)) |> Tanh |> Dense(2)
} }
network! { pub Parametric<f64, const N: usize>: [N] -> [2] {
    let a = input |> Dense(N) |> Tanh;
    add(a, multiply(a, input)) |> Dense(2)
} }

/// A vector of 16 as an image.
#[derive(Parameters)]
#[parameters(scalar = f64)]
#[repr(C)]
pub struct Unflatten;

impl monomorph::Layer for Unflatten {
    type Input = [f64; 16];
    type Output = [[[f64; 1]; 4]; 4];
    type Saved<const B: usize> = ();
    type Workspace<const B: usize> = ();
    const MACS: usize = 0;

    fn evaluate<S: monomorph::simd::Simd, const B: usize>(
        &self,
        _: S,
        input: &[[f64; 16]; B],
        output: &mut [Self::Output; B],
        _: &mut (),
    ) {
        *output = *monomorph::tensor::reshape(input);
    }

    fn forward<S: monomorph::simd::Simd, const B: usize>(
        &self,
        simd: S,
        input: &[[f64; 16]; B],
        output: &mut [Self::Output; B],
        _: &mut (),
        _: &mut Pass<f64>,
    ) {
        self.evaluate(simd, input, output, &mut ());
    }

    fn backward<S: monomorph::simd::Simd, const B: usize>(
        &self,
        _: S,
        _: &[[f64; 16]; B],
        _: &[Self::Output; B],
        _: &mut (),
        grad_output: &mut [Self::Output; B],
        grad_input: Option<&mut [[f64; 16]; B]>,
        _: &mut Self,
        _: &Pass<f64>,
    ) {
        if let Some(grad_input) = grad_input {
            *grad_input = *monomorph::tensor::reshape(grad_output);
        }
    }
}

#[test]
fn backward_agrees_with_finite_differences() {
    check::<Skips, 2>();
    check::<Branches, 2>();
    check::<TwoEnds, 3>();
    check::<Siamese, 3>();
    check::<Square, 2>();
    check::<SelfProduct, 2>();
    check::<Recycled, 2>();
    check::<NamedSizes, 2>();
    check::<Parametric<3>, 2>();
    check::<Parts, 2>();
    check::<OnePart, 2>();
    check::<ParametricParts<3>, 2>();
}

#[test]
fn inputs_and_outputs_have_names() {
    let mut net = TwoEnds::zeroed();
    net.initialize(Init::XavierNormal, &mut Noise::new(1));
    let output = net.evaluate(&TwoEndsInput { state: [1.0, 2.0, 3.0], goal: [[1.0, 0.0], [0.0, 1.0]] });
    assert!(output.policy != [0.0; 4] && output.value != [0.0]);
    // By hand: with zero weights, a head outputs its bias.
    net.dense2.weight = [[0.0; 4]; 6];
    net.dense2.bias = [1.0, 2.0, 3.0, 4.0];
    assert_eq!(net.evaluate(&TwoEndsInput { state: [0.5; 3], goal: [[0.0; 2]; 2] }).policy, [1.0, 2.0, 3.0, 4.0]);
}

/// Both sides of a Siamese network share one set of weights.
#[test]
fn a_layer_used_twice_has_one_set_of_weights() {
    assert_eq!(Siamese::PARAMS, Encoder::PARAMS + 9 * 2 + 2);
    let mut net = Siamese::zeroed();
    net.initialize(Init::XavierNormal, &mut Noise::new(2));
    // A head that compares the two codes sees no difference between equal inputs.
    net.dense1.weight = core::array::from_fn(|row| [[1.0, 1.0, 1.0, -1.0, -1.0, -1.0, 0.0, 0.0, 0.0][row]; 2]);
    assert_eq!(net.evaluate(&SiameseInput { left: [0.3; 4], right: [0.3; 4] }), [0.0; 2]);
    assert_ne!(net.evaluate(&SiameseInput { left: [0.3; 4], right: [0.4; 4] }), [0.0; 2]);
}

#[test]
fn repeated_layers_are_numbered() {
    let mut net = Branches::zeroed();
    net.initialize(Init::KaimingNormal, &mut Noise::new(2));
    let _ = (&net.narrow1, &net.narrow2);
    assert_eq!(Branches::PARAMS, net.as_slice().len());
    assert_eq!(<Branches as Network>::GRAPH.iter().map(|node| node.parameters).sum::<usize>(), Branches::PARAMS);
}

network! { pub Pixels: [8, 10, 2] -> [6, 8, 5] { Conv2d(5, kernel = 3), Tanh } }
network! { pub Maxima: [8, 10, 2] -> [3, 4, 5] { Conv2d(5, kernel = 3), Tanh, MaxPool2d(2) } }
network! { pub Untouched: [8, 10, 2] -> [6, 8, 5] { Conv2d(5, kernel = 3) } }
network! { pub MaximaAlone: [8, 10, 2] -> [3, 4, 5] { Conv2d(5, kernel = 3), MaxPool2d(2) } }
network! { pub MaximaTwice: [8, 10, 2] -> [3, 4, 5] {
    let x = input |> Conv2d(5, kernel = 3);
    let y = x |> MaxPool2d(2);
    let z = x |> Tanh |> MaxPool2d(2);
    add(y, z)
} }
network! { pub Overlapping: [8, 10, 2] -> [5, 7, 5] { Conv2d(5, kernel = 3), Tanh, MaxPool2d(2, stride = 1) } }

/// If 2 × 2 max pooling follows a convolution, evaluation stores only the maxima, and training stores everything.
#[test]
fn a_convolution_keeps_maxima() {
    fn with<N: Network<Scalar = f32>>() -> N {
        let mut net = N::zeroed();
        net.initialize(Init::XavierUniform, &mut Noise::new(3));
        net
    }
    fn pool(pixels: &[[[f32; 5]; 8]; 6]) -> [[[f32; 5]; 4]; 3] {
        let of = |i: usize, j: usize, c: usize| {
            [[0, 0], [0, 1], [1, 0], [1, 1]]
                .map(|[k, l]| pixels[2 * i + k][2 * j + l][c])
                .into_iter()
                .fold(f32::MIN, f32::max)
        };
        core::array::from_fn(|i| core::array::from_fn(|j| core::array::from_fn(|c| of(i, j, c))))
    }
    let mut noise = Noise::new(4);
    let mut x = [[[0.0; 2]; 10]; 8];
    x.as_flattened_mut().as_flattened_mut().fill_with(|| noise.normal() as f32);
    let (pixels, untouched) = (with::<Pixels>().evaluate(&x), with::<Untouched>().evaluate(&x));
    assert_eq!(with::<Maxima>().evaluate(&x), pool(&pixels));
    assert_eq!(with::<MaximaAlone>().evaluate(&x), pool(&untouched));
    let sum = |i: usize, j: usize, c: usize| pool(&untouched)[i][j][c] + pool(&pixels)[i][j][c];
    let twice = with::<MaximaTwice>().evaluate(&x);
    assert!((0..3 * 4 * 5).all(|at| twice[at / 20][at / 5 % 4][at % 5] == sum(at / 20, at / 5 % 4, at % 5)));
    assert_eq!(with::<Overlapping>().evaluate(&x)[0][0], pool(&pixels)[0][0]);
    // The maxima are the output, so no workspace is needed.
    assert_eq!((Maxima::EVALUATE_BYTES, MaximaAlone::EVALUATE_BYTES), (0, 0));
    const { assert!(MaximaTwice::EVALUATE_BYTES >= 4 * 6 * 8 * 5 && Overlapping::EVALUATE_BYTES >= 4 * 6 * 8 * 5) };
    check::<MaximaInTraining, 2>();
}
network! { pub MaximaInTraining<f64>: [8, 10, 2] -> [3, 4, 5] { Conv2d(5, kernel = 3), Tanh, MaxPool2d(2) } }
