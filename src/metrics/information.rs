//! Information theory, in nats: of known probabilities, and estimates from samples, without allocation.
//!
//! | function | of |
//! | --- | --- |
//! | [`entropy`], [`divergence`], [`mutual_information`], [`conditional_entropy`] | probabilities |
//! | [`gaussian_information`], [`total_correlation`] | normal distributions |
//! | [`binned_information`], [`nearest_neighbor_information`] | samples of two variables |
//! | [`Codes`], [`information_gap`] | codes of a variational autoencoder |
//!
//! Critics that learn estimates are losses: [`Mine`](crate::loss::Mine), [`InfoNce`](crate::loss::InfoNce).

mod codes;

pub use codes::{Codes, information_gap};

use crate::scalar::Real;

/// `−Σ p ln p`, with `0 ln 0 = 0`.
///
/// ```
/// use monomorph::metrics::information::entropy;
/// assert!((entropy(&[0.5, 0.5]) - 2.0_f64.ln()).abs() < 1e-15);
/// ```
pub fn entropy(probabilities: &[f64]) -> f64 {
    probabilities.iter().filter(|p| **p > 0.0).map(|p| -p * Real::ln(*p)).sum()
}

/// `KL(p ‖ q) = Σ p ln(p / q)`; infinite where `q` excludes what `p` does not. As far as the shorter slice goes.
///
/// ```
/// use monomorph::metrics::information::divergence;
/// assert_eq!(divergence(&[1.0, 0.0], &[0.5, 0.5]), 2.0_f64.ln());
/// assert_eq!(divergence(&[0.5, 0.5], &[1.0, 0.0]), f64::INFINITY);
/// ```
pub fn divergence(p: &[f64], q: &[f64]) -> f64 {
    p.iter().zip(q).filter(|(p, _)| **p > 0.0).map(|(p, q)| p * Real::ln(p / q)).sum()
}

/// `I(row; column) = Σ p(r, c) ln(p(r, c) / p(r) p(c))` of a table of joint probabilities.
///
/// ```
/// use monomorph::metrics::information::mutual_information;
/// assert!((mutual_information(&[[0.5, 0.0], [0.0, 0.5]]) - 2.0_f64.ln()).abs() < 1e-15);
/// assert_eq!(mutual_information(&[[0.25; 2]; 2]), 0.0);
/// ```
pub fn mutual_information<const COLUMNS: usize>(joint: &[[f64; COLUMNS]]) -> f64 {
    let mut columns = [0.0; COLUMNS];
    for row in joint {
        columns.iter_mut().zip(row).for_each(|(sum, p)| *sum += p);
    }
    let rows = joint.iter().map(|row| {
        let sum: f64 = row.iter().sum();
        let cells = row.iter().zip(&columns).filter(|(p, _)| **p > 0.0);
        cells.map(|(p, column)| p * Real::ln(p / (sum * column))).sum::<f64>()
    });
    rows.sum()
}

/// `H(column | row)` of a table of joint probabilities.
///
/// ```
/// use monomorph::metrics::information::conditional_entropy;
/// assert_eq!(conditional_entropy(&[[0.5, 0.0], [0.0, 0.5]]), 0.0);
/// ```
pub fn conditional_entropy<const COLUMNS: usize>(joint: &[[f64; COLUMNS]]) -> f64 {
    let rows = joint.iter().map(|row| {
        let sum: f64 = row.iter().sum();
        row.iter().filter(|p| **p > 0.0).map(|p| -p * Real::ln(p / sum)).sum::<f64>()
    });
    rows.sum()
}

/// `−½ ln(1 − ρ²)`: the mutual information of two normally distributed variables with the correlation `ρ`.
///
/// ```
/// assert!((monomorph::metrics::information::gaussian_information(0.6) - 0.2231435513).abs() < 1e-9);
/// ```
pub fn gaussian_information(correlation: f64) -> f64 {
    -0.5 * Real::ln(1.0 - correlation * correlation)
}

/// `½ (Σ ln Σᵢᵢ − ln det Σ)`: by how much normally distributed variables with this covariance depend on each other;
/// Watanabe (1960). `None` if the matrix is not positive definite.
///
/// ```
/// use monomorph::metrics::information::{gaussian_information, total_correlation};
/// let found = total_correlation(&[[4.0, 1.2], [1.2, 1.0]]).ok_or("not a covariance")?;
/// assert!((found - gaussian_information(0.6)).abs() < 1e-12);
/// # Ok::<(), &str>(())
/// ```
pub fn total_correlation<const N: usize>(covariance: &[[f64; N]; N]) -> Option<f64> {
    // Cholesky: det Σ is the product of the squares of the diagonal of L.
    let mut lower = [[0.0; N]; N];
    let mut sum = 0.0;
    for row in 0..N {
        for column in 0..=row {
            let inner: f64 = (0..column).map(|k| lower[row][k] * lower[column][k]).sum();
            let rest = covariance[row][column] - inner;
            lower[row][column] = if row == column {
                if !(rest > 0.0 && rest.is_finite()) {
                    return None;
                }
                sum += 0.5 * Real::ln(covariance[row][row] / rest);
                Real::sqrt(rest)
            } else {
                rest / lower[column][column]
            };
        }
    }
    Some(sum)
}

/// The mutual information of two variables, estimated from counts in `BINS × BINS` boxes of the same size. Too high by
/// about `(BINS − 1)² / 2n` (Miller, 1955), which is subtracted, and too low where boxes are wider than what there is to see.
///
/// `None` if there are no samples, not as many of both, or numbers that are not finite. A constant tells nothing: 0.
///
/// ```
/// use monomorph::metrics::information::binned_information;
/// let x: Vec<f64> = (0..1000).map(|index| f64::from(index % 4)).collect();
/// assert!((binned_information::<4>(&x, &x).ok_or("none")? - 4.0_f64.ln()).abs() < 0.01);
/// # Ok::<(), &str>(())
/// ```
pub fn binned_information<const BINS: usize>(x: &[f64], y: &[f64]) -> Option<f64> {
    if x.len() != y.len() { None } else { binned::<BINS>(x.iter().copied().zip(y.iter().copied())) }
}

/// [`binned_information`] of pairs.
fn binned<const BINS: usize>(pairs: impl Iterator<Item = (f64, f64)> + Clone) -> Option<f64> {
    const { assert!(BINS > 0, "there is at least one bin") };
    let none = (f64::INFINITY, f64::NEG_INFINITY);
    let wider = |(low, high): (f64, f64), x: f64| (low.min(x), high.max(x));
    let (mut of_x, mut of_y, mut count) = (none, none, 0_usize);
    for (x, y) in pairs.clone() {
        if !x.is_finite() || !y.is_finite() {
            return None;
        }
        (of_x, of_y, count) = (wider(of_x, x), wider(of_y, y), count + 1);
    }
    if count == 0 {
        return None;
    }
    let bin = |x: f64, (low, high): (f64, f64)| {
        if high > low { (((x - low) / (high - low) * BINS as f64) as usize).min(BINS - 1) } else { 0 }
    };
    let mut joint = [[0.0; BINS]; BINS];
    let each = 1.0 / count as f64;
    for (x, y) in pairs {
        joint[bin(x, of_x)][bin(y, of_y)] += each;
    }
    let filled = |of: &dyn Fn(usize, usize) -> f64| {
        (0..BINS).filter(|first| (0..BINS).any(|second| of(*first, second) > 0.0)).count() as f64
    };
    let bias = (filled(&|row, column| joint[row][column]) - 1.0) * (filled(&|column, row| joint[row][column]) - 1.0);
    Some((mutual_information(&joint) - 0.5 * bias * each).max(0.0))
}

/// The mutual information of two variables of several numbers each, by the distances to the `K`th neighbors: Kraskov,
/// Stögbauer and Grassberger, *Estimating mutual information* (2004), the first estimator; `K` is 3 to 5, usually. Takes
/// time proportional to the square of the number of samples.
///
/// `None` if there are not more than `K` samples, not as many of both, or numbers that are not finite.
///
/// ```
/// use monomorph::Noise;
/// use monomorph::metrics::information::{gaussian_information, nearest_neighbor_information};
/// let mut noise = Noise::new(1);
/// let x: Vec<[f64; 1]> = (0..2000).map(|_| [noise.normal()]).collect();
/// let y: Vec<[f64; 1]> = x.iter().map(|[x]| [0.8 * x + 0.6 * noise.normal()]).collect();
/// let found = nearest_neighbor_information::<5, 1, 1>(&x, &y).ok_or("none")?;
/// assert!((found - gaussian_information(0.8)).abs() < 0.1);
/// # Ok::<(), &str>(())
/// ```
pub fn nearest_neighbor_information<const K: usize, const X: usize, const Y: usize>(
    x: &[[f64; X]],
    y: &[[f64; Y]],
) -> Option<f64> {
    const { assert!(K > 0, "there is at least one neighbor") };
    let finite = x.iter().flatten().chain(y.iter().flatten()).all(|number| number.is_finite());
    if x.len() <= K || x.len() != y.len() || !finite {
        return None;
    }
    let mut sum = 0.0;
    for (index, (a, b)) in x.iter().zip(y).enumerate() {
        let others = || x.iter().zip(y).enumerate().filter(move |(other, _)| *other != index).map(|(_, pair)| pair);
        // The distances of the nearest, ascending.
        let mut nearest = [f64::INFINITY; K];
        for (x, y) in others() {
            let mut distance = apart(a, x).max(apart(b, y));
            for kept in &mut nearest {
                if distance < *kept {
                    core::mem::swap(kept, &mut distance);
                }
            }
        }
        let radius = nearest[K - 1];
        let (near_x, near_y) = others().fold((0, 0), |(near_x, near_y), (x, y)| {
            (near_x + usize::from(apart(a, x) < radius), near_y + usize::from(apart(b, y) < radius))
        });
        sum += digamma(near_x + 1) + digamma(near_y + 1);
    }
    Some(digamma(K) + digamma(x.len()) - sum / x.len() as f64)
}

/// The largest difference.
fn apart<const N: usize>(a: &[f64; N], b: &[f64; N]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
}

/// `ψ(n)` of a whole number from 1 on, by recurrence and its asymptotic series.
fn digamma(n: usize) -> f64 {
    let (mut x, mut sum) = (n as f64, 0.0);
    while x < 20.0 {
        sum -= 1.0 / x;
        x += 1.0;
    }
    let square = 1.0 / (x * x);
    sum + Real::ln(x)
        - 0.5 / x
        - square * (1.0 / 12.0 - square * (1.0 / 120.0 - square * (1.0 / 252.0 - square / 240.0)))
}

#[cfg(all(test, feature = "safetensors", feature = "std"))]
mod tests {
    use super::*;
    use crate::noise::Noise;
    use std::vec::Vec;

    fn near(value: f64, expected: f64, tolerance: f64) {
        assert!((value - expected).abs() < tolerance, "{value} instead of {expected}");
    }

    #[test]
    fn tables_agree_with_their_definitions() {
        let bytes = std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/prob_information.safetensors"));
        let bytes = bytes.unwrap();
        let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        let numbers = |name: &str| -> Vec<f64> {
            let view = file.tensor(name).unwrap();
            view.data().as_chunks::<8>().0.iter().map(|bytes| f64::from_le_bytes(*bytes)).collect()
        };
        let joint = numbers("joint");
        let joint = joint.as_chunks::<5>().0;
        let rows: Vec<f64> = joint.iter().map(|row| row.iter().sum()).collect();
        near(mutual_information(joint), numbers("mutual")[0], 1e-12);
        near(entropy(&rows), numbers("entropy_row")[0], 1e-12);
        near(conditional_entropy(joint), numbers("conditional")[0], 1e-12);
        // I(X; Y) = KL(p(x, y) ‖ p(x) p(y)).
        let columns: Vec<f64> = (0..5).map(|column| joint.iter().map(|row| row[column]).sum()).collect();
        let product: Vec<f64> = rows.iter().flat_map(|row| columns.iter().map(move |column| row * column)).collect();
        near(divergence(joint.as_flattened(), &product), numbers("mutual")[0], 1e-12);
    }

    #[test]
    fn digammas() {
        near(digamma(1), -0.577_215_664_901_532_9, 1e-13);
        near(digamma(4), 1.256_117_668_431_800_5, 1e-13);
        near(digamma(1000), 6.907_255_195_648_812, 1e-13);
    }

    #[test]
    fn estimates_approach_the_exact_value() {
        let mut noise = Noise::new(5);
        for correlation in [0.0, 0.5, 0.9] {
            let pairs: Vec<(f64, f64)> = (0..3000)
                .map(|_| {
                    let x = noise.normal();
                    (x, correlation * x + f64::sqrt(1.0 - correlation * correlation) * noise.normal())
                })
                .collect();
            let (x, y): (Vec<f64>, Vec<f64>) = pairs.iter().copied().unzip();
            let exact = gaussian_information(correlation);
            near(binned_information::<20>(&x, &y).unwrap(), exact, 0.08);
            let (x, y): (Vec<[f64; 1]>, Vec<[f64; 1]>) = pairs.iter().map(|(x, y)| ([*x], [*y])).unzip();
            near(nearest_neighbor_information::<4, 1, 1>(&x, &y).unwrap(), exact, 0.05);
        }
    }

    #[test]
    fn bad_samples_have_no_information() {
        assert_eq!(binned_information::<4>(&[], &[]), None);
        assert_eq!(binned_information::<4>(&[1.0], &[f64::NAN]), None);
        assert_eq!(binned_information::<4>(&[1.0, 1.0], &[1.0, 2.0]), Some(0.0));
        assert_eq!(nearest_neighbor_information::<3, 1, 1>(&[[0.0]; 3], &[[0.0]; 3]), None);
        assert_eq!(total_correlation(&[[1.0, 2.0], [2.0, 1.0]]), None);
        assert_eq!(total_correlation(&[[2.0, 0.0], [0.0, 3.0]]), Some(0.0));
    }
}
