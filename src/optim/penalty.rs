//! What keeps weights small, few, or apart.

use crate::hyperparameters::{OutOfRange, Range, check};
use crate::kernels::elementwise::{add_scaled, map, scale, zip};
use crate::kernels::reduce;
use crate::parameters::{Role, TensorInfo};
use crate::scalar::{Real, Vector};
use crate::simd::{Simd, outline};

/// A penalty or a constraint on the weights of a tensor `W`; for [`Regularized`](super::Regularized).
///
/// The first four are terms of the loss, whose derivative joins the gradient, so an optimizer's moments see them:
///
/// | penalty | term | its derivative |
/// | --- | --- | --- |
/// | `L1(λ)` | `λ Σ abs(w)` | `λ sign w`, 0 at 0 |
/// | `L2(λ)` | `λ/2 Σ w²` | `λ w`, PyTorch's `weight_decay` |
/// | `ElasticNet { l1, l2 }` | both | both |
/// | `Orthogonal(λ)` | `λ‖WᵀW − I‖²`, or `λ‖WWᵀ − I‖²` where `W` has fewer rows than columns | `4λ W(WᵀW − I)` |
///
/// The others change the weights after a step:
///
/// | constraint | after a step |
/// | --- | --- |
/// | `Shrink(a)` | `w ← sign w · max(0, abs(w) − a·rate)`, the proximal form of L1, which makes weights exactly 0 |
/// | `Decay(a)` | `w ← (1 − a·rate)·w`, decoupled weight decay |
/// | `MaxNorm(c)` | each column, the weights of one output, is scaled down to the norm `c` if it is longer |
/// | `SpectralNorm(c)` | `W` is scaled down to the largest singular value `c` if it is larger |
///
/// `rate` is the schedule's factor, so `a` is what it is at rate 1: `learning_rate · λ` for the λ of AdamW, or of an L1
/// term whose proximal step is taken. A tensor `[.., OUT]` is a matrix of `OUT` columns: dense weights are `[IN, OUT]`,
/// those of convolutions `[taps.., IN, OUT]`. What concerns a matrix leaves vectors such as biases alone.
///
/// Tibshirani (1996); Zou and Hastie (2005); Bansal, Chen and Wang, *Can we gain more from orthogonality
/// regularizations* (2018), the soft form; Beck and Teboulle (2009); Loshchilov and Hutter (2019); Srebro and Shraibman
/// (2005), as in Keras' `MaxNorm(c, axis=0)`; Gouk et al., *Regularisation of neural networks by enforcing Lipschitz
/// continuity* (2021).
///
/// ```
/// use monomorph::optim::{Penalty, Rule};
/// const HIDDEN: Rule = Penalty::L1(1e-4).on("hidden*.weight");
/// assert_eq!(HIDDEN.pattern, "hidden*.weight");
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Penalty {
    /// `λ Σ|w|`; at least 0.
    L1(f64),
    /// `λ/2 Σ w²`; at least 0.
    L2(f64),
    /// `l₁ Σ|w| + l₂/2 Σ w²`; both at least 0.
    ElasticNet {
        /// `l₁`.
        l1: f64,
        /// `l₂`.
        l2: f64,
    },
    /// `λ‖WᵀW − I‖²`; at least 0.
    Orthogonal(f64),
    /// By how much weights go toward 0 in a step; at least 0.
    Shrink(f64),
    /// Which share of them goes in a step; from 0 to 1.
    Decay(f64),
    /// The largest norm of a column; above 0.
    MaxNorm(f64),
    /// The largest singular value; above 0.
    SpectralNorm(f64),
}

/// A penalty and the tensors that it concerns.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rule {
    /// What becomes of them.
    pub penalty: Penalty,
    /// A pattern of their names; see [`Path::matches`](crate::parameters::Path::matches).
    pub pattern: &'static str,
}

impl From<Penalty> for Rule {
    fn from(penalty: Penalty) -> Self {
        penalty.on("*")
    }
}

/// How many columns of a matrix are computed at a time.
const COLUMNS: usize = 64;

impl Penalty {
    /// The penalty for the tensors whose names fit a pattern, such as `"conv*.weight"`.
    pub const fn on(self, pattern: &'static str) -> Rule {
        Rule { penalty: self, pattern }
    }

    /// The penalty for all tensors.
    pub const fn everywhere(self) -> Rule {
        self.on("*")
    }

    /// Whether it concerns a tensor.
    pub(super) fn concerns(self, tensor: &TensorInfo) -> bool {
        let of_matrices = matches!(self, Self::Orthogonal(_) | Self::MaxNorm(_) | Self::SpectralNorm(_));
        tensor.role == Role::Learned && (!of_matrices || tensor.shape.len() > 1)
    }

    pub(super) fn check<T: Real>(self) -> Result<(), OutOfRange> {
        let (name, value, range) = match self {
            Self::L1(l) => ("L1", l, Range::NotNegative),
            Self::L2(l) => ("L2", l, Range::NotNegative),
            Self::ElasticNet { l1, l2 } => {
                let range = Range::NotNegative;
                return check::<T>("Penalty::ElasticNet", &[("l1", l1, range), ("l2", l2, range)]);
            }
            Self::Orthogonal(l) => ("Orthogonal", l, Range::NotNegative),
            Self::Shrink(a) => ("Shrink", a, Range::NotNegative),
            Self::Decay(a) => ("Decay", a, Range::Share),
            Self::MaxNorm(c) => ("MaxNorm", c, Range::Positive),
            Self::SpectralNorm(c) => ("SpectralNorm", c, Range::Positive),
        };
        check::<T>("Penalty", &[(name, value, range)])
    }

    /// Adds the derivative to the gradient, if there is room for one; returns the term.
    #[inline(always)]
    pub(super) fn add<T: Real, S: Simd>(self, simd: S, columns: usize, w: &[T], gradient: Option<&mut [T]>) -> T {
        match self {
            Self::L1(l1) => elastic(simd, [l1, 0.0], w, gradient),
            Self::L2(l2) => elastic(simd, [0.0, l2], w, gradient),
            Self::ElasticNet { l1, l2 } => elastic(simd, [l1, l2], w, gradient),
            Self::Orthogonal(factor) => outline(
                simd,
                #[inline(always)]
                move || orthogonal(simd, T::from_f64(factor), columns, w, gradient),
            ),
            Self::Shrink(_) | Self::Decay(_) | Self::MaxNorm(_) | Self::SpectralNorm(_) => T::ZERO,
        }
    }

    /// Changes the weights after a step. `scratch` is as long as the weights.
    #[inline(always)]
    pub(super) fn apply<T: Real, S: Simd>(self, simd: S, rate: f64, columns: usize, w: &mut [T], scratch: &mut [T]) {
        outline(
            simd,
            #[inline(always)]
            move || match self {
                Self::Shrink(amount) => {
                    let zero = T::Vector::<S>::splat(simd, T::ZERO);
                    let amount = T::Vector::<S>::splat(simd, T::from_f64(amount * rate));
                    map(
                        simd,
                        w,
                        #[inline(always)]
                        |w| {
                            let less = w.abs() - amount;
                            T::Vector::<S>::select(less.le(zero), zero, less.copysign(w))
                        },
                    );
                }
                Self::Decay(share) => scale(simd, w, T::from_f64((1.0 - share * rate).max(0.0))),
                Self::MaxNorm(most) => max_norm(simd, T::from_f64(most), columns, w),
                Self::SpectralNorm(most) => {
                    let norm = spectral_norm(simd, columns, w, scratch);
                    if norm > T::from_f64(most) {
                        scale(simd, w, T::from_f64(most) / norm);
                    }
                }
                Self::L1(_) | Self::L2(_) | Self::ElasticNet { .. } | Self::Orthogonal(_) => {}
            },
        );
    }
}

/// `l₁ Σ|w| + l₂/2 Σ w²`, and `l₁ sign w + l₂ w`.
#[inline(always)]
fn elastic<T: Real, S: Simd>(simd: S, [l1, l2]: [f64; 2], w: &[T], gradient: Option<&mut [T]>) -> T {
    outline(
        simd,
        #[inline(always)]
        move || {
            if let Some(gradient) = gradient {
                let all = |factor: f64| T::Vector::<S>::splat(simd, T::from_f64(factor));
                let (zero, one, two) = (all(0.0), all(l1), all(l2));
                zip(
                    simd,
                    gradient,
                    w,
                    #[inline(always)]
                    |g, w| two.mul_add(w, g + T::Vector::<S>::select(w.eq(zero), zero, one.copysign(w))),
                );
            }
            let mut term = T::ZERO;
            if l1 > 0.0 {
                term += T::from_f64(l1)
                    * reduce::sum_of(
                        simd,
                        w,
                        #[inline(always)]
                        |w| w.abs(),
                    );
            }
            if l2 > 0.0 {
                term += T::from_f64(0.5 * l2) * reduce::sum_of_squares(simd, w);
            }
            term
        },
    )
}

/// `λ‖WᵀW − I‖²` or `λ‖WWᵀ − I‖²`, and its derivative. No Gram matrix is kept.
#[inline(always)]
fn orthogonal<T: Real, S: Simd>(simd: S, factor: T, columns: usize, w: &[T], mut gradient: Option<&mut [T]>) -> T {
    let rows = w.len() / columns.max(1);
    let four = factor * T::from_f64(4.0);
    let mut sum = T::ZERO;
    if rows < columns {
        for (i, row) in w.chunks_exact(columns).enumerate() {
            for (j, other) in w.chunks_exact(columns).enumerate() {
                let d = reduce::dot(simd, row, other) - if i == j { T::ONE } else { T::ZERO };
                sum += d * d;
                let to = gradient.as_deref_mut().and_then(|gradient| gradient.get_mut(i * columns..(i + 1) * columns));
                if let Some(to) = to {
                    add_scaled(simd, to, other, four * d);
                }
            }
        }
        return factor * sum;
    }
    for i in 0..columns {
        for start in (0..columns).step_by(COLUMNS) {
            let end = columns.min(start + COLUMNS);
            // A part of row i of WᵀW − I.
            let mut d = [T::ZERO; COLUMNS];
            let d = &mut d[..end - start];
            for row in w.chunks_exact(columns) {
                add_scaled(simd, d, &row[start..end], row[i]);
            }
            if let Some(own) = i.checked_sub(start).and_then(|own| d.get_mut(own)) {
                *own -= T::ONE;
            }
            sum += reduce::sum_of_squares(simd, d);
            if let Some(gradient) = gradient.as_deref_mut() {
                for (row, to) in w.chunks_exact(columns).zip(gradient.chunks_exact_mut(columns)) {
                    to[i] += four * reduce::dot(simd, &row[start..end], d);
                }
            }
        }
    }
    factor * sum
}

/// Scales columns down to the norm `most`.
#[inline(always)]
fn max_norm<T: Real, S: Simd>(simd: S, most: T, columns: usize, w: &mut [T]) {
    for start in (0..columns).step_by(COLUMNS) {
        let end = columns.min(start + COLUMNS);
        let mut factors = [T::ZERO; COLUMNS];
        for row in w.chunks_exact(columns) {
            zip(
                simd,
                &mut factors,
                &row[start..end],
                #[inline(always)]
                |sum, w| w.mul_add(w, sum),
            );
        }
        for factor in &mut factors {
            let norm = factor.sqrt();
            *factor = if norm > most { most / norm } else { T::ONE };
        }
        for row in w.chunks_exact_mut(columns) {
            zip(
                simd,
                &mut row[start..end],
                &factors,
                #[inline(always)]
                |w, factor| w * factor,
            );
        }
    }
}

/// The largest singular value, by power iteration from the longest row; from below, to about a millionth.
#[inline(always)]
fn spectral_norm<T: Real, S: Simd>(simd: S, columns: usize, w: &[T], scratch: &mut [T]) -> T {
    let rows = w.len() / columns.max(1);
    if rows < 2 || columns < 2 || scratch.len() < rows + columns {
        return reduce::sum_of_squares(simd, w).sqrt();
    }
    let (v, u) = scratch.split_at_mut(columns);
    let u = &mut u[..rows];
    let mut longest = T::ZERO;
    for row in w.chunks_exact(columns) {
        let square = reduce::sum_of_squares(simd, row);
        if square > longest {
            longest = square;
            v.copy_from_slice(row);
        }
    }
    if longest == T::ZERO {
        return T::ZERO;
    }
    scale(simd, v, T::ONE / longest.sqrt());
    let mut norm = T::ZERO;
    for _ in 0..200 {
        for (u, row) in u.iter_mut().zip(w.chunks_exact(columns)) {
            *u = reduce::dot(simd, row, v);
        }
        let next = reduce::sum_of_squares(simd, u).sqrt();
        if next == T::ZERO || next - norm <= next * T::from_f64(1e-7) {
            return norm.max(next);
        }
        norm = next;
        v.fill(T::ZERO);
        for (u, row) in u.iter().zip(w.chunks_exact(columns)) {
            add_scaled(simd, v, row, *u);
        }
        let length = reduce::sum_of_squares(simd, v).sqrt();
        scale(simd, v, T::ONE / length);
    }
    norm
}
