//! The discrete Fourier transform of many columns at once, for sizes that are products of small primes.
//!
//! `X[k] = Σ x[n] e^(-2πikn/N)`. Stockham's order of Cooley and Tukey's method: each stage combines `R` parts of equal
//! length and leaves its results in the other memory, so nothing is reordered and inner loops are over adjacent
//! numbers.

use alloc::vec::Vec;
use core::f64::consts::TAU;

use super::part;
use crate::kernels::elementwise::update;
use crate::scalar::{Real, Vector};
use crate::simd::{Simd, outline};

/// A complex number.
pub(super) type Complex = [f64; 2];

/// `e^(-2πi part/whole)`.
pub(super) fn root(part: usize, whole: usize) -> Complex {
    let angle = TAU * (part % whole) as f64 / whole as f64;
    [libm::cos(angle), -libm::sin(angle)]
}

/// Real and imaginary parts.
pub(super) struct Planes<'a, T> {
    pub(super) re: &'a mut [T],
    pub(super) im: &'a mut [T],
}

impl<T> Planes<'_, T> {
    pub(super) fn again(&mut self) -> Planes<'_, T> {
        Planes { re: self.re, im: self.im }
    }
}

/// One stage.
#[derive(Clone, Debug)]
struct Stage<T> {
    radix: usize,
    /// How many groups of `radix` numbers it combines.
    groups: usize,
    /// The factor of each of a group's results but the first.
    factors: Vec<[T; 2]>,
    /// The roots of unity of the radix.
    roots: Vec<[T; 2]>,
}

/// The transform of columns of one size.
#[derive(Clone, Debug)]
pub(super) struct Fourier<T> {
    pub(super) size: usize,
    stages: Vec<Stage<T>>,
}

impl<T: Real> Fourier<T> {
    /// The transform of `size` numbers; `None` if it has another factor than 2, 3, 5, 7, 11 and 13.
    pub(super) fn new(size: usize) -> Option<Self> {
        let (mut stages, mut left) = (Vec::new(), size);
        let number = |[re, im]: Complex| [T::from_f64(re), T::from_f64(im)];
        while left > 1 {
            let radix = [4, 2, 3, 5, 7, 11, 13].into_iter().find(|radix| left.is_multiple_of(*radix))?;
            let groups = left / radix;
            let mut factors = Vec::new();
            for group in 0..groups {
                factors.extend((1..radix).map(|result| number(root(group * result, left))));
            }
            let roots = (0..radix).map(|part| number(root(part, radix))).collect();
            stages.push(Stage { radix, groups, factors, roots });
            left = groups;
        }
        (size > 0).then_some(Self { size, stages })
    }

    /// Transforms each of `columns` columns of `x`, a matrix with a row for each number. Where the result is, in `x` or
    /// in `other`, is what it returns: `false` for `x`.
    ///
    /// With real and imaginary parts exchanged, before and behind, it is the inverse but for a factor of the size.
    #[inline(always)]
    pub(super) fn transform<'a, S: Simd>(
        &self,
        simd: S,
        columns: usize,
        x: Planes<'a, T>,
        other: Planes<'a, T>,
    ) -> bool {
        outline(
            simd,
            #[inline(always)]
            || {
                let (mut from, mut to, mut width) = (x, other, columns);
                for stage in &self.stages {
                    match stage.radix {
                        2 => stage.combine::<S, 2, 4>(simd, width, from.again(), to.again()),
                        3 => stage.combine::<S, 3, 6>(simd, width, from.again(), to.again()),
                        4 => stage.combine::<S, 4, 8>(simd, width, from.again(), to.again()),
                        5 => stage.combine::<S, 5, 10>(simd, width, from.again(), to.again()),
                        7 => stage.combine::<S, 7, 14>(simd, width, from.again(), to.again()),
                        11 => stage.combine::<S, 11, 22>(simd, width, from.again(), to.again()),
                        _ => stage.combine::<S, 13, 26>(simd, width, from.again(), to.again()),
                    }
                    core::mem::swap(&mut from, &mut to);
                    width *= stage.radix;
                }
            },
        );
        !self.stages.len().is_multiple_of(2)
    }
}

impl<T: Real> Stage<T> {
    /// Combines `R` parts into as many results; `BOTH` is twice `R`.
    #[inline(always)]
    fn combine<S: Simd, const R: usize, const BOTH: usize>(
        &self,
        simd: S,
        width: usize,
        from: Planes<'_, T>,
        to: Planes<'_, T>,
    ) {
        let (from_re, from_im) = (&*from.re, &*from.im);
        let results = to.re.chunks_exact_mut(R * width).zip(to.im.chunks_exact_mut(R * width));
        let mut roots = [[T::Vector::<S>::splat(simd, T::ZERO); 2]; R];
        for (root, of) in roots.iter_mut().zip(&self.roots) {
            *root = [T::Vector::<S>::splat(simd, of[0]), T::Vector::<S>::splat(simd, of[1])];
        }
        for (group, (re, im)) in results.take(self.groups).enumerate() {
            let (mut re, mut im) = (re.chunks_exact_mut(width), im.chunks_exact_mut(width));
            let out: [&mut [T]; BOTH] =
                core::array::from_fn(|index| if index < R { re.next() } else { im.next() }.unwrap_or_default());
            let mut inputs: [&[T]; BOTH] = [&[]; BOTH];
            for index in 0..R {
                inputs[index] = part(from_re, group + index * self.groups, width);
                inputs[R + index] = part(from_im, group + index * self.groups, width);
            }
            let factors = self.factors.get(group * (R - 1)..(group + 1) * (R - 1)).unwrap_or_default();
            update::<T, S, BOTH, BOTH>(
                simd,
                width,
                out,
                inputs,
                #[inline(always)]
                |_, x| butterfly::<T, S, R, BOTH>(simd, x, &roots, if group > 0 { factors } else { &[] }),
            );
        }
    }
}

/// The transform of `R` numbers, whose real parts come before the imaginary ones, each times its factor.
#[inline(always)]
fn butterfly<T: Real, S: Simd, const R: usize, const BOTH: usize>(
    simd: S,
    x: [T::Vector<S>; BOTH],
    roots: &[[T::Vector<S>; 2]; R],
    factors: &[[T; 2]],
) -> [T::Vector<S>; BOTH] {
    let mut y = x;
    match R {
        2 => {
            (y[0], y[1]) = (x[0] + x[1], x[0] - x[1]);
            (y[2], y[3]) = (x[2] + x[3], x[2] - x[3]);
        }
        4 => {
            let (even, odd) = ([x[0] + x[2], x[4] + x[6]], [x[1] + x[3], x[5] + x[7]]);
            let (low, high) = ([x[0] - x[2], x[4] - x[6]], [x[1] - x[3], x[5] - x[7]]);
            (y[0], y[4]) = (even[0] + odd[0], even[1] + odd[1]);
            (y[2], y[6]) = (even[0] - odd[0], even[1] - odd[1]);
            (y[1], y[5]) = (low[0] + high[1], low[1] - high[0]);
            (y[3], y[7]) = (low[0] - high[1], low[1] + high[0]);
        }
        _ => {
            for result in 0..R {
                let (mut re, mut im) = (x[0], x[R]);
                for index in 1..R {
                    let [c, s] = roots[index * result % R];
                    let (a, b) = (x[index], x[R + index]);
                    re = re + a * c - b * s;
                    im = im + a * s + b * c;
                }
                (y[result], y[R + result]) = (re, im);
            }
        }
    }
    for (index, factor) in factors.iter().enumerate().take(R - 1) {
        let [c, s] = [T::Vector::<S>::splat(simd, factor[0]), T::Vector::<S>::splat(simd, factor[1])];
        let (re, im) = (y[index + 1], y[R + index + 1]);
        (y[index + 1], y[R + index + 1]) = (re * c - im * s, re * s + im * c);
    }
    y
}

/// The transform of any length by its definition: for filters, which are computed once.
pub(super) fn definition(x: &[Complex], inverse: bool) -> Vec<Complex> {
    let size = x.len();
    let sum = |k: usize| {
        x.iter().enumerate().fold([0.0; 2], |[re, im], (n, [a, b])| {
            let [c, s] = root(k * n % size, size);
            let s = if inverse { -s } else { s };
            [re + a * c - b * s, im + a * s + b * c]
        })
    };
    let scale = if inverse { 1.0 / size as f64 } else { 1.0 };
    (0..size).map(sum).map(|number| number.map(|part| part * scale)).collect()
}
