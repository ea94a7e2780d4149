//! Networks from the files in which others save them: ONNX and TensorFlow Lite.
//!
//! [`network!`](crate::network!) takes a file instead of layers. It is read while the program is compiled, and becomes
//! the same kind of network as one whose layers are written: shapes are checked, memory is planned, nothing allocates,
//! and the weights lie in read-only memory. It trains further, packs its weights, and shows itself. The path is relative
//! to the folder of the package's `Cargo.toml`; when the file changes, the network is compiled again.
//!
//! ```
//! use monomorph::prelude::*;
//!
//! network! { pub Image = "tests/files/import/image.onnx"; }
//!
//! let scores = Image::TRAINED.evaluate(&[[[0.5; 10]; 12]; 3]);
//! assert!((scores.iter().sum::<f32>() - 1.0).abs() < 1e-6);
//! ```
//!
//! `cargo run --example import -- model.onnx` prints a file as the text of a declaration, to read, to paste and to edit.
//!
//! # What is read
//! | file | operators |
//! | --- | --- |
//! | ONNX, versions 7 to 24 of the operators, in `f32`, `f64`, `f16` or `bf16` | `Conv`, `ConvTranspose`, `MaxPool`, `AveragePool`, `GlobalAveragePool`, `GlobalMaxPool`, `Gemm`, `MatMul`, `Add`, `Sub`, `Mul`, `Div`, `Concat`, `BatchNormalization`, `LayerNormalization`, `InstanceNormalization`, `Softmax`, `LogSoftmax`, `Relu`, `Clip`, `Sigmoid`, `Tanh`, `LeakyRelu`, `PRelu`, `Elu`, `Celu`, `Selu`, `Gelu`, `Mish`, `Softplus`, `Softsign`, `HardSigmoid`, `HardSwish`, `ThresholdedRelu`, `Flatten`, `Reshape`, `Squeeze`, `Unsqueeze`, `Transpose`, `Pad`, `ReduceMean`, `ReduceSum`, `ReduceMax`, `Identity`, `Dropout`, `Cast`; on constants also `Shape`, `Gather`, `Sqrt`, `Neg`, `Exp`, `Reciprocal` |
//! | TensorFlow Lite, `.tflite`, of floats | the same by their names there, with the functions that are fused into them |
//!
//! Constants and shapes are computed while the file is read. A batch norm behind a convolution becomes part of it, and
//! `x · sigmoid(x)` is [`Silu`](crate::layers::Silu). A size of the batch that the file leaves open is 1: the number of
//! samples is that of each pass, as in any network here.
//!
//! # Shapes
//! The input and the output have the shapes of the file. Inside, channels come last, as they do in all layers here; an
//! image whose channels come first is transposed once, at the start, and the rows of a matrix behind a flattened image
//! are put in order while the file is read.
//!
//! # Errors
//! A file that is damaged, that computes in integers, or that has several inputs or outputs does not compile, and the
//! compiler says why. Operators without a layer are named all at once, each with the name that it has in the file.
