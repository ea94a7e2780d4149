use std::panic::{UnwindSafe, catch_unwind};

use super::*;
use crate::memory::zeroed;

/// The arenas of two samples, in which each number is its position.
fn counted<const N: usize>() -> [Arena<f32, N>; 2] {
    let mut arena: [Arena<f32, N>; 2] = zeroed();
    for (sample, arena) in arena.iter_mut().enumerate() {
        arena.0 = core::array::from_fn(|index| (sample * N + index) as f32);
    }
    arena
}

const fn slot<X: Tensor>(offset: usize) -> Slot<X> {
    Slot::new(offset)
}

/// Slots of vectors of `X` and `Y` numbers.
fn two<const X: usize, const Y: usize>([x, y]: [usize; 2]) -> (Slot<[f32; X]>, Slot<[f32; Y]>) {
    (slot(x), slot(y))
}

type Slots3<X> = (Slot<X>, Slot<X>, Slot<X>);

fn three<const X: usize>([x, y, z]: [usize; 3]) -> Slots3<[f32; X]> {
    (slot(x), slot(y), slot(z))
}

type Slots4<X> = (Slot<X>, Slot<X>, Slot<X>, Slot<X>);

fn four<const X: usize>([x, y, z, v]: [usize; 4]) -> Slots4<[f32; X]> {
    (slot(x), slot(y), slot(z), slot(v))
}

#[test]
fn a_value_lies_at_its_offset_all_samples_after_one_another() {
    let mut arena = counted::<32>();
    assert_eq!(*at(&mut arena, slot::<[[f32; 2]; 1]>(16)), [[[32.0, 33.0]], [[34.0, 35.0]]]);
    assert_eq!(*at(&mut arena, slot::<f32>(31)), [62.0, 63.0]);
    assert_eq!(at(&mut arena, slot::<[f32; 32]>(0))[1][0], 32.0);
    assert!(at(&mut arena, slot::<[f32; 0]>(32)).as_flattened().is_empty());
    // The shape comes from the slot, the number type from the arena.
    let value: &mut [[[f32; 3]; 1]; 2] = at(&mut arena, slot::<[[u8; 3]; 1]>(8));
    assert_eq!(*value, [[[16.0, 17.0, 18.0]], [[19.0, 20.0, 21.0]]]);
}

#[test]
fn two_values_apart() {
    let mut arena = counted::<32>();
    let sum = apart2(&mut arena, (slot::<[f32; 3]>(16), slot::<[[f64; 1]; 2]>(0)), |x, y| {
        assert_eq!(*x, [[32.0, 33.0, 34.0], [35.0, 36.0, 37.0]]);
        assert_eq!(*y, [[[0.0], [1.0]], [[2.0], [3.0]]]);
        x[1][2] = -1.0;
        y[0][0][0] = -2.0;
        x[0][0] + y[1][1][0]
    });
    assert_eq!(sum, 35.0);
    assert_eq!(at(&mut arena, slot::<[f32; 3]>(16))[1], [35.0, 36.0, -1.0]);
    assert_eq!(at(&mut arena, slot::<f32>(0))[0], -2.0);
    // One may begin where the other ends, in either order; empty values overlap nothing.
    for offsets in [[0, 3], [29, 26]] {
        let (first, second) = apart2(&mut arena, two::<3, 3>(offsets), |x, y| {
            x.fill([7.0; 3]);
            y.fill([8.0; 3]);
            (x[1], y[0])
        });
        assert_eq!((first, second), ([7.0; 3], [8.0; 3]));
    }
    apart2(&mut arena, two::<32, 0>([0, 32]), |_, nothing| assert!(nothing.as_flattened().is_empty()));
}

#[test]
fn three_values_apart() {
    let mut arena = counted::<48>();
    let slots = (slot::<[f32; 16]>(32), slot::<f32>(0), slot::<[[f32; 2]; 2]>(16));
    apart3(&mut arena, slots, |x, y, z| {
        assert_eq!((x[0][0], x[1][15], *y), (64.0, 95.0, [0.0, 1.0]));
        assert_eq!(z[1], [[36.0, 37.0], [38.0, 39.0]]);
        (x[0][1], y[1], z[0][1][0]) = (-1.0, -2.0, -3.0);
    });
    assert_eq!(at(&mut arena, slot::<[f32; 2]>(32))[0], [64.0, -1.0]);
    assert_eq!(*at(&mut arena, slot::<f32>(0)), [0.0, -2.0]);
    assert_eq!(at(&mut arena, slot::<[f32; 3]>(16))[0], [32.0, 33.0, -3.0]);
}

#[test]
fn four_values_apart() {
    let mut arena = counted::<64>();
    let slots = (slot::<f32>(48), slot::<[f32; 2]>(32), slot::<[f32; 3]>(16), slot::<[f32; 4]>(0));
    apart4(&mut arena, slots, |x, y, z, v| {
        assert_eq!((x[1], y[1], z[1]), (97.0, [66.0, 67.0], [35.0, 36.0, 37.0]));
        assert_eq!(v[1], [4.0, 5.0, 6.0, 7.0]);
        (x[0], y[0][1], z[0][2], v[0][3]) = (-1.0, -2.0, -3.0, -4.0);
    });
    let mut after = counted::<64>();
    (after[1].0[32], after[1].0[1], after[0].0[34], after[0].0[3]) = (-1.0, -2.0, -3.0, -4.0);
    assert_eq!(arena.map(|arena| arena.0), after.map(|arena| arena.0));
}

/// Checks that `f` panics with this message.
fn refused(message: &str, f: impl FnOnce() + UnwindSafe) {
    let panic = catch_unwind(f).expect_err("it must be refused");
    assert_eq!(panic.downcast_ref::<&str>().copied(), Some(message));
}

#[test]
fn what_overlaps_is_refused() {
    const OVERLAP: &str = "two live values overlap";
    // By one number, from either side, and one inside the other.
    for offsets in [[0, 2], [2, 0], [5, 5], [17, 16]] {
        refused(OVERLAP, move || apart2(&mut counted::<32>(), two::<3, 3>(offsets), |_, _| ()));
    }
    refused(OVERLAP, || apart2(&mut counted::<32>(), two::<1, 9>([4, 0]), |_, _| ()));
    refused(OVERLAP, || apart2(&mut counted::<32>(), two::<9, 1>([0, 8]), |_, _| ()));
    // Any two of three or four.
    for offsets in [[0, 1, 16], [0, 16, 1], [16, 0, 1]] {
        refused(OVERLAP, move || apart3(&mut counted::<32>(), three::<2>(offsets), |_, _, _| ()));
    }
    for (first, second) in (0..4).flat_map(|first| (0..first).map(move |second| (first, second))) {
        let mut offsets = [0, 8, 16, 24];
        offsets[first] = offsets[second] + 1;
        refused(OVERLAP, move || apart4(&mut counted::<32>(), four::<2>(offsets), |_, _, _, _| ()));
    }
}

#[test]
fn what_lies_outside_is_refused() {
    const OUTSIDE: &str = "a value lies outside its arena";
    refused(OUTSIDE, || at(&mut counted::<16>(), slot::<[f32; 3]>(14)).fill([0.0; 3]));
    for offsets in [[14, 0], [0, 14], [16, 0]] {
        refused(OUTSIDE, move || apart2(&mut counted::<16>(), two::<3, 3>(offsets), |_, _| ()));
    }
    refused(OUTSIDE, || apart3(&mut counted::<16>(), three::<1>([0, 1, 16]), |_, _, _| ()));
    refused(OUTSIDE, || apart4(&mut counted::<16>(), four::<1>([0, 1, 16, 2]), |_, _, _, _| ()));
}
