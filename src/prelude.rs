//! Everything that most programs need: `use monomorph::prelude::*;`.

pub use crate::include_weights;
pub use crate::init::Init;
pub use crate::loss::*;
pub use crate::network;
pub use crate::network::{Network, PackedNetwork, Trainable};
pub use crate::noise::Noise;
pub use crate::optim::*;
pub use crate::parameters::Parameters;
#[cfg(feature = "std")]
pub use crate::train::fit;
#[cfg(feature = "alloc")]
pub use crate::train::{EarlyStopping, Evaluator};
pub use crate::train::{Score, Trainer};
