//! Samples in memory, and batches of them.
//!
//! A [`Dataset`] keeps its inputs in one contiguous block of memory and its targets in another, so a batch is a view of
//! `B` consecutive samples and costs nothing. For random batches, [`Dataset::shuffle`] puts the samples themselves in
//! random order.

#[cfg(feature = "idx")]
pub mod idx;

#[cfg(feature = "idx")]
pub use idx::Mnist;

use core::fmt;
use std::vec::Vec;

use crate::memory::{Plain, boxed_slice};
use crate::noise::Noise;
use crate::tensor::assert_batch_size;

/// Inputs and their targets: the outputs the network should give.
///
/// ```
/// use monomorph::Noise;
/// use monomorph::data::Dataset;
///
/// // The parity of the numbers 0 to 9.
/// let mut train = Dataset::from_fn(10, |index, x: &mut [f32; 1], y: &mut usize| {
///     x[0] = index as f32;
///     *y = index % 2;
/// });
/// train.shuffle(&mut Noise::new(1));
/// for batch in train.batches::<4>() {
///     let (x, y): (&[[f32; 1]; 4], &[usize; 4]) = (batch.x, batch.y);
///     assert_eq!(x[0][0] as usize % 2, y[0]);
/// }
/// assert_eq!(train.batches::<4>().len(), 2);
/// assert_eq!(train.remainder::<4>().0.len(), 2);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Dataset<X, Y> {
    inputs: Vec<X>,
    targets: Vec<Y>,
}

impl<X, Y> Dataset<X, Y> {
    /// A data set of these samples: the target of `inputs[i]` is `targets[i]`.
    ///
    /// # Errors
    /// If their numbers differ.
    pub fn new(inputs: Vec<X>, targets: Vec<Y>) -> Result<Self, LengthsDiffer> {
        if inputs.len() == targets.len() {
            Ok(Self { inputs, targets })
        } else {
            Err(LengthsDiffer { inputs: inputs.len(), targets: targets.len() })
        }
    }

    /// `len` samples, which `fill` writes in place: it gets the index, and an input and a target of zeros.
    pub fn from_fn(len: usize, mut fill: impl FnMut(usize, &mut X, &mut Y)) -> Self
    where
        X: Plain,
        Y: Plain,
    {
        let mut set = Self { inputs: boxed_slice(len).into_vec(), targets: boxed_slice(len).into_vec() };
        for (index, (x, y)) in set.inputs.iter_mut().zip(&mut set.targets).enumerate() {
            fill(index, x, y);
        }
        set
    }

    /// How many samples there are.
    pub fn len(&self) -> usize {
        self.inputs.len()
    }

    /// Whether there is no sample.
    pub fn is_empty(&self) -> bool {
        self.inputs.is_empty()
    }

    /// All inputs.
    pub fn inputs(&self) -> &[X] {
        &self.inputs
    }

    /// All inputs, mutably, for example to normalize them.
    pub fn inputs_mut(&mut self) -> &mut [X] {
        &mut self.inputs
    }

    /// All targets.
    pub fn targets(&self) -> &[Y] {
        &self.targets
    }

    /// All targets, mutably.
    pub fn targets_mut(&mut self) -> &mut [Y] {
        &mut self.targets
    }

    /// One sample after the other.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&X, &Y)> {
        self.inputs.iter().zip(&self.targets)
    }

    /// The same inputs with other targets, such as one-hot vectors in place of classes.
    pub fn map_targets<Z>(self, map: impl FnMut(Y) -> Z) -> Dataset<X, Z> {
        Dataset { inputs: self.inputs, targets: self.targets.into_iter().map(map).collect() }
    }

    /// Puts the samples in random order (Fisher and Yates), each input with its target.
    ///
    /// The new order depends on the old one. A program that resumes from a checkpoint gets the same order by shuffling
    /// as many times as before, from the same seed.
    pub fn shuffle(&mut self, noise: &mut Noise) {
        for last in (1..self.len()).rev() {
            let other = noise.below(last as u64 + 1) as usize;
            if other < last {
                swap(&mut self.inputs, other, last);
                swap(&mut self.targets, other, last);
            }
        }
    }

    /// Splits off the last `validation` samples: returns the remaining ones for training, and those for validation.
    ///
    /// Shuffle first if the samples are sorted in any way. If there are fewer samples, all go to validation.
    pub fn split(mut self, validation: usize) -> (Self, Self) {
        let at = self.len().saturating_sub(validation);
        let held_out = Self { inputs: self.inputs.split_off(at), targets: self.targets.split_off(at) };
        (self, held_out)
    }

    /// Like [`Dataset::split`], with a fraction of the samples, such as 0.1.
    pub fn split_fraction(self, validation: f64) -> (Self, Self) {
        // The conversion saturates, and turns NaN into 0.
        let count = libm::round(self.len() as f64 * validation) as usize;
        self.split(count)
    }

    /// The samples in batches of `B`, in order, without copying.
    ///
    /// The last `len % B` samples do not fill a batch and are left out; they are the
    /// [`Dataset::remainder`]. After [`Dataset::shuffle`], others are left out in each epoch.
    pub fn batches<const B: usize>(&self) -> Batches<'_, X, Y, B> {
        const { assert_batch_size(B) };
        Batches { inputs: self.inputs.as_chunks().0.iter(), targets: self.targets.as_chunks().0.iter() }
    }

    /// The inputs and targets that [`Dataset::batches`] leaves out, fewer than `B`.
    pub fn remainder<const B: usize>(&self) -> (&[X], &[Y]) {
        const { assert_batch_size(B) };
        (self.inputs.as_chunks::<B>().1, self.targets.as_chunks::<B>().1)
    }
}

/// Swaps two elements, `a < b`. Unlike `slice::swap`, it does not hold one of them on the stack.
fn swap<X>(items: &mut [X], a: usize, b: usize) {
    let (low, high) = items.split_at_mut(b);
    low[a..=a].swap_with_slice(&mut high[..1]);
}

/// `B` samples, side by side in memory.
#[derive(Debug)]
pub struct Batch<'a, X, Y, const B: usize> {
    /// The inputs.
    pub x: &'a [X; B],
    /// Their targets.
    pub y: &'a [Y; B],
}

impl<X, Y, const B: usize> Clone for Batch<'_, X, Y, B> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<X, Y, const B: usize> Copy for Batch<'_, X, Y, B> {}

/// The iterator of [`Dataset::batches`].
#[derive(Clone, Debug)]
pub struct Batches<'a, X, Y, const B: usize> {
    inputs: core::slice::Iter<'a, [X; B]>,
    targets: core::slice::Iter<'a, [Y; B]>,
}

impl<'a, X, Y, const B: usize> Iterator for Batches<'a, X, Y, B> {
    type Item = Batch<'a, X, Y, B>;

    fn next(&mut self) -> Option<Self::Item> {
        Some(Batch { x: self.inputs.next()?, y: self.targets.next()? })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.inputs.size_hint()
    }
}

impl<X, Y, const B: usize> ExactSizeIterator for Batches<'_, X, Y, B> {}

/// The numbers of inputs and targets differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LengthsDiffer {
    /// The number of inputs.
    pub inputs: usize,
    /// The number of targets.
    pub targets: usize,
}

impl fmt::Display for LengthsDiffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "there are {} inputs, but {} targets", self.inputs, self.targets)
    }
}

impl core::error::Error for LengthsDiffer {}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::ToString;
    use std::{thread, vec};

    fn numbers(len: usize) -> Dataset<[f32; 3], usize> {
        Dataset::from_fn(len, |index, x: &mut [f32; 3], y| {
            x[0] = index as f32;
            *y = index;
        })
    }

    #[test]
    fn a_shuffle_keeps_pairs_together_and_loses_none() {
        let mut set = numbers(1000);
        set.shuffle(&mut Noise::new(3));
        assert!(set.iter().all(|(x, y)| x[0] as usize == *y));
        assert!(set.targets() != numbers(1000).targets());
        let mut targets = set.targets().to_vec();
        targets.sort_unstable();
        assert_eq!(targets, numbers(1000).targets());
    }

    #[test]
    fn every_order_is_equally_likely() {
        let mut noise = Noise::new(8);
        let mut seen = std::collections::BTreeMap::new();
        for _ in 0..6000 {
            let mut set = numbers(3);
            set.shuffle(&mut noise);
            *seen.entry(set.targets().to_vec()).or_insert(0) += 1;
        }
        assert_eq!(seen.len(), 6);
        // 1000 expected, with a standard deviation of 29.
        assert!(seen.values().all(|count| (850..1150).contains(count)), "{seen:?}");
    }

    #[test]
    fn batches_and_remainder_are_the_whole_set() {
        for len in [0, 1, 3, 4, 5, 8, 11] {
            let set = numbers(len);
            let batches = set.batches::<4>();
            assert_eq!(batches.len(), len / 4);
            let mut seen: Vec<usize> = vec![];
            for batch in batches {
                assert_eq!(batch.x.map(|x| x[0] as usize), *batch.y);
                seen.extend(batch.y);
            }
            let (inputs, targets) = set.remainder::<4>();
            assert_eq!((inputs.len(), targets.len()), (len % 4, len % 4));
            seen.extend(targets);
            assert_eq!(seen, set.targets());
        }
    }

    #[test]
    fn splits() {
        let (train, validation) = numbers(10).split(3);
        assert_eq!((train.targets(), validation.targets()), (&[0, 1, 2, 3, 4, 5, 6][..], &[7, 8, 9][..]));
        let lens = |(a, b): (Dataset<_, _>, Dataset<_, _>)| (a.len(), b.len());
        assert_eq!(lens(numbers(10).split(11)), (0, 10));
        assert_eq!(lens(numbers(10).split_fraction(0.2)), (8, 2));
        assert_eq!(lens(numbers(10).split_fraction(7.0)), (0, 10));
        assert_eq!(lens(numbers(10).split_fraction(f64::NAN)), (10, 0));
    }

    #[test]
    fn lengths_must_agree() {
        let error = Dataset::new(vec![1, 2], vec![1]).unwrap_err();
        assert_eq!(error.to_string(), "there are 2 inputs, but 1 targets");
        assert_eq!(
            Dataset::new(vec![1, 2], vec!['a', 'b']).unwrap().map_targets(|y| y == 'b').targets(),
            [false, true]
        );
    }

    #[test]
    fn big_samples_are_never_on_the_stack() {
        let work = || {
            let mut set = Dataset::from_fn(6, |index, x: &mut [[f32; 512]; 512], y: &mut usize| {
                x[511][511] = index as f32;
                *y = index;
            });
            set.shuffle(&mut Noise::new(1));
            let (train, _) = set.split(2);
            for batch in train.batches::<2>() {
                assert_eq!(batch.x[1][511][511] as usize, batch.y[1]);
            }
        };
        thread::Builder::new().stack_size(128 << 10).spawn(work).unwrap().join().unwrap();
    }
}
