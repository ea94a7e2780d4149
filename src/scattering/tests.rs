//! Kymatio's numbers, and what must hold of every scattering.

use std::vec;
use std::vec::Vec;

use super::fourier::{Complex, Fourier, Planes, definition};
use super::*;
use crate::noise::Noise;
use crate::scalar::Real;
use crate::simd::{Simd, Task, dispatch, levels};
use crate::testing::golden::{Case, assert_close};

struct Transform<'a, T> {
    fourier: &'a Fourier<T>,
    columns: usize,
    x: [Vec<T>; 2],
}

impl<T: Real> Task for Transform<'_, T> {
    type Output = [Vec<T>; 2];
    #[inline(always)]
    fn run<S: Simd>(&mut self, simd: S) -> Self::Output {
        let mut x = self.x.clone();
        let mut other = x.clone();
        let moved = {
            let ([re, im], [other_re, other_im]) = (&mut x, &mut other);
            let from = Planes { re, im };
            self.fourier.transform(simd, self.columns, from, Planes { re: other_re, im: other_im })
        };
        if moved { other } else { x }
    }
}

#[test]
fn transforms_of_every_size_agree_with_their_definition() {
    let mut noise = Noise::new(1);
    for size in [1, 2, 3, 4, 5, 6, 8, 9, 12, 18, 24, 28, 33, 36, 40, 64, 130] {
        let fourier = Fourier::<f64>::new(size).expect("a product of small primes");
        for columns in [1, 3, 17] {
            let x: [Vec<f64>; 2] = core::array::from_fn(|_| (0..size * columns).map(|_| noise.uniform()).collect());
            for level in levels() {
                let y = dispatch(level, Transform { fourier: &fourier, columns, x: x.clone() });
                for column in 0..columns {
                    let at = |row: usize| [x[0][row * columns + column], x[1][row * columns + column]];
                    let input: Vec<Complex> = (0..size).map(at).collect();
                    for (row, [re, im]) in definition(&input, false).into_iter().enumerate() {
                        let place = row * columns + column;
                        let off = (y[0][place] - re).abs().max((y[1][place] - im).abs());
                        assert!(off < 1e-10, "{size}, {columns} columns, {level:?}: off by {off:e}");
                    }
                }
            }
        }
    }
    assert!(Fourier::<f64>::new(17).is_none() && Fourier::<f64>::new(0).is_none());
}

/// The numbers of Kymatio, with the features of a place side by side.
fn turned(numbers: &[f64], places: usize) -> Vec<f64> {
    let features = numbers.len() / places;
    (0..numbers.len()).map(|index| numbers[index % features * places + index / features]).collect()
}

fn agrees<T: Real>(tolerance: f64) {
    let case = Case::open("scattering2d");
    let x: Vec<T> = case.numbers("x").into_iter().map(T::from_f64).collect();
    let mut scattering = Scattering2d::<T>::new([16, 16], 2, 4).unwrap();
    let mut features = vec![T::ZERO; 4 * 4 * 25];
    scattering.scatter(&x, &mut features);
    assert_close("scattering2d", &features, &turned(&case.numbers("y"), 16), tolerance);

    let case = Case::open("scattering1d");
    let x: Vec<T> = case.numbers("x").into_iter().map(T::from_f64).collect();
    let mut scattering = Scattering1d::<T>::new(256, 4, 4).unwrap();
    let mut features = vec![T::ZERO; 16 * 29];
    scattering.scatter(&x, &mut features);
    assert_close("scattering1d", &features, &turned(&case.numbers("y"), 16), tolerance);
}

#[test]
fn features_agree_with_kymatio() {
    agrees::<f64>(1e-5);
    agrees::<f32>(1e-5);
}

#[test]
fn features_do_not_grow_and_hardly_move_with_the_image() {
    let (mut noise, mut scattering) = (Noise::new(3), Scattering2d::<f64>::new([28, 20], 2, 6).unwrap());
    assert_eq!((scattering.features(), scattering.places()), (49, [7, 5]));
    let mut scatter = |image: &[f64]| {
        let mut features = vec![0.0; 7 * 5 * 49];
        scattering.scatter(image, &mut features);
        features
    };
    let blob = |shift: usize| -> Vec<f64> {
        let at = |place: usize| ((place / 20) as f64 - 14.0, (place % 20) as f64 - 10.0 - shift as f64);
        (0..28 * 20).map(at).map(|(y, x)| (-(x * x + y * y) / 8.0).exp() * (x * 1.5).cos()).collect()
    };
    let distance = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt();
    let (here, there) = (blob(0), blob(1));
    let zero = vec![0.0; here.len()];
    let relative = distance(&scatter(&here), &scatter(&there)) / distance(&scatter(&here), &scatter(&zero));
    assert!(relative < 0.5 * distance(&here, &there) / distance(&here, &zero), "{relative}");
    let random: Vec<f64> = here.iter().map(|_| noise.uniform()).collect();
    assert!(distance(&scatter(&random), &scatter(&here)) <= distance(&random, &here));
}

#[test]
fn sizes_that_do_not_fit_are_errors() {
    let error = |size, scales, directions| Scattering2d::<f32>::new(size, scales, directions).unwrap_err();
    assert_eq!(error([28, 28], 0, 8), ScatteringError::Nothing);
    assert_eq!(error([28, 28], 2, 0), ScatteringError::Nothing);
    assert_eq!(error([28, 7], 3, 8), ScatteringError::Short { length: 7, least: 8 });
    assert_eq!(error([28, 61], 2, 2), ScatteringError::Factor { length: 61, padded: 68 });
    assert_eq!(Scattering1d::<f32>::new(7, 3, 1).unwrap_err(), ScatteringError::Short { length: 7, least: 8 });
    assert_eq!(Scattering1d::<f32>::new(64, 0, 1).unwrap_err(), ScatteringError::Nothing);
    let text = std::string::ToString::to_string(&error([28, 61], 2, 2));
    assert!(text.starts_with("an axis of 61 numbers is 68 with its border"), "{text}");
}
