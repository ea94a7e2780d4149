//! Realistic networks: each is declared, trained and evaluated.

use monomorph::prelude::*;
use monomorph::{Layer, Parameters, Real, Tensor};

network! {
    /// LeCun et al., *Gradient-based learning applied to document recognition* (1998).
    pub LeNet5: [28, 28, 1] -> [10] {
        Conv2d(6, kernel = 5, padding = 2), Relu, MaxPool2d(2),
        Conv2d(16, kernel = 5), Relu, MaxPool2d(2),
        Flatten, Dense(120), Relu, Dense(84), Relu, Dense(10),
    }
}

network! {
    /// The image classifier of MLPerf Tiny.
    #[budget(flash = "320 KiB", ram = "220 KiB")]
    pub ResNet8: [32, 32, 3] -> [10] {
        stem: Conv2d(16, kernel = 3, padding = same), BatchNorm, Relu,
        residual { Conv2d(16, kernel = 3, padding = same), BatchNorm, Relu, Conv2d(16, kernel = 3, padding = same), BatchNorm }, Relu,
        residual(shortcut = Conv2d(32, kernel = 1, stride = 2)) {
            Conv2d(32, kernel = 3, stride = 2, padding = same), BatchNorm, Relu, Conv2d(32, kernel = 3, padding = same), BatchNorm,
        }, Relu,
        residual(shortcut = Conv2d(64, kernel = 1, stride = 2)) {
            Conv2d(64, kernel = 3, stride = 2, padding = same), BatchNorm, Relu, Conv2d(64, kernel = 3, padding = same), BatchNorm,
        }, Relu,
        GlobalAvgPool2d, Dense(10),
    }
}

network! {
    /// Howard et al., *MobileNets* (2017), at a quarter of the width.
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
        GlobalAvgPool2d, Dense(2),
    }
}

network! {
    /// Ronneberger et al., *U-Net* (2015): two long skip connections.
    pub UNet: [32, 32, 1] -> [32, 32, 1] {
        let fine = input |> Conv2d(8, kernel = 3, padding = same) |> Relu;
        let middle = fine |> MaxPool2d(2) |> Conv2d(16, kernel = 3, padding = same) |> Relu;
        let coarse = middle |> MaxPool2d(2) |> Conv2d(32, kernel = 3, padding = same) |> Relu;
        let up = concat(middle, coarse |> Upsample2d(2)) |> Conv2d(16, kernel = 3, padding = same) |> Relu;
        concat(fine, up |> Upsample2d(2)) |> Conv2d(8, kernel = 3, padding = same) |> Relu |> Conv2d(1, kernel = 1)
    }
}

network! {
    /// Szegedy et al., *Going deeper with convolutions* (2015): one block.
    pub Inception: [14, 14, 16] -> [5] {
        concat {
            { Conv2d(8, kernel = 1), Relu }
            { Conv2d(4, kernel = 1), Relu, Conv2d(8, kernel = 3, padding = same), Relu }
            { Conv2d(2, kernel = 1), Relu, Conv2d(4, kernel = 5, padding = same), Relu }
            { MaxPool2d(3, stride = 1, padding = same), Conv2d(4, kernel = 1), Relu }
        },
        GlobalAvgPool2d, Dense(5),
    }
}

network! {
    /// Wang et al., *Dueling network architectures* (2016).
    pub Dueling(observation: [8]) -> (advantage: [4], value: [1]) {
        let trunk = observation |> Dense(32) |> Relu |> Dense(32) |> Relu;
        let advantage = trunk |> Dense(16) |> Relu |> Dense(4);
        let value = trunk |> Dense(16) |> Relu |> Dense(1);
    }
}

network! { pub Eye: [12, 12, 1] -> [8] { Conv2d(4, kernel = 3), Relu, MaxPool2d(2), Flatten, Dense(8), Tanh } }
network! {
    /// Bromley et al., *Signature verification using a Siamese time delay neural network* (1993).
    pub Siamese(first: [12, 12, 1], second: [12, 12, 1]) -> [1] {
        let a = first |> eye: Eye;
        let b = second |> eye;
        concat(a, b, multiply(a, b)) |> Dense(8) |> Relu |> Dense(1)
    }
}

network! { pub Encoder: [64] -> [4] { Dense(16), Relu, Dense(4) } }
network! { pub Autoencoder: [64] -> [64] { encoder: Encoder, Dense(16), Relu, Dense(64) } }

/// Trains on one batch until the loss has fallen, and evaluates; returns the network.
fn learns<N, Y, L>(loss: L, targets: [Y; 2]) -> Box<N>
where
    N: Network<Scalar: Real, Input: Tensor<Element = N::Scalar>> + Trainable,
    L: Loss<N::Scalar, N::Output, Y>,
{
    let mut noise = Noise::new(6);
    let mut net = monomorph::memory::boxed::<N>();
    net.initialize(Init::KaimingNormal, &mut noise);
    let mut input = monomorph::memory::boxed::<[N::Input; 2]>();
    for sample in input.iter_mut() {
        sample.numbers_mut().fill_with(|| monomorph::Scalar::from_f64(noise.uniform()));
    }
    let mut trainer = Trainer::<N, _, 2>::new(Adam::default(), loss);
    let losses: Vec<N::Scalar> =
        (0..3).map(|_| trainer.step(&mut net, &input, &targets).expect("a step").loss).collect();
    assert!(losses[2] < losses[0], "{}: {losses:?}", N::NAME);
    let output = monomorph::network::evaluate(&*net, &input[0]);
    assert!(output.numbers().iter().all(|number| monomorph::Scalar::is_finite(*number)));
    net
}

#[test]
fn classifiers() {
    learns::<LeNet5, _, _>(CrossEntropy, [3_u8, 8]);
    learns::<ResNet8, _, _>(CrossEntropy, [3_u8, 8]);
    learns::<MobileNet, _, _>(CrossEntropy, [0_u8, 1]);
    learns::<Inception, _, _>(CrossEntropy, [4_u8, 1]);
    // The published count has batch norms folded; here each has 4 numbers per channel.
    assert_eq!(ResNet8::PARAMS, 77_706 + 4 * (3 * 16 + 2 * 32 + 2 * 64));
    assert_eq!(MobileNet::PARAMS, 210_850);
}

#[test]
fn an_image_to_an_image() {
    learns::<UNet, _, _>(Mse, [[[[1.0]; 32]; 32], [[[0.0]; 32]; 32]]);
}

#[test]
fn two_outputs() {
    let target = DuelingOutput { advantage: [1.0, 0.0, -1.0, 0.5], value: [2.0] };
    let net = learns::<Dueling, _, _>(Mse, [target, target]);
    let output = net.evaluate(&[0.1; 8]);
    let q = output.advantage.map(|advantage| output.value[0] + advantage);
    assert!(q.iter().all(|q| q.is_finite()));
}

#[test]
fn one_layer_twice() {
    let net = learns::<Siamese, _, _>(BceWithLogits, [[1.0], [0.0]]);
    assert_eq!(Siamese::PARAMS, Eye::PARAMS + (24 * 8 + 8) + (8 + 1));
    let _ = net.eye.evaluate(&[[[0.5]; 12]; 12]);
}

/// The encoder of a trained autoencoder is a network of its own.
#[test]
fn a_part_used_alone() {
    let net = learns::<Autoencoder, _, _>(Mse, [[0.5; 64], [0.25; 64]]);
    let code: [f32; 4] = net.encoder.evaluate(&[0.5; 64]);
    assert!(code.iter().all(|number| number.is_finite()));
    let _: <Encoder as Layer>::Output = code;
    assert_eq!(net.encoder.as_slice().len(), Encoder::PARAMS);
}
