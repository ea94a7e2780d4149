//! Every layer there is, but for those in [`every_sequence`](every_sequence.rs). `run.sh` inspects this program: if
//! evaluation could panic or allocate, the linker would have included the functions for it.
#![cfg_attr(target_os = "none", no_std, no_main)]

use firmware::every::{evaluations, fill, run};
use firmware::exit;
use monomorph::memory::zeroed;
use monomorph::prelude::*;
use monomorph::{Parameters, Tensor};

network! { Images: [8, 8, 3] -> [10] {
    Conv2d(8, kernel = 3, padding = same), BatchNorm, Relu,
    DepthwiseConv2d(3, padding = 1), GroupNorm(2), Relu6,
    Conv2d(6, kernel = 3, groups = 2, dilation = 2, padding = same), HardSwish,
    MaxPool2d(2), Upsample2d(2), AvgPool2d(2), Dropout(0.1),
    residual { Conv2d(6, kernel = 1), LayerNorm, Gelu },
    concat { { Conv2d(2, kernel = 3, stride = 2), GlobalMaxPool2d } { GlobalAvgPool2d } { Flatten, Dense(2), Softmax } },
} }
network! { Signals: [16, 2] -> [7] {
    Normalize, Conv1d(6, kernel = 3, stride = 2, padding = 1), RmsNorm, Silu,
    DepthwiseConv1d(3, padding = 1), LeakyRelu,
    MaxPool1d(2), AvgPool1d(2), Elu,
    add { { GlobalMaxPool1d } { GlobalAvgPool1d } },
    ActivityRegularization(l2 = 1e-4), Dense(7, bias = false), LogSoftmax,
} }
network! { Noisy: [3, 4] -> [3, 2] {
    GaussianNoise(0.1), DropConnect(4, 0.5), Selu, AlphaDropout(0.1),
    residual(drop = 0.2) { Dense(4), SpatialDropout(0.2) }, StochasticDepth(0.1), GaussianDropout(0.3), Dense(2),
} }
network! { Uncertain: [4, 4, 1] -> [2] {
    Flatten, Reshape([4, 4, 1]), BayesConv2d(2, kernel = 3), Relu, ReduceMean(0), BayesConv1d(2, kernel = 1), Flatten,
    BayesDense(4, prior = mixture, estimator = flipout), Bottleneck(beta = 0.001), Dense(4), InformationDropout(beta = 0.1),
} }
network! { Activations: [5] -> [5] {
    Dense(5), Identity, Dense(5), Selu, Dense(5), GeluTanh, Dense(5), Sigmoid, Dense(5), Tanh, Dense(5), HardSigmoid,
    Dense(5), HardTanh, Dense(5), LeakyHardTanh, Dense(5), FastTanh, Dense(5), Mish, Dense(5), Softplus, Dense(5), Softsign,
} }
network! { Others: [6, 6, 4] -> [4] {
    PRelu(per_channel = true), ConvTranspose2d(4, kernel = 2, stride = 2), Celu, AvgPool2d(2, count_include_pad = true),
    Pad2d(1, mode = reflect), InstanceNorm, LocalResponseNorm(3), SpaceToDepth(2), PixelShuffle(2),
    PixelUnshuffle(2), DepthToSpace(2), BatchNorm(frozen = true), AdaptiveMaxPool2d(4),
    Upsample2d(size = (5, 7), mode = bicubic), AdaptiveAvgPool2d(3), LpPool2d(3, stride = 1, padding = 1), Slice(0, start = 1),
    Transpose(axes = (2, 0, 1)), ReduceMean(0), multiply { {} { ReduceMax(0, keepdim = true) } { ReduceSum(1, keepdim = true) } }, Pad1d(1, mode = wrap),
    ConvTranspose1d(4, kernel = 2),
    AdaptiveMaxPool1d(4), AdaptiveAvgPool1d(5), LpPool1d(2, stride = 1, padding = (1, 0)), Glu, Softmax(axis = 0), concat(axis = 0) { {} { ThresholdedRelu } }, Affine, Flatten, Dense(4),
} }
network! { Two(image: [2, 2, 1], speed: [2]) -> (turn: [1], brake: [2]) {
    let seen = image |> Flatten |> Dense(3) |> Tanh;
    let both = concat(seen, speed) |> repeat 2 { Dense(5), Relu };
    let turn = both |> Dense(1);
    let brake = multiply(both, both) |> inner: Inner;
} }
network! { Inner: [5] -> [2] { Dense(2), Sigmoid } }
network! { #[packed(WideHalf: bf16)] Wide: [5] -> [2] { Dense(32), Tanh, Dense(2) } }

/// The same with packed weights.
#[inline(never)]
fn run_packed<N: PackedNetwork<Scalar = f32, Input: Tensor<Element = f32>>>(name: &str) {
    let (mut net, mut packed): (N::Of, N) = (zeroed(), zeroed());
    fill(net.as_mut_slice(), 0.2);
    packed.pack(&net);
    evaluations(name, &packed);
}

#[cfg_attr(target_os = "none", firmware::entry)]
fn main() -> ! {
    run::<Images>("images");
    run::<Signals>("signals");
    run::<Noisy>("noisy");
    run::<Uncertain>("uncertain");
    run::<Activations>("activations");
    run::<Others>("others");
    run::<Two>("two");
    run_packed::<WideHalf>("wide");
    exit()
}
