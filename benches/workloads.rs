//! The networks whose speed is measured, here and in the comparison with other frameworks.

use monomorph::prelude::*;

network! { /// A policy for continuous control.
pub PolicyTanh: [22] -> [4] { Dense(64), Tanh, Dense(64), Tanh, Dense(4) } }
network! { /// The same with ReLU.
pub PolicyRelu: [22] -> [4] { Dense(64), Relu, Dense(64), Relu, Dense(4) } }
network! { /// Tiny: an audio effect.
pub Tiny16: [16] -> [1] { Dense(16), Relu, Dense(16), Relu, Dense(1) } }
network! { /// Tinier.
pub Tiny8: [8] -> [1] { Dense(8), Relu, Dense(8), Relu, Dense(1) } }
network! { /// Its weights do not fit in the L1 cache.
#[packed(Wide128Bf16: bf16, Wide128F16: f16, Wide128I8: i8)]
pub Wide128: [128] -> [128] { Dense(128), Relu, Dense(128), Relu, Dense(128) } }
network! { /// Digits with one hidden layer.
#[packed(Digits128Bf16: bf16, Digits128F16: f16, Digits128I8: i8)]
pub Digits128: [784] -> [10] { Dense(128), Relu, Dense(10) } }
network! { /// Digits with two hidden layers.
#[packed(Digits512Bf16: bf16, Digits512F16: f16, Digits512I8: i8)]
pub Digits512: [784] -> [10] { Dense(512), Relu, Dense(256), Relu, Dense(10) } }
network! { /// LeCun et al., *Gradient-based learning applied to document recognition* (1998).
pub LeNet5: [28, 28, 1] -> [10] {
    Conv2d(6, kernel = 5, padding = same), Relu, MaxPool2d(2),
    Conv2d(16, kernel = 5), Relu, MaxPool2d(2),
    Flatten, Dense(120), Relu, Dense(84), Relu, Dense(10),
} }
network! { /// MLPerf Tiny, anomaly detection: an autoencoder.
#[packed(AnomalyBf16: bf16, AnomalyF16: f16, AnomalyI8: i8)]
pub Anomaly: [640] -> [640] {
    Dense(128), Relu, Dense(128), Relu, Dense(128), Relu, Dense(128), Relu, Dense(8), Relu,
    Dense(128), Relu, Dense(128), Relu, Dense(128), Relu, Dense(128), Relu, Dense(640),
} }
network! { /// MLPerf Tiny, keyword spotting: depthwise separable convolutions over a spectrogram.
pub Keywords: [49, 10, 1] -> [12] {
    Conv2d(64, kernel = (10, 4), stride = 2, padding = same), Relu,
    repeat 4 { DepthwiseConv2d(3, padding = same), Relu, Conv2d(64, kernel = 1), Relu },
    GlobalAvgPool2d, Dense(12), Softmax,
} }
network! { /// MLPerf Tiny, image classification: ResNet-8 with folded batch normalization.
pub ResNet8: [32, 32, 3] -> [10] {
    Conv2d(16, kernel = 3, padding = same), Relu,
    residual { Conv2d(16, kernel = 3, padding = same), Relu, Conv2d(16, kernel = 3, padding = same) }, Relu,
    residual(shortcut = Conv2d(32, kernel = 1, stride = 2)) {
        Conv2d(32, kernel = 3, stride = 2, padding = same), Relu, Conv2d(32, kernel = 3, padding = same),
    }, Relu,
    residual(shortcut = Conv2d(64, kernel = 1, stride = 2)) {
        Conv2d(64, kernel = 3, stride = 2, padding = same), Relu, Conv2d(64, kernel = 3, padding = same),
    }, Relu,
    GlobalAvgPool2d, Dense(10), Softmax,
} }
network! { /// MLPerf Tiny, visual wake words: MobileNetV1 at a quarter of its width, with folded batch normalization.
pub MobileNet: [96, 96, 3] -> [2] {
    Conv2d(8, kernel = 3, stride = 2, padding = same), Relu,
    DepthwiseConv2d(3, padding = same), Relu, Conv2d(16, kernel = 1), Relu,
    DepthwiseConv2d(3, stride = 2, padding = same), Relu, Conv2d(32, kernel = 1), Relu,
    DepthwiseConv2d(3, padding = same), Relu, Conv2d(32, kernel = 1), Relu,
    DepthwiseConv2d(3, stride = 2, padding = same), Relu, Conv2d(64, kernel = 1), Relu,
    DepthwiseConv2d(3, padding = same), Relu, Conv2d(64, kernel = 1), Relu,
    DepthwiseConv2d(3, stride = 2, padding = same), Relu, Conv2d(128, kernel = 1), Relu,
    repeat 5 { DepthwiseConv2d(3, padding = same), Relu, Conv2d(128, kernel = 1), Relu },
    DepthwiseConv2d(3, stride = 2, padding = same), Relu, Conv2d(256, kernel = 1), Relu,
    DepthwiseConv2d(3, padding = same), Relu, Conv2d(256, kernel = 1), Relu,
    GlobalAvgPool2d, Dense(2), Softmax,
} }
