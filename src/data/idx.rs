//! The IDX files of MNIST and similar data sets, gzipped or not.
//!
//! An IDX file is a header and numbers, all big-endian: two zero bytes, a type code (8 for unsigned bytes, the only one
//! read here), the rank, a 32-bit size for every axis, and the elements with the last axis varying fastest. The format
//! and the digits are from Y. LeCun, C. Cortes and C. Burges, *The MNIST database of handwritten digits* (1998).
//!
//! | file | rank | sizes |
//! | --- | --- | --- |
//! | images | 3 | count, height, width |
//! | labels | 1 | count |

use core::fmt;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::string::ToString;
use std::vec::Vec;
use std::{format, fs};

use flate2::bufread::GzDecoder;

use super::Dataset;
use crate::memory::boxed_slice;
use crate::tensor::batch_slice_mut;

/// What a gzipped file begins with.
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// A grayscale image, 0 for background and 1 for ink: rows, columns, one channel.
pub type Image<const H: usize, const W: usize> = [[[f32; 1]; W]; H];

/// The handwritten digits of MNIST: 60,000 for training, 10,000 for testing.
///
/// Fashion-MNIST and KMNIST have files of the same names and sizes and can be opened too.
///
/// ```no_run
/// let digits = monomorph::data::Mnist::open("data/mnist")?;
/// println!("the first digit is a {}", digits.train.targets()[0]);
/// # Ok::<(), monomorph::data::idx::IdxError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Mnist {
    /// The training images and their classes, 0 to 9.
    pub train: Dataset<Image<28, 28>, usize>,
    /// The test images and their classes.
    pub test: Dataset<Image<28, 28>, usize>,
}

impl Mnist {
    /// Reads `train-images-idx3-ubyte`, `train-labels-idx1-ubyte`, `t10k-images-idx3-ubyte` and
    /// `t10k-labels-idx1-ubyte` from a folder; each may also end in `.gz`, or have a dot before
    /// `idx`.
    ///
    /// # Errors
    /// If a file is missing or has unexpected content; the error names the file.
    pub fn open(folder: impl AsRef<Path>) -> Result<Self, IdxError> {
        fn set(folder: &Path, name: &str) -> Result<Dataset<Image<28, 28>, usize>, IdxError> {
            let images = find(folder, &format!("{name}-images"), "idx3-ubyte")?;
            let labels = find(folder, &format!("{name}-labels"), "idx1-ubyte")?;
            labelled_images(&images, &labels, 10)
        }
        let folder = folder.as_ref();
        Ok(Self { train: set(folder, "train")?, test: set(folder, "t10k")? })
    }
}

/// The file of this name in any of its spellings.
fn find(folder: &Path, name: &str, ending: &str) -> Result<PathBuf, IdxError> {
    let spellings = [
        format!("{name}-{ending}"),
        format!("{name}-{ending}.gz"),
        format!("{name}.{ending}"),
        format!("{name}.{ending}.gz"),
    ];
    match spellings.iter().map(|spelling| folder.join(spelling)).find(|path| path.is_file()) {
        Some(path) => Ok(path),
        None => Err(IdxError { path: Some(folder.join(&spellings[0])), problem: IdxProblem::Missing }),
    }
}

/// Reads a file of images and the file of their labels, which are below `classes`.
///
/// # Errors
/// If a file cannot be read, is damaged or holds something else, or if the two files do not match.
pub fn labelled_images<const H: usize, const W: usize>(
    images: impl AsRef<Path>,
    labels: impl AsRef<Path>,
    classes: usize,
) -> Result<Dataset<Image<H, W>, usize>, IdxError> {
    let (images, labels) = (images.as_ref(), labels.as_ref());
    let inputs = Idx::open(images)?.images().map_err(|error| error.at(images))?;
    let targets = Idx::open(labels)?.labels(classes).map_err(|error| error.at(labels))?;
    let counts = IdxProblem::Counts { images: inputs.len(), labels: targets.len() };
    Dataset::new(inputs, targets).map_err(|_| IdxError { path: Some(labels.into()), problem: counts })
}

/// The content of an IDX file: an array of bytes with its sizes.
///
/// ```
/// use monomorph::data::idx::Idx;
/// let labels = Idx::from_bytes(&[0, 0, 8, 1, 0, 0, 0, 3, 7, 2, 1])?;
/// assert_eq!(labels.sizes(), [3]);
/// assert_eq!(labels.labels(10)?, [7, 2, 1]);
/// # Ok::<(), monomorph::data::idx::IdxError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Idx {
    sizes: Vec<usize>,
    elements: Vec<u8>,
}

impl Idx {
    /// Reads a file, gzipped or not.
    ///
    /// # Errors
    /// If it cannot be read or is damaged; the error names the file.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, IdxError> {
        let path = path.as_ref();
        let bytes = fs::read(path).map_err(|error| {
            let problem = match error.kind() {
                io::ErrorKind::NotFound => IdxProblem::Missing,
                _ => IdxProblem::Io(error),
            };
            IdxError { path: Some(path.into()), problem }
        })?;
        Self::from_bytes(&bytes).map_err(|error| error.at(path))
    }

    /// Reads the content of a file, gzipped or not.
    ///
    /// # Errors
    /// If it is damaged.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, IdxError> {
        if !bytes.starts_with(&GZIP) {
            return Ok(Self::read(bytes)?);
        }
        let mut content = Members(GzDecoder::new(bytes));
        let result = Self::read(&mut content);
        // The checksum comes last. If it is wrong, that is the cause of any other error.
        io::copy(&mut content, &mut io::sink()).map_err(IdxProblem::Gzip)?;
        Ok(result?)
    }

    fn read(mut source: impl Read) -> Result<Self, IdxProblem> {
        let (mut magic, mut found) = ([0; 4], 0);
        fill(&mut source, &mut magic, &mut found, 4)?;
        let [0, 0, code, rank] = magic else { return Err(IdxProblem::Magic { found: magic }) };
        if !matches!(code, 0x08 | 0x09 | 0x0b..=0x0e) || rank == 0 {
            return Err(IdxProblem::Magic { found: magic });
        }
        if code != 0x08 {
            return Err(IdxProblem::Type { code });
        }
        let header = 4 + 4 * u128::from(rank);
        let mut sizes = Vec::with_capacity(rank.into());
        for _ in 0..rank {
            let mut size = [0; 4];
            fill(&mut source, &mut size, &mut found, header)?;
            sizes.push(u32::from_be_bytes(size));
        }
        let len = sizes.iter().try_fold(1_u128, |len, size| len.checked_mul((*size).into())).unwrap_or(u128::MAX);

        // No memory is reserved for sizes that are only claimed by the header.
        let mut elements = Vec::new();
        source
            .by_ref()
            .take(u64::try_from(len).unwrap_or(u64::MAX))
            .read_to_end(&mut elements)
            .map_err(IdxProblem::Gzip)?;
        if (elements.len() as u128) < len {
            let (expected, found) = (header.saturating_add(len), header + elements.len() as u128);
            return Err(IdxProblem::Truncated { expected, found });
        }
        match io::copy(&mut source, &mut io::sink()).map_err(IdxProblem::Gzip)? {
            0 => Ok(Self { sizes: sizes.into_iter().map(|size| size as usize).collect(), elements }),
            bytes => Err(IdxProblem::Trailing { bytes }),
        }
    }

    /// The sizes of its axes, outermost first.
    pub fn sizes(&self) -> &[usize] {
        &self.sizes
    }

    /// Its elements, with the last axis varying fastest.
    pub fn elements(&self) -> &[u8] {
        &self.elements
    }

    /// The images of a file of rank 3, scaled so that 255 becomes 1.
    ///
    /// # Errors
    /// If it is a file of labels or of anything else, or the images have another size.
    pub fn images<const H: usize, const W: usize>(&self) -> Result<Vec<Image<H, W>>, IdxError> {
        match self.sizes[..] {
            [count, height, width] if [height, width] == [H, W] => {
                let mut images = boxed_slice::<Image<H, W>>(count).into_vec();
                for (pixel, byte) in batch_slice_mut(&mut images).iter_mut().zip(&self.elements) {
                    *pixel = f32::from(*byte) / 255.0;
                }
                Ok(images)
            }
            [_, height, width] => Err(IdxProblem::ImageSize { expected: [H, W], found: [height, width] }.into()),
            [_] => Err(IdxProblem::LabelsForImages.into()),
            _ => Err(IdxProblem::Rank { expected: 3, found: self.sizes.len() }.into()),
        }
    }

    /// The labels of a file of rank 1, which are below `classes`.
    ///
    /// # Errors
    /// If it is a file of images or of anything else, or a label is too large.
    pub fn labels(&self, classes: usize) -> Result<Vec<usize>, IdxError> {
        match self.sizes.len() {
            1 => {}
            3 => return Err(IdxProblem::ImagesForLabels.into()),
            found => return Err(IdxProblem::Rank { expected: 1, found }.into()),
        }
        let labels: Vec<usize> = self.elements.iter().copied().map(usize::from).collect();
        match labels.iter().position(|label| *label >= classes) {
            Some(index) => Err(IdxProblem::Label { index, label: labels[index], classes }.into()),
            None => Ok(labels),
        }
    }
}

/// The content of a gzipped file: of all its members, one after the other (RFC 1952), up to zeros, to which archives fill
/// their blocks.
struct Members<'a>(GzDecoder<&'a [u8]>);

impl Read for Members<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let read = self.0.read(buffer)?;
            let rest = *self.0.get_ref();
            if read > 0 || buffer.is_empty() || rest.iter().all(|byte| *byte == 0) {
                return Ok(read);
            }
            if !rest.starts_with(&GZIP) {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "something else follows it"));
            }
            self.0 = GzDecoder::new(rest);
        }
    }
}

/// Fills `buffer`, counting the bytes in `found`; the header has `expected`.
fn fill(source: &mut impl Read, buffer: &mut [u8], found: &mut u128, expected: u128) -> Result<(), IdxProblem> {
    let mut read = Vec::with_capacity(buffer.len());
    source.by_ref().take(buffer.len() as u64).read_to_end(&mut read).map_err(IdxProblem::Gzip)?;
    *found += read.len() as u128;
    if read.len() < buffer.len() {
        return Err(IdxProblem::Truncated { expected, found: *found });
    }
    buffer.copy_from_slice(&read);
    Ok(())
}

/// Why a file was not read, and which.
#[derive(Debug)]
pub struct IdxError {
    /// The file, unless it was given as bytes.
    pub path: Option<PathBuf>,
    /// What is wrong with it.
    pub problem: IdxProblem,
}

impl IdxError {
    fn at(mut self, path: &Path) -> Self {
        self.path.get_or_insert_with(|| path.into());
        self
    }
}

impl From<IdxProblem> for IdxError {
    fn from(problem: IdxProblem) -> Self {
        Self { path: None, problem }
    }
}

/// What can be wrong with an IDX file.
#[derive(Debug)]
#[non_exhaustive]
pub enum IdxProblem {
    /// There is no such file.
    Missing,
    /// The file cannot be read.
    Io(io::Error),
    /// The file is gzipped, and the compressed data is damaged or cut short.
    Gzip(io::Error),
    /// The file does not begin like an IDX file.
    Magic {
        /// Its first four bytes.
        found: [u8; 4],
    },
    /// The elements are not unsigned bytes.
    Type {
        /// The type code.
        code: u8,
    },
    /// The file ends too early.
    Truncated {
        /// How many bytes it should have before compression, as far as the header tells.
        expected: u128,
        /// How many it has.
        found: u128,
    },
    /// The file has more data than its header says.
    Trailing {
        /// The number of extra bytes.
        bytes: u64,
    },
    /// The array has too many or too few axes.
    Rank {
        /// How many it should have.
        expected: usize,
        /// How many it has.
        found: usize,
    },
    /// A file of labels was given as the images.
    LabelsForImages,
    /// A file of images was given as the labels.
    ImagesForLabels,
    /// The images have another size.
    ImageSize {
        /// Height and width they should have.
        expected: [usize; 2],
        /// Height and width they have.
        found: [usize; 2],
    },
    /// The numbers of labels and images differ.
    Counts {
        /// The number of images.
        images: usize,
        /// The number of labels.
        labels: usize,
    },
    /// A label is not a class.
    Label {
        /// Its index.
        index: usize,
        /// The label.
        label: usize,
        /// How many classes there are.
        classes: usize,
    },
}

impl fmt::Display for IdxProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => write!(f, "there is no such file"),
            Self::Io(error) => write!(f, "cannot be read: {error}"),
            Self::Gzip(error) => write!(f, "the gzipped data is damaged: {error}"),
            Self::Magic { found: [a, b, c, d] } => {
                write!(f, "not an IDX file: it begins with the bytes {a:02x} {b:02x} {c:02x} {d:02x}")
            }
            Self::Type { code } => {
                let name = match code {
                    0x09 => "signed bytes".to_string(),
                    0x0b => "16-bit integers".to_string(),
                    0x0c => "32-bit integers".to_string(),
                    0x0d => "32-bit floating-point numbers".to_string(),
                    0x0e => "64-bit floating-point numbers".to_string(),
                    other => format!("elements of the unknown type {other:#04x}"),
                };
                write!(f, "the file holds {name}; only unsigned bytes (type 0x08) can be read")
            }
            Self::Truncated { expected, found } => {
                write!(f, "the file is cut short: {expected} bytes are expected, {found} are there")
            }
            Self::Trailing { bytes } => write!(f, "the file has {bytes} bytes more than its header says"),
            Self::Rank { expected, found } => write!(f, "the array has {found} axes, where {expected} are expected"),
            Self::LabelsForImages => {
                write!(f, "this is a file of labels, where images are expected; are the two exchanged?")
            }
            Self::ImagesForLabels => {
                write!(f, "this is a file of images, where labels are expected; are the two exchanged?")
            }
            Self::ImageSize { expected: [h, w], found: [height, width] } => {
                write!(f, "the images are {height}×{width}, where {h}×{w} are expected")
            }
            Self::Counts { images, labels } => write!(f, "there are {labels} labels for {images} images"),
            Self::Label { index, label, classes } => {
                write!(f, "label {index} is {label}, but there are only the classes 0 to {}", classes.saturating_sub(1))
            }
        }
    }
}

impl fmt::Display for IdxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(path) = &self.path {
            write!(f, "{}: ", path.display())?;
        }
        self.problem.fmt(f)
    }
}

impl core::error::Error for IdxProblem {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Io(error) | Self::Gzip(error) => Some(error),
            _ => None,
        }
    }
}

impl core::error::Error for IdxError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        self.problem.source()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::error::Error;
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use std::io::Write;
    use std::println;
    use std::string::String;

    fn file(sizes: &[u32], elements: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::from([0, 0, 8, sizes.len() as u8]);
        bytes.extend(sizes.iter().flat_map(|size| size.to_be_bytes()));
        bytes.extend(elements);
        bytes
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn message(bytes: &[u8]) -> String {
        Idx::from_bytes(bytes).unwrap_err().to_string()
    }

    #[test]
    fn images_and_labels() {
        let bytes = file(&[2, 2, 1], &[0, 255, 51, 102]);
        for bytes in [gzip(&bytes), bytes] {
            let images = Idx::from_bytes(&bytes).unwrap().images::<2, 1>().unwrap();
            assert_eq!(images, [[[[0.0]], [[1.0]]], [[[0.2]], [[0.4]]]]);
        }
        assert!(Idx::from_bytes(&file(&[0, 28, 28], &[])).unwrap().images::<28, 28>().unwrap().is_empty());
    }

    #[test]
    fn what_is_no_idx_file() {
        assert_eq!(message(b"PK\x03\x04...."), "not an IDX file: it begins with the bytes 50 4b 03 04");
        assert_eq!(message(&[0, 0, 8, 0]), "not an IDX file: it begins with the bytes 00 00 08 00");
        assert_eq!(message(&[0, 0, 7, 1]), "not an IDX file: it begins with the bytes 00 00 07 01");
        assert_eq!(
            message(&[0, 0, 0x0d, 1, 0, 0, 0, 0]),
            "the file holds 32-bit floating-point numbers; only unsigned bytes (type 0x08) can be read"
        );
    }

    #[test]
    fn every_truncation_is_noticed() {
        let bytes = file(&[2, 2, 2], &[1; 8]);
        for len in 0..bytes.len() {
            let IdxProblem::Truncated { expected, found } = Idx::from_bytes(&bytes[..len]).unwrap_err().problem else {
                panic!("{len} bytes");
            };
            let known = if len < 4 { 4 } else { 16 };
            assert_eq!((expected, found), (if len < 16 { known } else { 24 }, len as u128));
        }
        assert_eq!(message(&bytes[..20]), "the file is cut short: 24 bytes are expected, 20 are there");
        let short = gzip(&bytes[..20]);
        assert_eq!(message(&short), "the file is cut short: 24 bytes are expected, 20 are there");
        let packed = gzip(&bytes);
        for len in 2..packed.len() {
            assert!(matches!(Idx::from_bytes(&packed[..len]).unwrap_err().problem, IdxProblem::Gzip(_)), "{len} bytes");
        }
    }

    #[test]
    fn claimed_sizes_reserve_no_memory() {
        let bytes = file(&[u32::MAX; 5], &[1; 8]);
        assert!(matches!(Idx::from_bytes(&bytes).unwrap_err().problem, IdxProblem::Truncated { found: 32, .. }));
        assert!(matches!(Idx::from_bytes(&file(&[9; 255], &[])).unwrap_err().problem, IdxProblem::Truncated { .. }));
    }

    #[test]
    fn trailing_bytes() {
        let mut bytes = file(&[3], &[1, 2, 3, 4, 5]);
        assert_eq!(message(&bytes), "the file has 2 bytes more than its header says");
        assert_eq!(message(&gzip(&bytes)), "the file has 2 bytes more than its header says");
        bytes.truncate(11);
        let mut packed = gzip(&bytes);
        packed.push(1);
        assert_eq!(message(&packed), "the gzipped data is damaged: something else follows it");
        *packed.last_mut().unwrap() = 0x1f;
        assert_eq!(message(&packed), "the gzipped data is damaged: something else follows it");
    }

    #[test]
    fn several_members_and_zeros_behind_them() {
        let bytes = file(&[2, 2], &[1, 2, 3, 4]);
        let idx = Idx::from_bytes(&bytes).unwrap();
        for at in 0..=bytes.len() {
            let (first, rest) = bytes.split_at(at);
            let mut packed = [gzip(first), gzip(&[]), gzip(rest)].concat();
            assert_eq!(Idx::from_bytes(&packed).unwrap(), idx, "split at {at}");
            packed.resize(packed.len() + 1000, 0);
            assert_eq!(Idx::from_bytes(&packed).unwrap(), idx, "split at {at}, filled with zeros");
            packed.push(1);
            assert!(matches!(Idx::from_bytes(&packed).unwrap_err().problem, IdxProblem::Gzip(_)));
        }
        let twice = [gzip(&bytes), gzip(&bytes)].concat();
        assert_eq!(message(&twice), "the file has 16 bytes more than its header says");
        let mut cut = [gzip(&bytes[..5]), gzip(&bytes[5..])].concat();
        cut.truncate(cut.len() - 1);
        assert!(matches!(Idx::from_bytes(&cut).unwrap_err().problem, IdxProblem::Gzip(_)));
    }

    #[test]
    fn flipped_bits_of_gzipped_data_change_no_element() {
        let bytes = file(&[64], &core::array::from_fn::<u8, 64, _>(|index| (index * index) as u8));
        let packed = gzip(&bytes);
        for bit in 16..packed.len() * 8 {
            let mut damaged = packed.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            match Idx::from_bytes(&damaged) {
                // The time in gzip's header does not matter, nor do the spare bits after the data.
                Ok(idx) => assert_eq!(idx.elements(), &bytes[8..], "bit {bit}"),
                Err(error) => assert!(error.source().is_some(), "{error}"),
            }
        }
    }

    #[test]
    fn the_wrong_array() {
        let images = Idx::from_bytes(&file(&[1, 2, 3], &[0; 6])).unwrap();
        let labels = Idx::from_bytes(&file(&[2], &[3, 10])).unwrap();
        let other = Idx::from_bytes(&file(&[1, 1], &[0])).unwrap();
        let text = |error: IdxError| error.to_string();
        assert_eq!(text(images.images::<28, 28>().unwrap_err()), "the images are 2×3, where 28×28 are expected");
        assert_eq!(text(other.images::<28, 28>().unwrap_err()), "the array has 2 axes, where 3 are expected");
        assert_eq!(text(other.labels(10).unwrap_err()), "the array has 2 axes, where 1 are expected");
        assert_eq!(text(labels.labels(10).unwrap_err()), "label 1 is 10, but there are only the classes 0 to 9");
        assert!(text(labels.images::<28, 28>().unwrap_err()).contains("file of labels, where images are expected"));
        assert!(text(images.labels(10).unwrap_err()).contains("file of images, where labels are expected"));
    }

    #[test]
    fn a_folder() {
        let folder = std::env::temp_dir().join(format!("monomorph-idx-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let error = Mnist::open(&folder).unwrap_err();
        assert!(matches!(error.problem, IdxProblem::Missing));
        assert!(error.to_string().contains("train-images-idx3-ubyte: there is no such file"), "{error}");

        let write = |name: &str, bytes: &[u8]| fs::write(folder.join(name), bytes).unwrap();
        write("train-images-idx3-ubyte", &file(&[3, 28, 28], &[0; 3 * 784]));
        write("train-labels.idx1-ubyte.gz", &gzip(&file(&[3], &[0, 1, 9])));
        write("t10k-images-idx3-ubyte.gz", &gzip(&file(&[2, 28, 28], &[255; 2 * 784])));
        write("t10k-labels-idx1-ubyte", &file(&[2], &[4, 5]));
        let digits = Mnist::open(&folder).unwrap();
        assert_eq!(digits.train.targets(), [0, 1, 9]);
        assert_eq!((digits.test.len(), digits.test.inputs()[1][27][27]), (2, [1.0]));

        write("t10k-labels-idx1-ubyte", &file(&[3], &[4, 5, 6]));
        let error = Mnist::open(&folder).unwrap_err();
        assert!(error.to_string().ends_with("t10k-labels-idx1-ubyte: there are 3 labels for 2 images"), "{error}");

        write("t10k-labels-idx1-ubyte", &file(&[2, 28, 28], &[0; 2 * 784]));
        let error = Mnist::open(&folder).unwrap_err();
        assert!(error.to_string().contains("t10k-labels-idx1-ubyte: this is a file of images"), "{error}");
        fs::remove_dir_all(&folder).unwrap();

        assert!(matches!(Idx::open(&folder).unwrap_err().problem, IdxProblem::Missing));
        let error = Idx::open(std::env::temp_dir()).unwrap_err();
        assert!(matches!(error.problem, IdxProblem::Io(_)) && error.source().is_some());
    }

    #[test]
    fn the_digits_themselves() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/mnist");
        if !folder.exists() {
            return println!("skipped: {} is not here", folder.display());
        }
        let digits = Mnist::open(folder).unwrap();
        assert_eq!((digits.train.len(), digits.test.len()), (60_000, 10_000));
        assert_eq!(digits.train.targets()[..5], [5, 0, 4, 1, 9]);
        assert_eq!(digits.test.targets()[..5], [7, 2, 1, 0, 4]);
        let sum: f64 =
            digits.train.inputs().as_flattened().as_flattened().as_flattened().iter().map(|x| f64::from(*x)).sum();
        assert!((sum / (60_000.0 * 784.0) - 0.1307).abs() < 5e-5, "the mean is {}", sum / (60_000.0 * 784.0));
    }
}
