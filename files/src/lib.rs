//! Reads model files of other programs: what network they describe, in the language of `network!`, and its parameters.
//!
//! The macro reads a file while it compiles, the library reads one while the program runs; both call [`read`], or
//! [`read_graph`] for files of graphs.
//!
//! | module | files |
//! | --- | --- |
//! | `import` | `.onnx` and `.tflite` files |
//! | `nam` | `.nam` files of Neural Amp Modeler |
//! | `rtneural` | RTNeural's JSON |
//! | `guitarml` | the JSON of GuitarML's trainers, a PyTorch `state_dict` |
//!
//! A file without weights describes a structure alone: everything is checked but how many weights there are.

#![deny(missing_docs)]

mod builder;
mod guitarml;
mod import;
mod json;
mod nam;
mod rtneural;
#[cfg(test)]
mod tests;

use core::fmt;

pub use import::read_graph;
use json::Node;

/// Why a file is not read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error(String);

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl core::error::Error for Error {}

/// What a file describes.
#[derive(Clone, Debug, PartialEq)]
pub struct Model {
    /// The shape of the input; the first size of a sequence is that of time.
    pub input: Vec<usize>,
    /// The shape of the output; the first size of a sequence is that of time.
    pub output: Vec<usize>,
    /// Whether it runs step by step. Its number of steps is arbitrary then: that of the shapes is a proposal.
    pub streaming: bool,
    /// The layers, in the language of `network!`.
    pub body: String,
    /// The parameters, in the order of the layers; `None` if the file has no weights.
    pub tensors: Option<Vec<Tensor>>,
    /// In samples a second, if the file says it.
    pub sample_rate: Option<f64>,
}

/// A parameter.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    /// The name of the layer and that of the tensor in it, such as `dense1.weight`.
    pub name: String,
    /// Its shape in the network.
    pub shape: Vec<usize>,
    /// Its numbers, row by row.
    pub numbers: Vec<f32>,
}

/// How many steps at once a network is declared for if a file does not say it.
const STEPS: usize = 512;

/// Reads the text of a file.
///
/// # Errors
/// Says what is wrong with the file, and where: no JSON, none of the formats, a part that is missing or has another type,
/// a feature that is not known, a weight too many or too few.
pub fn read(text: &str) -> Result<Model, Error> {
    let root = serde_json::from_str(text).map_err(|error| Error(format!("the file is no JSON: {error}")))?;
    let root = Node::root(&root);
    if root.find("architecture").is_some() {
        nam::read(&root)
    } else if root.find("state_dict").is_some() {
        guitarml::read(&root)
    } else if root.find("layers").is_some() {
        rtneural::read(&root)
    } else {
        let known = "`architecture` (.nam), `layers` (RTNeural) or `state_dict` (GuitarML)";
        Err(Error(format!("the file is none of a model: it has neither of {known}")))
    }
}

impl Model {
    /// The network in one text: two files whose texts are equal describe the same network, but for its parameters.
    pub fn structure(&self) -> String {
        let shape = |sizes: &[usize]| {
            let mut sizes: Vec<_> = sizes.iter().map(usize::to_string).collect();
            if self.streaming {
                sizes[0] = "_".to_owned();
            }
            format!("[{}]", sizes.join(", "))
        };
        format!("{} -> {} {{\n{}}}", shape(&self.input), shape(&self.output), self.body)
    }

    /// The parameters as a safetensors file, if there are any.
    pub fn safetensors(&self) -> Option<Vec<u8>> {
        let (mut header, mut end) = (serde_json::Map::new(), 0);
        let tensors = self.tensors.as_ref()?;
        for Tensor { name, shape, numbers } in tensors {
            let from = end;
            end += 4 * numbers.len();
            let entry = serde_json::json!({ "dtype": "F32", "shape": shape, "data_offsets": [from, end] });
            header.insert(name.clone(), entry);
        }
        let mut header = serde_json::Value::Object(header).to_string();
        while !header.len().is_multiple_of(8) {
            header.push(' ');
        }
        let mut file = (header.len() as u64).to_le_bytes().to_vec();
        file.extend(header.bytes());
        file.extend(tensors.iter().flat_map(|tensor| &tensor.numbers).flat_map(|number| number.to_le_bytes()));
        Some(file)
    }
}
