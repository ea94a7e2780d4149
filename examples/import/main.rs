//! Prints an ONNX or TensorFlow Lite file as the text of a declaration, to read, to paste and to edit; with `--weights`
//! it saves the parameters, too, for `include_weights!`.
//!
//! ```text
//! cargo run --release --example import -- tests/files/import/image.onnx
//! ```
//!
//! Expected output:
//!
//! ```text
//! network! {
//!     pub Image: [3, 12, 10] -> [5] {
//!         Transpose(axes = (1, 2, 0)),
//!         Conv2d(8, kernel = 3, padding = 1),
//!         Relu,
//!         MaxPool2d(2),
//!         DepthwiseConv2d(3, stride = (1, 2), padding = 1),
//!         HardSwish,
//!         Conv2d(6, kernel = 1),
//!         Conv2d(4, kernel = (3, 2), padding = ((1, 1), (1, 0)), groups = 2, bias = false),
//!         LeakyRelu(slope = 0.2),
//!         GlobalAvgPool2d,
//!         Dense(5),
//!         Softmax,
//!     }
//! }
//! ```

use std::error::Error;
use std::path::PathBuf;

use clap::Parser;

/// Prints a model file as a declaration.
#[derive(Parser)]
struct Options {
    /// An `.onnx` or a `.tflite` file.
    model: PathBuf,
    /// Where to save the parameters, as a safetensors file.
    #[arg(long)]
    weights: Option<PathBuf>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::parse();
    let bytes = std::fs::read(&options.model).map_err(|error| format!("{}: {error}", options.model.display()))?;
    let model = monomorph_files::read_graph(&bytes)?;
    let stem = options.model.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    println!("network! {{");
    println!("    pub {}: {}", name(&stem), model.structure().replace('\n', "\n    "));
    println!("}}");
    if let (Some(path), Some(weights)) = (options.weights, model.safetensors()) {
        std::fs::write(&path, weights).map_err(|error| format!("{}: {error}", path.display()))?;
    }
    Ok(())
}

/// A type's name from that of a file: `kws_ref-model` becomes `KwsRefModel`.
fn name(stem: &str) -> String {
    let words = stem.split(|letter: char| !letter.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let name: String = words.map(|word| word[..1].to_uppercase() + &word[1..]).collect();
    if name.starts_with(|letter: char| letter.is_ascii_alphabetic()) { name } else { format!("Net{name}") }
}
