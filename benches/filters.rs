//! A step of the Kalman filter beside the same step written by hand on nalgebra.
//!
//! `cargo bench --bench filters`; 4 states and 2 measurements: a place and a speed in the plane, the place measured;
//! and 9 states with 6. Both predict, and update in Joseph's form; by hand there are a variant that inverts the
//! innovation's covariance and one that solves by Cholesky.

mod settings;

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use monomorph::Noise;
use monomorph::filters::{Gaussian, Spread, SquareRoot};
use nalgebra::{SMatrix, SVector};

/// A model: `F`, `Q`, `H`, `R`.
type Model<const N: usize, const M: usize> =
    (SMatrix<f64, N, N>, SMatrix<f64, N, N>, SMatrix<f64, M, N>, SMatrix<f64, M, M>);

fn symmetric<const N: usize>(p: SMatrix<f64, N, N>) -> SMatrix<f64, N, N> {
    (p + p.transpose()) * 0.5
}

/// The textbook's lines; `inverse` is told how to invert `S`.
fn by_hand<const N: usize, const M: usize>(
    (f, q, h, r): &Model<N, M>,
    (x, p): &mut (SVector<f64, N>, SMatrix<f64, N, N>),
    z: &SVector<f64, M>,
    inverse: impl Fn(SMatrix<f64, M, M>) -> Option<SMatrix<f64, M, M>>,
) {
    *x = f * *x;
    *p = f * *p * f.transpose() + q;
    let observed = *p * h.transpose();
    let Some(inverse) = inverse(h * observed + r) else { return };
    let gain = observed * inverse;
    *x += gain * (z - h * *x);
    let keeps = SMatrix::<f64, N, N>::identity() - gain * h;
    *p = symmetric(keeps * *p * keeps.transpose() + gain * r * gain.transpose());
}

fn size<const N: usize, const M: usize>(criterion: &mut Criterion) {
    let mut noise = Noise::new(1);
    let mut covariance = |small: f64| {
        let root: SMatrix<f64, N, N> = SMatrix::from_fn(|_, _| noise.normal());
        symmetric(root * root.transpose() + SMatrix::identity()) * small
    };
    let q = covariance(0.1);
    let f: SMatrix<f64, N, N> =
        SMatrix::from_fn(|row, column| f64::from(row == column) + 0.1 * f64::from(column == row + N / 2));
    let h: SMatrix<f64, M, N> = SMatrix::from_fn(|row, column| f64::from(row == column));
    let model: Model<N, M> = (f, q, h, SMatrix::identity());
    let z: SVector<f64, M> = SVector::from_fn(|_, _| noise.normal());
    let start = Gaussian { mean: SVector::zeros(), covariance: SMatrix::identity() };

    let mut group = criterion.benchmark_group(format!("{N} states, {M} measurements"));
    group.bench_function("Gaussian", |bencher| {
        let mut track = start;
        bencher.iter(|| {
            let (f, q, h, r) = black_box(&model);
            track.predict(f, q);
            let _ = track.update(h, black_box(&z), r);
        });
        assert!(track.mean.norm().is_finite());
    });
    group.bench_function("nalgebra, inverse", |bencher| {
        let mut track = (start.mean, start.covariance);
        bencher.iter(|| by_hand(black_box(&model), &mut track, black_box(&z), |s| s.try_inverse()));
        assert!(track.0.norm().is_finite());
    });
    group.bench_function("nalgebra, Cholesky", |bencher| {
        let mut track = (start.mean, start.covariance);
        bencher.iter(|| by_hand(black_box(&model), &mut track, black_box(&z), |s| Some(s.cholesky()?.inverse())));
        assert!(track.0.norm().is_finite());
    });
    group.bench_function("SquareRoot", |bencher| {
        let Ok(mut track) = SquareRoot::try_from(start) else { return };
        bencher.iter(|| {
            let (f, q, h, r) = black_box(&model);
            let _ = track.predict(f, q);
            let _ = track.update(h, black_box(&z), r);
        });
    });
    group.bench_function("unscented", |bencher| {
        let mut track = start;
        let spread = Spread::default();
        bencher.iter(|| {
            let (f, q, h, r) = black_box(&model);
            let _ = track.predict_unscented(spread, |x| (f * SVector::from(x)).into(), q);
            let _ = track.update_unscented(spread, |x| (h * SVector::from(x)).into(), black_box(&z), r);
        });
    });
    group.finish();
}

fn measure(criterion: &mut Criterion) {
    size::<4, 2>(criterion);
    size::<9, 6>(criterion);
}

criterion_group! {
    name = filters;
    config = settings::settings();
    targets = measure
}
criterion_main!(filters);
