//! The loss around a network: Li, Xu, Taylor, Studer and Goldstein, *Visualizing the loss landscape of neural nets* (2018).

use alloc::boxed::Box;

use super::Move;
use crate::memory;
use crate::network::Network;
use crate::noise::Noise;
use crate::parameters::{Role, for_each_tensor};
use crate::scalar::Scalar;
use crate::simd::{dispatch, level};

/// The plane `θ + a·δ + b·η` through the weights `θ` of a network, along two random directions.
///
/// The directions are normal, then normalized by filter: each filter of a direction is scaled to the norm of that filter of
/// the weights, `d ← d·‖θ‖/‖d‖`, so that the picture does not depend on how layers are scaled. A filter is a column of a
/// weight, its last axis: all that leads to one output. Vectors (biases, normalizations) and statistics stay as they are, as
/// in the paper.
///
/// ```
/// use monomorph::prelude::*;
/// use monomorph::watch::Landscape;
///
/// network! { Line: [1] -> [1] { Dense(1) } }
/// let mut net = Line::zeroed();
/// net.dense1.weight = [[2.0]];
/// let mut plane = Landscape::new(&net, &mut Noise::new(1));
/// // Both directions have the norm of the weight.
/// let losses = plane.grid::<3>(1.0, |net| f64::from((net.dense1.weight[0][0] - 2.0).powi(2)));
/// assert_eq!((losses[1][1], losses[1][0], losses[0][1]), (0.0, 4.0, 4.0));
/// ```
pub struct Landscape<N: Network> {
    centre: Box<N>,
    pub(super) directions: [Box<N>; 2],
    at: Box<N>,
}

impl<N: Network> Landscape<N> {
    /// Draws the two directions.
    pub fn new(network: &N, noise: &mut Noise) -> Self {
        let mut centre = memory::boxed::<N>();
        centre.as_mut_slice().copy_from_slice(network.as_slice());
        let mut at = memory::boxed::<N>();
        at.as_mut_slice().copy_from_slice(network.as_slice());
        let mut directions = [memory::boxed::<N>(), memory::boxed::<N>()];
        directions.iter_mut().for_each(|direction| draw(network, direction, noise));
        Self { centre, directions, at }
    }

    /// The losses of a grid of `G` by `G` points of the plane, from `−radius` to `radius` along both directions: row `i` is
    /// that far along the first, column `j` along the second. `loss` is called with the network of each point.
    ///
    /// The middle of an odd grid is the network itself. It allocates nothing.
    pub fn grid<const G: usize>(&mut self, radius: f64, mut loss: impl FnMut(&N) -> f64) -> [[f64; G]; G] {
        core::array::from_fn(|i| {
            core::array::from_fn(|j| self.loss_at([i, j].map(|k| place::<G>(k, radius)), &mut loss))
        })
    }

    /// The loss at one point of the plane.
    pub fn loss_at(&mut self, [a, b]: [f64; 2], loss: impl FnOnce(&N) -> f64) -> f64 {
        let Self { centre, directions: [first, second], at } = self;
        let (a, b) = (N::Scalar::from_f64(a), N::Scalar::from_f64(b));
        let directions = [(first.as_slice(), a), (second.as_slice(), b)];
        dispatch(level(), Move { centre: centre.as_slice(), directions, to: at.as_mut_slice() });
        loss(at)
    }
}

/// How far along a direction the point `k` of a side of `G` points is.
fn place<const G: usize>(k: usize, radius: f64) -> f64 {
    if G < 2 { 0.0 } else { radius * (2.0 * k as f64 / (G - 1) as f64 - 1.0) }
}

/// A random direction, normalized by filter.
fn draw<N: Network>(network: &N, direction: &mut N, noise: &mut Noise) {
    let (weights, to) = (network.as_slice(), direction.as_mut_slice());
    for_each_tensor(N::ENTRIES, &mut |_, info, range| {
        let (Role::Learned, [_, .., filters]) = (info.role, info.shape) else { return };
        let (weights, to) = (&weights[range.clone()], &mut to[range]);
        to.iter_mut().for_each(|to| *to = N::Scalar::from_f64(noise.normal()));
        for filter in 0..*filters {
            let norm = |of: &[N::Scalar]| {
                let squares = of.iter().skip(filter).step_by(*filters).map(|x| x.to_f64() * x.to_f64());
                libm::sqrt(squares.sum::<f64>())
            };
            let (own, random) = (norm(weights), norm(to));
            let factor = N::Scalar::from_f64(if random > 0.0 { own / random } else { 0.0 });
            to.iter_mut().skip(filter).step_by(*filters).for_each(|to| *to *= factor);
        }
    });
}
