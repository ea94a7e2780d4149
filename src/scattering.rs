//! Scattering: features of images and signals that no training finds, because they need none. Mallat, *Group invariant
//! scattering* (2012); Bruna and Mallat, *Invariant scattering convolution networks* (2013).
//!
//! Wavelets look for structure at every scale and in every direction, a modulus forgets where exactly it was, and a
//! local mean makes what is left insensitive to shifts by up to `2^J`. What the mean loses at finer scales, the next
//! wavelets look for again:
//!
//! `S₀ = x * φ`, `S₁[λ] = |x * ψ[λ]| * φ`, `S₂[λ, μ] = ||x * ψ[λ]| * ψ[μ]| * φ`, for every scale of `μ` coarser than
//! that of `λ`; each taken at every `2^J`-th place
//!
//! | | what it takes | filters |
//! | --- | --- | --- |
//! | [`Scattering2d`] | images | Morlet wavelets of `J` scales in `L` directions |
//! | [`Scattering1d`] | signals | Morlet wavelets, `Q` of each octave |
//!
//! Conventions, borders included, are those of Kymatio (Andreux et al., *Kymatio: scattering transforms in Python*,
//! 2020), so features can be exchanged with it.
//!
//! A deformation `x(u - τ(u))` changes the features by at most `C (|∇τ| + |∇²τ| + 2^-J |τ|) ‖x‖` (Mallat 2012, theorem
//! 2.12): a little for a small one. A linear classifier behind them learns from few images.
//!
//! Filters are computed once, by [`new`](Scattering2d::new); after that nothing allocates.

mod fourier;
mod image;
mod signal;
#[cfg(all(test, feature = "safetensors", feature = "std"))]
mod tests;

use core::fmt;

pub use image::Scattering2d;
pub use signal::Scattering1d;

/// Sizes for which there is no scattering.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ScatteringError {
    /// There must be at least one scale and one direction, or wavelet of an octave.
    Nothing,
    /// The input is shorter than the longest wavelet: an axis of `length` numbers, of which at least `least` are
    /// needed.
    Short {
        /// The size of the axis.
        length: usize,
        /// The size it must have at least.
        least: usize,
    },
    /// The size of an axis with its border is not a product of 2, 3, 5, 7, 11 and 13, which the Fourier transform
    /// takes.
    Factor {
        /// The size of the axis.
        length: usize,
        /// The size with its border.
        padded: usize,
    },
}

impl fmt::Display for ScatteringError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => {
                f.write_str("scattering has at least one scale, and one direction or wavelet of an octave")
            }
            Self::Short { length, least } => {
                write!(f, "an axis of {length} numbers is too short for so many scales; it has at least {least}")
            }
            Self::Factor { length, padded } => write!(
                f,
                "an axis of {length} numbers is {padded} with its border, no product of 2, 3, 5, 7, 11 and 13; \
                 make it longer or shorter"
            ),
        }
    }
}

impl core::error::Error for ScatteringError {}

/// A row of a matrix with rows of `len` numbers; empty if there is none.
#[inline(always)]
fn part<T>(rows: &[T], index: usize, len: usize) -> &[T] {
    rows.get(index * len..index * len + len).unwrap_or_default()
}

/// The same, to change.
#[inline(always)]
fn part_mut<T>(rows: &mut [T], index: usize, len: usize) -> &mut [T] {
    rows.get_mut(index * len..index * len + len).unwrap_or_default()
}
