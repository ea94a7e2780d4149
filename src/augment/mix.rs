//! Samples mixed with others of their batch.

use crate::loss::Class;
use crate::noise::Noise;
use crate::scalar::Scalar;
use crate::tensor::Tensor;

/// An image of `H` rows.
type Image<T, const C: usize, const W: usize, const H: usize> = [[[T; C]; W]; H];

/// A class as a distribution: 1 for it and 0 for the others; all 0 if there is no such class.
///
/// ```
/// assert_eq!(monomorph::augment::one_hot::<f32, 3>(1_u8), [0.0, 1.0, 0.0]);
/// ```
pub fn one_hot<T: Scalar, const C: usize>(class: impl Class) -> [T; C] {
    core::array::from_fn(|index| if index == class.class() { T::ONE } else { T::ZERO })
}

/// Gamma(a, 1), by the method of Marsaglia and Tsang (2000).
fn gamma(a: f64, noise: &mut Noise) -> f64 {
    if a < 1.0 {
        // 1 − u is not 0.
        return gamma(a + 1.0, noise) * libm::pow(1.0 - noise.uniform(), 1.0 / a);
    }
    let d = a - 1.0 / 3.0;
    let c = 1.0 / libm::sqrt(9.0 * d);
    loop {
        let x = noise.normal();
        let v = (1.0 + c * x) * (1.0 + c * x) * (1.0 + c * x);
        if v > 0.0 && libm::log(1.0 - noise.uniform()) < 0.5 * x * x + d - d * v + d * libm::log(v) {
            return d * v;
        }
    }
}

/// Beta(a, a); 1 if `a` is not above 0, so that nothing is mixed.
fn beta(a: f64, noise: &mut Noise) -> f64 {
    // Also for NaN.
    if !(a > 0.0 && a.is_finite()) {
        return 1.0;
    }
    let (x, y) = (gamma(a, noise), gamma(a, noise));
    if x + y > 0.0 { x / (x + y) } else { 1.0 }
}

/// `λ·a + (1 − λ)·b`.
fn blend<X: Tensor<Element: Scalar>>(share: f64, a: &X, b: &X, to: &mut X) {
    let [one, other] = [share, 1.0 - share].map(X::Element::from_f64);
    for (to, (a, b)) in to.numbers_mut().iter_mut().zip(a.numbers().iter().zip(b.numbers())) {
        *to = *a * one + *b * other;
    }
}

/// A random order of the samples: whom each is mixed with.
fn partners<const B: usize>(noise: &mut Noise) -> [usize; B] {
    let mut order = core::array::from_fn(|index| index);
    noise.shuffle(&mut order);
    order
}

/// Mixup: every sample becomes `λ·x + (1 − λ)·x′` with another `x′` of the batch, and its target `λ·y + (1 − λ)·y′`,
/// with a `λ` for the batch drawn from Beta(α, α). Zhang et al., *mixup: Beyond empirical risk minimization* (2018),
/// who take α from 0.1 to 0.4. Returns `λ`.
///
/// Targets are tensors, such as distributions over classes ([`one_hot`]), which
/// [`CrossEntropy`](crate::loss::CrossEntropy) takes. With an `alpha` that is not above 0, nothing is mixed.
///
/// ```
/// use monomorph::Noise;
/// use monomorph::augment::mixup;
///
/// let (x, y) = ([[0.0_f64], [4.0]], [[1.0, 0.0], [0.0, 1.0]]);
/// let (mut mixed_x, mut mixed_y) = (x, y);
/// mixup(0.4, (&x, &y), (&mut mixed_x, &mut mixed_y), &mut Noise::new(1));
/// assert!((mixed_x[0][0] - 4.0 * mixed_y[0][1]).abs() < 1e-12);
/// ```
pub fn mixup<X: Tensor<Element: Scalar>, Y: Tensor<Element: Scalar>, const B: usize>(
    alpha: f64,
    (x, y): (&[X; B], &[Y; B]),
    (to_x, to_y): (&mut [X; B], &mut [Y; B]),
    noise: &mut Noise,
) -> f64 {
    let share = beta(alpha, noise);
    let partners = partners::<B>(noise);
    for (index, partner) in partners.iter().enumerate() {
        if let (Some(a), Some(b), Some(to)) = (x.get(index), x.get(*partner), to_x.get_mut(index)) {
            blend(share, a, b, to);
        }
        if let (Some(a), Some(b), Some(to)) = (y.get(index), y.get(*partner), to_y.get_mut(index)) {
            blend(share, a, b, to);
        }
    }
    share
}

/// CutMix: a rectangle of every image is that of another image of the batch, and the targets are mixed by area. The
/// rectangle, the same for the batch, has a share of about `1 − λ` of the image, with `λ` drawn from Beta(α, α), and
/// its middle anywhere. Yun et al., *CutMix* (2019), who take α 1. Returns the share of the image that stays.
///
/// ```
/// use monomorph::Noise;
/// use monomorph::augment::cutmix;
///
/// let (x, y) = ([[[[0.0_f64]; 4]; 4], [[[1.0]; 4]; 4]], [[1.0, 0.0], [0.0, 1.0]]);
/// let (mut mixed_x, mut mixed_y) = (x, y);
/// cutmix(1.0, (&x, &y), (&mut mixed_x, &mut mixed_y), &mut Noise::new(1));
/// let area = mixed_x[0].as_flattened().as_flattened().iter().sum::<f64>() / 16.0;
/// assert!((area - mixed_y[0][1]).abs() < 1e-12);
/// ```
pub fn cutmix<T: Scalar, Y: Tensor<Element: Scalar>, const C: usize, const W: usize, const H: usize, const B: usize>(
    alpha: f64,
    (x, y): (&[Image<T, C, W, H>; B], &[Y; B]),
    (to_x, to_y): (&mut [Image<T, C, W, H>; B], &mut [Y; B]),
    noise: &mut Noise,
) -> f64 {
    let side = libm::sqrt(1.0 - beta(alpha, noise));
    let mut range = |size: usize| {
        let (middle, half) = (noise.below(size as u64) as usize, libm::round(side * size as f64) as usize);
        middle.saturating_sub(half / 2)..(middle + half.div_ceil(2)).min(size)
    };
    let (rows, columns) = (range(H), range(W));
    let share = 1.0 - (rows.len() * columns.len()) as f64 / ((H * W).max(1)) as f64;
    let partners = partners::<B>(noise);
    for (index, partner) in partners.iter().enumerate() {
        if let (Some(a), Some(b), Some(to)) = (x.get(index), x.get(*partner), to_x.get_mut(index)) {
            *to = *a;
            let pairs = to.iter_mut().zip(b).take(rows.end).skip(rows.start);
            for (to, from) in pairs {
                let pixels = to.iter_mut().zip(from).take(columns.end).skip(columns.start);
                pixels.for_each(|(to, from)| *to = *from);
            }
        }
        if let (Some(a), Some(b), Some(to)) = (y.get(index), y.get(*partner), to_y.get_mut(index)) {
            blend(share, a, b, to);
        }
    }
    share
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_have_the_moments_of_their_distribution() {
        for a in [0.2, 1.0, 4.0] {
            let mut noise = Noise::new(5);
            let draws: [f64; 5000] = core::array::from_fn(|_| beta(a, &mut noise));
            assert!(draws.iter().all(|x| (0.0..=1.0).contains(x)));
            let mean = draws.iter().sum::<f64>() / 5000.0;
            let variance = draws.iter().map(|x| (x - 0.5) * (x - 0.5)).sum::<f64>() / 5000.0;
            assert!((mean - 0.5).abs() < 0.03, "mean {mean} for {a}");
            // ab / ((a + b)² (a + b + 1))
            let expected = 0.25 / (2.0 * a + 1.0);
            assert!((variance - expected).abs() < 0.1 * expected, "variance {variance} for {a}, not {expected}");
        }
        for a in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert_eq!(beta(a, &mut Noise::new(1)), 1.0);
        }
    }

    #[test]
    fn targets_stay_distributions_and_follow_the_samples() {
        let x: [[[[f64; 1]; 5]; 3]; 6] = core::array::from_fn(|class| [[[class as f64]; 5]; 3]);
        let y: [[f64; 6]; 6] = core::array::from_fn(|class| one_hot(class as u8));
        for seed in 0..50 {
            let (mut to_x, mut to_y) = (x, y);
            let share = mixup(0.4, (&x, &y), (&mut to_x, &mut to_y), &mut Noise::new(seed));
            for (index, (x, y)) in to_x.iter().zip(&to_y).enumerate() {
                assert!((y.iter().sum::<f64>() - 1.0).abs() < 1e-12 && y[index] >= share - 1e-12);
                let mean: f64 = y.iter().enumerate().map(|(class, y)| class as f64 * y).sum();
                assert!(x.as_flattened().as_flattened().iter().all(|x| (x - mean).abs() < 1e-12));
            }
            let (mut to_x, mut to_y) = (x, y);
            cutmix(1.0, (&x, &y), (&mut to_x, &mut to_y), &mut Noise::new(seed));
            for (x, y) in to_x.iter().zip(&to_y) {
                let mean: f64 = y.iter().enumerate().map(|(class, y)| class as f64 * y).sum();
                let pixels = x.as_flattened().as_flattened();
                assert!((pixels.iter().sum::<f64>() / 15.0 - mean).abs() < 1e-12);
                assert!(pixels.iter().all(|x| x.fract() == 0.0), "pixels are whole ones");
            }
        }
        let (mut to_x, mut to_y) = (x, y);
        assert_eq!(mixup(0.0, (&x, &y), (&mut to_x, &mut to_y), &mut Noise::new(1)), 1.0);
        assert_eq!((to_x, to_y), (x, y));
    }
}
