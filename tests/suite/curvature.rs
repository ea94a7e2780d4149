//! Products with the Hessian, the Gauss–Newton matrix and the Jacobian, against PyTorch's.

use monomorph::memory::boxed;
use monomorph::prelude::*;
use monomorph::train::Curvature;
use monomorph::{Dual, Parameters};

use crate::attention::Case;

network! { Mlp<T>: [3] -> [2] { Dense(5), Tanh, Dense(5), Tanh, Dense(2) } }
network! { Convolution<T>: [5, 5, 2] -> [3] { Conv2d(4, kernel = 3), Silu, Flatten, Dense(3, bias = false) } }

const PARAMETERS: usize = 62;

fn filled<P: Parameters<Scalar = f64>>(numbers: &[f64]) -> Box<P> {
    let mut parameters = boxed::<P>();
    parameters.as_mut_slice().copy_from_slice(numbers);
    parameters
}

fn assert_near(what: &str, found: &[f64], expected: &[f64]) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (found, expected) in found.iter().zip(expected) {
        assert!((found - expected).abs() < 1e-12, "{what}: {found} is not {expected}");
    }
}

#[test]
fn products_of_a_network_agree_with_pytorch() {
    let case = Case::open("second_mlp");
    let read = |name: &str| case.numbers(name);
    let net = filled::<Mlp<f64>>(&read("parameters"));
    let (v, mut product) = (filled::<Mlp<f64>>(&read("v")), boxed::<Mlp<f64>>());
    let (inputs, targets) = (read("x"), read("target"));
    let x: [[f64; 3]; 6] = core::array::from_fn(|row| core::array::from_fn(|column| inputs[3 * row + column]));
    let y: [[Dual<f64>; 2]; 6] =
        core::array::from_fn(|row| core::array::from_fn(|column| Dual::constant(targets[2 * row + column])));

    let mut curvature = Curvature::<Mlp<f64>, Mlp<Dual<f64>>, 6>::new();
    let loss = curvature.hessian(&Mse, (&x, &y), &net, &v, &mut product).expect("a loss");
    assert_near("loss", &[loss.value], &read("loss"));
    assert_near("H v", product.as_slice(), &read("hvp"));
    let slope = read("gradient").iter().zip(v.as_slice()).map(|(g, v)| g * v).sum();
    assert_near("slope", &loss.derivatives, &[slope]);

    curvature.gauss_newton(&Mse, (&x, &y), &net, &v, &mut product).expect("a loss");
    assert_near("G v", product.as_slice(), &read("gnvp"));

    let outputs = curvature.jacobian(&x, &net, &v);
    let along: Vec<f64> = outputs.iter().flatten().map(|y| y.derivatives[0]).collect();
    assert_near("J v", &along, &read("jvp"));

    let jacobian = read("jacobian");
    for (index, row) in jacobian.chunks(PARAMETERS).enumerate() {
        let mut u = [[0.0; 2]; 6];
        u[index / 2][index % 2] = 1.0;
        curvature.transposed_jacobian(&x, &net, &u, &mut product);
        assert_near("J", product.as_slice(), row);
    }
    let diagonal = read("hessian_diagonal");
    for (index, expected) in diagonal.iter().enumerate() {
        let mut unit = boxed::<Mlp<f64>>();
        unit.as_mut_slice()[index] = 1.0;
        curvature.hessian(&Mse, (&x, &y), &net, &unit, &mut product).expect("a loss");
        assert_near("diagonal", &product.as_slice()[index..=index], &[*expected]);
    }
}

#[test]
fn the_hessian_of_a_convolution_agrees_with_pytorch() {
    let case = Case::open("second_conv");
    let net = filled::<Convolution<f64>>(&case.numbers("parameters"));
    let (v, mut product) = (filled::<Convolution<f64>>(&case.numbers("v")), boxed::<Convolution<f64>>());
    let mut x = boxed::<[[[[f64; 2]; 5]; 5]; 2]>();
    x.as_flattened_mut().as_flattened_mut().as_flattened_mut().copy_from_slice(&case.numbers("x"));
    let target = case.numbers("target");
    let y = [target[0] as u8, target[1] as u8];
    let mut curvature = Curvature::<Convolution<f64>, Convolution<Dual<f64>>, 2>::new();
    let loss = curvature.hessian(&CrossEntropy, (&x, &y), &net, &v, &mut product).expect("a loss");
    assert_near("loss", &[loss.value], &case.numbers("loss"));
    assert_near("H v", product.as_slice(), &case.numbers("hvp"));
    let bad = curvature.hessian(&CrossEntropy, (&x, &[0_u8, 3]), &net, &v, &mut product);
    assert!(bad.is_err_and(|error| error.to_string().contains("class 3")));
}
