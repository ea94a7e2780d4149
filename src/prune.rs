//! Pruning: weights that are small become 0, or units that matter little are left out of a smaller network.
//!
//! | | |
//! | --- | --- |
//! | [`Mask`] | single weights by magnitude (Han, Pool, Tran and Dally, *Learning both weights and connections*, 2015) |
//! | [`round`] | numbers of few values, and the bits that they take then |
//! | [`Units`] | whole units by their norm (Li and others, *Pruning filters for efficient ConvNets*, 2017): a smaller declared network is filled from a larger one |
//!
//! A network of fixed sizes is not faster for zeros in it; files of it compress better. One with fewer units is smaller and
//! faster. Both lose less if they are trained a little afterwards.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::marker::PhantomData;

use crate::memory;
use crate::network::Network;
use crate::parameters::{Role, for_each_tensor};
use crate::scalar::Scalar;
use crate::tensor::Tensor;

/// Which weights of a network stay: the largest ones, over all its matrices and kernels. Biases and other vectors stay.
///
/// ```
/// use monomorph::prelude::*;
/// use monomorph::prune::Mask;
///
/// network! { Net: [2] -> [2] { Dense(2) } }
/// let mut net = Net::zeroed();
/// net.dense1.weight = [[0.1, -2.0], [3.0, 0.2]];
/// net.dense1.bias = [0.01, 0.01];
/// let mask = Mask::smallest(&net, 0.5);
/// mask.apply(&mut net);
/// assert_eq!((net.dense1.weight, net.dense1.bias), ([[0.0, -2.0], [3.0, 0.0]], [0.01, 0.01]));
/// assert_eq!((mask.pruned(), mask.weights()), (2, 4));
/// ```
pub struct Mask<N: Network> {
    /// 1 for what stays and 0 for what goes.
    keeps: Box<N>,
    weights: usize,
    pruned: usize,
}

impl<N: Network> Mask<N> {
    /// Prunes this share of the weights, those of the smallest absolute values; 0 prunes none and 1 all. Of equal ones, those
    /// that come first go.
    pub fn smallest(network: &N, share: f64) -> Self {
        let numbers = network.as_slice();
        let mut order: Vec<usize> = Vec::new();
        for_each_tensor(N::ENTRIES, &mut |_, info, range| {
            if info.role == Role::Learned && info.shape.len() > 1 {
                order.extend(range);
            }
        });
        let weights = order.len();
        let size = |index: &usize| libm::fabs(numbers[*index].to_f64());
        order.sort_by(|a, b| size(a).total_cmp(&size(b)));
        // The conversion saturates, and turns NaN into 0.
        let pruned = (libm::round(weights as f64 * share) as usize).min(weights);
        let mut keeps = memory::boxed::<N>();
        keeps.as_mut_slice().fill(N::Scalar::ONE);
        for index in &order[..pruned] {
            keeps.as_mut_slice()[*index] = N::Scalar::ZERO;
        }
        Self { keeps, weights, pruned }
    }

    /// Sets what was pruned to 0. After every step of further training, it keeps them there; it allocates nothing.
    pub fn apply(&self, network: &mut N) {
        for (number, keeps) in network.as_mut_slice().iter_mut().zip(self.keeps.as_slice()) {
            if *keeps == N::Scalar::ZERO {
                *number = N::Scalar::ZERO;
            }
        }
    }

    /// How many weights there are, without biases and other vectors.
    pub fn weights(&self) -> usize {
        self.weights
    }

    /// How many of them are pruned.
    pub fn pruned(&self) -> usize {
        self.pruned
    }
}

/// Rounds numbers to multiples of `step`; gives the entropy of what becomes of them, in bits for each: what an entropy coder,
/// such as an arithmetic one, takes to store it, without the table of how often each multiple is there.
///
/// Weights whose posterior is wide need few bits: a step that is as wide as their deviation adds a rounding error of
/// `step / √12`, less than they vary anyway. `step` is more than 0.
///
/// ```
/// let mut weights = [0.11_f32, 0.09, -0.31, 0.02];
/// let bits = monomorph::prune::round(&mut weights, 0.1);
/// assert_eq!(weights, [0.1, 0.1, -0.3, 0.0]);
/// assert_eq!(bits, 1.5); // ½ · 1 bit + ½ · 2 bits
/// ```
pub fn round<T: Scalar>(numbers: &mut [T], step: f64) -> f64 {
    let mut multiples: Vec<i64> = Vec::with_capacity(numbers.len());
    for number in numbers.iter_mut() {
        // The conversion saturates, and turns NaN into 0.
        let multiple = libm::rint(number.to_f64() / step) as i64;
        *number = T::from_f64(multiple as f64 * step);
        multiples.push(multiple);
    }
    multiples.sort_unstable();
    let shares = multiples.chunk_by(|a, b| a == b).map(|same| same.len() as f64 / multiples.len() as f64);
    shares.map(|share| -share * libm::log2(share)).sum()
}

/// `K` units of a layer whose outputs are an `L`: what a smaller layer takes from a larger one.
///
/// ```
/// use monomorph::prelude::*;
/// use monomorph::prune::Units;
///
/// network! { Large: [2] -> [1] { Dense(3), Relu, Dense(1) } }
/// network! { Small: [2] -> [1] { Dense(2), Relu, Dense(1) } }
/// let (mut large, mut small) = (Large::zeroed(), Small::zeroed());
/// large.dense1.weight = [[1.0, 0.1, 2.0], [1.0, 0.0, 3.0]];
/// large.dense1.bias = [0.5, 0.0, 0.25];
/// large.dense2.weight = [[1.0], [0.0], [-1.0]];
///
/// let kept = Units::<[f32; 3], 2>::largest(&large.dense1.weight);
/// assert_eq!(kept.indices(), [0, 2]);
/// kept.outputs(&large.dense1.weight, &mut small.dense1.weight);
/// kept.outputs(&large.dense1.bias, &mut small.dense1.bias);
/// kept.inputs(&large.dense2.weight, &mut small.dense2.weight);
/// small.dense2.bias = large.dense2.bias;
/// // The unit left out was worth nothing.
/// assert_eq!(small.evaluate(&[1.0, 2.0]), large.evaluate(&[1.0, 2.0]));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Units<L, const K: usize> {
    indices: [usize; K],
    of: PhantomData<L>,
}

impl<T: Scalar, L: Tensor<Element = T>, const K: usize> Units<L, K> {
    /// The units whose columns of a weight, its last axis, have the largest norms: outputs of a dense layer, channels of a
    /// convolution.
    pub fn largest<W: Tensor<Element = T, Last = L>>(weight: &W) -> Self {
        const { assert!(K > 0 && K <= L::LEN, "Units: at least 1 unit is kept, and not more than there are") };
        let squares = |unit: usize| -> f64 {
            weight.numbers().iter().skip(unit).step_by(L::LEN).map(|x| x.to_f64() * x.to_f64()).sum()
        };
        let mut order: Vec<(f64, usize)> = (0..L::LEN).map(|unit| (squares(unit), unit)).collect();
        order.sort_by(|a, b| b.0.total_cmp(&a.0));
        order.truncate(K);
        order.sort_by_key(|(_, unit)| *unit);
        let mut indices = [0; K];
        indices.iter_mut().zip(order).for_each(|(index, (_, unit))| *index = unit);
        Self { indices, of: PhantomData }
    }

    /// Which they are, in their order.
    pub fn indices(&self) -> [usize; K] {
        self.indices
    }

    /// Copies what leads to these units, or belongs to them: of a weight or a bias of their layer, or of a normalization behind
    /// it, whose last axis they are.
    pub fn outputs<V: Tensor<Element = T, Last = L>, W: Tensor<Element = T>>(&self, from: &V, to: &mut W) {
        const {
            assert!(W::CHANNELS == K && W::LEN / K == V::LEN / L::LEN, "Units: the smaller tensor has another shape");
        }
        for (from, to) in from.numbers().chunks_exact(L::LEN).zip(to.numbers_mut().chunks_exact_mut(K)) {
            for (index, to) in self.indices.iter().zip(to) {
                *to = from[*index];
            }
        }
    }

    /// Copies what leads away from these units: of the weight of the next layer, whose last axis but one they are. Behind a
    /// `Flatten` there are several inputs for each unit, one for each place.
    pub fn inputs<V: Tensor<Element = T>, W: Tensor<Element = T, Last = V::Last>>(&self, from: &V, to: &mut W) {
        const {
            assert!(
                V::LEN % (L::LEN * V::CHANNELS) == 0 && W::LEN * L::LEN == V::LEN * K,
                "Units: the weight of the next layer has other inputs"
            );
        }
        let row = V::CHANNELS;
        let (from, to) = (from.numbers().chunks_exact(row * L::LEN), to.numbers_mut().chunks_exact_mut(row * K));
        for (from, to) in from.zip(to) {
            for (index, to) in self.indices.iter().zip(to.chunks_exact_mut(row)) {
                to.copy_from_slice(&from[index * row..(index + 1) * row]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network;
    use crate::parameters::Parameters;
    use crate::prelude::{Init, Noise};

    network! { Large: [5, 5, 1] -> [2] { Conv2d(4, kernel = 3), BatchNorm, Relu, Flatten, Dense(17), Relu, Dense(2) } }
    network! { Small: [5, 5, 1] -> [2] { Conv2d(3, kernel = 3), BatchNorm, Relu, Flatten, Dense(9), Relu, Dense(2) } }

    #[test]
    fn what_is_left_out_is_as_if_it_were_0() {
        let mut large = Large::zeroed();
        large.initialize(Init::default(), &mut Noise::new(3));
        large.norm1.bias = [0.1, -0.2, 0.3, 0.4];
        let channels = Units::<[f32; 4], 3>::largest(&large.conv1.weight);
        let units = Units::<[f32; 17], 9>::largest(&large.dense1.weight);
        let mut small = Small::zeroed();
        channels.outputs(&large.conv1.weight, &mut small.conv1.weight);
        channels.outputs(&large.conv1.bias, &mut small.conv1.bias);
        channels.outputs(&large.norm1.weight, &mut small.norm1.weight);
        channels.outputs(&large.norm1.bias, &mut small.norm1.bias);
        channels.outputs(&large.norm1.running_mean, &mut small.norm1.running_mean);
        channels.outputs(&large.norm1.running_var, &mut small.norm1.running_var);
        let mut between = [[0.0; 17]; 27];
        channels.inputs(&large.dense1.weight, &mut between);
        units.outputs(&between, &mut small.dense1.weight);
        units.outputs(&large.dense1.bias, &mut small.dense1.bias);
        units.inputs(&large.dense2.weight, &mut small.dense2.weight);
        small.dense2.bias = large.dense2.bias;
        // The large network without what was left out.
        for (row, to) in large.dense1.weight.iter_mut().enumerate() {
            if !channels.indices().contains(&(row % 4)) {
                to.fill(0.0);
            }
        }
        for (unit, to) in large.dense2.weight.iter_mut().enumerate() {
            if !units.indices().contains(&unit) {
                to.fill(0.0);
            }
        }
        let mut noise = Noise::new(4);
        let image: [[[f32; 1]; 5]; 5] = core::array::from_fn(|_| core::array::from_fn(|_| [noise.normal() as f32]));
        for (a, b) in small.evaluate(&image).iter().zip(large.evaluate(&image)) {
            assert!((a - b).abs() < 1e-5, "{a} {b}");
        }
    }

    #[test]
    fn masks_prune_what_they_say() {
        let mut net = Large::zeroed();
        net.initialize(Init::default(), &mut Noise::new(3));
        for (share, left) in [(0.0, 36 + 612 + 34), (0.25, 511), (1.0, 0), (2.0, 0), (f64::NAN, 682)] {
            let mask = Mask::smallest(&net, share);
            let mut pruned = Large::zeroed();
            pruned.as_mut_slice().copy_from_slice(net.as_slice());
            mask.apply(&mut pruned);
            let weights =
                [pruned.conv1.weight.numbers(), pruned.dense1.weight.numbers(), pruned.dense2.weight.numbers()];
            assert_eq!(weights.concat().iter().filter(|x| **x != 0.0).count(), left);
            assert_eq!((mask.weights() - mask.pruned(), pruned.norm1.weight), (left, [1.0; 4]));
        }
    }
}
