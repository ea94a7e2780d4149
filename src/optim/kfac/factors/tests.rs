use std::vec;
use std::vec::Vec;

use super::*;
use crate::noise::Noise;
use crate::simd::{Task, dispatch, level};

struct Check {
    inputs: usize,
    outputs: usize,
}

impl Task for Check {
    type Output = ();

    fn run<S: Simd>(&mut self, simd: S) {
        let Self { inputs, outputs } = *self;
        let mut noise = Noise::new(7);
        // Samples of x·δᵀ with a 1 for the bias, and their moments.
        let (mut a, mut g) = (vec![0.0; inputs * inputs], vec![0.0; outputs * outputs]);
        let (mut expected_a, mut expected_g) = (a.clone(), g.clone());
        let mut scratch = vec![0.0; inputs];
        for _ in 0..4 {
            let mut x: Vec<f64> = (0..inputs).map(|_| noise.normal()).collect();
            x[inputs - 1] = 1.0;
            let delta: Vec<f64> = (0..outputs).map(|_| noise.normal()).collect();
            let gradient: Vec<f64> = x.iter().flat_map(|x| delta.iter().map(move |d| x * d)).collect();
            observe(simd, &gradient, &mut scratch, (&mut a, &mut g), (inputs, outputs), 0.5, 4.0);
            for i in 0..inputs {
                (0..=i).for_each(|j| expected_a[i * inputs + j] += 0.5 / 4.0 * x[i] * x[j]);
            }
            for i in 0..outputs {
                (0..outputs).for_each(|j| expected_g[i * outputs + j] += 0.5 * delta[i] * delta[j]);
            }
        }
        let near = |found: &[f64], expected: &[f64], what: &str| {
            for (found, expected) in found.iter().zip(expected) {
                assert!((found - expected).abs() < 1e-9, "{what} of {inputs} and {outputs}: {found}, {expected}");
            }
        };
        near(&a, &expected_a, "A");
        near(&g, &expected_g, "G");
        // (A + d)·X·(G + e) = M.
        let (mut of_a, mut of_g) = (a.clone(), g.clone());
        factor(simd, &mut of_a, inputs, 0.3);
        factor(simd, &mut of_g, outputs, 0.2);
        let matrix: Vec<f64> = (0..inputs * outputs).map(|_| noise.normal()).collect();
        let mut solved = matrix.clone();
        solve(simd, &mut solved, (&of_a, &of_g), (inputs, outputs));
        let whole = |lower: &[f64], size: usize, i: usize, j: usize, damping: f64| {
            lower[i.max(j) * size + i.min(j)] + if i == j { damping } else { 0.0 }
        };
        let mut back = vec![0.0; inputs * outputs];
        for i in 0..inputs {
            for j in 0..outputs {
                for k in 0..inputs {
                    for l in 0..outputs {
                        back[i * outputs + j] +=
                            whole(&a, inputs, i, k, 0.3) * solved[k * outputs + l] * whole(&g, outputs, l, j, 0.2);
                    }
                }
            }
        }
        near(&back, &matrix, "the product");
    }
}

#[test]
fn factors_are_inverted() {
    for (inputs, outputs) in [(2, 1), (4, 3), (18, 2), (3, 17), (34, 9)] {
        dispatch(level(), Check { inputs, outputs });
    }
}
