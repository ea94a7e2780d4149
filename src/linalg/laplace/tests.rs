use core::f64::consts::TAU;

use super::*;
use crate::parameters::Parameters;
use crate::prelude::{Init, Noise};

crate::network! { Line<T>: [3] -> [1] { Dense(1) } }
crate::network! { Curved<T>: [2] -> [3] { first: Dense(5), Tanh, last: Dense(3) } }

const SAMPLES: usize = 12;
const STRUCTURES: [Structure; 3] = [Structure::Full, Structure::Diagonal, Structure::Kronecker];

fn near(found: f64, expected: f64) {
    assert!((found - expected).abs() < 1e-9 * (1.0 + expected.abs()), "{found} instead of {expected}");
}

/// Bayesian linear regression, whose posterior is known.
#[test]
fn a_line_has_the_exact_posterior_and_evidence() {
    let (deviation, prior) = (0.3, 0.7);
    let mut noise = Noise::new(1);
    let x: [[f64; 3]; SAMPLES] = core::array::from_fn(|_| core::array::from_fn(|_| noise.normal()));
    let design = DMatrix::from_fn(SAMPLES, 4, |row, column| x[row].get(column).copied().unwrap_or(1.0));
    let y = DVector::from_fn(SAMPLES, |row, _| x[row][0] - 2.0 * x[row][2] + 0.5 + deviation * noise.normal());
    let scale = 1.0 / (deviation * deviation);
    let precision = design.tr_mul(&design) * scale + DMatrix::identity(4, 4) * prior;
    let covariance = precision.clone().try_inverse().unwrap();
    let mean = &covariance * design.tr_mul(&y) * scale;
    let mut net = Line::<f64>::zeroed();
    net.dense1.weight = [[mean[0]], [mean[1]], [mean[2]]];
    net.dense1.bias = [mean[3]];

    let at = [0.4, -1.0, 2.0];
    let row = DVector::from_column_slice(&[0.4, -1.0, 2.0, 1.0]);
    // p(y) = N(0, X·Xᵀ/p + σ²).
    let of_data = &design * design.transpose() / prior + DMatrix::identity(SAMPLES, SAMPLES) * (deviation * deviation);
    let distance = y.dot(&(of_data.clone().try_inverse().unwrap() * &y));
    let evidence = -0.5 * (distance + of_data.determinant().ln() + SAMPLES as f64 * TAU.ln());
    let away = &design * &mean - &y;
    let log_likelihood = -0.5 * (away.norm_squared() * scale + SAMPLES as f64 * (TAU / scale).ln());
    // With one output, which is linear, the factors are exact, too.
    for structure in [Structure::Full, Structure::Kronecker] {
        let mut laplace = Laplace::<Line<f64>>::new(structure, "*");
        laplace.observe(&net, Likelihood::Normal { deviation }, &x);
        let mut posterior = laplace.posterior(prior).unwrap();
        let (output, variance) = posterior.predict(&net, &at);
        near(output[0], row.dot(&mean));
        near(variance[(0, 0)], row.dot(&(&covariance * &row)));
        near(posterior.log_evidence(&net, log_likelihood), evidence);
    }
    let mut diagonal = Laplace::<Line<f64>>::new(Structure::Diagonal, "*");
    diagonal.observe(&net, Likelihood::Normal { deviation }, &x);
    let (_, variance) = diagonal.posterior(prior).unwrap().predict(&net, &at);
    near(variance[(0, 0)], (0..4).map(|k| row[k] * row[k] / precision[(k, k)]).sum());

    // Draws of the outputs are distributed so.
    let mut laplace = Laplace::<Line<f64>>::new(Structure::Full, "*");
    laplace.observe(&net, Likelihood::Normal { deviation }, &x);
    let mut posterior = laplace.posterior(prior).unwrap();
    let mut draws = Linearized { network: &net, posterior: &mut posterior, count: 20_000, noise: Noise::new(2) };
    let moments = draws.numbers::<1>(&at);
    let exact = row.dot(&(&covariance * &row));
    assert!((moments.variance()[0] / exact - 1.0).abs() < 0.05 && (moments.mean()[0] - row.dot(&mean)).abs() < 0.01);
}

fn curved() -> Curved<f64> {
    let mut net = Curved::<f64>::zeroed();
    net.initialize(Init::XavierNormal, &mut Noise::new(3));
    net
}

/// The Gauss–Newton matrix of cross-entropy by finite differences of the outputs.
#[test]
fn classes_have_the_curvature_of_the_linearised_network() {
    let net = curved();
    let x = [[0.3, -0.8], [1.0, 0.2], [-0.5, 0.4]];
    let slopes = |input: &[f64; 2]| {
        DMatrix::from_fn(Curved::<f64>::COUNT, 3, |parameter, output| {
            let step = 1e-6;
            let moved = |by: f64| {
                let mut moved = curved();
                moved.as_mut_slice()[parameter] += by;
                crate::network::evaluate(&moved, input)[output]
            };
            (moved(step) - moved(-step)) / (2.0 * step)
        })
    };
    let learned: Vec<usize> = {
        let mut all = Vec::new();
        for_each_tensor(Curved::<f64>::ENTRIES, &mut |_, _, range| all.extend(range));
        all
    };
    let mut precision = DMatrix::identity(learned.len(), learned.len()) * 0.5;
    for input in &x {
        let columns = slopes(input).select_rows(&learned);
        let hessian = Likelihood::Classes.hessian(&DVector::from_column_slice(&crate::network::evaluate(&net, input)));
        precision += &columns * hessian * columns.transpose();
    }
    let columns = slopes(&[0.1, 0.9]).select_rows(&learned);
    let expected = columns.tr_mul(&(precision.clone().try_inverse().unwrap() * &columns));
    let mut laplace = Laplace::<Curved<f64>>::new(Structure::Full, "*");
    laplace.observe(&net, Likelihood::Classes, &x);
    assert_eq!(laplace.parameters(), learned.len());
    let (_, found) = laplace.posterior(0.5).unwrap().predict(&net, &[0.1, 0.9]);
    assert!((&found - &expected).norm() < 1e-6 * expected.norm(), "{found} instead of {expected}");
    let mut diagonal = Laplace::<Curved<f64>>::new(Structure::Diagonal, "*");
    diagonal.observe(&net, Likelihood::Classes, &x);
    let (_, found) = diagonal.posterior(0.5).unwrap().predict(&net, &[0.1, 0.9]);
    let inverse = DMatrix::from_diagonal(&precision.diagonal().map(|x| 1.0 / x));
    let expected = columns.tr_mul(&(inverse * &columns));
    assert!((&found - &expected).norm() < 1e-6 * expected.norm(), "{found} instead of {expected}");
}

/// Of a single sample and a single layer, the product of the factors is the curvature.
#[test]
fn factors_of_one_sample_are_exact() {
    let net = curved();
    let at = [[0.4, 0.6]];
    let of = |structure| {
        let mut laplace = Laplace::<Curved<f64>>::new(structure, "last");
        laplace.observe(&net, Likelihood::Classes, &at);
        assert_eq!(laplace.parameters(), 18);
        laplace.posterior(0.2).unwrap().predict(&net, &[-0.3, 0.7]).1
    };
    let (full, factors) = (of(Structure::Full), of(Structure::Kronecker));
    assert!((&full - &factors).norm() < 1e-9 * full.norm(), "{full} and {factors}");
}

#[test]
fn without_data_there_is_the_prior() {
    let net = curved();
    for structure in STRUCTURES {
        let laplace = Laplace::<Curved<f64>>::new(structure, "last.bias");
        let mut posterior = laplace.posterior(4.0).unwrap();
        let (_, variance) = posterior.predict(&net, &[0.1, 0.2]);
        assert!((variance - DMatrix::identity(3, 3) * 0.25).norm() < 1e-12);
        assert!(laplace.posterior(f64::NAN).is_none());
    }
    assert_eq!(Laplace::<Curved<f64>>::new(Structure::Full, "none").parameters(), 0);
}
