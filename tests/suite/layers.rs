//! Networks of the layers that other tests do not use: they fit together, and their gradients agree with finite
//! differences and with one lane.

use monomorph::Parameters;
use monomorph::prelude::*;
use monomorph::tensor::{batch_slice, batch_slice_mut};
use safetensors::SafeTensors;

use crate::gradients::check;
use crate::numbers::{Plain64, agrees, assert_close, passes};

const BLOCK: usize = 2;

network! { pub Rectifiers<T>: [5, 6] -> [5, 3] {
    PRelu, Dense(6), PRelu(per_channel = true), HardTanh(-2, 3), Dense(6), HardSigmoid(slope = 0.2, offset = 0.4),
    Dense(6), Normalize, Affine, Celu(0.5), Affine(bias = false, per = number), ThresholdedRelu(-0.25),
    Selu(alpha = 1.5, scale = 1.1), Softmax(axis = 0), Dense(6), Glu, LogSoftmax(axis = 0),
} }
network! { pub Growing<T>: [3, 4, 3] -> [14, 18, 2] {
    ConvTranspose2d(4, kernel = 3, stride = 2, padding = 1, output_padding = (0, 1)), Tanh,
    ConvTranspose2d(2, kernel = (2, 1), groups = 2, dilation = (1, 2), bias = false), PRelu,
    Pad2d(((1, 0), (0, 1)), mode = reflect), ConvTranspose2d(2, kernel = 3, stride = BLOCK, padding = same),
} }
network! { pub Line<T>: [5, 3] -> [14, 2] {
    Normalize(per = number), Affine(weight = false, per = number), Pad1d((2, 0), mode = wrap),
    ConvTranspose1d(2, kernel = 4, stride = 2, padding = 1), Tanh,
} }
network! { pub Moving<T>: [4, 6, 4] -> [3, 2] {
    SpaceToDepth(BLOCK), Conv2d(16, kernel = 1), Tanh, PixelShuffle(BLOCK), PixelUnshuffle(2), DepthToSpace(2),
    Upsample2d(size = (5, 4), mode = bilinear), Upsample2d((2, 1), mode = bicubic), Pad2d(1, value = 0.5),
    Slice(axis = 0, start = 1, end = 11, step = 3), Slice(2, end = 3), Transpose(axes = (2, 0, 1)),
    ReduceMean(1), Transpose, Slice(0, start = 3), Transpose, Pad1d(1, mode = edge), Slice(0, start = 1, end = 4), Dense(2),
} }
network! { pub Pooling<T>: [9, 8, 3] -> [3] {
    AvgPool2d(3, stride = 1, padding = same, count_include_pad = true), LpPool2d(2, stride = 2), LocalResponseNorm(3, alpha = 0.5),
    AdaptiveMaxPool2d((3, 4)), InstanceNorm, BatchNorm(frozen = true), AdaptiveAvgPool2d(2), LpPool2d(2, p = 3, stride = 1),
    ReduceSum(0), ReduceMax(0),
} }
network! { pub Broadcast<T>: [4, 5, 3] -> [4, 5, 3] {
    let rows = input |> ReduceMean(1, keepdim = true);
    let columns = input |> ReduceMax(0, keepdim = true) |> Tanh;
    let pixels = input |> ReduceMean(2, keepdim = true) |> Sigmoid;
    let all = add(rows, columns);
    let gated = multiply(input, pixels);
    add(all, gated, input |> GlobalAvgPool2d)
} }
network! { pub Stacked<T>: [4, 3] -> [9, 2] {
    let token = input |> ReduceMean(0, keepdim = true) |> Tanh;
    concat(token, input, input |> Tanh, axis = 0) |> concat(axis = 1) { { Dense(1) } { Slice(1, end = 1) } }
} }
network! { pub Tall<T>: [2, 3, 5] -> [2, 6, 5] { concat(axis = 1) { { Tanh } { PRelu } }, Conv2d(5, kernel = 1) } }
network! { pub SqueezeExcite<T>: [4, 5, 6] -> [4, 5, 6] {
    multiply { {} { GlobalAvgPool2d, Dense(2), Relu, Dense(6), Sigmoid } },
} }

network! { #[streaming] pub Voice: [4, 2] -> [4, 3] {
    Normalize, Dense(8), Glu, PRelu(per_channel = true), BatchNorm(frozen = true), HardTanh(-1.5, 2),
    concat(axis = 1) { { Dense(2) } { Dense(2), Celu } }, PRelu, Dense(3), Affine, Softmax,
} }
network! {
    #[packed(TallerSmall: bf16)]
    pub Taller: [3, 2, 2] -> [4] { ConvTranspose2d(3, kernel = 2, stride = 2), PRelu, Pad2d(1), Flatten, Dense(4) }
}

#[test]
fn steps_are_the_whole() {
    let net = crate::numbers::network::<Voice>(&mut Noise::new(3));
    let input = [[0.5, -1.0], [0.25, 0.75], [-0.5, 2.0], [1.0, 0.0]];
    let (whole, mut state) = (net.evaluate(&input), net.start());
    for (x, y) in input.iter().zip(whole) {
        assert_close("step", &net.step(&mut state, x), &y, 1e-6);
    }
}

#[test]
fn the_rest_can_be_packed() {
    let net = crate::numbers::network::<Taller>(&mut Noise::new(3));
    let input = [[[0.5, -1.0]; 2], [[0.25, 0.75]; 2], [[-0.5, 0.1]; 2]];
    let small = monomorph::network::evaluate(&*TallerSmall::boxed_from(&net), &input);
    assert_close("packed", &small, &net.evaluate(&input), 0.02);
}

#[test]
fn gradients() {
    check::<Rectifiers<f64>, 2>();
    check::<Growing<f64>, 2>();
    check::<Line<f64>, 3>();
    check::<Moving<f64>, 2>();
    check::<Pooling<f64>, 2>();
    check::<Broadcast<f64>, 2>();
    check::<Stacked<f64>, 3>();
    check::<Tall<f64>, 2>();
    check::<SqueezeExcite<f64>, 2>();
}

#[test]
fn one_lane() {
    agrees::<Rectifiers<f64>, Rectifiers<Plain64>, _, _, 2>(1e-11);
    agrees::<Growing<f64>, Growing<Plain64>, _, _, 2>(1e-11);
    agrees::<Line<f64>, Line<Plain64>, _, _, 2>(1e-11);
    agrees::<Moving<f64>, Moving<Plain64>, _, _, 2>(1e-11);
    agrees::<Pooling<f64>, Pooling<Plain64>, _, _, 2>(1e-10);
    agrees::<Stacked<f64>, Stacked<Plain64>, _, _, 3>(1e-11);
    agrees::<Tall<f64>, Tall<Plain64>, _, _, 2>(1e-11);
    agrees::<Broadcast<f64>, Broadcast<Plain64>, _, _, 2>(1e-11);
}

/// The network of combinators is PyTorch's squeeze-and-excitation block.
#[test]
fn squeeze_and_excitation() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/squeeze_excite.safetensors");
    let bytes = std::fs::read(path).expect("the case");
    let file = SafeTensors::deserialize(&bytes).expect("a safetensors file");
    let numbers = |name: &str| -> Vec<f64> {
        let bytes = file.tensor(name).expect("the tensor").data().as_chunks::<8>().0;
        bytes.iter().map(|bytes| f64::from_le_bytes(*bytes)).collect()
    };
    let all = |kind: &str| ["w1", "b1", "w2", "b2"].map(|name| numbers(&format!("{kind}.{name}"))).concat();
    let mut net = SqueezeExcite::<f64>::zeroed();
    for (to, from) in net.as_mut_slice().iter_mut().zip(all("p")) {
        *to = from;
    }
    let (mut x, mut dy) = ([[[[0.0; 6]; 5]; 4]; 2], [[[[0.0; 6]; 5]; 4]; 2]);
    batch_slice_mut(&mut x).copy_from_slice(&numbers("x"));
    batch_slice_mut(&mut dy).copy_from_slice(&numbers("dy"));
    for level in monomorph::simd::levels() {
        let actual = passes(level, &net, &x, &dy);
        assert_close("y", batch_slice(&actual.output[..]), &numbers("y"), 1e-11);
        assert_close("dx", batch_slice(&actual.grad_input[..]), &numbers("dx"), 1e-11);
        let count = all("g").len();
        assert_close("gradient", &actual.gradient.as_slice()[..count], &all("g"), 1e-11);
    }
}
