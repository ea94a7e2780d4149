//! Groups of tensors and single numbers in one file.

mod numbers;
#[cfg(all(test, feature = "std"))]
mod tests;

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use alloc::{format, vec};
use core::fmt::{self, Write};
use core::mem::take;
#[cfg(feature = "std")]
use std::path::{Path, PathBuf};

use ::safetensors::tensor::Metadata;
use ::safetensors::{SafeTensorError, SafeTensors};

use self::numbers::{Kind, decode, encode};
#[cfg(feature = "std")]
use super::file::replace;
use super::{FORMAT, METADATA, VERSION, WeightsError, WeightsProblem};
use crate::bytes::{SEED, fnv};
use crate::optim::{Optimizer, PartMut, PartRef, for_each_part, for_each_part_mut};
use crate::parameters::{Entry, Parameters, assert_tensors, for_each_tensor};
use crate::scalar::Scalar;

/// Tensors begin at a multiple of this offset, in a file or in flash.
const ALIGNMENT: usize = 64;

/// Collects the contents of a checkpoint, and writes them.
///
/// ```
/// use monomorph::layers::Dense;
/// use monomorph::memory;
/// use monomorph::weights::{Checkpoint, CheckpointWriter, WeightsError};
///
/// type Net = Dense<[f32; 4], [[f32; 2]; 4], [f32; 2]>;
/// let mut net: Net = memory::zeroed();
/// let mut momentum: Net = memory::zeroed();
/// net.bias = [1.0, 2.0];
/// momentum.bias = [0.25, 0.5];
/// let bytes = CheckpointWriter::new()
///     .tensors("", &net)
///     .tensors("optimizer.momentum.", &momentum)
///     .number("step", 17)
///     .to_bytes()?;
///
/// let (mut net, mut momentum): (Net, Net) = (memory::zeroed(), memory::zeroed());
/// let checkpoint = Checkpoint::from_bytes(&bytes)?;
/// let step = checkpoint.number("step")?;
/// checkpoint.reader().tensors("", &mut net).tensors("optimizer.momentum.", &mut momentum).finish()?;
/// assert_eq!((step, net.bias, momentum.bias), (17, [1.0, 2.0], [0.25, 0.5]));
/// # Ok::<(), WeightsError>(())
/// ```
#[derive(Default)]
pub struct CheckpointWriter<'a> {
    groups: Vec<Source<'a>>,
    numbers: Vec<(String, u64)>,
}

/// A group of tensors to write.
struct Source<'a> {
    tensors: Vec<Tensor>,
    encode: Encode<'a>,
}

/// What the header says about a tensor.
struct Tensor {
    name: String,
    shape: &'static [usize],
    kind: Kind,
}

/// Appends all numbers of a group.
type Encode<'a> = Box<dyn Fn(&mut Vec<u8>) + 'a>;

impl<'a> CheckpointWriter<'a> {
    /// An empty checkpoint.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the tensors of a network, or of something of the same form, such as an optimizer's moments. The prefix is
    /// put before each name: `optimizer.m.` gives `optimizer.m.conv1.weight`.
    pub fn tensors<T: Scalar, N: Parameters<Scalar = T>>(mut self, prefix: &str, net: &'a N) -> Self {
        const { assert_tensors::<N>() };
        let encode = Box::new(|bytes: &mut Vec<u8>| {
            let numbers = net.as_slice();
            // Tensor by tensor, because there may be padding between them.
            for_each_tensor(N::ENTRIES, &mut |_, _, range| encode(&numbers[range], bytes));
        });
        self.groups.push(Source { tensors: tensors::<T>(prefix, N::ENTRIES), encode });
        self
    }

    /// Adds all parts of the memory of the optimizer `O`: `optimizer.` gives `optimizer.m.conv1.weight` for a moment
    /// `m`, and one tensor or number for each part that does not have the form of the network.
    pub fn optimizer<N: Parameters, O: Optimizer<N::Scalar>>(mut self, prefix: &str, memory: &'a O::Memory<N>) -> Self {
        for_each_part::<N, O>(memory, &mut |name, part| match part {
            PartRef::Tensors(network) => self = take(&mut self).tensors(&format!("{prefix}{name}."), network),
            PartRef::Numbers(shape, numbers) => self.groups.push(Source {
                tensors: tensor::<N::Scalar>(format!("{prefix}{name}"), shape),
                encode: Box::new(|bytes| encode(numbers, bytes)),
            }),
            PartRef::Counter(counter) => self.numbers.push((format!("{prefix}{name}"), *counter)),
        });
        self
    }

    /// Adds a number, such as the step count or the state of a random number generator.
    pub fn number(mut self, name: &str, value: u64) -> Self {
        self.numbers.push((name.into(), value));
        self
    }

    /// The content of the file.
    ///
    /// # Errors
    /// If two tensors or two numbers have the same name, or a number is called `format`, `version` or
    /// `checksum`.
    pub fn to_bytes(&self) -> Result<Vec<u8>, WeightsError> {
        self.check_names()?;
        Ok(self.encode())
    }

    /// Writes the file, as described [there](super#saving).
    ///
    /// # Errors
    /// As [`CheckpointWriter::to_bytes`], and if the file cannot be written; a file that was there before is then
    /// unchanged.
    #[cfg(feature = "std")]
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), WeightsError> {
        let path = path.as_ref();
        self.to_bytes()
            .and_then(|bytes| Ok(replace(path, &bytes).map_err(WeightsProblem::Io)?))
            .map_err(|error| WeightsError { path: Some(path.into()), ..error })
    }

    fn check_names(&self) -> Result<(), WeightsProblem> {
        let mut tensors = BTreeSet::from([METADATA.to_string()]);
        let mut taken = None;
        for group in &self.groups {
            for Tensor { name, .. } in &group.tensors {
                if let Some(name) = tensors.replace(name.clone()) {
                    taken.get_or_insert(name);
                }
            }
        }
        let mut numbers = BTreeSet::from(["format", "version", CHECKSUM]);
        for (name, _) in &self.numbers {
            if !numbers.insert(name) {
                taken.get_or_insert(name.clone());
            }
        }
        match taken {
            Some(name) => Err(WeightsProblem::NameTaken { name }),
            None => Ok(()),
        }
    }

    /// Header and numbers. The header is written here, not by the library, because the library writes metadata in
    /// random order.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut groups: Vec<_> = self.groups.iter().collect();
        // Larger types first, so that every tensor is aligned to the size of its type.
        groups.sort_by_key(|group| core::cmp::Reverse(group.tensors.first().map(|tensor| tensor.kind)));

        let mut metadata: BTreeMap<&str, String> = BTreeMap::new();
        metadata.extend([("format", FORMAT.to_string()), ("version", VERSION.to_string())]);
        metadata.extend(self.numbers.iter().map(|(name, value)| (name.as_str(), value.to_string())));
        let mut data = Vec::new();
        for group in &groups {
            (group.encode)(&mut data);
        }
        metadata.insert(CHECKSUM, checksum(metadata.iter().map(|(key, value)| (*key, value.as_str())), &data));
        let metadata: Vec<_> = metadata.iter().map(|(key, value)| format!("{}:{}", Json(key), Json(value))).collect();
        let mut fields = vec![format!("{}:{{{}}}", Json(METADATA), metadata.join(","))];
        let mut offset = 0;
        for group in &groups {
            for Tensor { name, shape, kind } in &group.tensors {
                let end = offset + shape.iter().product::<usize>() * kind.size();
                fields.push(format!(
                    r#"{}:{{"dtype":"{}","shape":{shape:?},"data_offsets":[{offset},{end}]}}"#,
                    Json(name),
                    kind.name(),
                ));
                offset = end;
            }
        }
        let mut header = format!("{{{}}}", fields.join(","));
        // The format allows spaces at the end.
        while (8 + header.len()) % ALIGNMENT != 0 {
            header.push(' ');
        }

        let mut bytes = Vec::with_capacity(8 + header.len() + offset);
        bytes.extend((header.len() as u64).to_le_bytes());
        bytes.extend(header.as_bytes());
        bytes.extend(data);
        bytes
    }
}

/// The key of the [`checksum`] among the metadata.
const CHECKSUM: &str = "checksum";

/// The hash of the metadata, in the order of their keys, and of all tensors.
fn checksum<'a>(metadata: impl Iterator<Item = (&'a str, &'a str)>, data: &[u8]) -> String {
    let of_text = metadata.fold(SEED, |hash, (key, value)| fnv(fnv(hash, key.as_bytes()), value.as_bytes()));
    format!("{:016x}", fnv(of_text, data))
}

/// A JSON string.
struct Json<'a>(&'a str);

impl fmt::Display for Json<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        for character in self.0.chars() {
            match character {
                '"' | '\\' => write!(f, "\\{character}")?,
                '\0'..' ' => write!(f, "\\u{:04x}", u32::from(character))?,
                other => f.write_char(other)?,
            }
        }
        f.write_char('"')
    }
}

/// A checkpoint that was read, with a valid header.
///
/// [`Checkpoint::read_into`] reads one group; [`Checkpoint::reader`] reads several, all or none.
#[derive(Clone)]
pub struct Checkpoint<'a> {
    bytes: Cow<'a, [u8]>,
    /// The offset of the first tensor.
    start: usize,
    header: Metadata,
    #[cfg(feature = "std")]
    path: Option<PathBuf>,
}

impl Checkpoint<'static> {
    /// Reads a file.
    ///
    /// # Errors
    /// If it cannot be read or is damaged.
    #[cfg(feature = "std")]
    pub fn open(path: impl AsRef<Path>) -> Result<Self, WeightsError> {
        let path = path.as_ref();
        let read = || {
            let bytes = std::fs::read(path).map_err(WeightsProblem::Io)?;
            Self::parse(bytes.into())
        };
        match read() {
            Ok(checkpoint) => Ok(Self { path: Some(path.into()), ..checkpoint }),
            Err(problem) => Err(WeightsError { path: Some(path.into()), problem }),
        }
    }
}

impl<'a> Checkpoint<'a> {
    /// Reads the content of a file without copying it.
    ///
    /// # Errors
    /// If it is damaged.
    pub fn from_bytes(bytes: &'a [u8]) -> Result<Self, WeightsError> {
        Ok(Self::parse(bytes.into())?)
    }

    fn parse(bytes: Cow<'a, [u8]>) -> Result<Self, WeightsProblem> {
        use SafeTensorError::{HeaderTooSmall, InvalidHeaderLength, MetadataIncompleteBuffer};
        let (len, header) = SafeTensors::read_metadata(&bytes).map_err(|error| match error {
            HeaderTooSmall | InvalidHeaderLength | MetadataIncompleteBuffer => {
                WeightsProblem::Length { found: bytes.len() }
            }
            other => WeightsProblem::Corrupt { reason: other.to_string() },
        })?;
        if let Some(metadata) = header.metadata()
            && metadata.get("format").is_some_and(|format| format == FORMAT)
            && let Some(version) = metadata.get("version")
            && version != VERSION
        {
            return Err(WeightsProblem::Version { found: version.clone() });
        }
        // Files of other programs have none.
        if let Some(metadata) = header.metadata()
            && let Some(expected) = metadata.get(CHECKSUM)
        {
            let others: BTreeMap<&str, &str> = metadata
                .iter()
                .filter(|(key, _)| *key != CHECKSUM)
                .map(|(key, value)| (key.as_str(), value.as_str()))
                .collect();
            if metadata.get("format").is_some_and(|format| format == FORMAT)
                && *expected != checksum(others.into_iter(), &bytes[8 + len..])
            {
                return Err(WeightsProblem::Damaged);
            }
        }
        Ok(Self {
            bytes,
            start: 8 + len,
            header,
            #[cfg(feature = "std")]
            path: None,
        })
    }

    /// The names of all tensors, in the order of the file.
    pub fn names(&self) -> Vec<String> {
        self.header.offset_keys()
    }

    /// A number.
    ///
    /// # Errors
    /// If there is no number of this name.
    pub fn number(&self, name: &str) -> Result<u64, WeightsError> {
        let text = self.header.metadata().as_ref().and_then(|metadata| metadata.get(name));
        let number = match text {
            None => Err(WeightsProblem::MissingNumber { name: name.into() }),
            Some(text) => {
                text.parse().map_err(|_| WeightsProblem::NotANumber { name: name.into(), found: text.clone() })
            }
        };
        number.map_err(|problem| self.error(problem))
    }

    /// Checks that all tensors of `N` are there under this prefix, with the right shapes, and of types that need not be
    /// rounded.
    ///
    /// # Errors
    /// The first tensor that is not.
    pub fn check<T: Scalar, N: Parameters<Scalar = T>>(&self, prefix: &str) -> Result<(), WeightsError> {
        self.check_group(prefix, &tensors::<T>(prefix, N::ENTRIES)).map_err(|problem| self.error(problem))
    }

    /// Reads the tensors of one group; anything else in the file is ignored.
    ///
    /// # Errors
    /// As [`Checkpoint::check`]; `net` is then unchanged.
    pub fn read_into<T: Scalar, N: Parameters<Scalar = T>>(
        &self,
        prefix: &str,
        net: &mut N,
    ) -> Result<(), WeightsError> {
        self.check::<T, N>(prefix)?;
        self.decode(prefix, net);
        Ok(())
    }

    /// Reads several groups, all of them or none.
    pub fn reader(&self) -> CheckpointReader<'_> {
        CheckpointReader { checkpoint: self, groups: Vec::new(), skipped: None }
    }

    /// Checks that the file has these tensors, and no others with this prefix.
    fn check_group(&self, prefix: &str, group: &[Tensor]) -> Result<(), WeightsProblem> {
        let known = group.iter().map(|tensor| &*tensor.name).collect();
        group.iter().try_for_each(|tensor| self.check_tensor(tensor, || self.unknown(&known, prefix)))
    }

    fn check_tensor(&self, tensor: &Tensor, unknown: impl FnOnce() -> Vec<String>) -> Result<(), WeightsProblem> {
        let &Tensor { ref name, shape: expected, kind } = tensor;
        let tensor = name.clone();
        let Some(info) = self.header.info(name) else {
            return Err(WeightsProblem::MissingTensor { tensor, unknown: unknown() });
        };
        if !Kind::read(info.dtype).is_some_and(|found| found.fits(kind)) {
            return Err(WeightsProblem::Type { tensor, expected: kind.name(), found: info.dtype.to_string() });
        }
        if info.shape != expected {
            return Err(WeightsProblem::Shape { tensor, expected, found: info.shape.clone() });
        }
        Ok(())
    }

    /// The tensors with a prefix that are not among the known ones.
    fn unknown(&self, known: &BTreeSet<&str>, prefix: &str) -> Vec<String> {
        let mut names = self.names();
        names.retain(|name| name.starts_with(prefix) && !known.contains(&**name));
        names
    }

    /// Reads a group that has been checked.
    fn decode<N: Parameters>(&self, prefix: &str, network: &mut N) {
        let numbers = network.as_mut_slice();
        for_each_tensor(N::ENTRIES, &mut |path, _, range| {
            self.decode_tensor(&format!("{prefix}{path}"), &mut numbers[range]);
        });
    }

    /// Reads a tensor that has been checked.
    fn decode_tensor<T: Scalar>(&self, name: &str, numbers: &mut [T]) {
        let Some(info) = self.header.info(name) else { return };
        let (from, to) = info.data_offsets;
        if let Some(kind) = Kind::read(info.dtype) {
            decode(kind, &self.bytes[self.start + from..self.start + to], numbers);
        }
    }

    /// The numbers of a tensor of any shape and type that can be read.
    #[cfg(feature = "std")]
    pub(crate) fn numbers(&self, name: &str) -> Result<Vec<f64>, WeightsError> {
        let tensor = String::from(name);
        let problem = match self.header.info(name) {
            None => WeightsProblem::MissingTensor { tensor, unknown: Vec::new() },
            Some(info) if Kind::read(info.dtype).is_none() => {
                WeightsProblem::Type { tensor, expected: Kind::F64.name(), found: info.dtype.to_string() }
            }
            Some(info) => {
                let mut numbers = vec![0.0; info.shape.iter().product()];
                self.decode_tensor(name, &mut numbers);
                return Ok(numbers);
            }
        };
        Err(self.error(problem))
    }

    fn error(&self, problem: WeightsProblem) -> WeightsError {
        WeightsError {
            #[cfg(feature = "std")]
            path: self.path.clone(),
            problem,
        }
    }
}

impl fmt::Debug for Checkpoint<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Checkpoint").field("names", &self.names()).finish_non_exhaustive()
    }
}

/// The tensors of a group, as in the header.
fn tensors<T: Scalar>(prefix: &str, entries: &'static [Entry]) -> Vec<Tensor> {
    let mut tensors = Vec::new();
    for_each_tensor(entries, &mut |path, info, _| {
        tensors.extend(tensor::<T>(format!("{prefix}{path}"), info.shape));
    });
    tensors
}

/// A tensor as in the header, unless it is empty.
fn tensor<T: Scalar>(name: String, shape: &'static [usize]) -> Vec<Tensor> {
    if shape.contains(&0) { Vec::new() } else { vec![Tensor { name, shape, kind: const { Kind::of::<T>() } }] }
}

/// Collects the destinations of the groups of a checkpoint, and reads them.
pub struct CheckpointReader<'a> {
    checkpoint: &'a Checkpoint<'a>,
    groups: Vec<Target<'a>>,
    skipped: Option<Skip<'a>>,
}

/// A group of tensors and numbers to read.
struct Target<'a> {
    /// With the prefix under which each of them is looked up.
    tensors: Vec<(String, Vec<Tensor>)>,
    /// The names of numbers, if the group owns all names with a prefix.
    numbers: Option<(String, Vec<String>)>,
    /// Reads the group once it has been checked.
    read: Read<'a>,
}

/// Chooses tensors by name.
type Skip<'a> = Box<dyn Fn(&str) -> bool + 'a>;

type Read<'a> = Box<dyn FnOnce(&Checkpoint<'_>) + 'a>;

impl<'a> CheckpointReader<'a> {
    /// Adds a group that [`CheckpointWriter::tensors`] wrote.
    pub fn tensors<T: Scalar, N: Parameters<Scalar = T>>(mut self, prefix: &str, net: &'a mut N) -> Self {
        const { assert_tensors::<N>() };
        let tensors = vec![(prefix.into(), tensors::<T>(prefix, N::ENTRIES))];
        let prefix = String::from(prefix);
        let read = Box::new(move |checkpoint: &Checkpoint<'_>| checkpoint.decode(&prefix, net));
        self.groups.push(Target { tensors, numbers: None, read });
        self
    }

    /// Adds the memory of the optimizer `O` that [`CheckpointWriter::optimizer`] wrote.
    pub fn optimizer<N: Parameters, O: Optimizer<N::Scalar>>(
        mut self,
        prefix: &str,
        memory: &'a mut O::Memory<N>,
    ) -> Self {
        let (mut tensors, mut numbers) = (Vec::new(), Vec::new());
        for_each_part::<N, O>(memory, &mut |part, value| {
            let name = format!("{prefix}{part}");
            match value {
                PartRef::Tensors(_) => {
                    let prefix = format!("{name}.");
                    let group = self::tensors::<N::Scalar>(&prefix, N::ENTRIES);
                    tensors.push((prefix, group));
                }
                PartRef::Numbers(shape, _) => tensors.push((name.clone(), tensor::<N::Scalar>(name, shape))),
                PartRef::Counter(_) => numbers.push(name),
            }
        });
        let numbers = Some((prefix.into(), numbers));
        let prefix = String::from(prefix);
        let read = Box::new(move |checkpoint: &Checkpoint<'_>| {
            for_each_part_mut::<N, O>(memory, &mut |part, value| {
                let name = format!("{prefix}{part}");
                match value {
                    PartMut::Tensors(network) => checkpoint.decode(&format!("{name}."), network),
                    PartMut::Numbers(_, numbers) => checkpoint.decode_tensor(&name, numbers),
                    PartMut::Counter(counter) => *counter = checkpoint.number(&name).unwrap_or(*counter),
                }
            });
        });
        self.groups.push(Target { tensors, numbers, read });
        self
    }

    /// Leaves out the tensors of the file that belong to no group and whose name is chosen by `skipped`, instead of
    /// refusing the file.
    ///
    /// ```
    /// # use monomorph::layers::Dense;
    /// # use monomorph::memory;
    /// # use monomorph::weights::{Checkpoint, CheckpointWriter, WeightsError};
    /// # type Net = Dense<[f32; 4], [[f32; 2]; 4], [f32; 2]>;
    /// # type Counter = Dense<[f32; 1], [[f32; 1]; 1], [f32; 1]>;
    /// # let counter: Counter = memory::zeroed();
    /// # let mut net: Net = memory::zeroed();
    /// # let bytes = CheckpointWriter::new().tensors("", &net).tensors("num_batches_tracked.", &counter).to_bytes()?;
    /// let file = Checkpoint::from_bytes(&bytes)?;
    /// let reader = file.reader().tensors("", &mut net);
    /// reader.skip(|name| name.contains("num_batches_tracked")).finish()?;
    /// # Ok::<(), WeightsError>(())
    /// ```
    pub fn skip(mut self, skipped: impl Fn(&str) -> bool + 'a) -> Self {
        self.skipped = Some(Box::new(skipped));
        self
    }

    /// Reads all groups.
    ///
    /// # Errors
    /// If a tensor is missing, or has another shape or a type that would have to be rounded, or if the file has one
    /// that belongs to no group and is not [skipped](Self::skip); likewise for the numbers of an optimizer. Then
    /// nothing has been changed.
    pub fn finish(self) -> Result<(), WeightsError> {
        let checkpoint = self.checkpoint;
        self.check().map_err(|problem| checkpoint.error(problem))?;
        for group in self.groups {
            (group.read)(checkpoint);
        }
        Ok(())
    }

    fn check(&self) -> Result<(), WeightsProblem> {
        let file = self.checkpoint;
        let groups = || self.groups.iter().flat_map(|group| &group.tensors);
        let known = groups().flat_map(|(_, tensors)| tensors).map(|tensor| &*tensor.name).collect();
        for (prefix, tensors) in groups() {
            tensors.iter().try_for_each(|tensor| file.check_tensor(tensor, || file.unknown(&known, prefix)))?;
        }
        let is_skipped = |name: &String| self.skipped.as_ref().is_some_and(|skipped| skipped(name));
        if let Some(tensor) = file.unknown(&known, "").into_iter().find(|name| !is_skipped(name)) {
            return Err(WeightsProblem::UnknownTensor { tensor });
        }
        for (prefix, numbers) in self.groups.iter().filter_map(|group| group.numbers.as_ref()) {
            for name in numbers {
                file.number(name).map_err(|error| error.problem)?;
            }
            let found = file.header.metadata().iter().flat_map(|metadata| metadata.keys());
            if let Some(name) = found.filter(|name| name.starts_with(prefix) && !numbers.contains(name)).min() {
                return Err(WeightsProblem::UnknownNumber { name: name.clone() });
            }
        }
        Ok(())
    }
}
