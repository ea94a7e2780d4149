use std::vec::Vec;

use nalgebra::{Matrix1, Matrix2, Matrix3, Matrix3x1, RowVector2, SMatrix, SVector, Vector1, Vector2, Vector3};

use super::{Gaussian, NotPositive, Spread, SquareRoot, linearize, smooth};
use crate::dual::Dual;
use crate::noise::Noise;
use crate::scalar::Real;
use crate::weights::Checkpoint;

fn close<const R: usize, const C: usize>(found: &SMatrix<f64, R, C>, expected: &SMatrix<f64, R, C>, tolerance: f64) {
    for (found, expected) in found.iter().zip(expected) {
        assert!((found - expected).abs() <= tolerance * (1.0 + expected.abs()), "{found} is not {expected}");
    }
}

fn alike<const N: usize>(found: &Gaussian<f64, N>, expected: &Gaussian<f64, N>, tolerance: f64) {
    close(&found.mean, &expected.mean, tolerance);
    close(&found.covariance, &expected.covariance, tolerance);
}

/// A random linear model.
struct Model<const N: usize, const M: usize> {
    f: SMatrix<f64, N, N>,
    q: SMatrix<f64, N, N>,
    h: SMatrix<f64, M, N>,
    r: SMatrix<f64, M, M>,
    start: Gaussian<f64, N>,
}

fn random<const R: usize, const C: usize>(noise: &mut Noise) -> SMatrix<f64, R, C> {
    SMatrix::from_fn(|_, _| noise.normal())
}

fn covariance<const N: usize>(noise: &mut Noise) -> SMatrix<f64, N, N> {
    let root: SMatrix<f64, N, N> = random(noise);
    let product = root * root.transpose() + SMatrix::identity() * 0.1;
    (product + product.transpose()) * 0.5
}

impl<const N: usize, const M: usize> Model<N, M> {
    fn new(noise: &mut Noise) -> Self {
        Self {
            f: random::<N, N>(noise) * (0.9 / (N as f64).sqrt()),
            q: covariance(noise) * 0.1,
            h: random(noise),
            r: covariance(noise),
            start: Gaussian { mean: random(noise), covariance: covariance(noise) },
        }
    }

    fn moved<T: Real + nalgebra::Scalar>(&self, x: [T; N]) -> [T; N] {
        times(&self.f, x)
    }

    fn measured<T: Real + nalgebra::Scalar>(&self, x: [T; N]) -> [T; M] {
        times(&self.h, x)
    }
}

fn times<T: Real, const R: usize, const C: usize>(a: &SMatrix<f64, R, C>, x: [T; C]) -> [T; R] {
    core::array::from_fn(|row| {
        let mut sum = T::ZERO;
        for (column, x) in x.iter().enumerate() {
            sum += T::from_f64(a[(row, column)]) * *x;
        }
        sum
    })
}

/// All filters on a linear model are one filter.
fn filters_agree<const N: usize, const M: usize>(seed: u64) {
    let mut noise = Noise::new(seed);
    let model = Model::<N, M>::new(&mut noise);
    let mut plain = model.start;
    let (mut extended, mut unscented, mut cubature) = (plain, plain, plain);
    let mut root = SquareRoot::try_from(plain).unwrap();
    let mut root_extended = root;
    let points = Spread { alpha: 1.0, beta: 0.0, kappa: 0.0 };
    let (f, h) = (|x| model.moved::<Dual<f64, N>>(x), |x| model.measured::<Dual<f64, N>>(x));
    for _ in 0..40 {
        let z: SVector<f64, M> = random(&mut noise);
        // The textbook's lines, on nalgebra.
        let p = model.f * plain.covariance * model.f.transpose() + model.q;
        let x = model.f * plain.mean;
        let s = model.h * p * model.h.transpose() + model.r;
        let cholesky = s.cholesky().unwrap();
        let (inverse, determinant) = (cholesky.inverse(), 2.0 * cholesky.l().diagonal().map(f64::ln).sum());
        let gain = p * model.h.transpose() * inverse;
        let y = z - model.h * x;
        let expected = Gaussian { mean: x + gain * y, covariance: p - gain * s * gain.transpose() };
        let likelihood =
            -0.5 * ((y.transpose() * inverse * y)[0] + determinant + M as f64 * core::f64::consts::TAU.ln());

        plain.predict(&model.f, &model.q);
        let innovation = plain.update(&model.h, &z, &model.r).unwrap();
        alike(&plain, &expected, 1e-11);
        close(&innovation.covariance, &s, 1e-12);
        close(&innovation.residual, &y, 1e-12);
        assert!((innovation.log_likelihood() - likelihood).abs() < 1e-10);

        assert_eq!(extended.predict_extended(f, &model.q), model.f);
        assert_eq!(extended.update_extended(h, &z, &model.r).unwrap(), innovation);
        alike(&extended, &plain, 1e-13);
        unscented.predict_unscented(Spread::default(), |x| model.moved(x), &model.q).unwrap();
        unscented.update_unscented(Spread::default(), |x| model.measured(x), &z, &model.r).unwrap();
        alike(&unscented, &plain, 1e-10);
        cubature.predict_unscented(points, |x| model.moved(x), &model.q).unwrap();
        cubature.update_unscented(points, |x| model.measured(x), &z, &model.r).unwrap();
        alike(&cubature, &plain, 1e-11);
        root.predict(&model.f, &model.q).unwrap();
        let by_root = root.update(&model.h, &z, &model.r).unwrap();
        alike(&root.into(), &plain, 1e-12);
        close(&by_root.covariance, &innovation.covariance, 1e-12);
        assert_eq!(root.factor, root.factor.lower_triangle());
        root_extended.predict_extended(f, &model.q).unwrap();
        root_extended.update_extended(h, &z, &model.r).unwrap();
        alike(&root_extended.into(), &plain, 1e-12);
    }
}

#[test]
fn all_filters_agree_on_linear_models() {
    for seed in 0..10 {
        filters_agree::<1, 1>(seed);
        filters_agree::<3, 1>(seed);
        filters_agree::<4, 2>(seed);
        filters_agree::<3, 4>(seed);
        filters_agree::<9, 6>(seed);
        filters_agree::<17, 3>(seed);
    }
}

fn matrix<const R: usize, const C: usize>(rows: &[f64]) -> SMatrix<f64, R, C> {
    SMatrix::from_row_slice(rows)
}

#[test]
fn agrees_with_the_reference() {
    let file =
        Checkpoint::open(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/kalman_filter.safetensors")).unwrap();
    let numbers = |name: &str| file.numbers(name).unwrap();
    let (f, h) = (matrix::<4, 4>(&numbers("F")), matrix::<2, 4>(&numbers("H")));
    let (q, r) = (matrix::<4, 4>(&numbers("Q")), matrix::<2, 2>(&numbers("R")));
    let mut track = Gaussian { mean: SVector::zeros(), covariance: matrix::<4, 4>(&numbers("P0")) };
    let mut root = SquareRoot::try_from(track).unwrap();
    let estimate = |x: &str, p: &str, k: usize| Gaussian {
        mean: matrix::<4, 1>(&numbers(x)[4 * k..4 * k + 4]),
        covariance: matrix::<4, 4>(&numbers(p)[16 * k..16 * k + 16]),
    };
    let mut estimates = Vec::new();
    for k in 0..15 {
        let z = matrix::<2, 1>(&numbers("z")[2 * k..2 * k + 2]);
        track.predict(&f, &q);
        let innovation = track.update(&h, &z, &r).unwrap();
        root.predict(&f, &q).unwrap();
        let by_root = root.update(&h, &z, &r).unwrap();
        alike(&track, &estimate("x", "P", k), 1e-10);
        alike(&root.into(), &estimate("x", "P", k), 1e-10);
        for innovation in [innovation, by_root] {
            close(&Vector1::new(innovation.log_likelihood()), &Vector1::new(numbers("log_likelihood")[k]), 1e-10);
        }
        estimates.push(track);
    }
    smooth(&f, &q, &mut estimates).unwrap();
    for (k, found) in estimates.iter().enumerate() {
        alike(found, &estimate("smoothed", "smoothed_P", k), 1e-10);
    }
}

/// Covariances stay symmetric and positive over many steps, in `f32` too and with precise measurements.
#[test]
fn covariances_stay_positive() {
    fn run<T: Real + nalgebra::Scalar>() {
        let number = |x: f64| T::from_f64(x);
        let h = 0.01;
        let f = Matrix3::new(1.0, h, h * h / 2.0, 0.0, 1.0, h, 0.0, 0.0, 1.0).map(number);
        let q =
            (Matrix3x1::new(h * h / 2.0, h, 1.0) * Matrix3x1::new(h * h / 2.0, h, 1.0).transpose() * 1e-4).map(number);
        let observation = SMatrix::<f64, 1, 3>::new(1.0, 0.0, 0.0).map(number);
        let r = Matrix1::new(number(1e-6));
        let mut track =
            Gaussian { mean: Vector3::from([T::ZERO; 3]), covariance: (Matrix3::identity() * 100.0).map(number) };
        let mut root = SquareRoot::try_from(track).unwrap();
        let mut noise = Noise::new(3);
        for step in 0..100_000 {
            track.predict(&f, &q);
            root.predict(&f, &q).unwrap();
            let z = Vector1::new(number(1e-3 * noise.normal()));
            track.update(&observation, &z, &r).unwrap();
            root.update(&observation, &z, &r).unwrap();
            assert_eq!(track.covariance, track.covariance.transpose(), "step {step}");
            if step % 100 == 0 {
                let wide = track.covariance.map(|x| x.to_f64());
                assert!(wide.cholesky().is_some(), "step {step}: {wide}");
                assert!((0..3).all(|k| root.factor[(k, k)] > T::ZERO), "step {step}");
            }
        }
        let (root, wide) = (Gaussian::from(root).covariance.map(|x| x.to_f64()), track.covariance.map(|x| x.to_f64()));
        assert!((root - wide).norm() < 1e5 * T::EPSILON.to_f64() * wide.norm(), "{root}{wide}");
    }
    run::<f64>();
    run::<f32>();
}

/// One measurement that is far more precise than what is known: in `f32` the plain form loses the state's second
/// direction, the root keeps it.
#[test]
fn the_root_keeps_what_the_square_loses() {
    let (h, r) = (RowVector2::new(1.0_f32, 1.0), Matrix1::new(1e-8));
    let wide = Gaussian { mean: Vector2::zeros(), covariance: Matrix2::identity() };
    let mut root = SquareRoot::try_from(wide).unwrap();
    root.update(&h, &Vector1::new(1.0), &r).unwrap();
    // The deviation of the sum is that of the measurement.
    let sum = h * root.factor;
    assert!((sum.norm() - 1e-4).abs() < 1e-6, "{}", sum.norm());
}

#[test]
fn the_extended_filter_has_the_jacobian() {
    fn f<T: Real>([x, y, v]: [T; 3]) -> [T; 2] {
        [x * y / (T::ONE + v * v), (x - y).exp() * v]
    }
    let at = Vector3::new(0.7, -0.4, 1.3);
    let (value, jacobian) = linearize(f, &at);
    assert_eq!(value.data.0[0], f(at.data.0[0]));
    for k in 0..3 {
        let moved = |by: f64| {
            let mut x = at;
            x[k] += by;
            Vector2::from(f(x.data.0[0]))
        };
        close(&jacobian.column(k).into_owned(), &((moved(1e-6) - moved(-1e-6)) / 2e-6), 1e-9);
    }
}

/// Of a quadratic function of Gaussian numbers mean and covariance are known.
#[test]
fn the_unscented_filter_is_right_to_second_order() {
    let start = Gaussian { mean: Vector2::new(1.0, -2.0), covariance: Matrix2::new(0.5, 0.2, 0.2, 0.3) };
    let mut track = start;
    let square = |[x, y]: [f64; 2]| [x * x + y, x * y];
    track.predict_unscented(Spread::default(), square, &Matrix2::zeros()).unwrap();
    let p = start.covariance;
    close(&track.mean, &Vector2::new(1.0 + p[(0, 0)] - 2.0, -2.0 + p[(0, 1)]), 1e-12);
    // Var(x² + y) = 4·m²·P₀₀ + 2·P₀₀² + P₁₁ + 4·m·P₀₁.
    let variance = 4.0 * p[(0, 0)] + 2.0 * p[(0, 0)].powi(2) + p[(1, 1)] + 4.0 * p[(0, 1)];
    assert!((track.covariance[(0, 0)] - variance).abs() < 0.02 * variance, "{} {variance}", track.covariance[(0, 0)]);
}

#[test]
fn smoothing_is_the_posterior_of_all() {
    // Two states, two measurements: the joint Gaussian conditioned by hand.
    let (one, q, r) = (Matrix1::<f64>::new(0.8), Matrix1::new(0.5), Matrix1::new(0.3));
    let first = Gaussian { mean: Vector1::new(1.0), covariance: Matrix1::new(2.0) };
    let h = Matrix1::new(1.0);
    let mut states = [first; 2];
    states[0].update(&h, &Vector1::new(1.5), &r).unwrap();
    states[1] = states[0];
    states[1].predict(&one, &q);
    states[1].update(&h, &Vector1::new(0.2), &r).unwrap();
    let last = states[1];
    smooth(&one, &q, &mut states).unwrap();
    let joint = Matrix2::<f64>::new(2.0, 1.6, 1.6, 0.64 * 2.0 + 0.5);
    let gain = joint * (joint + Matrix2::identity() * 0.3).try_inverse().unwrap();
    let mean = Vector2::new(1.0, 0.8) + gain * Vector2::new(0.5, 0.2 - 0.8);
    let covariance = joint - gain * joint;
    assert!((states[0].mean[0] - mean[0]).abs() < 1e-12 && (states[1].mean[0] - mean[1]).abs() < 1e-12);
    assert!((states[0].covariance[0] - covariance[(0, 0)]).abs() < 1e-12);
    assert_eq!(states[1], last);
    assert_eq!(smooth::<f64, 1>(&one, &q, &mut []), Ok(()));
}

#[test]
fn what_is_no_covariance_is_refused() {
    let (h, z) = (RowVector2::new(1.0, 0.0), Vector1::new(1.0));
    let start = Gaussian { mean: Vector2::zeros(), covariance: Matrix2::identity() };
    let flat = Gaussian { covariance: Matrix2::zeros(), ..start };
    for (from, noise) in [(start, -1.5), (start, -9.0), (flat, 0.0), (start, f64::NAN), (start, f64::INFINITY)] {
        let mut track = from;
        let r = Matrix1::new(noise);
        assert_eq!(track.update(&h, &z, &r), Err(NotPositive), "{noise}");
        assert_eq!(track, from);
        assert_eq!(track.update_unscented(Spread::default(), |[x, _]| [x], &z, &r), Err(NotPositive));
        assert_eq!(track, from);
        let mut root = SquareRoot::try_from(from).unwrap();
        let before = root;
        assert_eq!(root.update(&h, &z, &r), Err(NotPositive), "{noise}");
        assert_eq!(root, before);
    }
    let wrong = Gaussian { covariance: Matrix2::new(1.0, 2.0, 2.0, 1.0), ..start };
    assert_eq!(SquareRoot::try_from(wrong), Err(NotPositive));
    let mut root = SquareRoot { mean: start.mean, factor: start.covariance };
    assert_eq!(root.predict(&Matrix2::identity(), &wrong.covariance), Err(NotPositive));
    assert_eq!(root.factor, start.covariance);
}
