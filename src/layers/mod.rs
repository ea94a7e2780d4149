//! The layers, one file each: the formula, the shape rule, the parameters, the passes with the
//! derivative right below its formula, and the tests.

mod activation;
mod activity_regularization;
mod affine;
pub mod attention;
mod batch_norm;
pub mod bayes;
mod conv;
mod conv_transpose;
mod dense;
mod divergence;
mod drop_connect;
mod dropout;
mod embedding;
mod frozen_batch_norm;
mod glu;
pub mod graph;
mod group_conv;
mod group_norm;
pub mod hamiltonian;
mod layer_norm;
mod local_response_norm;
mod normalize;
mod ode;
#[cfg(all(test, feature = "safetensors", feature = "std"))]
mod packed;
#[cfg(all(test, feature = "safetensors", feature = "std"))]
mod passes;
mod perturb;
mod pool;
mod positions;
mod prelu;
mod rearrange;
pub mod recurrent;
mod reduce;
mod rms_norm;
pub mod sde;
mod sinusoidal_positions;
mod softmax;
mod stochastic_units;
mod tangent;
mod unembedding;
mod upsample2d;
mod window;

pub use activation::*;
pub use activity_regularization::*;
pub use affine::*;
pub use attention::MultiHeadAttention;
pub use batch_norm::*;
pub use bayes::{Bayes, Flipout};
pub use conv::*;
pub use conv_transpose::*;
pub use dense::*;
pub use divergence::*;
pub use drop_connect::DropConnect;
pub use dropout::*;
pub use embedding::*;
pub use frozen_batch_norm::*;
pub use glu::*;
pub use graph::{
    EdgeConv, EdgePairs, Gin, GraphAttention, GraphAttentionV2, GraphConv, GraphSage, NodePool, SparseDense,
};
pub use group_conv::{GroupConv, GroupPool, P4, P4m, Symmetry};
pub use group_norm::*;
pub use hamiltonian::Hamiltonian;
pub use layer_norm::*;
pub use local_response_norm::*;
pub use normalize::*;
pub use ode::*;
pub use perturb::*;
pub use pool::*;
pub use positions::*;
pub use prelu::*;
pub use rearrange::*;
pub use recurrent::{gru::Gru, lstm::Lstm, rnn::Rnn};
pub use reduce::*;
pub use rms_norm::*;
pub use sde::Sde;
pub use sinusoidal_positions::*;
pub use softmax::*;
pub use stochastic_units::*;
pub use unembedding::*;
pub use upsample2d::*;
pub use window::*;
