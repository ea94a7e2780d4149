use std::format;
use std::vec::Vec;

use super::*;
use crate::Parameters;
use crate::init::Init;
use crate::loss::{CrossEntropy, Loss, Mse};
use crate::network;
use crate::optim::{Kfac, Lbfgs, LevenbergMarquardt, NewtonCg, TrustRegion, kfac_numbers};

network! { Line<T>: [3] -> [2] { Dense(2) } }
network! { Curve<T>: [1] -> [1] { Dense(5), Tanh, Dense(1) } }
network! { Wide<T>: [1] -> [1] { Dense(10), Tanh, Dense(1) } }
network! { Classes<T>: [2] -> [3] { Dense(4), Tanh, Dense(3) } }

type Real = Line<f64>;
type Exact = Line<Dual<f64>>;

const MATRICES: [Matrix; 2] = [Matrix::Hessian, Matrix::GaussNewton];

/// Points and values of a line.
fn line() -> ([[f64; 3]; 7], [[f64; 2]; 7]) {
    let mut noise = Noise::new(3);
    let x: [[f64; 3]; 7] = core::array::from_fn(|_| core::array::from_fn(|_| noise.normal()));
    (x, x.map(|[a, b, c]| [a - 2.0 * b + 0.5 * c + 1.0, 3.0 * c - b]))
}

fn curve() -> ([[f64; 1]; 20], [[f64; 1]; 20]) {
    let x: [[f64; 1]; 20] = core::array::from_fn(|n| [n as f64 / 10.0 - 1.0]);
    (x, x.map(|[x]| [libm::sin(3.0 * x)]))
}

/// The loss before each of these steps.
fn losses<N, D, O, Y, L, const B: usize>(
    (optimizer, loss): (O, L),
    (x, y): (&[N::Input; B], &[Y; B]),
    steps: usize,
    seed: u64,
) -> Vec<f64>
where
    N: Network<Scalar = f64, Input: Tensor<Element = f64>> + Trainable,
    D: Network<Scalar = Dual<f64>, Input: Tensor<Element = Dual<f64>>>,
    O: Optimizer<f64>,
    Y: Target<D>,
    L: Loss<f64, N::Output, Y> + Loss<Dual<f64>, D::Output, Y::Dual>,
{
    let mut net = memory::boxed::<N>();
    net.initialize(Init::default(), &mut Noise::new(seed));
    let mut trainer = SecondOrder::<N, D, (O, L), B>::new(optimizer, loss);
    (0..steps).map_while(|_| trainer.step(&mut net, x, y).ok()).map(|step| step.loss).collect()
}

#[test]
fn one_step_solves_what_is_quadratic() {
    let (x, y) = line();
    for matrix in MATRICES {
        // Conjugate gradients end early where the minimum is far.
        let newton = NewtonCg { matrix, ..NewtonCg::default() };
        let found = losses::<Real, Exact, _, _, _, 7>((newton, Mse), (&x, &y), 12, 1);
        assert!(found.iter().any(|loss| *loss < 1e-25), "{found:?}");
        let region = TrustRegion { matrix, radius: 100.0, tolerance: 1e-9, ..TrustRegion::default() };
        let found = losses::<Real, Exact, _, _, _, 7>((region, Mse), (&x, &y), 2, 1);
        assert!(found[1] < 1e-15, "{found:?}");
    }
    let method = LevenbergMarquardt::<{ Real::COUNT }> { damping: 1e-14, ..LevenbergMarquardt::default() };
    let found = losses::<Real, Exact, _, _, _, 7>((method, Mse), (&x, &y), 2, 1);
    assert!(found[1] < 1e-20, "{found:?}");
}

#[test]
fn a_small_network_is_fitted_to_ten_digits() {
    let x: [[f64; 1]; 30] = core::array::from_fn(|n| [n as f64 / 15.0 - 1.0]);
    let y = x.map(|[x]| [libm::sin(3.0 * x) * libm::exp(-x)]);
    let mut net = memory::boxed::<Wide<f64>>();
    net.initialize(Init::default(), &mut Noise::new(1));
    let method = LevenbergMarquardt::<{ Wide::<f64>::COUNT }>::default();
    let mut trainer = SecondOrder::<Wide<f64>, Wide<Dual<f64>>, _, 30>::new(method, Mse);
    let mut step = || trainer.step(&mut net, &x, &y).map(|step| step.loss);
    assert!((0..1000).any(|_| step().expect("a step") < 1e-10));
}

#[test]
fn all_methods_make_the_loss_smaller_each_step() {
    let (x, y) = curve();
    let falls = |what: &str, found: Vec<f64>| {
        assert!(found.is_sorted_by(|a, b| a >= b), "{what}: {found:?}");
        // One draw a sample says less than the whole matrix.
        let enough = if what.ends_with("Fisher") { 5e-3 } else { 1e-3 };
        assert!(found.last().is_some_and(|loss| *loss < enough), "{what}: {found:?}");
    };
    for matrix in [Matrix::Hessian, Matrix::GaussNewton, Matrix::Fisher] {
        let damping = if matrix == Matrix::Fisher { 1e-3 } else { 0.0 };
        let newton = NewtonCg { matrix, damping, ..NewtonCg::default() };
        let what = format!("Newton {matrix:?}");
        falls(&what, losses::<Curve<f64>, Curve<Dual<f64>>, _, _, _, 20>((newton, Mse), (&x, &y), 60, 1));
        let region = TrustRegion { matrix, ..TrustRegion::default() };
        let what = format!("region {matrix:?}");
        falls(&what, losses::<Curve<f64>, Curve<Dual<f64>>, _, _, _, 20>((region, Mse), (&x, &y), 60, 1));
    }
    let lbfgs = Lbfgs::<10>::default();
    falls("L-BFGS", losses::<Curve<f64>, Curve<Dual<f64>>, _, _, _, 20>((lbfgs, Mse), (&x, &y), 200, 1));
}

/// An optimizer that looks at the batch of a step.
macro_rules! look {
    (|$objective:ident, $parameters:ident| $do:block) => {{
        struct Look;
        impl Optimizer<f64> for Look {
            type Memory<N: Parameters<Scalar = f64>> = [N; 0];
            fn update<N: Parameters<Scalar = f64>, S: Simd>(
                &self,
                _: S,
                _: u64,
                _: f64,
                _: f64,
                _: &mut N,
                _: &N,
                _: &mut [N; 0],
            ) {
            }
            fn step<N: Parameters<Scalar = f64>, S: Simd>(
                &self,
                _: S,
                _: u64,
                _: f64,
                _: f64,
                $parameters: &mut N,
                $objective: &mut impl Objective<N>,
                _: &mut [N; 0],
            ) -> Result<(), OptimizerError> {
                $do
            }
        }
        Look
    }};
}

fn near(what: &str, found: &[f64], expected: &[f64], allowed: f64) {
    for (found, expected) in found.iter().zip(expected) {
        assert!((found - expected).abs() <= allowed, "{what}: {found} is not {expected}");
    }
}

#[test]
fn rows_are_those_of_the_gauss_newton_matrix_and_of_the_gradient() {
    let look = look!(|objective, parameters| {
        let (mut v, mut product) = (memory::boxed::<N>(), memory::boxed::<N>());
        let mut noise = Noise::new(9);
        v.as_mut_slice().iter_mut().for_each(|v| *v = noise.normal());
        let (mut of_rows, mut gradient) = (memory::boxed::<N>(), memory::boxed::<N>());
        objective.rows(parameters, &mut |a: &N, b| {
            let along: f64 = a.as_slice().iter().zip(v.as_slice()).map(|(a, v)| a * v).sum();
            for ((to, gradient), a) in of_rows.as_mut_slice().iter_mut().zip(gradient.as_mut_slice()).zip(a.as_slice())
            {
                *to += along * a;
                *gradient -= b * a;
            }
        })?;
        objective.product(Matrix::GaussNewton, parameters, &v, &mut product)?;
        near("product", of_rows.as_slice(), product.as_slice(), 1e-12);
        near("gradient", gradient.as_slice(), objective.gradient().as_slice(), 1e-12);
        Ok(())
    });
    let (x, y) = line();
    let found = losses::<Real, Exact, _, _, _, 7>((look, Mse), (&x, &y), 1, 1);
    assert_eq!(found.len(), 1);
    let look = look!(|objective, parameters| {
        let mut rows = 0;
        objective.rows(parameters, &mut |_: &N, _| rows += 1)?;
        // Of three classes, two are free.
        assert_eq!(rows, 2 * 5);
        Ok(())
    });
    let x = core::array::from_fn(|n| [n as f64 - 2.0, (n * n) as f64 / 9.0]);
    assert_eq!(
        losses::<Classes<f64>, Classes<Dual<f64>>, _, _, _, 5>((look, CrossEntropy), (&x, &[0_u8, 1, 2, 1, 0]), 1, 1)
            .len(),
        1
    );
}

#[test]
fn fisher_is_gauss_newton_on_average() {
    // The mean over many draws of products along one direction.
    std::thread_local! { static SUM: core::cell::Cell<f64> = const { core::cell::Cell::new(0.0) } }
    let mut net = memory::boxed::<Classes<f64>>();
    net.initialize(Init::default(), &mut Noise::new(2));
    let look = look!(|objective, parameters| {
        let (mut v, mut product) = (memory::boxed::<N>(), memory::boxed::<N>());
        let mut noise = Noise::new(4);
        v.as_mut_slice().iter_mut().for_each(|v| *v = noise.normal());
        objective.product(Matrix::GaussNewton, parameters, &v, &mut product)?;
        let exact: f64 = product.as_slice().iter().zip(v.as_slice()).map(|(p, v)| p * v).sum();
        objective.product(Matrix::Fisher, parameters, &v, &mut product)?;
        let drawn: f64 = product.as_slice().iter().zip(v.as_slice()).map(|(p, v)| p * v).sum();
        // Within a step it is the same matrix.
        let before = product.as_slice().to_vec();
        objective.product(Matrix::Fisher, parameters, &v, &mut product)?;
        assert_eq!(before, product.as_slice());
        SUM.with(|sum| sum.set(sum.get() + drawn / exact));
        Ok(())
    });
    let x = core::array::from_fn(|n| [n as f64 - 2.0, (n * n) as f64 / 9.0]);
    let mut trainer = SecondOrder::<Classes<f64>, Classes<Dual<f64>>, _, 5>::new(look, CrossEntropy);
    for _ in 0..2000 {
        trainer.step(&mut net, &x, &[0_u8, 1, 2, 1, 0]).expect("a step");
    }
    let mean = SUM.with(|sum| sum.get()) / 2000.0;
    assert!((mean - 1.0).abs() < 0.1, "{mean}");
}

#[test]
fn a_trainer_without_second_derivatives_says_so() {
    let (x, y) = line();
    let mut net = memory::boxed::<Real>();
    let mut trainer = crate::train::Trainer::<Real, _, 7>::new(NewtonCg::default(), Mse);
    let error = trainer.step(&mut net, &x, &y).unwrap_err();
    assert_eq!(error, TrainError::Refused(OptimizerError::NoCurvature));
    assert!(std::string::ToString::to_string(&error).contains("train::SecondOrder"), "{error}");
    assert!(net.as_slice().iter().all(|p| *p == 0.0));
}

network! { Seen<T>: [4, 4, 1] -> [2] { Conv2d(3, kernel = 3, padding = same), Tanh, Flatten, Dense(2) } }

#[test]
fn kfac_trains_dense_layers_and_convolutions() {
    let (x, y) = curve();
    let kfac = Kfac::<{ kfac_numbers(Curve::<f64>::ENTRIES) }>::default();
    assert_eq!(kfac_numbers(Curve::<f64>::ENTRIES), (4 + 25) + (36 + 1));
    let found = losses::<Curve<f64>, Curve<Dual<f64>>, _, _, _, 20>((kfac, Mse), (&x, &y), 150, 1);
    assert!(found.is_sorted_by(|a, b| a >= b), "{found:?}");
    assert!(found.last().is_some_and(|loss| *loss < 5e-3), "{found:?}");

    let mut noise = Noise::new(8);
    let x: [[[[f64; 1]; 4]; 4]; 10] =
        core::array::from_fn(|_| core::array::from_fn(|_| core::array::from_fn(|_| [noise.normal()])));
    let y: [u8; 10] = core::array::from_fn(|n| (n % 2) as u8);
    let kfac = Kfac::<{ kfac_numbers(Seen::<f64>::ENTRIES) }>::default();
    let found = losses::<Seen<f64>, Seen<Dual<f64>>, _, _, _, 10>((kfac, CrossEntropy), (&x, &y), 60, 1);
    assert!(found.is_sorted_by(|a, b| a >= b), "{found:?}");
    assert!(found.last().is_some_and(|loss| *loss < 1e-2), "{found:?}");
}
