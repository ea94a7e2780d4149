//! The random number generator inside networks: small, portable and `no_std`.

mod ziggurat;

use crate::plain::Plain;

/// SplitMix64, the generator of Steele, Lea and Flood, *Fast splittable pseudorandom number generators* (OOPSLA 2014):
/// 64 bits of state, one addition and one mixing function per number.
///
/// Initialization and dropout draw from it, so that a seed gives the same network on every platform and with every
/// version of `rand`. It is not cryptographically secure.
///
/// ```
/// let mut noise = monomorph::Noise::new(7);
/// let x = noise.uniform();
/// assert!((0.0..1.0).contains(&x));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Plain)]
pub struct Noise(u64);

impl Noise {
    /// A generator that is determined by `seed`.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A generator seeded from a generator of `rand`.
    #[cfg(feature = "rand")]
    pub fn from_rng(rng: &mut (impl rand_core::Rng + ?Sized)) -> Self {
        Self(rng.next_u64())
    }

    /// The seed with which [`Noise::new`] continues from here; for checkpoints.
    pub const fn state(&self) -> u64 {
        self.0
    }

    /// 64 random bits.
    #[inline]
    pub const fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Uniform in `[0, 1)`, a multiple of 2⁻⁵³.
    #[inline]
    pub const fn uniform(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
    }

    /// Standard normal, by the method of Box and Muller (1958).
    pub fn normal(&mut self) -> f64 {
        // 1 − u is in (0, 1], so its logarithm is finite.
        let radius = libm::sqrt(-2.0 * libm::log(1.0 - self.uniform()));
        radius * libm::cos(core::f64::consts::TAU * self.uniform())
    }

    /// Uniform in `0..below`, without bias; 0 if `below` is 0.
    pub const fn below(&mut self, below: u64) -> u64 {
        if below == 0 {
            return 0;
        }
        // Lemire's multiply-and-reject.
        let reject = below.wrapping_neg() % below;
        loop {
            let product = self.next_u64() as u128 * below as u128;
            if product as u64 >= reject {
                return (product >> 64) as u64;
            }
        }
    }

    /// Puts `items` in random order (Fisher and Yates).
    pub fn shuffle<X>(&mut self, items: &mut [X]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last as u64 + 1) as usize);
        }
    }
}
