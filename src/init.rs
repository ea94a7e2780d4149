//! How random parameters are drawn before training.

use crate::noise::Noise;
use crate::parameters::{Parameters, Start, assert_tensors, for_each_tensor, has_normal};
use crate::scalar::Scalar;

/// How the numbers of a random tensor are drawn.
///
/// The last axis of a tensor is the output, the one before it the input, and all axes before those are the kernel, with
/// `k` taps. So `fan_in = k·in` is how many inputs are summed for each output, and `fan_out = k·out` is how many sums
/// each input contributes to.
///
/// The same seed gives the same numbers on every platform. Tensors with their own initial value, such as biases, are
/// not drawn: see [`initialize`].
///
/// ```
/// use monomorph::Noise;
/// use monomorph::init::Init;
/// let mut weight = [[0.0_f32; 64]; 32];
/// Init::KaimingUniform.fill(weight.as_flattened_mut(), &[32, 64], &mut Noise::new(1));
/// let bound = (6.0_f32 / 32.0).sqrt();
/// assert!(weight.as_flattened().iter().all(|w| w.abs() <= bound));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Init {
    /// Uniform in `±√(6/fan_in)`, for layers before a ReLU: it preserves the scale of the activations. He et al.,
    /// *Delving deep into rectifiers* (2015).
    #[default]
    KaimingUniform,
    /// Normal with variance `2/fan_in`, for layers before a ReLU (He et al. 2015).
    KaimingNormal,
    /// Uniform in `±√(6/(fan_in + fan_out))`, for layers before a tanh. Glorot and Bengio,
    /// *Understanding the difficulty of training deep feedforward neural networks* (2010).
    XavierUniform,
    /// Normal with variance `2/(fan_in + fan_out)`, for layers before a tanh (Glorot and Bengio 2010).
    XavierNormal,
    /// Normal with variance `1/fan_in`, for layers before a SELU. LeCun et al., *Efficient backprop*
    /// (1998); Klambauer et al., *Self-normalizing neural networks* (2017).
    LecunNormal,
    /// A random matrix of `fan_in` rows whose columns are orthonormal, or whose rows are if it has more columns than
    /// rows. Saxe, McClelland and Ganguli, *Exact solutions to the nonlinear dynamics of learning in deep linear neural
    /// networks* (2014).
    ///
    /// It takes seconds from a thousand rows and columns on.
    Orthogonal,
    /// Uniform in `±bound`.
    Uniform(f64),
    /// Normal with this standard deviation.
    Normal(f64),
    /// Every number is this value.
    Constant(f64),
    /// All zeros.
    Zeros,
}

impl Init {
    /// Fills a tensor of the given shape: all its numbers, in memory order.
    pub fn fill<T: Scalar>(self, values: &mut [T], shape: &[usize], noise: &mut Noise) {
        let (fan_in, fan_out) = fans(shape);
        match self {
            Self::KaimingUniform => uniform(values, libm::sqrt(6.0 / fan_in), noise),
            Self::KaimingNormal => normal(values, libm::sqrt(2.0 / fan_in), noise),
            Self::XavierUniform => uniform(values, libm::sqrt(6.0 / (fan_in + fan_out)), noise),
            Self::XavierNormal => normal(values, libm::sqrt(2.0 / (fan_in + fan_out)), noise),
            Self::LecunNormal => normal(values, libm::sqrt(1.0 / fan_in), noise),
            Self::Orthogonal => orthogonal(values, shape, noise),
            Self::Uniform(bound) => uniform(values, bound, noise),
            Self::Normal(deviation) => normal(values, deviation, noise),
            Self::Constant(value) => values.fill(T::from_f64(value)),
            Self::Zeros => values.fill(T::ZERO),
        }
    }
}

/// Gives every tensor its initial value: the layer's own where it defines one, `init` elsewhere.
pub fn initialize<T: Scalar, P: Parameters<Scalar = T>>(parameters: &mut P, init: Init, noise: &mut Noise) {
    const { assert_tensors::<P>() };
    let numbers = parameters.as_mut_slice();
    for_each_tensor(P::ENTRIES, &mut |_, tensor, range| {
        // It always exists; written this way so that firmware that trains has no panic code linked in.
        let Some(numbers) = numbers.get_mut(range) else { return };
        match tensor.start {
            Start::Constant(value) => numbers.fill(T::from_f64(value)),
            // Firmware without such a tensor has no normal distribution linked in.
            Start::Normal(deviation) if const { has_normal(P::ENTRIES) } => normal(numbers, deviation, noise),
            Start::Orthogonal if const { has_normal(P::ENTRIES) } => orthogonal(numbers, tensor.shape, noise),
            Start::Uniform(bound) => uniform(numbers, bound, noise),
            Start::Ones { from, to } => {
                let ones = numbers.iter_mut().enumerate();
                ones.for_each(|(index, x)| *x = if (from..to).contains(&index) { T::ONE } else { T::ZERO });
            }
            Start::Random | Start::Normal(_) | Start::Orthogonal => init.fill(numbers, tensor.shape, noise),
        }
    });
}

/// `fan_in` and `fan_out`, at least 1.
fn fans(shape: &[usize]) -> (f64, f64) {
    let (into, out) = match shape {
        [] => (1, 1),
        [out] => (1, *out),
        [kernel @ .., into, out] => {
            let places: usize = kernel.iter().product();
            (places * into, places * out)
        }
    };
    (into.max(1) as f64, out.max(1) as f64)
}

fn uniform<T: Scalar>(values: &mut [T], bound: f64, noise: &mut Noise) {
    values.fill_with(|| T::from_f64((noise.uniform() * 2.0 - 1.0) * bound));
}

fn normal<T: Scalar>(values: &mut [T], deviation: f64, noise: &mut Noise) {
    values.fill_with(|| T::from_f64(noise.normal() * deviation));
}

/// The `Q` of the QR factorization of a Gaussian matrix with a positive diagonal of `R`, so it is uniformly distributed
/// over all orthogonal matrices (Mezzadri, *How to generate random matrices from the classical compact groups*, 2007):
/// by Gram and Schmidt's method, which is applied twice, because what is left after the first time need not be
/// orthogonal (Giraud and others, *Rounding error analysis of the classical Gram-Schmidt orthogonalization process*, 2005).
fn orthogonal<T: Scalar>(values: &mut [T], shape: &[usize], noise: &mut Noise) {
    let columns = shape.last().copied().unwrap_or(1).max(1);
    let rows = values.len() / columns;
    // The vectors are columns or rows, whichever are fewer: number `k` of vector `v` is at `k · step + v · next`.
    let (count, len, step, next) =
        if rows >= columns { (columns, rows, columns, 1) } else { (rows, columns, 1, columns) };
    let at = |values: &[T], vector: usize, k: usize| values.get(k * step + vector * next).map_or(0.0, |x| x.to_f64());
    for vector in 0..count {
        for k in 0..len {
            set(values, k * step + vector * next, noise.normal());
        }
        for _ in 0..2 {
            for other in 0..vector {
                let along: f64 = (0..len).map(|k| at(values, other, k) * at(values, vector, k)).sum();
                for k in 0..len {
                    let left = at(values, vector, k) - along * at(values, other, k);
                    set(values, k * step + vector * next, left);
                }
            }
        }
        let square: f64 = (0..len).map(|k| at(values, vector, k) * at(values, vector, k)).sum();
        for k in 0..len {
            let unit = at(values, vector, k) / libm::sqrt(square);
            set(values, k * step + vector * next, unit);
        }
    }
}

fn set<T: Scalar>(values: &mut [T], index: usize, value: f64) {
    if let Some(to) = values.get_mut(index) {
        *to = T::from_f64(value);
    }
}

#[cfg(all(test, feature = "std"))]
mod tests {
    use super::*;
    use std::vec;
    use std::vec::Vec;

    const SHAPE: [usize; 4] = [3, 3, 20, 50];

    fn draw(init: Init, shape: &[usize]) -> Vec<f64> {
        let mut values = vec![f64::NAN; shape.iter().product()];
        init.fill(&mut values, shape, &mut Noise::new(5));
        values
    }

    fn mean(values: &[f64]) -> f64 {
        values.iter().sum::<f64>() / values.len() as f64
    }

    /// Checks that the variance is within five standard errors of the expected one, and the mean of 0.
    fn check(init: Init, variance: f64, bound: f64) {
        let values = draw(init, &SHAPE);
        let n = values.len() as f64;
        assert!(mean(&values).abs() < 5.0 * (variance / n).sqrt(), "{init:?}: mean {}", mean(&values));
        let squares: Vec<f64> = values.iter().map(|x| x * x).collect();
        let actual = mean(&squares);
        assert!((actual / variance - 1.0).abs() < 5.0 * (2.0 / n).sqrt(), "{init:?}: variance {actual}");
        let largest = values.iter().fold(0.0_f64, |largest, x| largest.max(x.abs()));
        assert!(largest <= bound && largest > 0.5 * bound, "{init:?}: up to {largest}, within {bound}");
    }

    #[test]
    fn spread() {
        // fan_in = 9·20, fan_out = 9·50; the bound of a normal distribution is one that 9000 draws do not exceed.
        let (fan_in, fan_out) = (180.0, 450.0);
        let uniform = |init, variance: f64| check(init, variance, (3.0 * variance).sqrt());
        let normal = |init, variance: f64| check(init, variance, 5.5 * variance.sqrt());
        uniform(Init::KaimingUniform, 2.0 / fan_in);
        normal(Init::KaimingNormal, 2.0 / fan_in);
        uniform(Init::XavierUniform, 2.0 / (fan_in + fan_out));
        normal(Init::XavierNormal, 2.0 / (fan_in + fan_out));
        normal(Init::LecunNormal, 1.0 / fan_in);
        uniform(Init::Uniform(0.3), 0.09 / 3.0);
        normal(Init::Normal(0.02), 0.0004);
        assert!(draw(Init::Zeros, &SHAPE).iter().all(|x| *x == 0.0));
        assert!(draw(Init::Constant(0.5), &SHAPE).iter().all(|x| *x == 0.5));
    }

    #[test]
    fn fans_of_every_rank() {
        assert_eq!(fans(&[7]), (1.0, 7.0));
        assert_eq!(fans(&[20, 50]), (20.0, 50.0));
        assert_eq!(fans(&[3, 20, 50]), (60.0, 150.0));
        assert_eq!(fans(&[3, 5, 1, 8]), (15.0, 120.0));
        assert_eq!(fans(&[0, 8]), (1.0, 8.0));
        for init in [Init::KaimingUniform, Init::XavierNormal] {
            assert!(draw(init, &[0, 8]).is_empty());
            assert!(draw(init, &[3]).iter().all(|x| x.is_finite()));
        }
    }

    /// The numbers a seed gives must never change.
    #[test]
    fn a_seed_is_a_promise() {
        let uniform = [-0.39224699479225816, 0.8740171410757784, -0.9259226108882225, -1.3879289923455598];
        assert_eq!(draw(Init::KaimingUniform, &[2, 2]), uniform);
        let normal = [0.014334745996352224, 0.5906209568869251, -0.4720898558893115, -2.904276469476543];
        assert_eq!(draw(Init::KaimingNormal, &[2, 2]), normal);
        let (mut single, double) = ([0.0_f32; 4], draw(Init::KaimingNormal, &[2, 2]));
        Init::KaimingNormal.fill(&mut single, &[2, 2], &mut Noise::new(5));
        assert!(single.iter().zip(double).all(|(a, b)| *a == b as f32));
    }

    #[test]
    fn orthogonal_matrices() {
        for (shape, rows, columns) in [
            (&[1, 1][..], 1, 1),
            (&[17, 5], 17, 5),
            (&[5, 17], 5, 17),
            (&[16, 16], 16, 16),
            (&[3, 3, 4, 10], 36, 10),
            (&[3, 3, 1, 20], 9, 20),
            (&[6], 1, 6),
        ] {
            let w = draw(Init::Orthogonal, shape);
            for a in 0..rows.min(columns) {
                for b in 0..rows.min(columns) {
                    let product: f64 = if rows >= columns {
                        (0..rows).map(|row| w[row * columns + a] * w[row * columns + b]).sum()
                    } else {
                        (0..columns).map(|column| w[a * columns + column] * w[b * columns + column]).sum()
                    };
                    let expected = if a == b { 1.0 } else { 0.0 };
                    assert!((product - expected).abs() < 1e-12, "{shape:?}: {a}, {b}: {product}");
                }
            }
        }
        assert!(draw(Init::Orthogonal, &[0, 4]).is_empty() && draw(Init::Orthogonal, &[4, 0]).is_empty());
    }

    /// Each column must have the direction of the remainder of its Gaussian column; otherwise the distribution would
    /// not be uniform.
    #[test]
    fn orthogonal_matrices_have_no_preferred_sign() {
        let (gaussian, w) = (draw(Init::Normal(1.0), &[9, 6]), draw(Init::Orthogonal, &[9, 6]));
        for column in 0..6 {
            // The Gaussian matrix is drawn column by column.
            let along: f64 = (0..9).map(|row| gaussian[column * 9 + row] * w[row * 6 + column]).sum();
            assert!(along > 0.0, "column {column}: {along}");
        }
    }
}
