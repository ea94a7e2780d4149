//! What can go wrong with a weights file.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
#[cfg(feature = "std")]
use std::path::PathBuf;

/// Why weights could not be read or written, and from or to which file.
#[derive(Debug)]
pub struct WeightsError {
    /// The file, unless it was given as bytes.
    #[cfg(feature = "std")]
    pub path: Option<PathBuf>,
    /// What is wrong.
    pub problem: WeightsProblem,
}

/// What can be wrong with weights.
#[derive(Debug)]
#[non_exhaustive]
pub enum WeightsProblem {
    /// The file cannot be read or written.
    #[cfg(feature = "std")]
    Io(std::io::Error),
    /// The file is shorter than its own header says, or longer.
    Length {
        /// How many bytes the file has.
        found: usize,
    },
    /// The file is not a safetensors file, or is damaged.
    Corrupt {
        /// What is wrong with its header.
        reason: String,
    },
    /// The file's checksum is not that of its content: bytes have changed since it was written.
    Damaged,
    /// The file was written by a newer version of this crate, in a format unknown to this one.
    Version {
        /// The version of the format.
        found: String,
    },
    /// The file lacks a tensor of the network.
    MissingTensor {
        /// Its name.
        tensor: String,
        /// The tensors that the file has and the network does not.
        unknown: Vec<String>,
    },
    /// The file has a tensor that the network does not have.
    UnknownTensor {
        /// Its name.
        tensor: String,
    },
    /// A tensor has another shape.
    Shape {
        /// Its name.
        tensor: String,
        /// Its shape in the network.
        expected: &'static [usize],
        /// Its shape in the file.
        found: Vec<usize>,
    },
    /// A tensor has a type whose numbers are no numbers of the network, or would have to be rounded.
    Type {
        /// Its name.
        tensor: String,
        /// Its type in the network, such as `F32`.
        expected: &'static str,
        /// Its type in the file.
        found: String,
    },
    /// Two groups of a checkpoint have a tensor or a number of the same name, or a name is reserved by the format.
    NameTaken {
        /// The name.
        name: String,
    },
    /// The checkpoint lacks a number.
    MissingNumber {
        /// Its name.
        name: String,
    },
    /// The checkpoint has a number that the optimizer does not have.
    UnknownNumber {
        /// Its name.
        name: String,
    },
    /// The checkpoint's entry of this name is not a number.
    NotANumber {
        /// Its name.
        name: String,
        /// The entry.
        found: String,
    },
}

impl fmt::Display for WeightsProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            #[cfg(feature = "std")]
            Self::Io(error) => write!(f, "{error}"),
            Self::Length { found } => {
                write!(
                    f,
                    "the file is cut short or has something appended: it has {found} bytes, its header says otherwise"
                )
            }
            Self::Corrupt { reason } => write!(f, "not a safetensors file, or a damaged one: {reason}"),
            Self::Damaged => write!(f, "the file is damaged: its checksum differs; copy or write it again"),
            Self::Version { found } => {
                write!(
                    f,
                    "the file has the form {found} of this crate's files; this version of the crate knows only form 1"
                )
            }
            Self::MissingTensor { tensor, unknown } => {
                write!(f, "the file has no tensor `{tensor}`")?;
                for (index, name) in unknown.iter().take(5).enumerate() {
                    let before = if index == 0 { "; the network does not know the file's" } else { "," };
                    write!(f, "{before} `{name}`")?;
                }
                if unknown.len() > 5 {
                    write!(f, " and {} more", unknown.len() - 5)?;
                }
                Ok(())
            }
            Self::UnknownTensor { tensor } => {
                write!(f, "the file has a tensor `{tensor}`, but the network has not; ")?;
                if tensor.starts_with("optimizer.") {
                    write!(
                        f,
                        "continue with the optimizer of the checkpoint, or read the network alone: \
                         `Checkpoint::open(path)?.read_into(\"\", &mut net)`"
                    )
                } else {
                    write!(
                        f,
                        "to read the file without it, write `Checkpoint::open(path)?.reader().tensors(\"\", &mut \
                         net).skip(|name| name == \"{tensor}\").finish()`"
                    )
                }
            }
            Self::Shape { tensor, expected, found } => {
                write!(f, "the tensor `{tensor}` is {found:?} in the file, but {expected:?} in the network")?;
                let (mut a, mut b) = (expected.to_vec(), found.clone());
                a.sort_unstable();
                b.sort_unstable();
                if a == b {
                    write!(
                        f,
                        "; the axes have another order: dense weights are [in, out], those of convolutions [height, width, in, out]"
                    )?;
                }
                Ok(())
            }
            Self::Type { tensor, expected, found } => {
                write!(f, "the tensor `{tensor}` is {found} in the file, but {expected} in the network; ")?;
                match (*expected, found.as_str()) {
                    ("F32", "F64") => write!(
                        f,
                        "numbers are not rounded when they are read: load it into the same network of f64 and convert its \
                         numbers, or write the file as F32"
                    ),
                    _ => write!(f, "write the file as {expected}"),
                }
            }
            Self::NameTaken { name } => {
                write!(f, "there is more than one `{name}`; give the groups different prefixes")
            }
            Self::MissingNumber { name } => write!(f, "the file has no number `{name}`; is it a checkpoint?"),
            Self::UnknownNumber { name } => write!(f, "the file has a number `{name}`, but the optimizer has not"),
            Self::NotANumber { name, found } => write!(f, "`{name}` is no whole number, but `{found}`"),
        }
    }
}

impl fmt::Display for WeightsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        #[cfg(feature = "std")]
        if let Some(path) = &self.path {
            write!(f, "{}: ", path.display())?;
        }
        self.problem.fmt(f)
    }
}

impl core::error::Error for WeightsProblem {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            #[cfg(feature = "std")]
            Self::Io(error) => Some(error),
            _ => None,
        }
    }
}

impl core::error::Error for WeightsError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        self.problem.source()
    }
}

impl From<WeightsProblem> for WeightsError {
    fn from(problem: WeightsProblem) -> Self {
        Self {
            #[cfg(feature = "std")]
            path: None,
            problem,
        }
    }
}
