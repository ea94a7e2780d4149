//! Groups of tensors, and numbers, in one file.

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use alloc::{format, vec};
use core::fmt::{self, Write};
use core::ops::Range;
#[cfg(feature = "std")]
use std::path::{Path, PathBuf};

use ::safetensors::tensor::{Metadata, TensorInfo};
use ::safetensors::{SafeTensorError, SafeTensors};

use super::{FORMAT, METADATA, VERSION, WeightsError, WeightsProblem};
use crate::parameters::{Entry, Parameters, assert_tensors, for_each_tensor};
use crate::scalar::Scalar;

/// Tensors begin at a multiple of this, in a file or in flash.
const ALIGNMENT: usize = 64;

/// How a number is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    F32,
    F64,
}

impl Kind {
    const fn of<T: Scalar>() -> Self {
        match T::NAME.as_bytes() {
            b"F32" => Self::F32,
            b"F64" => Self::F64,
            _ => panic!("only networks of `f32` and `f64` can be stored in safetensors files"),
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::F32 => "F32",
            Self::F64 => "F64",
        }
    }

    const fn size(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::F64 => 8,
        }
    }
}

/// Appends numbers as the format has them, little-endian on every machine.
fn encode<T: Scalar>(numbers: &[T], bytes: &mut Vec<u8>) {
    let kind = const { Kind::of::<T>() };
    let start = bytes.len();
    bytes.resize(start + numbers.len() * kind.size(), 0);
    // The way over `f64` is exact, as every `f32` is an `f64`.
    match kind {
        Kind::F32 => {
            for (to, from) in bytes[start..].as_chunks_mut().0.iter_mut().zip(numbers) {
                *to = (from.to_f64() as f32).to_le_bytes();
            }
        }
        Kind::F64 => {
            for (to, from) in bytes[start..].as_chunks_mut().0.iter_mut().zip(numbers) {
                *to = from.to_f64().to_le_bytes();
            }
        }
    }
}

/// The inverse of [`encode`].
fn decode<T: Scalar>(bytes: &[u8], numbers: &mut [T]) {
    match const { Kind::of::<T>() } {
        Kind::F32 => {
            for (to, from) in numbers.iter_mut().zip(bytes.as_chunks().0) {
                *to = T::from_f64(f32::from_le_bytes(*from).into());
            }
        }
        Kind::F64 => {
            for (to, from) in numbers.iter_mut().zip(bytes.as_chunks().0) {
                *to = T::from_f64(f64::from_le_bytes(*from));
            }
        }
    }
}

/// Collects what goes into a checkpoint, and writes it.
///
/// ```
/// use monomorph::layers::Dense;
/// use monomorph::memory;
/// use monomorph::weights::{Checkpoint, CheckpointWriter, WeightsError};
///
/// let mut net: Dense<f32, 4, 2> = memory::zeroed();
/// let mut momentum: Dense<f32, 4, 2> = memory::zeroed();
/// net.bias = [1.0, 2.0];
/// momentum.bias = [0.25, 0.5];
/// let bytes = CheckpointWriter::new()
///     .tensors("", &net)
///     .tensors("optimizer.momentum.", &momentum)
///     .number("step", 17)
///     .to_bytes()?;
///
/// let (mut net, mut momentum): (Dense<f32, 4, 2>, Dense<f32, 4, 2>) = (memory::zeroed(), memory::zeroed());
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
    prefix: String,
    entries: &'static [Entry],
    kind: Kind,
    encode: Encode<'a>,
}

/// Appends all numbers of a group.
type Encode<'a> = Box<dyn Fn(&mut Vec<u8>) + 'a>;

impl<'a> CheckpointWriter<'a> {
    /// An empty checkpoint.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the tensors of a network, or of something that has its form, such as an optimizer's
    /// moments. The prefix comes before each name: `optimizer.m.` makes `optimizer.m.conv1.weight`.
    pub fn tensors<T: Scalar, N: Parameters<T>>(mut self, prefix: &str, net: &'a N) -> Self {
        const { assert_tensors::<T, N>() };
        let encode = Box::new(|bytes: &mut Vec<u8>| {
            let numbers = net.as_slice();
            // Tensor by tensor: between them may be padding.
            for_each_tensor(N::ENTRIES, &mut |_, _, range| encode(&numbers[range], bytes));
        });
        self.groups.push(Source {
            prefix: prefix.into(),
            entries: N::ENTRIES,
            kind: const { Kind::of::<T>() },
            encode,
        });
        self
    }

    /// Adds a number, such as a count of steps or the state of a random source.
    pub fn number(mut self, name: &str, value: u64) -> Self {
        self.numbers.push((name.into(), value));
        self
    }

    /// The content of the file.
    ///
    /// # Errors
    /// If two tensors or two numbers have one name, or a number is called `format` or `version`.
    pub fn to_bytes(&self) -> Result<Vec<u8>, WeightsError> {
        self.check_names()?;
        Ok(self.encode())
    }

    /// Writes the file.
    ///
    /// # Errors
    /// As [`CheckpointWriter::to_bytes`], and if the file cannot be written; what was there before
    /// is then still there.
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
            for_each_tensor(group.entries, &mut |path, _, _| {
                let name = format!("{}{path}", group.prefix);
                if let Some(name) = tensors.replace(name) {
                    taken.get_or_insert(name);
                }
            });
        }
        let mut numbers = BTreeSet::from(["format", "version"]);
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

    /// Header and numbers. The header is written here, not by the library, because the latter
    /// gives metadata in a random order.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut groups: Vec<_> = self.groups.iter().collect();
        // Larger types first, so that every tensor lies on a multiple of its type's size.
        groups.sort_by_key(|group| core::cmp::Reverse(group.kind));

        let mut metadata: BTreeMap<&str, String> = BTreeMap::new();
        metadata.extend([("format", FORMAT.to_string()), ("version", VERSION.to_string())]);
        metadata.extend(self.numbers.iter().map(|(name, value)| (name.as_str(), value.to_string())));
        let metadata: Vec<_> = metadata.iter().map(|(key, value)| format!("{}:{}", Json(key), Json(value))).collect();
        let mut fields = vec![format!("{}:{{{}}}", Json(METADATA), metadata.join(","))];
        let mut offset = 0;
        for group in &groups {
            for_each_tensor(group.entries, &mut |path, tensor, range| {
                let end = offset + range.len() * group.kind.size();
                let (name, shape, kind) = (format!("{}{path}", group.prefix), tensor.shape, group.kind.name());
                fields.push(format!(
                    r#"{}:{{"dtype":"{kind}","shape":{shape:?},"data_offsets":[{offset},{end}]}}"#,
                    Json(&name),
                ));
                offset = end;
            });
        }
        let mut header = format!("{{{}}}", fields.join(","));
        // The format allows spaces at the end.
        while (8 + header.len()) % ALIGNMENT != 0 {
            header.push(' ');
        }

        let mut bytes = Vec::with_capacity(8 + header.len() + offset);
        bytes.extend((header.len() as u64).to_le_bytes());
        bytes.extend(header.as_bytes());
        for group in &groups {
            (group.encode)(&mut bytes);
        }
        bytes
    }
}

/// A string of JSON.
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

/// Writes a file under another name first, so that under its own name it is always complete.
#[cfg(feature = "std")]
fn replace(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    use core::sync::atomic::{AtomicU64, Ordering};
    use std::fs::{self, File};
    use std::io::{Error, ErrorKind, Write};

    // Two threads that save to one path at the same time must not write to one file.
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    let name = path.file_name().ok_or_else(|| Error::new(ErrorKind::InvalidInput, "the path names no file"))?;
    let mut temporary = std::ffi::OsString::from(".");
    temporary.push(name);
    temporary.push(format!(".{}-{}.tmp", std::process::id(), COUNTER.fetch_add(1, Ordering::Relaxed)));
    let temporary = path.with_file_name(temporary);

    let written = File::create_new(&temporary).and_then(|mut file| {
        file.write_all(bytes)?;
        // Otherwise a power failure could leave the new name with the content missing.
        file.sync_all()?;
        drop(file);
        fs::rename(&temporary, path)
    });
    if written.is_err() {
        // What failed first is reported; there may be nothing to remove.
        let _ = fs::remove_file(&temporary);
    }
    written
}

/// A checkpoint that was read, and whose header is sound.
///
/// One group at a time is read by [`Checkpoint::read_into`]; several, all or none, by
/// [`Checkpoint::reader`].
#[derive(Clone)]
pub struct Checkpoint<'a> {
    bytes: Cow<'a, [u8]>,
    /// Where the tensors begin.
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
    /// Reads the content of a file, which is not copied.
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
    /// If there is none of this name.
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

    /// Whether all tensors of `N` are there under this prefix, in their shapes and type.
    ///
    /// # Errors
    /// The first that is not.
    pub fn check<T: Scalar, N: Parameters<T>>(&self, prefix: &str) -> Result<(), WeightsError> {
        let known = names(prefix, N::ENTRIES).collect();
        self.check_group(prefix, N::ENTRIES, const { Kind::of::<T>() }, &known).map_err(|problem| self.error(problem))
    }

    /// Reads the tensors of one group; what else is in the file does not matter.
    ///
    /// # Errors
    /// As [`Checkpoint::check`]; `net` is then as before.
    pub fn read_into<T: Scalar, N: Parameters<T>>(&self, prefix: &str, net: &mut N) -> Result<(), WeightsError> {
        self.check::<T, N>(prefix)?;
        let numbers = net.as_mut_slice();
        self.for_each(prefix, N::ENTRIES, &mut |range, bytes| decode(bytes, &mut numbers[range]));
        Ok(())
    }

    /// Reads several groups, all of them or none.
    pub fn reader(&self) -> CheckpointReader<'_> {
        CheckpointReader { checkpoint: self, groups: Vec::new() }
    }

    fn check_group(
        &self,
        prefix: &str,
        entries: &'static [Entry],
        kind: Kind,
        known: &BTreeSet<String>,
    ) -> Result<(), WeightsProblem> {
        let mut result = Ok(());
        for_each_tensor(entries, &mut |path, tensor, _| {
            if result.is_ok() {
                let name = format!("{prefix}{path}");
                result = match self.header.info(&name) {
                    None => Err(WeightsProblem::MissingTensor { tensor: name, unknown: self.unknown(known, prefix) }),
                    Some(info) => check_tensor(name, info, kind, tensor.shape),
                };
            }
        });
        result
    }

    /// The tensors with a prefix that are not among the known ones.
    fn unknown(&self, known: &BTreeSet<String>, prefix: &str) -> Vec<String> {
        let mut names = self.names();
        names.retain(|name| name.starts_with(prefix) && !known.contains(name));
        names
    }

    /// Calls `f` with the place and the bytes of every tensor of a group that was checked.
    fn for_each(&self, prefix: &str, entries: &'static [Entry], f: &mut dyn FnMut(Range<usize>, &[u8])) {
        for_each_tensor(entries, &mut |path, _, range| {
            if let Some(info) = self.header.info(&format!("{prefix}{path}")) {
                let (from, to) = info.data_offsets;
                f(range, &self.bytes[self.start + from..self.start + to]);
            }
        });
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

/// The names under which the tensors of a group stand in the file.
fn names(prefix: &str, entries: &'static [Entry]) -> impl Iterator<Item = String> {
    let mut names = Vec::new();
    for_each_tensor(entries, &mut |path, _, _| names.push(format!("{prefix}{path}")));
    names.into_iter()
}

fn check_tensor(
    tensor: String,
    info: &TensorInfo,
    kind: Kind,
    expected: &'static [usize],
) -> Result<(), WeightsProblem> {
    let found = info.dtype.to_string();
    if found != kind.name() {
        return Err(WeightsProblem::Type { tensor, expected: kind.name(), found });
    }
    if info.shape != expected {
        return Err(WeightsProblem::Shape { tensor, expected, found: info.shape.clone() });
    }
    Ok(())
}

/// Collects where the groups of a checkpoint go, and reads them.
pub struct CheckpointReader<'a> {
    checkpoint: &'a Checkpoint<'a>,
    groups: Vec<Target<'a>>,
}

/// A group of tensors to read.
struct Target<'a> {
    prefix: String,
    entries: &'static [Entry],
    kind: Kind,
    decode: Decode<'a>,
}

/// Takes the bytes of one tensor, which lies in this range of the group's numbers.
type Decode<'a> = Box<dyn FnMut(Range<usize>, &[u8]) + 'a>;

impl<'a> CheckpointReader<'a> {
    /// Adds a group, as [`CheckpointWriter::tensors`] wrote it.
    pub fn tensors<T: Scalar, N: Parameters<T>>(mut self, prefix: &str, net: &'a mut N) -> Self {
        const { assert_tensors::<T, N>() };
        let numbers = net.as_mut_slice();
        let decode = Box::new(|range, bytes: &[u8]| decode(bytes, &mut numbers[range]));
        self.groups.push(Target {
            prefix: prefix.into(),
            entries: N::ENTRIES,
            kind: const { Kind::of::<T>() },
            decode,
        });
        self
    }

    /// Reads all groups.
    ///
    /// # Errors
    /// If a tensor is missing or has another shape or type, or the file has one that belongs to no
    /// group. Nothing has been changed then.
    pub fn finish(mut self) -> Result<(), WeightsError> {
        let checkpoint = self.checkpoint;
        self.check().map_err(|problem| checkpoint.error(problem))?;
        for group in &mut self.groups {
            checkpoint.for_each(&group.prefix, group.entries, &mut group.decode);
        }
        Ok(())
    }

    fn check(&self) -> Result<(), WeightsProblem> {
        let known = self.groups.iter().flat_map(|group| names(&group.prefix, group.entries)).collect();
        for group in &self.groups {
            self.checkpoint.check_group(&group.prefix, group.entries, group.kind, &known)?;
        }
        match self.checkpoint.unknown(&known, "").into_iter().next() {
            Some(tensor) => Err(WeightsProblem::UnknownTensor { tensor }),
            None => Ok(()),
        }
    }
}

#[cfg(all(test, feature = "std"))]
mod tests {
    use super::*;
    use crate::layers::Dense;
    use crate::memory::{boxed, zeroed};
    use crate::noise::Noise;
    use crate::weights::{load, load_bytes, save, to_bytes};
    use core::error::Error;
    use std::{fs, thread};

    type Hidden<T> = Dense<T, 3, 2>;

    #[derive(Parameters)]
    #[repr(C)]
    struct Block<T> {
        inner: Hidden<T>,
        scale: [T; 1],
    }

    #[derive(Parameters)]
    #[repr(C)]
    struct Net<T> {
        stem: Hidden<T>,
        block: Block<T>,
        out: Dense<T, 2, 2, 0>,
    }

    fn random<T: Scalar, N: Parameters<T>>(seed: u64) -> Box<N> {
        let mut net: Box<N> = boxed();
        let mut noise = Noise::new(seed);
        net.as_mut_slice().fill_with(|| T::from_f64(noise.normal()));
        net
    }

    fn same<T: Scalar, N: Parameters<T>>(a: &N, b: &N) -> bool {
        a.as_slice() == b.as_slice()
    }

    /// A path of this test alone, and its removal.
    struct Place(PathBuf);

    impl Place {
        fn new(name: &str) -> Self {
            let folder = std::env::temp_dir().join(format!("monomorph-weights-{}-{name}", std::process::id()));
            fs::create_dir_all(&folder).unwrap();
            Self(folder)
        }
        fn file(&self) -> PathBuf {
            self.0.join("net.safetensors")
        }
    }

    impl Drop for Place {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    /// A file of one's own making.
    fn file(header: &str, data: usize) -> Vec<u8> {
        let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
        bytes.extend(header.as_bytes());
        bytes.resize(bytes.len() + data, 0);
        bytes
    }

    /// The error of loading, which must not have changed anything.
    fn refused<T: Scalar, N: Parameters<T>>(bytes: &[u8]) -> String {
        let mut net = random::<T, N>(7);
        let error = load_bytes(bytes, &mut *net).unwrap_err();
        assert!(same(&*net, &*random::<T, N>(7)));
        error.to_string()
    }

    fn round_trip<T: Scalar>() {
        let place = Place::new(T::NAME);
        let net = random::<T, Net<T>>(1);
        save(place.file(), &*net).unwrap();
        assert_eq!(fs::read(place.file()).unwrap(), to_bytes(&*net));
        let mut other = random::<T, Net<T>>(2);
        load(place.file(), &mut *other).unwrap();
        assert!(same(&*other, &*net));
        assert_eq!(fs::read_dir(&place.0).unwrap().count(), 1, "no temporary file is left");
    }

    #[test]
    fn networks_come_back() {
        round_trip::<f32>();
        round_trip::<f64>();
    }

    #[test]
    fn special_values_come_back() {
        let mut net: Dense<f32, 2, 2, 0> = zeroed();
        net.weight = [[f32::NAN, f32::NEG_INFINITY], [-0.0, f32::from_bits(1)]];
        let mut other: Dense<f32, 2, 2, 0> = zeroed();
        load_bytes(&to_bytes(&net), &mut other).unwrap();
        assert_eq!(other.weight.as_flattened().iter().map(|x| x.to_bits()).collect::<Vec<_>>(), {
            net.weight.as_flattened().iter().map(|x| x.to_bits()).collect::<Vec<_>>()
        });
    }

    #[test]
    fn other_programs_can_read_it() {
        let net = random::<f32, Net<f32>>(1);
        let bytes = to_bytes(&*net);
        let file = SafeTensors::deserialize(&bytes).unwrap();
        let mut names = file.names();
        names.sort_unstable();
        let expected =
            ["block.inner.bias", "block.inner.weight", "block.scale", "out.weight", "stem.bias", "stem.weight"];
        assert_eq!(names, expected);
        let tensor = file.tensor("block.inner.bias").unwrap();
        assert_eq!((tensor.shape(), tensor.dtype()), (&[2][..], ::safetensors::Dtype::F32));
        assert_eq!(tensor.data(), net.block.inner.bias.map(f32::to_le_bytes).as_flattened());
        let (header, metadata) = SafeTensors::read_metadata(&bytes).unwrap();
        assert_eq!((8 + header) % ALIGNMENT, 0);
        let metadata = metadata.metadata().as_ref().unwrap();
        assert_eq!((&*metadata["format"], &*metadata["version"]), ("monomorph", "1"));
    }

    #[test]
    fn files_of_other_programs_can_be_read() {
        let data: Vec<u8> = [0.5_f32, 1.0, 2.0, 4.0].iter().flat_map(|x| x.to_le_bytes()).collect();
        let view = ::safetensors::tensor::TensorView::new(::safetensors::Dtype::F32, vec![2, 2], &data).unwrap();
        let bytes = ::safetensors::serialize([("weight", view)], None).unwrap();
        let mut net: Dense<f32, 2, 2, 0> = zeroed();
        load_bytes(&bytes, &mut net).unwrap();
        assert_eq!(net.weight, [[0.5, 1.0], [2.0, 4.0]]);
    }

    #[test]
    fn a_missing_tensor() {
        let mut bytes = to_bytes(&*random::<f32, Hidden<f32>>(1));
        let name = bytes.windows(8).position(|window| window == b"\"weight\"").unwrap();
        bytes[name + 1..name + 7].copy_from_slice(b"wieght");
        assert_eq!(
            refused::<f32, Hidden<f32>>(&bytes),
            "the file has no tensor `weight`; the network does not know the file's `wieght`"
        );
        let error = refused::<f32, Net<f32>>(&to_bytes(&*random::<f32, Hidden<f32>>(1)));
        assert!(error.starts_with("the file has no tensor `stem.weight`"), "{error}");
    }

    #[test]
    fn an_unknown_tensor() {
        let bytes = to_bytes(&*random::<f32, Hidden<f32>>(1));
        assert_eq!(
            refused::<f32, Dense<f32, 3, 2, 0>>(&bytes),
            "the file has a tensor `bias`, but the network has not"
        );
    }

    #[test]
    fn the_wrong_shape() {
        let bytes = to_bytes(&*random::<f32, Dense<f32, 2, 4, 0>>(1));
        assert_eq!(
            refused::<f32, Dense<f32, 8, 1, 0>>(&bytes),
            "the tensor `weight` is [2, 4] in the file, but [8, 1] in the network"
        );
        let error = refused::<f32, Dense<f32, 4, 2, 0>>(&bytes);
        assert!(error.contains("but [4, 2] in the network; the axes have another order: dense weights are"), "{error}");
    }

    #[test]
    fn the_wrong_type() {
        let bytes = to_bytes(&*random::<f64, Net<f64>>(1));
        assert_eq!(
            refused::<f32, Net<f32>>(&bytes),
            "the tensor `stem.weight` is F64 in the file, but F32 in the network; \
             load it into the same network of f64 and convert its numbers, or write the file as F32"
        );
        let half = file(r#"{"weight":{"dtype":"BF16","shape":[2,2],"data_offsets":[0,8]}}"#, 8);
        assert_eq!(
            refused::<f32, Dense<f32, 2, 2, 0>>(&half),
            "the tensor `weight` is BF16 in the file, but F32 in the network; write the file as F32"
        );
    }

    #[test]
    fn a_newer_form() {
        let error = refused::<f32, Net<f32>>(&file(r#"{"__metadata__":{"format":"monomorph","version":"2"}}"#, 0));
        assert!(error.contains("the form 2"), "{error}");
        let other = file(r#"{"__metadata__":{"format":"pt","version":"2"}}"#, 0);
        assert!(Checkpoint::from_bytes(&other).is_ok());
    }

    #[test]
    fn every_truncation_is_an_error() {
        let bytes = to_bytes(&*random::<f32, Net<f32>>(1));
        for len in 0..bytes.len() {
            assert!(refused::<f32, Net<f32>>(&bytes[..len]).starts_with("the file is cut short"), "{len} bytes");
        }
        let mut longer = bytes.clone();
        longer.push(0);
        assert!(refused::<f32, Net<f32>>(&longer).contains("appended"));
        assert!(refused::<f32, Net<f32>>(b"\x89PNG\r\n\x1a\n and so on").contains("not a safetensors file"));
    }

    #[test]
    fn every_flipped_bit_is_harmless() {
        let original = random::<f32, Net<f32>>(1);
        let bytes = to_bytes(&*original);
        let (header, _) = SafeTensors::read_metadata(&bytes).unwrap();
        for bit in 0..(8 + header + 16) * 8 {
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            let mut net = random::<f32, Net<f32>>(7);
            match load_bytes(&damaged, &mut *net) {
                Err(_) => assert!(same(&*net, &*random::<f32, Net<f32>>(7))),
                // Only the metadata, or the numbers themselves, can differ unnoticed.
                Ok(()) if bit / 8 < 8 + header => assert!(same(&*net, &*original), "bit {bit}"),
                Ok(()) => {}
            }
        }
    }

    #[test]
    fn a_checkpoint_comes_back() {
        let place = Place::new("checkpoint");
        let (net, m) = (random::<f32, Net<f32>>(1), random::<f64, Net<f64>>(2));
        let writer = CheckpointWriter::new()
            .tensors("", &*net)
            .tensors("optimizer.m.", &*m)
            .number("step", 17)
            .number("a \"quoted\"\nname", u64::MAX);
        writer.save(place.file()).unwrap();
        let checkpoint = Checkpoint::open(place.file()).unwrap();
        assert_eq!(checkpoint.number("step").unwrap(), 17);
        assert_eq!(checkpoint.number("a \"quoted\"\nname").unwrap(), u64::MAX);
        assert_eq!(checkpoint.names()[0], "optimizer.m.stem.weight", "larger types come first");
        checkpoint.check::<f64, Net<f64>>("optimizer.m.").unwrap();

        let (mut net2, mut m2) = (random::<f32, Net<f32>>(3), random::<f64, Net<f64>>(4));
        checkpoint.reader().tensors("optimizer.m.", &mut *m2).tensors("", &mut *net2).finish().unwrap();
        assert!(same(&*net, &*net2) && same(&*m, &*m2));

        let mut net3 = random::<f32, Net<f32>>(3);
        checkpoint.read_into("", &mut *net3).unwrap();
        assert!(same(&*net, &*net3));
    }

    #[test]
    fn a_checkpoint_is_read_as_a_whole_or_not_at_all() {
        let (net, m) = (random::<f32, Net<f32>>(1), random::<f32, Hidden<f32>>(2));
        let bytes = CheckpointWriter::new().tensors("", &*net).tensors("optimizer.m.", &*m).to_bytes().unwrap();
        let checkpoint = Checkpoint::from_bytes(&bytes).unwrap();
        let (mut net2, mut m2) = (random::<f32, Net<f32>>(3), random::<f32, Net<f32>>(4));
        let error = checkpoint.reader().tensors("", &mut *net2).tensors("optimizer.m.", &mut *m2).finish().unwrap_err();
        assert!(error.to_string().starts_with("the file has no tensor `optimizer.m.stem.weight`"), "{error}");
        assert!(same(&*net2, &*random::<f32, Net<f32>>(3)) && same(&*m2, &*random::<f32, Net<f32>>(4)));

        let error = load_bytes(&bytes, &mut *net2).unwrap_err();
        assert_eq!(error.to_string(), "the file has a tensor `optimizer.m.weight`, but the network has not");
        let error = checkpoint.check::<f32, Net<f32>>("optimizer.v.").unwrap_err();
        assert_eq!(error.to_string(), "the file has no tensor `optimizer.v.stem.weight`");
        assert!(checkpoint.read_into("optimizer.m.", &mut *net2).is_err());
        assert!(same(&*net2, &*random::<f32, Net<f32>>(3)));
    }

    #[test]
    fn numbers_that_are_not_there() {
        let bytes = CheckpointWriter::new().number("step", 1).to_bytes().unwrap();
        let checkpoint = Checkpoint::from_bytes(&bytes).unwrap();
        let error = checkpoint.number("noise").unwrap_err();
        assert_eq!(error.to_string(), "the file has no number `noise`; is it a checkpoint?");
        let error = checkpoint.number("format").unwrap_err();
        assert_eq!(error.to_string(), "`format` is no whole number, but `monomorph`");
    }

    #[test]
    fn names_are_taken_once() {
        let net = random::<f32, Net<f32>>(1);
        let taken = |writer: CheckpointWriter<'_>| match writer.to_bytes().unwrap_err().problem {
            WeightsProblem::NameTaken { name } => name,
            other => panic!("{other}"),
        };
        assert_eq!(taken(CheckpointWriter::new().tensors("m.", &*net).tensors("m.", &*net)), "m.stem.weight");
        assert_eq!(taken(CheckpointWriter::new().number("step", 1).number("step", 1)), "step");
        assert_eq!(taken(CheckpointWriter::new().number("format", 1)), "format");
    }

    #[test]
    fn files_that_cannot_be_read_or_written() {
        let place = Place::new("errors");
        let mut net = random::<f32, Net<f32>>(1);
        let error = load(place.file(), &mut *net).unwrap_err();
        assert!(matches!(&error.problem, WeightsProblem::Io(io) if io.kind() == std::io::ErrorKind::NotFound));
        assert!(error.to_string().contains("net.safetensors: ") && error.source().is_some());
        assert!(matches!(save("/", &*net).unwrap_err().problem, WeightsProblem::Io(_)));
        assert!(save(place.0.join("no/such/folder"), &*net).is_err());

        // A folder is in the way, so that the renaming fails at the very end.
        fs::create_dir_all(place.file().join("full")).unwrap();
        assert!(save(place.file(), &*net).is_err());
        assert_eq!(fs::read_dir(&place.0).unwrap().count(), 1, "no temporary file is left");

        fs::write(place.0.join("short"), [1, 2, 3]).unwrap();
        let error = load(place.0.join("short"), &mut *net).unwrap_err();
        assert_eq!(error.path.as_deref(), Some(&*place.0.join("short")));
        save(place.0.join("short"), &*net).unwrap();
        load(place.0.join("short"), &mut *net).unwrap();
    }

    #[test]
    fn large_networks_are_never_on_the_stack() {
        type Large = Dense<f32, 3584, 3584>;
        let work = || {
            let place = Place::new("large");
            let mut net: Box<Large> = boxed();
            net.weight[3583][3583] = 1.5;
            save(place.file(), &*net).unwrap();
            let mut other: Box<Large> = boxed();
            load(place.file(), &mut *other).unwrap();
            assert_eq!(other.weight[3583][3583], 1.5);
        };
        thread::Builder::new().stack_size(128 << 10).spawn(work).unwrap().join().unwrap();
    }
}
