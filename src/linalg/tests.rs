use super::*;
use crate::layers::Dense;
use crate::network;
use crate::network::Network as _;
use crate::noise::Noise;
use crate::prelude::Init;
use std::vec::Vec;

fn random<const R: usize, const C: usize>(seed: u64) -> [[f64; C]; R] {
    let mut noise = Noise::new(seed);
    core::array::from_fn(|_| core::array::from_fn(|_| noise.normal()))
}

#[test]
fn norms_and_conditions() {
    // The singular values of [[1, 2], [3, 4]].
    let root = (15.0_f64 * 15.0 - 4.0).sqrt();
    let spectrum = Spectrum::of(&[[1.0_f32, 2.0], [3.0, 4.0]]);
    let expected = [(15.0 + root).sqrt(), (15.0 - root).sqrt()];
    for (value, expected) in spectrum.values().iter().zip(expected) {
        assert!((value - expected).abs() < 1e-12);
    }
    assert!((spectrum.frobenius_norm() - 30.0_f64.sqrt()).abs() < 1e-12);
    assert!((spectrum.condition() - expected[0] / expected[1]).abs() < 1e-10);
    assert_eq!((spectrum.rank(), spectrum.rank_for(0.99), spectrum.rank_for(1.0)), (2, 1, 2));
    let singular = Spectrum::of(&[[1.0, 2.0, 3.0], [2.0, 4.0, 6.0]]);
    assert_eq!((singular.condition(), singular.rank()), (f64::INFINITY, 1));
    assert_eq!(Spectrum::of(&[[0.0_f32; 0]; 3]).spectral_norm(), 0.0);
    assert_eq!(Spectrum::of(&[[0.0; 3]; 3]).condition(), f64::INFINITY);
}

network! { Whole<T>: [6, 6, 2] -> [3] { Conv2d(17, kernel = 3, stride = 2), Relu, Flatten, Dense(3) } }
network! { Parts<T>: [6, 6, 2] -> [3] {
    Conv2d(17, kernel = 3, stride = 2, bias = false), Conv2d(17, kernel = 1), Relu, Flatten, Dense(3, bias = false), Dense(3)
} }
network! { Mixer: [3, 4] -> [3, 4] { SelfAttention(heads = 2) } }

#[test]
fn factors_of_full_rank_are_the_same_network() {
    let (mut whole, mut parts) = (Whole::<f64>::zeroed(), Parts::<f64>::zeroed());
    whole.initialize(Init::default(), &mut Noise::new(1));
    whole.conv1.bias = [0.1; 17];
    whole.dense1.bias = [0.2, 0.3, 0.4];
    let conv = factor(&whole.conv1.weight, &mut parts.conv1.weight, &mut parts.conv2.weight);
    let dense = factor(&whole.dense1.weight, &mut parts.dense1.weight, &mut parts.dense2.weight);
    (parts.conv2.bias, parts.dense2.bias) = (whole.conv1.bias, whole.dense1.bias);
    assert!(conv.relative < 1e-12 && dense.error < 1e-12 && conv.spectral < 1e-12);
    let mut noise = Noise::new(2);
    let image: [[[f64; 2]; 6]; 6] =
        core::array::from_fn(|_| core::array::from_fn(|_| [noise.normal(), noise.normal()]));
    for (a, b) in parts.evaluate(&image).iter().zip(whole.evaluate(&image)) {
        assert!((a - b).abs() < 1e-12, "{a} {b}");
    }
}

#[test]
fn errors_are_what_is_left_out() {
    let whole = random::<33, 17>(3);
    let spectrum = Spectrum::of(&whole);
    for rank in [0, 1, 3, 16, 17, 40] {
        let mut weight = whole;
        let factored = truncate(&mut weight, rank);
        let difference: [[f64; 17]; 33] =
            core::array::from_fn(|i| core::array::from_fn(|j| whole[i][j] - weight[i][j]));
        let of = Spectrum::of(&difference);
        assert!((of.frobenius_norm() - factored.error).abs() < 1e-12, "{rank}");
        assert!((of.spectral_norm() - factored.spectral).abs() < 1e-12, "{rank}");
        assert!((factored.relative - factored.error / spectrum.frobenius_norm()).abs() < 1e-14);
        assert!(rank > 17 || Spectrum::of(&weight).rank() == rank);
    }
}

#[test]
fn every_weight_is_a_matrix() {
    let mut names = Vec::new();
    for_each_matrix(&Mixer::zeroed(), |name, matrix| names.push(std::format!("{name} {:?}", matrix.shape())));
    assert_eq!(names, ["wq", "wk", "wv", "wo"].map(|name| std::format!("attention1.{name} (4, 4)")));
    let mut net = Whole::<f32>::zeroed();
    matrix_mut(&mut net.conv1.weight)[(16, 17)] = 5.0;
    assert_eq!((net.conv1.weight[2][2][1][16], matrix(&net.conv1.weight).shape()), (5.0, (17, 18)));
    assert_eq!(matrix(&net.conv1.bias).shape(), (17, 1));
}

type Map = Dense<[f64; 3], [[f64; 3]; 3], [f64; 3]>;

#[test]
fn components_are_uncorrelated() {
    // Well conditioned, so that rounding stays far below what is compared.
    let mix = [[2.0, 0.5, -0.3], [0.1, 1.5, 0.4], [-0.6, 0.2, 1.0]];
    let mut noise = Noise::new(6);
    let samples: Vec<[f64; 3]> = (0..600)
        .map(|_| {
            let source = [noise.normal(), 2.0 * noise.normal(), 0.1 * noise.normal()];
            core::array::from_fn(|i| 7.0 + (0..3).map(|j| mix[i][j] * source[j]).sum::<f64>())
        })
        .collect();
    let components = Components::of(&samples);
    let mut dense: Map = crate::memory::zeroed();
    let through = |dense: &Map| -> nalgebra::DMatrix<f64> {
        covariance(&samples.iter().map(|x| crate::layer::evaluate(dense, &[*x])[0]).collect::<Vec<[f64; 3]>>())
    };
    components.whiten(&mut dense.weight, &mut dense.bias);
    assert!((through(&dense) - nalgebra::DMatrix::identity(3, 3)).norm() < 1e-9);
    components.project(&mut dense.weight, &mut dense.bias);
    let variances = nalgebra::DMatrix::from_diagonal(&nalgebra::DVector::from_row_slice(components.variances()));
    assert!((through(&dense) - variances).norm() < 1e-9);
    assert!(components.variances().is_sorted_by(|a, b| a >= b));
    assert!((components.explained(3) - 1.0).abs() < 1e-12 && components.explained(0) == 0.0);
    // A third component without variance is 0.
    let flat: Vec<[f64; 3]> = samples.iter().map(|[x, y, _]| [*x, *y, 1.0]).collect();
    Components::of(&flat).whiten(&mut dense.weight, &mut dense.bias);
    assert!(flat.iter().all(|x| crate::layer::evaluate(&dense, &[*x])[0][2] == 0.0));
}
