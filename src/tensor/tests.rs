use core::any::{TypeId, type_name};
use std::vec::Vec;

use super::*;
use crate::storage::Bf16;

/// Checks that two types are the same.
fn is<A: 'static, B: 'static>() {
    assert!(TypeId::of::<A>() == TypeId::of::<B>(), "{} is not {}", type_name::<A>(), type_name::<B>());
}

/// The tensor `X` has this shape; its associated types are these.
fn tensor<X: Tensor, Item: 'static, Rows: 'static, Last: 'static>(shape: &[usize]) {
    assert_eq!(X::SHAPE, shape);
    assert_eq!(X::LEN, shape.iter().product::<usize>());
    assert_eq!(X::CHANNELS, shape.last().copied().unwrap_or(1));
    assert_eq!(size_of::<X>(), X::LEN * size_of::<X::Element>());
    assert_eq!(align_of::<X>(), align_of::<X::Element>());
    is::<X::Item, Item>();
    is::<X::Rows, Rows>();
    is::<X::Last, Last>();
    // A row for each number of `Rows`.
    assert_eq!(X::LEN, X::Rows::LEN * X::Last::LEN);
    assert_eq!(X::Rows::SHAPE, &shape[..shape.len().saturating_sub(1)]);
    assert_eq!(X::Last::SHAPE, &shape[shape.len().saturating_sub(1)..]);
    assert_eq!(X::Item::SHAPE, shape.get(1..).unwrap_or_default());
    // Another number type does not change the shape, and the same number type changes nothing.
    is::<X::With<X::Element>, X>();
    is::<<X::With<u8> as Tensor>::Element, u8>();
    assert_eq!(X::With::<u8>::SHAPE, shape);
    is::<<X::With<u8> as Tensor>::Rows, <X::Rows as Tensor>::With<u8>>();
    is::<<X::With<u8> as Tensor>::Last, <X::Last as Tensor>::With<u8>>();
}

#[test]
fn a_number_is_a_tensor_of_rank_0() {
    tensor::<f32, f32, f32, f32>(&[]);
    tensor::<u32, u32, u32, u32>(&[]);
    tensor::<Bf16, Bf16, Bf16, Bf16>(&[]);
    is::<<f32 as Tensor>::With<i8>, i8>();
    let mut number = 3.0_f64;
    assert_eq!(number.numbers(), [3.0]);
    number.numbers_mut()[0] = 4.0;
    assert_eq!(number, 4.0);
    assert_eq!(batch_slice(&[1_u8, 2, 3]), [1, 2, 3]);
}

#[test]
fn arrays_are_tensors_of_any_rank() {
    tensor::<[f32; 5], f32, f32, [f32; 5]>(&[5]);
    tensor::<[[f64; 5]; 3], [f64; 5], [f64; 3], [f64; 5]>(&[3, 5]);
    tensor::<[[[u32; 1]; 4]; 2], [[u32; 1]; 4], [[u32; 4]; 2], [u32; 1]>(&[2, 4, 1]);
    tensor::<[[[[i8; 2]; 3]; 4]; 5], [[[i8; 2]; 3]; 4], [[[i8; 3]; 4]; 5], [i8; 2]>(&[5, 4, 3, 2]);
    type Six = [[[[[[u8; 6]; 5]; 4]; 3]; 2]; 1];
    tensor::<Six, [[[[[u8; 6]; 5]; 4]; 3]; 2], [[[[[u8; 5]; 4]; 3]; 2]; 1], [u8; 6]>(&[1, 2, 3, 4, 5, 6]);
    type Seven = [[[[[[[f32; 2]; 1]; 2]; 1]; 2]; 1]; 2];
    tensor::<[Seven; 3], Seven, [[[[[[[f32; 1]; 2]; 1]; 2]; 1]; 2]; 3], [f32; 2]>(&[3, 2, 1, 2, 1, 2, 1, 2]);
    is::<<[[f32; 5]; 3] as Tensor>::With<Bf16>, [[Bf16; 5]; 3]>();
}

#[test]
fn tensors_may_be_empty() {
    tensor::<[f32; 0], f32, f32, [f32; 0]>(&[0]);
    tensor::<[[f32; 0]; 3], [f32; 0], [f32; 3], [f32; 0]>(&[3, 0]);
    tensor::<[[f32; 3]; 0], [f32; 3], [f32; 0], [f32; 3]>(&[0, 3]);
    assert!([[0.0_f32; 0]; 3].numbers().is_empty() && [[0.0_f32; 3]; 0].numbers().is_empty());
}

#[test]
fn numbers_are_in_the_order_of_memory() {
    let mut x = [[[0_u32; 3]; 2]; 4];
    for (index, number) in x.numbers_mut().iter_mut().enumerate() {
        *number = index as u32;
    }
    for (h, w, c) in (0..4).flat_map(|h| (0..2).flat_map(move |w| (0..3).map(move |c| (h, w, c)))) {
        assert_eq!(x[h][w][c], ((h * 2 + w) * 3 + c) as u32);
    }
    assert!(x.numbers().iter().copied().eq(0..24));
    let mut batch = [x, x];
    assert!(batch_slice(&batch).iter().copied().eq((0..24).chain(0..24)));
    batch_slice_mut(&mut batch)[24] = 7;
    assert_eq!(batch[1][0][0][0], 7);
    assert!(batch_slice::<[f32; 3]>(&[]).is_empty() && batch_slice_mut::<[f32; 0]>(&mut [[]; 4]).is_empty());
}

#[test]
fn other_shapes_of_the_same_numbers() {
    let images: [[[[u16; 2]; 3]; 2]; 2] = core::array::from_fn(|b| {
        [[[0, 1], [2, 3], [4, 5]], [[6, 7], [8, 9], [10, 11]]]
            .map(|row| row.map(|pixel| pixel.map(|number| 12 * b as u16 + number)))
    });
    let rows: &[[[u16; 6]; 2]; 2] = reshape(&images);
    assert_eq!(rows[1], [[12, 13, 14, 15, 16, 17], [18, 19, 20, 21, 22, 23]]);
    let flat: &[[u16; 12]; 2] = reshape(rows);
    assert!(flat[0].iter().copied().eq(0..12));
    assert_eq!(reshape::<_, [[[u16; 2]; 3]; 2], 2>(flat), &images);
    // Tensors of one number, of no numbers, and batches of no samples.
    assert_eq!(reshape::<_, f32, 2>(&[[[1.0_f32]], [[2.0]]]), &[1.0, 2.0]);
    assert_eq!(reshape::<[f32; 0], [[f32; 7]; 0], 1>(&[[]]), &[[[0.0; 7]; 0]]);
    assert_eq!(reshape::<[f32; 6], [[f32; 2]; 3], 0>(&[]), &[[[0.0; 2]; 3]; 0]);

    let mut flat = [[0.0_f64; 6]];
    reshape_mut::<_, [[f64; 2]; 3], 1>(&mut flat)[0][2] = [5.0, 6.0];
    assert_eq!(flat, [[0.0, 0.0, 0.0, 0.0, 5.0, 6.0]]);

    const BEFORE: &[[[f32; 2]; 2]; 1] = &[[[1.0, 2.0], [3.0, 4.0]]];
    const AFTER: &[[f32; 4]; 1] = reshape(BEFORE);
    assert_eq!(AFTER, &[[1.0, 2.0, 3.0, 4.0]]);
}

#[cfg(feature = "generic-array")]
#[test]
fn generic_arrays_nest_as_arrays() {
    use generic_array::GenericArray as Array;
    use typenum::{U0, U2, U3, U4, U300};

    tensor::<Array<f32, U3>, f32, f32, Array<f32, U3>>(&[3]);
    tensor::<Array<u8, U300>, u8, u8, Array<u8, U300>>(&[300]);
    tensor::<Array<f32, U0>, f32, f32, Array<f32, U0>>(&[0]);
    type Row = Array<f64, U3>;
    tensor::<Array<Row, U4>, Row, Array<f64, U4>, Row>(&[4, 3]);
    tensor::<Array<Array<Row, U4>, U2>, Array<Row, U4>, Array<Array<f64, U4>, U2>, Row>(&[2, 4, 3]);
    is::<<Array<Array<Row, U4>, U2> as Tensor>::With<i8>, Array<Array<Array<i8, U3>, U4>, U2>>();
    // Both kinds nested in each other.
    tensor::<[Row; 2], Row, [f64; 2], Row>(&[2, 3]);
    tensor::<Array<[f64; 3], U2>, [f64; 3], Array<f64, U2>, [f64; 3]>(&[2, 3]);
    tensor::<[Array<[f64; 5], U3>; 2], Array<[f64; 5], U3>, [Array<f64, U3>; 2], [f64; 5]>(&[2, 3, 5]);
    tensor::<Array<[Row; 5], U2>, [Row; 5], Array<[f64; 5], U2>, Row>(&[2, 5, 3]);

    let mut x: [Array<Row, U2>; 1] = crate::memory::zeroed();
    for (index, number) in batch_slice_mut(&mut x).iter_mut().enumerate() {
        *number = index as f64;
    }
    assert_eq!((x[0][0][2], x[0][1][0]), (2.0, 3.0));
    let arrays: &[[[f64; 3]; 2]; 1] = reshape(&x);
    assert_eq!(arrays, &[[[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]]]);
    assert_eq!(reshape::<_, Array<Row, U2>, 1>(arrays), &x);
    assert_eq!(x[0].numbers().iter().map(|number| *number as usize).collect::<Vec<_>>(), [0, 1, 2, 3, 4, 5]);
}
