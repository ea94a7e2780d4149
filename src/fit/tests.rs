use super::*;
use std::string::ToString;

/// NIST's Misra1a.
const X: [f64; 14] = [77.6, 114.9, 141.1, 190.8, 239.9, 289.0, 332.8, 378.4, 434.8, 477.3, 536.8, 593.1, 689.1, 760.0];
const Y: [f64; 14] = [10.07, 14.73, 17.94, 23.93, 29.61, 35.18, 40.02, 44.82, 50.76, 55.05, 61.01, 66.40, 75.47, 81.78];

fn misra(x: f64, [a, b]: [Dual<f64, 2>; 2]) -> Dual<f64, 2> {
    a * (1.0 - (-b * x).exp())
}

fn close(found: f64, certified: f64, part: f64) {
    assert!((found - certified).abs() <= part * certified.abs(), "{found} is not {certified}");
}

#[test]
fn gives_the_certified_values() {
    let fit = LevenbergMarquardt::default().fit(misra, &X, &Y, [500.0, 1e-4]).unwrap();
    close(fit.parameters[0], 2.3894212918e2, 1e-10);
    close(fit.parameters[1], 5.5015643181e-4, 1e-10);
    let errors = fit.standard_errors();
    close(errors[0], 2.7070075241, 1e-8);
    close(errors[1], 7.2668688436e-6, 1e-8);
    close(fit.sum_of_squares, 1.2455138894e-1, 1e-9);
    close(fit.deviation(), 1.0187876330e-1, 1e-9);
    assert_eq!(fit.end, End::Converged);
    let covariance = fit.covariance();
    assert_eq!(covariance[0][1], covariance[1][0]);
}

#[test]
fn units_of_parameters_do_not_matter() {
    let plain = LevenbergMarquardt::default().fit(misra, &X, &Y, [500.0, 1e-4]).unwrap();
    let scaled =
        LevenbergMarquardt::default().fit(|x, [a, b]| misra(x, [a * 1e-6, b * 1e6]), &X, &Y, [500e6, 1e-10]).unwrap();
    close(scaled.parameters[0], plain.parameters[0] * 1e6, 1e-9);
    close(scaled.parameters[1], plain.parameters[1] * 1e-6, 1e-9);
    assert!(scaled.iterations.abs_diff(plain.iterations) <= 2);
}

#[test]
fn lines_take_a_few_steps() {
    let x = [0.0, 1.0, 2.0, 3.0];
    let line = |x: f64, [a, b]: [Dual<f64, 2>; 2]| a + b * x;
    let fit = LevenbergMarquardt::default().fit(line, &x, &[1.0, 3.0, 5.0, 7.0], [0.0, 0.0]).unwrap();
    close(fit.parameters[0], 1.0, 1e-12);
    close(fit.parameters[1], 2.0, 1e-12);
    assert!(fit.sum_of_squares < 1e-24 && fit.iterations < 20, "{fit:?}");
}

#[test]
fn what_cannot_be_fitted_is_said() {
    let fit = |x: &[f64], y: &[f64], start| LevenbergMarquardt::default().fit(misra, x, y, start).unwrap_err();
    assert_eq!(fit(&X, &Y[1..], [1.0, 1.0]).to_string(), "there are 14 points but 13 values");
    assert!(fit(&X[..1], &Y[..1], [1.0, 1.0]).to_string().contains("do not determine 2 parameters"));
    assert!(fit(&X, &Y, [1.0, -1e3]).to_string().contains("not finite at point 0"));
    let mut y = Y;
    y[5] = f64::NAN;
    assert_eq!(fit(&X, &y, [1.0, 1.0]), FitError::NotFinite { point: 5 });
}

#[test]
fn parameters_without_influence_stay() {
    let constant = |_: f64, [a, b]: [Dual<f64, 2>; 2]| a + 0.0 * b;
    let fit = LevenbergMarquardt::default().fit(constant, &X, &Y, [1.0, 7.0]).unwrap();
    close(fit.parameters[0], Y.iter().sum::<f64>() / 14.0, 1e-12);
    assert_eq!(fit.parameters[1], 7.0);
}

#[test]
fn steps_are_counted_and_limited() {
    let short = LevenbergMarquardt { iterations: 2, ..LevenbergMarquardt::default() };
    let fit = short.fit(misra, &X, &Y, [500.0, 1e-4]).unwrap();
    assert_eq!((fit.iterations, fit.end), (2, End::Iterations));
    let none = LevenbergMarquardt { iterations: 0, ..short }.fit(misra, &X, &Y, [500.0, 1e-4]).unwrap();
    assert_eq!((none.iterations, none.evaluations, none.parameters), (0, 1, [500.0, 1e-4]));
}

#[test]
fn as_many_points_as_parameters_leave_no_error_to_estimate() {
    let line = |x: f64, [a, b]: [Dual<f64, 2>; 2]| a + b * x;
    let fit = LevenbergMarquardt::default().fit(line, &[0.0, 1.0], &[1.0, 3.0], [0.0, 0.0]).unwrap();
    close(fit.parameters[1], 2.0, 1e-12);
    assert_eq!((fit.standard_errors(), fit.deviation()), ([f64::INFINITY; 2], f64::INFINITY));
}

#[test]
fn rows_in_blocks_give_the_triangle_of_all_rows() {
    use crate::noise::Noise;
    use triangle::Growing;
    for rows in [1, 3, 17, 31, 32, 33, 65, 100] {
        let (mut noise, mut growing) = (Noise::new(rows), Growing::new());
        let (mut square, mut right) = ([[0.0; 3]; 3], [0.0; 3]);
        for _ in 0..rows {
            let row: [f64; 3] = core::array::from_fn(|_| noise.normal());
            let b = noise.normal();
            growing.add(&row, b);
            for i in 0..3 {
                right[i] += row[i] * b;
                (0..3).for_each(|j| square[i][j] += row[i] * row[j]);
            }
        }
        let triangle = growing.finish();
        // RᵀR = JᵀJ, and the solution fulfils the normal equations.
        for index in 0..3 {
            let unit = core::array::from_fn(|other| if other == index { 1.0 } else { 0.0 });
            let column = triangle.times(&unit);
            for other in 0..3 {
                let unit = core::array::from_fn(|index| if other == index { 1.0 } else { 0.0 });
                let product: f64 = triangle.times(&unit).iter().zip(column).map(|(a, b)| a * b).sum();
                assert!((product - square[index][other]).abs() < 1e-12, "{rows} rows");
            }
        }
        if rows >= 3 {
            for h in [triangle.solve(), triangle.solve_normal(&right)] {
                for i in 0..3 {
                    let left: f64 = (0..3).map(|j| square[i][j] * h[j]).sum();
                    assert!((left - right[i]).abs() < 1e-9, "{rows} rows");
                }
            }
        }
    }
}
