use super::*;
use crate::layers::Dense;
use crate::memory::{boxed, zeroed};
use crate::noise::Noise;
use crate::weights::{load, load_bytes, save, to_bytes};
use core::error::Error;
use std::{fs, thread};

type Hidden<T> = Dense<[T; 3], [[T; 2]; 3], [T; 2]>;
/// A dense layer without bias.
type Matrix<const IN: usize, const OUT: usize> = Dense<[f32; IN], [[f32; OUT]; IN], [f32; OUT], [f32; 0]>;

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
    out: Dense<[T; 2], [[T; 2]; 2], [T; 2], [T; 0]>,
}

fn random<T: Scalar, N: Parameters<Scalar = T>>(seed: u64) -> Box<N> {
    let mut net: Box<N> = boxed();
    let mut noise = Noise::new(seed);
    net.as_mut_slice().fill_with(|| T::from_f64(noise.normal()));
    net
}

fn same<T: Scalar, N: Parameters<Scalar = T>>(a: &N, b: &N) -> bool {
    a.as_slice() == b.as_slice()
}

/// A path that only this test uses, and its removal.
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

/// A handmade file.
fn file(header: &str, data: usize) -> Vec<u8> {
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.as_bytes());
    bytes.resize(bytes.len() + data, 0);
    bytes
}

/// The error of loading, which must not have changed anything.
fn refused<T: Scalar, N: Parameters<Scalar = T>>(bytes: &[u8]) -> String {
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
    let mut net: Matrix<2, 2> = zeroed();
    net.weight = [[f32::NAN, f32::NEG_INFINITY], [-0.0, f32::from_bits(1)]];
    let mut other: Matrix<2, 2> = zeroed();
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
    let expected = ["block.inner.bias", "block.inner.weight", "block.scale", "out.weight", "stem.bias", "stem.weight"];
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
    let mut net: Matrix<2, 2> = zeroed();
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
        refused::<f32, Matrix<3, 2>>(&bytes),
        "the file has a tensor `bias`, but the network has not; to read the file without it, write \
         `Checkpoint::open(path)?.reader().tensors(\"\", &mut net).skip(|name| name == \"bias\").finish()`"
    );
    let checkpoint = Checkpoint::from_bytes(&bytes).unwrap();
    let mut matrix = random::<f32, Matrix<3, 2>>(2);
    let error = checkpoint.reader().tensors("", &mut *matrix).skip(|name| name == "b").finish().unwrap_err();
    assert!(matches!(error.problem, WeightsProblem::UnknownTensor { .. }));
    checkpoint.reader().tensors("", &mut *matrix).skip(|name| name == "bias").finish().unwrap();
    assert_eq!(matrix.weight, random::<f32, Hidden<f32>>(1).weight);
    // What the network has is read, whatever is skipped.
    let mut whole = random::<f32, Hidden<f32>>(2);
    checkpoint.reader().tensors("", &mut *whole).skip(|_| true).finish().unwrap();
    assert!(same(&*whole, &*random::<f32, Hidden<f32>>(1)));
}

#[test]
fn the_wrong_shape() {
    let bytes = to_bytes(&*random::<f32, Matrix<2, 4>>(1));
    assert_eq!(
        refused::<f32, Matrix<8, 1>>(&bytes),
        "the tensor `weight` is [2, 4] in the file, but [8, 1] in the network"
    );
    let error = refused::<f32, Matrix<4, 2>>(&bytes);
    assert!(error.contains("but [4, 2] in the network; the axes have another order: dense weights are"), "{error}");
}

#[test]
fn the_wrong_type() {
    let bytes = to_bytes(&*random::<f64, Net<f64>>(1));
    assert_eq!(
        refused::<f32, Net<f32>>(&bytes),
        "the tensor `stem.weight` is F64 in the file, but F32 in the network; \
         numbers are not rounded when they are read: load it into the same network of f64 and convert its numbers, or \
         write the file as F32"
    );
    let integers = file(r#"{"weight":{"dtype":"I16","shape":[2,2],"data_offsets":[0,8]}}"#, 8);
    assert_eq!(
        refused::<f32, Matrix<2, 2>>(&integers),
        "the tensor `weight` is I16 in the file, but F32 in the network; write the file as F32"
    );
}

#[test]
fn narrow_numbers_are_widened() {
    fn read<T: Scalar>(dtype: &str, bytes: &[u8], expected: [f64; 4]) {
        let end = bytes.len();
        let header = format!(r#"{{"weight":{{"dtype":"{dtype}","shape":[2,2],"data_offsets":[0,{end}]}}}}"#);
        let mut file = file(&header, 0);
        file.extend(bytes);
        let mut net: Dense<[T; 2], [[T; 2]; 2], [T; 2], [T; 0]> = zeroed();
        load_bytes(&file, &mut net).unwrap();
        let numbers: Vec<f64> = net.weight.as_flattened().iter().map(|x| x.to_f64()).collect();
        assert!(numbers.iter().zip(expected).all(|(a, b)| a.to_bits() == b.to_bits()), "{dtype}: {numbers:?}");
    }
    let words = |words: [u16; 4]| words.map(u16::to_le_bytes).concat();
    let smallest = 2.0_f64.powi(-24);
    let (half, halves) = (words([0x3c00, 0xc000, 0x0001, 0xfc00]), [1.0, -2.0, smallest, f64::NEG_INFINITY]);
    let (brain, brains) = (words([0x3f81, 0xc000, 0x8000, 0x7f80]), [1.007_812_5, -2.0, -0.0, f64::INFINITY]);
    let tenth = [0.1_f32, -2.5, f32::MIN_POSITIVE, f32::MAX];
    read::<f32>("F16", &half, halves);
    read::<f64>("F16", &half, halves);
    read::<f32>("BF16", &brain, brains);
    read::<f64>("BF16", &brain, brains);
    read::<f64>("F32", &tenth.map(f32::to_le_bytes).concat(), tenth.map(f64::from));
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
            // A change of the metadata's names can go unnoticed, such as that of the checksum.
            Ok(()) => assert!(bit / 8 < 8 + header && same(&*net, &*original), "bit {bit}"),
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
    assert_eq!(
        error.to_string(),
        "the file has a tensor `optimizer.m.weight`, but the network has not; \
         continue with the optimizer of the checkpoint, or read the network alone: \
         `Checkpoint::open(path)?.read_into(\"\", &mut net)`"
    );
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

    // A folder is in the way, so that the final rename fails.
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
    type Large = Dense<[f32; 3584], [[f32; 3584]; 3584], [f32; 3584]>;
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
