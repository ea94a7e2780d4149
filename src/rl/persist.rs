//! State that can be taken down and brought back, word by word.

use crate::noise::Noise;
use crate::optim::{Optimizer, PartMut, for_each_part_mut};
use crate::parameters::Parameters;
use crate::scalar::Scalar;
use crate::tensor::Element;

/// What [`Persist::persist`] calls with every word of a state: to read it, or to replace it.
pub type Word<'a> = dyn FnMut(&mut u64) + 'a;

/// State of which a training consists: environments, replay buffers, agents.
///
/// One method both saves and restores, so the two cannot disagree: it calls `word` with each part of the state as 64
/// bits, always in the same order, and takes what `word` leaves there. A training that is restored goes on bit by bit.
///
/// ```
/// use monomorph::rl::{CartPole, Environment};
///
/// let (mut pole, mut other) = (CartPole::<f32>::seeded(1), CartPole::<f32>::seeded(2));
/// pole.reset();
/// let mut words = Vec::new();
/// pole.persist(&mut |word| words.push(*word));
/// let mut words = words.into_iter();
/// other.persist(&mut |word| *word = words.next().expect("as many words"));
/// assert_eq!(pole.observe(), other.observe());
/// ```
///
/// [`save`] and [`resume`] do it with files.
pub trait Persist {
    /// Calls `word` with every part of the state.
    fn persist(&mut self, word: &mut Word<'_>);
}

macro_rules! whole {
    ($($number:ty)*) => { $(
        impl Persist for $number {
            fn persist(&mut self, word: &mut Word<'_>) {
                let mut bits = *self as u64;
                word(&mut bits);
                *self = bits as Self;
            }
        }
    )* };
}
whole!(u32 u64 usize);

macro_rules! floats {
    ($($number:ty)*) => { $(
        impl Persist for $number {
            fn persist(&mut self, word: &mut Word<'_>) {
                let mut bits = self.to_bits().into();
                word(&mut bits);
                *self = Self::from_bits(bits as _);
            }
        }
    )* };
}
floats!(f32 f64);

impl Persist for bool {
    fn persist(&mut self, word: &mut Word<'_>) {
        let mut bits = u64::from(*self);
        word(&mut bits);
        *self = bits != 0;
    }
}

impl Persist for Noise {
    fn persist(&mut self, word: &mut Word<'_>) {
        let mut state = self.state();
        word(&mut state);
        *self = Self::new(state);
    }
}

impl<X: Persist, const N: usize> Persist for [X; N] {
    fn persist(&mut self, word: &mut Word<'_>) {
        for each in self {
            each.persist(word);
        }
    }
}

/// All parameters of a network, running statistics included.
pub fn persist_parameters<N: Parameters<Scalar: Persist>>(network: &mut N, word: &mut Word<'_>) {
    for number in network.as_mut_slice() {
        number.persist(word);
    }
}

/// All that an optimizer keeps.
pub fn persist_moments<N: Parameters<Scalar: Persist>, O: Optimizer<N::Scalar>>(
    memory: &mut O::Memory<N>,
    word: &mut Word<'_>,
) {
    for_each_part_mut::<N, O>(memory, &mut |_, part| match part {
        PartMut::Tensors(network) => persist_parameters(network, word),
        PartMut::Numbers(_, numbers) => numbers.iter_mut().for_each(|number| number.persist(word)),
        PartMut::Counter(counter) => counter.persist(word),
    });
}

/// All numbers of tensors.
pub(super) fn persist_numbers<T: Element + Scalar + Persist>(numbers: &mut [T], word: &mut Word<'_>) {
    numbers.iter_mut().for_each(|number| number.persist(word));
}

#[cfg(feature = "std")]
mod files {
    use std::fs::File;
    use std::io::{self, BufReader, BufWriter, Read, Write};
    use std::path::Path;

    use super::Persist;

    /// The first word of a file.
    const MAGIC: u64 = u64::from_le_bytes(*b"monomrl1");

    fn invalid(what: &str) -> io::Error {
        io::Error::new(io::ErrorKind::InvalidData, what)
    }

    fn count(state: &mut impl Persist) -> u64 {
        let mut words = 0;
        state.persist(&mut |_| words += 1);
        words
    }

    /// Writes a checkpoint: all of the state, in a file that replaces an older one only when it is complete.
    ///
    /// # Errors
    /// Errors from the file system.
    pub fn save(path: impl AsRef<Path>, state: &mut impl Persist) -> io::Result<()> {
        let path = path.as_ref();
        let new = path.with_extension("new");
        let mut file = BufWriter::new(File::create(&new)?);
        file.write_all(&MAGIC.to_le_bytes())?;
        file.write_all(&count(state).to_le_bytes())?;
        let mut result = Ok(());
        let mut sum = 0_u64;
        state.persist(&mut |word| {
            sum = sum.rotate_left(5).wrapping_add(*word);
            if result.is_ok() {
                result = file.write_all(&word.to_le_bytes());
            }
        });
        result?;
        file.write_all(&sum.to_le_bytes())?;
        file.into_inner()?.sync_all()?;
        std::fs::rename(new, path)
    }

    /// Reads a checkpoint of a state of the same type.
    ///
    /// # Errors
    /// A file that cannot be read, that is damaged, or that belongs to something else; the state is then unchanged.
    pub fn resume(path: impl AsRef<Path>, state: &mut impl Persist) -> io::Result<()> {
        let mut file = BufReader::new(File::open(path)?);
        let mut next = || -> io::Result<u64> {
            let mut bytes = [0; 8];
            file.read_exact(&mut bytes)?;
            Ok(u64::from_le_bytes(bytes))
        };
        if next()? != MAGIC {
            return Err(invalid("not a checkpoint of reinforcement learning"));
        }
        let len = count(state);
        if next()? != len {
            return Err(invalid("the checkpoint belongs to another agent or environment"));
        }
        let mut words = std::vec::Vec::new();
        let mut sum = 0_u64;
        for _ in 0..len {
            let word = next()?;
            sum = sum.rotate_left(5).wrapping_add(word);
            words.push(word);
        }
        if next()? != sum {
            return Err(invalid("the checkpoint is damaged"));
        }
        let mut words = words.into_iter();
        state.persist(&mut |word| *word = words.next().unwrap_or(*word));
        Ok(())
    }
}
#[cfg(feature = "std")]
pub use files::{resume, save};
