extern crate std;

use super::*;
use crate::parameters::for_each_tensor;
use crate::weights::{load_bytes, to_bytes};
use std::format;
use std::string::{String, ToString};
use std::vec::Vec;

crate::network! { Inner: [3] -> [4] { Dense(4), LayerNorm } }
crate::network! { Net: [2] -> [2] { stem: Dense(3), inner: Inner, Tanh, out: Dense(2, bias = false) } }
crate::network! { Double<f64>: [2] -> [2] { stem: Dense(3), Tanh, out: Dense(2) } }

const NET: Contents<Net> = contents_of();
const DOUBLE: Contents<Double> = contents_of();

fn include<N: Network<Scalar: Bits>, const TENSORS: usize, const LETTERS: usize>(file: &[u8]) -> Result<N, String> {
    let plan = Plan::<N, TENSORS, LETTERS>::new(&contents_of(), file, "a folder/net.safetensors");
    if plan.is_err() {
        assert!(build(&plan).as_slice().iter().all(|number| *number == N::Scalar::ZERO));
    }
    plan.map(|plan| plan.build()).map_err(|text| text.as_str().to_string())
}

fn included(file: &[u8]) -> Result<Net, String> {
    include::<Net, { NET.tensors() }, { NET.letters() }>(file)
}

fn net() -> Net {
    let (mut net, mut noise) = (Net::zeroed(), Noise::new(3));
    let numbers = net.as_mut_slice();
    for_each_tensor(Net::ENTRIES, &mut |_, _, range| numbers[range].fill_with(|| noise.normal() as f32));
    net
}

const NAMES: [(&str, &[usize]); 6] = [
    ("out.weight", &[4, 2]),
    ("stem.weight", &[2, 3]),
    ("inner.dense1.weight", &[3, 4]),
    ("inner.dense1.bias", &[4]),
    ("inner.norm1.bias", &[4]),
    ("stem.bias", &[3]),
];

/// A file whose numbers are zeros.
fn file(tensors: &[(&str, &str, &[usize])]) -> Vec<u8> {
    let (mut lines, mut end) = (Vec::new(), 0);
    for (name, dtype, shape) in tensors {
        let from = end;
        end += shape.iter().product::<usize>()
            * match *dtype {
                "F16" | "BF16" => 2,
                "F64" | "I64" => 8,
                _ => 4,
            };
        lines.push(format!(r#""{name}":{{"dtype":"{dtype}","shape":{shape:?},"data_offsets":[{from},{end}]}}"#));
    }
    let header = format!("{{{}}}", lines.join(","));
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.as_bytes());
    bytes.resize(bytes.len() + end, 0);
    bytes
}

/// The tensors of the network in another order, with one changed.
fn changed(name: &str, by: (&str, &str, &[usize])) -> Vec<u8> {
    let mut tensors: Vec<_> = NAMES.map(|(name, shape)| (name, "F32", shape)).to_vec();
    tensors.push(("inner.norm1.weight", "F32", &[4]));
    for tensor in &mut tensors {
        if tensor.0 == name {
            *tensor = by;
        }
    }
    file(&tensors)
}

fn refused(file: &[u8]) -> String {
    included(file).map(|_| ()).expect_err("it does not fit")
}

#[test]
fn it_is_what_loading_gives() {
    let bytes = to_bytes(&net());
    let included = included(&bytes).expect("it fits");
    assert_eq!(included.as_slice(), net().as_slice());

    let sorted = included_in_order_of_names(&bytes);
    assert_eq!(sorted.as_slice(), net().as_slice());
}

/// Like files of other programs: the header is sorted by name, and so are the numbers.
fn included_in_order_of_names(bytes: &[u8]) -> Net {
    let parsed = ::safetensors::SafeTensors::deserialize(bytes).expect("a file");
    let bytes = ::safetensors::serialize(parsed.tensors(), None).expect("a file");
    let (mut loaded, first) = (Net::zeroed(), included(&bytes).expect("it fits"));
    load_bytes(&bytes, &mut loaded).expect("loaded");
    assert_eq!(first.as_slice(), loaded.as_slice());
    first
}

#[test]
fn what_does_not_fit_is_named() {
    assert!(included(&changed("", ("", "", &[]))).is_ok());
    for (name, by, expected) in [
        (
            "inner.dense1.bias",
            ("inner.dense1.bias", "F32", &[5][..]),
            "inner.dense1.bias is [5] in the file, but [4] in Net; declare Net as it was trained, or save its weights again",
        ),
        (
            "stem.weight",
            ("stem.weight", "F32", &[3, 2]),
            "stem.weight is [3, 2] in the file, but [2, 3] in Net; its axes have another order: dense weights are \
             [in, out], those of convolutions [height, width, in, out]",
        ),
        (
            "stem.bias",
            ("stem.bias", "F64", &[3]),
            "stem.bias is F64 in the file, but F32 in Net; write the file as F32, or declare the network of f64: \
             `Net<f64>: ..`",
        ),
        (
            "stem.bias",
            ("stem.bias", "I32", &[3]),
            "stem.bias is I32 in the file, but F32 in Net; write the file as F32",
        ),
        (
            "stem.bias",
            ("trunk.bias", "F32", &[3]),
            "stem.bias is [3] in Net, but not in the file, which has trunk.bias instead; give the layers of Net the \
             names they were saved by, or save its weights again",
        ),
        ("stem.bias", ("out.weight", "F32", &[4, 2]), "out.weight is in the file twice; save it again"),
    ] {
        assert_eq!(refused(&changed(name, by)), format!("net.safetensors: {expected}"));
    }
}

#[test]
fn what_is_missing_or_too_much_is_named() {
    let mut tensors: Vec<_> = NAMES.map(|(name, shape)| (name, "F32", shape)).to_vec();
    assert_eq!(
        refused(&file(&tensors)),
        "net.safetensors: inner.norm1.weight is [4] in Net, but not in the file; declare Net as it was trained, or \
         save its weights again"
    );
    tensors.push(("inner.norm1.weight", "F32", &[4]));
    tensors.push(("scale", "F32", &[1]));
    assert_eq!(
        refused(&file(&tensors)),
        "net.safetensors: scale is in the file, but not in Net; declare Net as it was trained, or save its weights again"
    );
    tensors[7].0 = "optimizer.m.stem.bias";
    assert!(refused(&file(&tensors)).ends_with("save the weights alone with `weights::save`"));
}

#[test]
fn networks_of_f64() {
    let (mut net, mut noise) = (Double::zeroed(), Noise::new(3));
    net.as_mut_slice().fill_with(|| noise.normal());
    let include = include::<Double, { DOUBLE.tensors() }, { DOUBLE.letters() }>;
    assert_eq!(include(&to_bytes(&net)).expect("it fits").as_slice(), net.as_slice());
    let problem = include(&file(&[("stem.weight", "I64", &[2, 3])])).map(|_| ()).expect_err("another type");
    assert!(problem.ends_with("stem.weight is I64 in the file, but F64 in Double; write the file as F64"), "{problem}");
}

/// As loading does: every number of a shorter type is one of the longer type.
#[test]
fn shorter_numbers_are_widened() {
    let halves = [[1.5, -0.25], [6.0e-8, -65504.0], [0.0, 7.0]];
    let f16 = [0x3e00_u16, 0xb400, 0x0001, 0xfbff, 0, 0x4700].map(u16::to_le_bytes);
    let bf16 = [0x3fc0_u16, 0xbe80, 0x3381, 0xc780, 0, 0x40e0].map(u16::to_le_bytes);
    let f32 = halves.as_flattened().iter().map(|number: &f32| number.to_le_bytes()).collect::<Vec<_>>();
    crate::network! { Short: [3] -> [2] { head: Dense(2, bias = false) } }
    crate::network! { Long<f64>: [3] -> [2] { head: Dense(2, bias = false) } }
    for (dtype, numbers) in [("F16", f16.as_flattened()), ("BF16", bf16.as_flattened()), ("F32", f32.as_flattened())] {
        let mut bytes = file(&[("head.weight", dtype, &[3, 2])]);
        let start = bytes.len() - numbers.len();
        bytes[start..].copy_from_slice(numbers);
        let (mut short, mut long) = (Short::zeroed(), Long::zeroed());
        load_bytes(&bytes, &mut short).expect("loaded");
        load_bytes(&bytes, &mut long).expect("loaded");
        assert!((short.head.weight[1][0] - halves[1][0]).abs() < 1e-8 && short.head.weight[0] == halves[0], "{dtype}");
        assert_eq!(include::<Short, 1, 11>(&bytes).expect("it fits").as_slice(), short.as_slice(), "{dtype}");
        assert_eq!(include::<Long, 1, 11>(&bytes).expect("it fits").as_slice(), long.as_slice(), "{dtype}");
    }
}

/// Damaged files that loading rejects are rejected here as well.
#[test]
fn damaged_files_are_refused() {
    let bytes = to_bytes(&net());
    for len in 0..bytes.len() {
        assert!(included(&bytes[..len]).is_err(), "{len} bytes");
    }
    assert_eq!(
        refused(&bytes[..bytes.len() - 4]),
        "net.safetensors: the file is cut short: it has 160 bytes of numbers, but its header tells of 164; copy or \
         save it again"
    );
    let mut longer = bytes.clone();
    longer.push(0);
    assert!(refused(&longer).contains("is damaged"));

    let header = bytes.len() - size_of::<Net>();
    for bit in 0..header * 8 {
        let mut damaged = bytes.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        if let Ok(included) = included(&damaged) {
            assert_eq!(included.as_slice(), net().as_slice(), "bit {bit}");
        }
    }
    // Two tensors in the same place, and a gap where one of them was.
    let mut overlapping = changed("", ("", "", &[]));
    assert!(included(&overlapping).is_ok());
    let place = overlapping.windows(9).position(|window| window == b"[120,136]").expect("the offsets");
    overlapping[place..place + 9].copy_from_slice(b"[104,120]");
    assert!(refused(&overlapping).contains("the file is damaged"));
}

#[test]
fn numbers_are_turned_around_where_the_machine_has_the_highest_byte_first() {
    let turned = |size| {
        let mut to = [0; 8];
        copy(&[1, 2, 3, 4, 5, 6, 7, 8], &mut to, size, true);
        to
    };
    assert_eq!(turned(4), [4, 3, 2, 1, 8, 7, 6, 5]);
    assert_eq!(turned(8), [8, 7, 6, 5, 4, 3, 2, 1]);
}
