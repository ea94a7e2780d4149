//! Products with the Hessian, the Gauss–Newton matrix and the Jacobian, against PyTorch's.

use monomorph::memory::boxed;
use monomorph::prelude::*;
use monomorph::train::{Curvature, GradientPenalty, Lanczos};
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
    let expected = read("hessian_diagonal");
    curvature.hessian_diagonal(&Mse, (&x, &y), &net, &mut product).expect("a loss");
    assert_near("diagonal", product.as_slice(), &expected);

    // Matrices of nalgebra.
    let matrix = curvature.jacobian_matrix(&x, &net);
    assert_near("J", matrix.transpose().as_slice(), &jacobian);
    let hessian = curvature.hessian_matrix(&Mse, (&x, &y), &net).expect("a loss");
    assert_near("diagonal", hessian.diagonal().as_slice(), &expected);
    assert!((&hessian - hessian.transpose()).amax() < 1e-13, "a Hessian is symmetric");
    let direction = nalgebra::DVector::from_column_slice(v.as_slice());
    assert_near("H v", (&hessian * &direction).as_slice(), &read("hvp"));
    let gauss_newton = curvature.gauss_newton_matrix(&Mse, (&x, &y), &net).expect("a loss");
    assert_near("G v", (&gauss_newton * &direction).as_slice(), &read("gnvp"));
    // The mean of twelve squares.
    let squares = matrix.transpose() * &matrix * (2.0 / 12.0);
    assert!((&gauss_newton - squares).amax() < 1e-13, "G is 2/12 JᵀJ");

    // An estimate is near, as far as the matrix says; after n probes the deviation of entry i is √(Σ Hᵢⱼ² / n).
    let probes = 400;
    let mut estimate = boxed::<Mlp<f64>>();
    let mut noise = Noise::new(3);
    curvature.estimate_hessian_diagonal(&Mse, (&x, &y), &net, probes, &mut noise, &mut estimate).expect("a loss");
    for (index, (estimate, expected)) in estimate.as_slice().iter().zip(&expected).enumerate() {
        let others: f64 = hessian.row(index).iter().map(|h| h * h).sum::<f64>() - expected * expected;
        let deviation = (others.max(0.0) / probes as f64).sqrt();
        assert!((estimate - expected).abs() < 4.5 * deviation + 1e-12, "{index}: {estimate} is not near {expected}");
    }

    // All eigenvalues that differ, and few steps for the largest one.
    let mut eigenvalues = hessian.symmetric_eigenvalues().as_slice().to_vec();
    eigenvalues.sort_by(|a, b| b.total_cmp(a));
    let mut lanczos = Lanczos::<Mlp<f64>, 30>::new();
    let run = |v: &Mlp<f64>, to: &mut Mlp<f64>| curvature.hessian(&Mse, (&x, &y), &net, v, to).map(|_| ());
    lanczos.run(&mut Noise::new(1), run).expect("products");
    assert_near("largest", &lanczos.eigenvalues()[..3], &eigenvalues[..3]);
    assert_near("smallest", &lanczos.eigenvalues()[29..], &eigenvalues[PARAMETERS - 1..]);
    assert!(lanczos.errors()[..3].iter().all(|error| *error < 1e-8));
    let mut vector = boxed::<Mlp<f64>>();
    lanczos.eigenvector(0, &mut vector);
    let vector = nalgebra::DVector::from_column_slice(vector.as_slice());
    assert!((&hessian * &vector - eigenvalues[0] * &vector).amax() < 1e-9, "an eigenvector");
}

network! { Critic<T>: [3] -> [1] { Dense(5), Tanh, Dense(4), Softplus, Dense(1) } }
network! { Picture<T>: [5, 5, 1] -> [3] { Conv2d(2, kernel = 3), Tanh, Flatten, Dense(3) } }

/// The derivative of `f` by each parameter by differences (Richardson), against `gradient`.
fn assert_gradient<N: Network<Scalar = f64>>(net: &mut N, gradient: &[f64], mut f: impl FnMut(&N) -> f64) {
    for index in 0..N::COUNT {
        let value = net.as_slice()[index];
        let mut slope = |step: f64| {
            net.as_mut_slice()[index] = value + step;
            let above = f(net);
            net.as_mut_slice()[index] = value - step;
            let below = f(net);
            net.as_mut_slice()[index] = value;
            (above - below) / (2.0 * step)
        };
        let expected = (4.0 * slope(5e-4) - slope(1e-3)) / 3.0;
        let found = gradient[index];
        assert!((found - expected).abs() < 1e-8 * (1.0 + expected.abs()), "{index}: {found} is not {expected}");
    }
}

#[test]
fn gradients_of_gradient_penalties_are_exact() {
    let mut noise = Noise::new(4);
    let mut net = boxed::<Critic<f64>>();
    net.initialize(Init::default(), &mut noise);
    let x: [[f64; 3]; 5] = core::array::from_fn(|_| core::array::from_fn(|_| noise.normal()));
    let mut gradient = boxed::<Critic<f64>>();
    let mut unused = boxed::<Critic<f64>>();
    for (weight, norm) in [(10.0, 1.0), (0.5, 0.0)] {
        let mut penalty = GradientPenalty::<Critic<f64>, Critic<Dual<f64>>, 5>::new(weight, norm);
        gradient.as_mut_slice().fill(0.0);
        let value = penalty.of_outputs(&x, &net, &mut gradient);
        // By differences of the outputs.
        let slope = |sample: usize, axis: usize| {
            let at = |step: f64| {
                let mut x = x[sample];
                x[axis] += step;
                net.evaluate(&x)[0]
            };
            (at(1e-5) - at(-1e-5)) / 2e-5
        };
        let norms = (0..5).map(|sample| (0..3).map(|axis| slope(sample, axis).powi(2)).sum::<f64>().sqrt());
        let expected = norms.map(|length| weight * (length - norm).powi(2)).sum::<f64>() / 5.0;
        assert!((value - expected).abs() < 1e-8, "{value} is not {expected}");
        assert_gradient(&mut *net, gradient.as_slice(), |net| penalty.of_outputs(&x, net, &mut unused));
    }
}

#[test]
fn gradients_of_penalties_on_the_slope_of_a_loss_are_exact() {
    let mut noise = Noise::new(5);
    let mut net = boxed::<Picture<f64>>();
    net.initialize(Init::default(), &mut noise);
    let mut x = boxed::<[[[[f64; 1]; 5]; 5]; 3]>();
    x.as_flattened_mut().as_flattened_mut().as_flattened_mut().fill_with(|| noise.normal());
    let y = [0_u8, 2, 1];
    let (mut gradient, mut unused) = (boxed::<Picture<f64>>(), boxed::<Picture<f64>>());
    let mut penalty = GradientPenalty::<Picture<f64>, Picture<Dual<f64>>, 3>::new(0.3, 0.0);
    let (loss, value) = penalty.of_loss(&CrossEntropy, (&x, &y), &net, &mut gradient).expect("a loss");
    assert!(loss > 0.0 && value > 0.0);
    assert_gradient(&mut *net, gradient.as_slice(), |net| {
        let (loss, value) = penalty.of_loss(&CrossEntropy, (&x, &y), net, &mut unused).expect("a loss");
        loss + value
    });
    let refused = penalty.of_loss(&CrossEntropy, (&x, &[0_u8, 3, 1]), &net, &mut unused);
    assert!(refused.is_err_and(|error| error.to_string().contains("class 3")));

    // The slope of each sample is that of its own loss: three batches of one sample have the same penalties.
    let mut alone = GradientPenalty::<Picture<f64>, Picture<Dual<f64>>, 1>::new(0.3, 0.0);
    let penalties = x.iter().zip(y).map(|(x, y)| {
        let x: &[_; 1] = core::array::from_ref(x);
        alone.of_loss(&CrossEntropy, (x, &[y]), &net, &mut unused).expect("a loss").1
    });
    let mean = penalties.sum::<f64>() / 3.0;
    assert!((mean - value).abs() < 1e-14, "{mean} is not {value}");
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
