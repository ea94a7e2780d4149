//! `#[derive(Parameters)]`, and how it handles weights that can be packed.

use core::marker::PhantomData;
use std::boxed::Box;
use std::string::{String, ToString};
use std::vec;
use std::vec::Vec;

use super::*;
use crate::bytes::bytes_of_packed;
use crate::layers::Dense;
use crate::memory::{boxed, zeroed};
use crate::scalar::Storage;
use crate::storage::{Bf16, F16};
use crate::tensor::Tensor;
use crate::weight::{Packed, Weight};

/// A tensor: its name, shape, role, initial value and range.
type Line = (String, Vec<usize>, Role, Start, Range<usize>);

fn contents<P: Parameters>() -> Vec<Line> {
    let mut lines = Vec::new();
    for_each_tensor(P::ENTRIES, &mut |path, tensor, range| {
        assert_eq!(find_tensor(P::ENTRIES, &path.to_string()), Some(range.clone()));
        assert_eq!(find_tensor(P::ENTRIES, &std::format!("{path}.")), None);
        lines.push((path.to_string(), tensor.shape.to_vec(), tensor.role, tensor.start, range));
    });
    lines
}

/// The names and shapes of the tensors.
fn names<P: Parameters>() -> Vec<(String, Vec<usize>)> {
    contents::<P>().into_iter().map(|(name, shape, ..)| (name, shape)).collect()
}

fn counted<P: Parameters>() -> Box<P> {
    let mut parameters: Box<P> = boxed();
    for (index, number) in parameters.as_mut_slice().iter_mut().enumerate() {
        *number = P::Scalar::from_f64(index as f64 + 1.0);
    }
    parameters
}

/// The offsets of the pieces and their bytes. They are in order, with gaps only for alignment.
fn pieces<P: Parameters<Scalar: Bits>>(parameters: &P) -> Vec<(usize, Vec<u8>)> {
    let mut pieces = Vec::new();
    let (start, mut end) = (core::ptr::from_ref(parameters).addr(), 0);
    parameters.pieces(&mut |piece| {
        if !piece.is_empty() {
            let at = piece.as_ptr().addr() - start;
            assert!((end..end + align_of::<P>()).contains(&at), "{end}, {at}");
            end = at + piece.len();
            pieces.push((at, piece.to_vec()));
        }
    });
    assert_eq!(end.next_multiple_of(align_of::<P>()), size_of::<P>());
    pieces
}

/// The bytes of the numbers of a struct in which nothing is packed: they are all of it.
fn bytes<P: Parameters<Scalar: Bits>>(parameters: &P) -> Vec<u8> {
    pieces(parameters).into_iter().flat_map(|(_, bytes)| bytes).collect()
}

type Row = [f64; 3];

/// Tensors whose types are not written as arrays.
#[derive(Parameters)]
#[repr(C)]
struct Tensors<A, B> {
    written: [[f64; 2]; 1],
    #[parameters(tensor)]
    named: Row,
    #[parameters(tensor, start = 0.25)]
    first: A,
    // A field with an initial value, or with state, is not a layer.
    #[parameters(start = -2.0, state)]
    second: B,
    #[parameters(tensor)]
    number: f64,
    marker: PhantomData<fn() -> A>,
}

#[test]
fn tensors_of_any_type() {
    type Both = Tensors<[[f64; 4]; 2], f64>;
    let (learned, random) = (Role::Learned, Start::Random);
    assert_eq!(
        contents::<Both>(),
        [
            ("written".into(), vec![1, 2], learned, random, 0..2),
            ("named".into(), vec![3], learned, random, 2..5),
            ("first".into(), vec![2, 4], learned, Start::Constant(0.25), 5..13),
            ("second".into(), vec![], Role::State, Start::Constant(-2.0), 13..14),
            ("number".into(), vec![], learned, random, 14..15),
        ]
    );
    assert_eq!((Both::COUNT, size_of::<Both>()), (15, 15 * 8));
    let both = counted::<Both>();
    assert_eq!((both.named, both.first[1][3], both.second, both.number), ([3.0, 4.0, 5.0], 13.0, 14.0, 15.0));
    assert_eq!(bytes(&*both), both.as_slice().iter().flat_map(|number| number.to_ne_bytes()).collect::<Vec<_>>());
    // An empty tensor is not listed.
    assert_eq!(contents::<Tensors<[f64; 0], [f64; 2]>>().len(), 4);
    // Nothing is packed: it stays unchanged.
    let mut copy: Both = zeroed();
    let _: &<Both as Pack<i8>>::Packed = &copy;
    Pack::<i8>::pack(&*both, &mut copy);
    assert_eq!(copy.as_slice(), both.as_slice());
}

/// The number type is that of a tensor of which the fields are parts.
#[derive(Parameters)]
#[parameters(of = X)]
#[repr(C)]
struct Of<X: Tensor<Element: Scalar>> {
    #[parameters(tensor, start = 1.0)]
    channels: X::Last,
    #[parameters(tensor)]
    pixels: X::Rows,
    #[parameters(tensor, state)]
    item: X::Item,
    shape: PhantomData<X>,
}

#[test]
fn the_parts_of_a_tensor() {
    type Image<T> = Of<[[[T; 5]; 3]; 2]>;
    let names_of_both = [("channels", vec![5]), ("pixels", vec![2, 3]), ("item", vec![3, 5])];
    let expected: Vec<_> = names_of_both.iter().map(|(name, shape)| (name.to_string(), shape.clone())).collect();
    assert_eq!(names::<Image<f32>>(), expected);
    assert_eq!(names::<Image<f64>>(), expected);
    assert_eq!((Image::<f32>::COUNT, size_of::<Image<f32>>()), (26, 26 * 4));
    let image = counted::<Image<f32>>();
    assert_eq!((image.channels[4], image.pixels[1][2], image.item[2][4]), (5.0, 11.0, 26.0));
    let starts: Vec<_> = contents::<Image<f64>>().into_iter().map(|(_, _, role, start, _)| (role, start)).collect();
    assert_eq!(starts[0], (Role::Learned, Start::Constant(1.0)));
    assert_eq!(starts[1], (Role::Learned, Start::Random));
    assert_eq!(starts[2], (Role::State, Start::Random));
}

#[cfg(feature = "generic-array")]
#[test]
fn the_parts_of_generic_arrays() {
    use generic_array::GenericArray;
    use typenum::{U2, U3, U5};
    type Image = Of<GenericArray<[GenericArray<f32, U5>; 3], U2>>;
    assert_eq!(
        names::<Image>(),
        [("channels".into(), vec![5]), ("pixels".into(), vec![2, 3]), ("item".into(), vec![3, 5])]
    );
    assert_eq!((Image::COUNT, counted::<Image>().item[2][4]), (26, 26.0));
    assert_eq!(names::<Dense<GenericArray<f32, U2>, GenericArray<GenericArray<f32, U3>, U2>, [f32; 3]>>()[0].1, [2, 3]);
}

/// No number at all; its type is stated.
#[derive(Parameters)]
#[parameters(scalar = f32)]
#[repr(C)]
struct Nothing<X>(PhantomData<X>);

#[test]
fn a_struct_without_numbers() {
    assert_eq!((Nothing::<[u8; 3]>::COUNT, Nothing::<f64>::ENTRIES.len(), size_of::<Nothing<f64>>()), (0, 0, 0));
    let mut nothing: Nothing<[u8; 3]> = zeroed();
    let slice: &mut [f32] = nothing.as_mut_slice();
    assert!(slice.is_empty() && nothing.as_slice().is_empty() && bytes(&nothing).is_empty());
}

/// Two weights that are packed with different scales, a layer between them, and a tensor that stays unchanged.
#[derive(Parameters)]
#[parameters(scalar = f32)]
#[repr(C)]
struct Several<V, W, B> {
    #[parameters(packed)]
    left: V,
    between: Dense<[f32; 1], [[f32; 2]; 1], [f32; 2]>,
    #[parameters(packed, start = 0.5)]
    right: W,
    #[parameters(tensor, start = 0.0)]
    bias: B,
}

type Left = [[[f32; 2]; 3]; 1];
type Right = [[f32; 5]; 3];
type Whole = Several<Left, Right, [f32; 2]>;
type Small<F> = Several<Packed<Left, F>, Packed<Right, F>, [f32; 2]>;

#[test]
fn weights_that_are_not_packed_are_tensors() {
    let expected = [
        ("left", vec![1, 3, 2], Start::Random, 0..6),
        ("between.weight", vec![1, 2], Start::Random, 6..8),
        ("between.bias", vec![2], Start::Constant(0.0), 8..10),
        ("right", vec![3, 5], Start::Constant(0.5), 10..25),
        ("bias", vec![2], Start::Constant(0.0), 25..27),
    ];
    let expected = expected.map(|(name, shape, start, range)| (name.to_string(), shape, Role::Learned, start, range));
    assert_eq!(contents::<Whole>(), expected);
    assert_eq!((Whole::COUNT, size_of::<Whole>()), (27, 27 * 4));
    let whole = counted::<Whole>();
    assert_eq!((whole.left[0][2][1], whole.right[2][4], whole.bias), (6.0, 25.0, [26.0, 27.0]));
    assert_eq!(bytes(&*whole).len(), 27 * 4);
    const { assert!(!<Left as Weight>::PACKED && <Packed<Left, i8> as Weight>::PACKED) };
}

fn packed<F: Storage<W::Element>, W: Tensor<Element: Scalar>>(weight: &W) -> Box<Packed<W, F>> {
    let mut packed: Box<Packed<W, F>> = boxed();
    packed.pack(weight);
    packed
}

/// All weights are packed as `F`, and all else is copied.
fn packs<F: Storage<f32>>() {
    let mut whole = counted::<Whole>();
    whole.left[0][1][0] = -0.3;
    whole.right[1] = [0.0, -7.7, 1e-3, 0.1, 1e4];
    let mut small: Box<Small<F>> = boxed();
    Pack::<F>::pack(&*whole, &mut small);
    let (left, right) = (packed::<F, _>(&whole.left), packed::<F, _>(&whole.right));
    assert!(small.left.packed() == left.packed() && small.right.packed() == right.packed());
    assert!(small.left.scale() == left.scale() && small.right.scale() == right.scale());
    assert_eq!((left.scale().len(), right.scale().len()), if F::SCALED { (2, 5) } else { (0, 0) });
    assert_eq!(<Packed<Left, F> as Weight>::SHAPE, [1, 3, 2]);
    assert!(small.between == whole.between && small.bias == whole.bias);
    // It is not trained, so nothing of it is listed.
    assert!(Small::<F>::ENTRIES.is_empty() && small.as_slice().is_empty() && small.as_mut_slice().is_empty());
    assert!(small.left.trained().is_empty() && small.left.trained_mut().is_empty());

    let expected = [
        bytes_of_packed::<f32, F>(left.packed()),
        bytes_of(left.scale()),
        bytes_of(whole.between.weight.as_flattened()),
        bytes_of(&whole.between.bias),
        bytes_of_packed::<f32, F>(right.packed()),
        bytes_of(right.scale()),
        bytes_of(&whole.bias),
    ];
    let expected: Vec<&[u8]> = expected.into_iter().filter(|piece| !piece.is_empty()).collect();
    assert_eq!(pieces(&*small).into_iter().map(|(_, bytes)| bytes).collect::<Vec<_>>(), expected);
}

#[test]
fn several_weights_are_packed_in_every_format() {
    packs::<Bf16>();
    packs::<F16>();
    packs::<i8>();
    packs::<f32>();
}

/// The number type has another name.
#[derive(Parameters)]
#[repr(C)]
struct Named<T, W> {
    #[parameters(packed)]
    weight: W,
    bias: [T; 2],
}

/// The number type is that of the input.
#[derive(Parameters)]
#[parameters(of = X)]
#[repr(C)]
struct OfInput<X: Tensor, W, const N: usize> {
    #[parameters(tensor, state)]
    mean: X::Last,
    #[parameters(packed)]
    weight: W,
    #[parameters(tensor)]
    more: [[X; N]; 1],
    shape: PhantomData<X>,
}

#[test]
fn the_number_type_of_a_packed_weight() {
    let named = Named { weight: [[1.0_f64, -4.0]; 3], bias: [5.0, 6.0] };
    assert_eq!(names::<Named<f64, [[f64; 2]; 3]>>(), [("weight".into(), vec![3, 2]), ("bias".into(), vec![2])]);
    let mut small: Named<f64, Packed<[[f64; 2]; 3], i8>> = zeroed();
    named.pack(&mut small);
    assert_eq!(
        (small.weight.packed(), small.weight.scale()),
        (&[127, -127].repeat(3)[..], &[1.0 / 127.0, 4.0 / 127.0][..])
    );
    assert_eq!(small.bias, [5.0, 6.0]);

    type OfSequence<W> = OfInput<[[f32; 2]; 3], W, 2>;
    let mut whole = counted::<OfSequence<[[f32; 4]; 2]>>();
    whole.weight[1][3] = 0.5;
    assert_eq!(
        contents::<OfSequence<[[f32; 4]; 2]>>(),
        [
            ("mean".into(), vec![2], Role::State, Start::Random, 0..2),
            ("weight".into(), vec![2, 4], Role::Learned, Start::Random, 2..10),
            ("more".into(), vec![1, 2, 3, 2], Role::Learned, Start::Random, 10..22),
        ]
    );
    let mut small: OfSequence<Packed<[[f32; 4]; 2], Bf16>> = zeroed();
    whole.pack(&mut small);
    assert_eq!((small.mean, small.more), ([1.0, 2.0], whole.more));
    assert_eq!(small.weight.packed()[7], Bf16::nearest(0.5));
}

/// Contains a layer of any type.
#[derive(Parameters)]
#[repr(C)]
struct Around<W, L> {
    #[parameters(packed)]
    weight: W,
    inner: L,
}

#[test]
fn layers_within_stay_as_they_are_packed_or_not() {
    type Inner = Named<f32, [[f32; 2]; 1]>;
    type SmallInner = Named<f32, Packed<[[f32; 2]; 1], i8>>;
    let inner = Inner { weight: [[1.0, 2.0]], bias: [3.0, 4.0] };
    let mut small_inner: SmallInner = zeroed();
    inner.pack(&mut small_inner);

    let whole = Around { weight: [[0.5_f32]], inner };
    let mut small: Around<Packed<[[f32; 1]; 1], F16>, Inner> = zeroed();
    whole.pack(&mut small);
    assert_eq!((small.weight.packed()[0], small.inner.weight), (F16::nearest(0.5), [[1.0, 2.0]]));
    assert_eq!(small.inner.bias, [3.0, 4.0]);

    let whole = Around { weight: [[0.5_f32]], inner: small_inner };
    let mut small: Around<Packed<[[f32; 1]; 1], F16>, SmallInner> = zeroed();
    whole.pack(&mut small);
    assert_eq!((small.inner.weight.packed(), small.inner.bias), (&[127, 127][..], [3.0, 4.0]));
}
