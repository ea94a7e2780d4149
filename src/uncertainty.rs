//! Predictions of many networks in place of one: how sure they are, and of what.
//!
//! | who draws | |
//! | --- | --- |
//! | [`Draws`] | a network that is random: of [Bayesian layers](crate::layers::Bayes), or with `Dropout` (Gal and Ghahramani, *Dropout as a Bayesian approximation*, 2016) |
//! | [`Ensemble`] | several networks: trained from different starts (Lakshminarayanan, Pritzel and Blundell, *Simple and scalable predictive uncertainty estimation using deep ensembles*, 2017), or taken on the way of [`Sgld`](crate::optim::Sgld) |
//! | `linalg::Linearized` | the Laplace approximation, with the feature `nalgebra` |
//!
//! All of them are [`Predict`]: their outputs one by one, as probabilities of classes, or as mean and variance.
//!
//! ```
//! use monomorph::prelude::*;
//! use monomorph::uncertainty::{Draws, Ensemble, Predict};
//!
//! network! { Net: [2] -> [3] { Dense(8), Relu, Dropout(0.5), Dense(3) } }
//! let net = |seed| {
//!     let mut net = Net::zeroed();
//!     net.initialize(Init::default(), &mut Noise::new(seed));
//!     net
//! };
//! let (one, other) = (net(1), net(2));
//! let dropped = Draws { network: &one, count: 20, noise: Noise::new(3) }.classes::<3>(&[1.0, -1.0]);
//! let both = Ensemble(&[&one, &other]).classes::<3>(&[1.0, -1.0]);
//! assert!(dropped.mutual_information() > 0.0 && both.mutual_information() > 0.0);
//! assert_eq!(Ensemble(&[&one, &one]).numbers::<3>(&[1.0, -1.0]).variance(), [0.0; 3]);
//! ```

use core::ops::Deref;

use crate::layer::Layer;
use crate::metrics::{Moments, Predictive};
use crate::network::{Network, evaluate, sample};
use crate::noise::Noise;
use crate::parameters::Parameters;

/// What gives several predictions for an input.
pub trait Predict {
    /// The network whose outputs they are.
    type Network: Network;

    /// Calls `f` with each output for an input.
    fn each(&mut self, input: &<Self::Network as Layer>::Input, f: &mut dyn FnMut(&<Self::Network as Layer>::Output));

    /// The probabilities of classes, if outputs are logits.
    fn classes<const C: usize>(&mut self, input: &<Self::Network as Layer>::Input) -> Predictive<C>
    where
        Self::Network: Network<Output = [<Self::Network as Parameters>::Scalar; C]>,
    {
        let mut predictive = Predictive::default();
        self.each(input, &mut |output| predictive.add_logits(output));
        predictive
    }

    /// Mean and variance of each output.
    fn numbers<const M: usize>(&mut self, input: &<Self::Network as Layer>::Input) -> Moments<M>
    where
        Self::Network: Network<Output = [<Self::Network as Parameters>::Scalar; M]>,
    {
        let mut moments = Moments::default();
        self.each(input, &mut |output| moments.add(output));
        moments
    }
}

/// Draws of a network with the randomness of training, one after another; for networks that fit the stack.
pub struct Draws<'a, N> {
    /// The network.
    pub network: &'a N,
    /// How many draws.
    pub count: usize,
    /// Where they come from; each draw takes other numbers.
    pub noise: Noise,
}

impl<N: Network> Predict for Draws<'_, N> {
    type Network = N;

    fn each(&mut self, input: &N::Input, f: &mut dyn FnMut(&N::Output)) {
        for _ in 0..self.count {
            f(&sample(self.network, input, &mut self.noise));
        }
    }
}

/// The outputs of several networks, which fit the stack: as they are, without the randomness of training. `P` is whatever
/// points to a network, such as `Box<Net>` or `&Net`.
#[derive(Clone, Copy, Debug)]
pub struct Ensemble<'a, P>(pub &'a [P]);

impl<N: Network, P: Deref<Target = N>> Predict for Ensemble<'_, P> {
    type Network = N;

    fn each(&mut self, input: &N::Input, f: &mut dyn FnMut(&N::Output)) {
        self.0.iter().for_each(|network| f(&evaluate(&**network, input)));
    }
}
