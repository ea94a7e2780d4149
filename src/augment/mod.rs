//! Training samples changed at random, so that a network learns what does not matter: images, sequences, and mixtures
//! of samples.
//!
//! | what | for | changes |
//! | --- | --- | --- |
//! | [`Images`] | `[[[T; C]; W]; H]` | shift, rotation, scale, elastic deformation, mirror image, cutout, noise |
//! | [`Sequences`] | `[[T; C]; N]` | shift in time, masked steps, scale, noise |
//! | [`mixup`] | any tensor | `λ·x + (1 − λ)·x′`, targets too |
//! | [`cutmix`] | images | a rectangle of another image, targets by area |
//!
//! All write to memory of the caller's, allocate nothing, need no `std`, and are determined by the [`Noise`] that they
//! draw from: the same seed gives the same samples on every machine. Use them on batches of training, not of
//! validation.
//!
//! ```
//! use monomorph::Noise;
//! use monomorph::augment::{Images, one_hot};
//! use monomorph::loss::{CrossEntropy, Loss};
//!
//! let (images, labels) = ([[[[1.0_f32]; 8]; 8]; 4], [0_u8, 2, 1, 0]);
//! let (mut noise, mut changed, mut mixed) = (Noise::new(1), images, images);
//! let images_of_digits = Images { shift: 1.0, rotation: 0.2, ..Images::default() };
//! for (from, to) in images.iter().zip(&mut changed) {
//!     images_of_digits.apply(from, to, &mut noise);
//! }
//! let (targets, mut mixed_targets) = (labels.map(one_hot::<f32, 3>), [[0.0; 3]; 4]);
//! monomorph::augment::mixup(0.2, (&changed, &targets), (&mut mixed, &mut mixed_targets), &mut noise);
//! // Cross-entropy takes probabilities as targets.
//! assert!(CrossEntropy.loss_and_gradient(&[[0.0; 3]; 4], &mixed_targets).is_ok());
//! ```

mod images;
mod mix;
mod sequences;

pub use images::Images;
pub use mix::{cutmix, mixup, one_hot};
pub use sequences::Sequences;

use crate::noise::Noise;
use crate::scalar::Scalar;

/// Uniform in `[−most, most)`.
fn between(most: f64, noise: &mut Noise) -> f64 {
    most * (2.0 * noise.uniform() - 1.0)
}

/// Adds normally distributed noise of this deviation.
fn add_noise<T: Scalar>(numbers: &mut [T], deviation: f64, noise: &mut Noise) {
    if deviation > 0.0 {
        for number in numbers {
            *number += T::from_f64(deviation * noise.normal());
        }
    }
}
