//! Model files that are read while the program runs.

use alloc::string::String;
use core::fmt;

use super::FromFile;
use crate::parameters::Parameters;
use crate::weights::{WeightsError, load_bytes};

/// Why a file is not read into a network.
#[derive(Debug)]
#[non_exhaustive]
pub enum AudioError {
    /// The file is no model, or none that is known.
    File(monomorph_files::Error),
    /// The file describes another network. Where they begin to differ: the line of the file's network, and of this one.
    Structure(String, String),
    /// The file has no weights.
    NoWeights,
    /// The weights are not those of the network.
    Weights(WeightsError),
}

impl fmt::Display for AudioError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(error) => error.fmt(f),
            Self::Structure(file, network) => {
                write!(f, "the file describes another network: `{file}`, where this one has `{network}`")
            }
            Self::NoWeights => f.write_str("the file describes a structure alone, without weights"),
            Self::Weights(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for AudioError {}

/// Reads the weights of a model file, given as its text, into a network of the same structure.
/// Returns for how many samples a second it was trained, if the file says it.
///
/// ```
/// use monomorph::audio;
/// use monomorph::prelude::*;
///
/// network! { pub Amp = "tests/files/audio/tanh.nam"; }
/// # let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/files/audio");
///
/// let mut amp = Amp::zeroed();
/// audio::load(&std::fs::read_to_string(format!("{folder}/tanh.nam"))?, &mut amp)?;
/// assert_eq!(amp.as_slice(), Amp::TRAINED.as_slice());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// If the text is no model, a model of another structure, or one without weights. The network is then unchanged.
pub fn load<N: FromFile + Parameters<Scalar = f32>>(text: &str, network: &mut N) -> Result<Option<f64>, AudioError> {
    let model = monomorph_files::read(text).map_err(AudioError::File)?;
    let structure = model.structure();
    if structure != N::DECLARATION {
        // The last lines close both.
        let mut pairs = structure.lines().zip(N::DECLARATION.lines());
        let (file, network) = pairs.find(|(file, network)| file != network).unwrap_or(("}", "}"));
        return Err(AudioError::Structure(file.trim().into(), network.trim().into()));
    }
    let weights = model.safetensors().ok_or(AudioError::NoWeights)?;
    load_bytes(&weights, network).map_err(AudioError::Weights)?;
    Ok(model.sample_rate)
}

/// Whether a file, given as its text, is of the structure of a network: so that one of several can be chosen.
///
/// # Errors
/// If the text is no model.
pub fn fits<N: FromFile>(text: &str) -> Result<bool, AudioError> {
    Ok(monomorph_files::read(text).map_err(AudioError::File)?.structure() == N::DECLARATION)
}
