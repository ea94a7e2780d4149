//! Sequences, changed at random.

use super::{add_noise, between};
use crate::noise::Noise;
use crate::scalar::Scalar;

/// Random changes of a sequence `[[T; C]; N]` of `N` steps. With everything at 0, the default, it stays as it is.
///
/// Steps before the first and after the last are 0. Masked steps: Park et al., *SpecAugment* (2019); scale and noise:
/// Um et al., *Data augmentation of wearable sensor data* (2017).
///
/// ```
/// use monomorph::Noise;
/// use monomorph::augment::Sequences;
///
/// let (from, mut to) = ([[1.0_f32], [2.0], [3.0]], [[0.0]; 3]);
/// Sequences { scale: 0.1, ..Sequences::default() }.apply(&from, &mut to, &mut Noise::new(1));
/// assert!((to[2][0] / to[0][0] - 3.0).abs() < 1e-5 && to != from);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Sequences {
    /// The largest shift in time, in steps.
    pub shift: usize,
    /// The most neighboring steps that are set to 0; between none and all of these are.
    pub mask: usize,
    /// The largest change of the amplitude: all numbers are multiplied by one between `1 − scale` and `1 + scale`.
    pub scale: f64,
    /// The standard deviation of noise added to each number.
    pub noise: f64,
}

impl Sequences {
    /// Writes a changed sequence.
    pub fn apply<T: Scalar, const C: usize, const N: usize>(
        &self,
        from: &[[T; C]; N],
        to: &mut [[T; C]; N],
        noise: &mut Noise,
    ) {
        let most = self.shift.min(N);
        let place = noise.below(2 * most as u64 + 1) as usize;
        let factor = T::from_f64(1.0 + between(self.scale, noise));
        let masked = noise.below(self.mask.min(N) as u64 + 1) as usize;
        let start = noise.below((N - masked) as u64 + 1) as usize;
        for (step, to) in to.iter_mut().enumerate() {
            let old = (step + most).checked_sub(place).and_then(|old| from.get(old));
            *to = match old {
                Some(old) if !(start..start + masked).contains(&step) => old.map(|number| number * factor),
                _ => [T::ZERO; C],
            };
        }
        add_noise(to.as_flattened_mut(), self.noise, noise);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shifts_and_masks() {
        let from: [[f64; 2]; 9] = core::array::from_fn(|step| [step as f64 + 1.0, -1.0]);
        let mut seen = [false; 7];
        for seed in 0..200 {
            let mut to = from;
            Sequences { shift: 3, ..Sequences::default() }.apply(&from, &mut to, &mut Noise::new(seed));
            let by = to[4][0] as i32 - 5;
            seen[(by + 3) as usize] = true;
            for (step, to) in to.iter().enumerate() {
                let old = step as i32 + by;
                assert_eq!(*to, if (0..9).contains(&old) { from[old as usize] } else { [0.0; 2] });
            }
            let mut to = from;
            Sequences { mask: 4, ..Sequences::default() }.apply(&from, &mut to, &mut Noise::new(seed));
            let masked = to.iter().filter(|step| **step == [0.0; 2]).count();
            let first = to.iter().position(|step| *step == [0.0; 2]).unwrap_or(0);
            assert!(masked <= 4 && to[first..first + masked].iter().all(|step| *step == [0.0; 2]));
        }
        assert_eq!(seen, [true; 7]);
    }

    #[test]
    fn nothing_more_than_asked() {
        let from = [[1.0, 2.0], [3.0, -4.0], [0.5, 0.25]];
        let mut to = [[9.0; 2]; 3];
        Sequences::default().apply(&from, &mut to, &mut Noise::new(1));
        assert_eq!(to, from);
        let settings = Sequences { scale: 0.5, noise: 0.1, ..Sequences::default() };
        let (mut one, mut two) = (from, from);
        settings.apply(&from, &mut one, &mut Noise::new(2));
        settings.apply(&from, &mut two, &mut Noise::new(2));
        assert!(one == two && one != from);
        // More than there is.
        Sequences { shift: 100, mask: 100, ..Sequences::default() }.apply(&from, &mut one, &mut Noise::new(2));
    }
}
