//! Models of amplifiers and effects from the files in which people share them.
//!
//! | file | what is read |
//! | --- | --- |
//! | `.nam` of [Neural Amp Modeler](https://github.com/sdatkinson/NeuralAmpModelerCore), versions 0.5 to 0.7 | `LSTM`; `WaveNet` with all of its gates, groups, FiLM layers and heads; `ConvNet`; `Linear`; of a `SlimmableContainer` its last, largest model |
//! | JSON of [RTNeural](https://github.com/jatinchowdhury18/RTNeural) | `dense`, `conv1d`, `conv2d`, `lstm`, `gru`, `prelu`, `batchnorm`, `activation` |
//! | JSON of [GuitarML](https://github.com/GuitarML)'s trainers | `LSTM`, `GRU` and `RNN` with a dense layer, a PyTorch `state_dict` |
//!
//! # While compiling
//! [`network!`](crate::network!) takes a file instead of layers. The network is the same as if its layers had been
//! written, so it runs step by step, trains, packs, and shows itself; its weights are in read-only memory. The path is
//! relative to the folder of the package's `Cargo.toml`.
//!
//! ```
//! use monomorph::prelude::*;
//!
//! network! { pub Amp = "tests/files/audio/tanh.nam"; }
//!
//! let mut state = Amp::TRAINED.start();
//! let y: [f32; 1] = Amp::TRAINED.step(&mut state, &[0.5]);
//! # assert!(y[0].is_finite());
//! ```
//!
//! A file that is no such model does not compile: damaged JSON, a size of the wrong type, an unknown architecture or
//! function, a weight too many or too few. `pub Amp: [8192, 1] -> [8192, 1] = "amp.nam";` is declared for windows of 8192
//! steps, which matters for training only. A `.nam` file without `weights` declares a structure.
//!
//! # While running
//! `load`, of the feature `audio-load`, reads a file into a network that was declared from another file of the same structure.

#[cfg(feature = "audio-load")]
mod load;

#[cfg(feature = "audio-load")]
pub use self::load::*;
use crate::network::Network;

/// A network that [`network!`](crate::network!) declares from a model file.
pub trait FromFile: Network<Scalar = f32> {
    /// Its shapes and layers, in the words of the macro; the same for all files of the same structure.
    const DECLARATION: &'static str;
    /// For how many samples a second it was trained, if its file says it.
    const SAMPLE_RATE: Option<f64>;
}
