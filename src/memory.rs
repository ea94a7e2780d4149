//! Memory whose size the compiler knows: zeroed in place, planned while compiling, never moved.

#[cfg(feature = "alloc")]
use alloc::boxed::Box;

use crate::scalar::Scalar;
use crate::tensor::Tensor;

/// Plain data for which all bytes zero is a valid value.
///
/// What networks, gradients, saved activations and workspaces are made of, so that memory of any
/// size can be made in place.
///
/// # Safety
/// The all-zero bit pattern must be a valid value, and dropping must do nothing.
pub unsafe trait Plain: Sized + 'static {}

macro_rules! plain {
    ($($type:ty),*) => { $(
        // SAFETY: zero is a value of the type, and it has no drop glue.
        unsafe impl Plain for $type {}
    )* };
}
plain!((), f32, f64, bool, u8, u16, u32, u64, usize, i8, i16, i32, i64, isize);

// SAFETY: an array of zeroable elements is zeroable.
unsafe impl<X: Plain, const N: usize> Plain for [X; N] {}
// SAFETY: it has no bytes.
unsafe impl<X: ?Sized + 'static> Plain for core::marker::PhantomData<X> {}
// SAFETY: both parts are zeroable.
unsafe impl<X: Plain, Y: Plain> Plain for (X, Y) {}
// SAFETY: all parts are zeroable.
unsafe impl<X: Plain, Y: Plain, Z: Plain> Plain for (X, Y, Z) {}

/// A value of zeros, built by the compiler: for `static`s and small values.
///
/// Use [`boxed`] for what does not fit on the stack.
pub const fn zeroed<X: Plain>() -> X {
    // SAFETY: `Plain` promises that zeros are a valid value.
    unsafe { core::mem::MaybeUninit::zeroed().assume_init() }
}

/// A value of zeros on the heap, without ever being on the stack.
#[cfg(feature = "alloc")]
pub fn boxed<X: Plain>() -> Box<X> {
    let layout = core::alloc::Layout::new::<X>();
    if const { size_of::<X>() == 0 } {
        return Box::new(zeroed());
    }
    // SAFETY: the layout has a size; zeroed memory is a valid `X`; the pointer comes from the
    // global allocator with the layout of `X`, as `Box` demands.
    unsafe {
        let memory = alloc::alloc::alloc_zeroed(layout);
        if memory.is_null() {
            alloc::alloc::handle_alloc_error(layout);
        }
        Box::from_raw(memory.cast())
    }
}

/// Sets a value to zeros in place.
pub fn clear<X: Plain>(value: &mut X) {
    // SAFETY: `Plain` promises that zeros are a valid value and that nothing needs dropping.
    unsafe { core::ptr::write_bytes(value, 0, 1) }
}

/// Offsets and sizes in an arena are multiples of this many numbers: a cache line of `f32`.
pub const ALIGNMENT: usize = 16;

/// Memory for the activations of one sample: `N` numbers on a cache line of their own.
///
/// A batch of `B` samples uses `[Arena<T, N>; B]` as one piece: a value at offset `o` of the plan
/// lies at `o · B`, all samples one after another.
#[repr(C, align(64))]
#[derive(Clone, Copy, Debug)]
pub struct Arena<T, const N: usize>([T; N]);

// SAFETY: an array of zeroable numbers; padding has no validity.
unsafe impl<T: Plain, const N: usize> Plain for Arena<T, N> {}

/// The value at `offset`, to change.
///
/// # Panics
/// If the value does not lie inside the arena; with constant offsets the check folds away.
#[inline(always)]
pub fn at<T: Scalar, X: Tensor<T>, const N: usize, const B: usize>(
    arena: &mut [Arena<T, N>; B],
    offset: usize,
) -> &mut [X; B] {
    const { assert!(N % ALIGNMENT == 0, "an arena is a whole number of cache lines") };
    assert!(offset + X::LEN <= N, "a value lies outside its arena");
    // SAFETY: the arenas have no padding (`N` is a multiple of the alignment), so the memory is
    // `N * B` consecutive numbers, of which these lie inside.
    unsafe { &mut *(&raw mut *arena).cast::<T>().add(offset * B).cast() }
}

/// Calls `f` with the value at offset `from` and, to change, the value at offset `to`.
///
/// # Panics
/// If the two overlap or do not lie inside the arena; with constant offsets the check folds away.
#[inline(always)]
pub fn between<T: Scalar, X: Tensor<T>, Y: Tensor<T>, const N: usize, const B: usize, R>(
    arena: &mut [Arena<T, N>; B],
    from: usize,
    to: usize,
    f: impl FnOnce(&[X; B], &mut [Y; B]) -> R,
) -> R {
    const { assert!(N % ALIGNMENT == 0, "an arena is a whole number of cache lines") };
    assert!(from + X::LEN <= N && to + Y::LEN <= N, "a value lies outside its arena");
    assert!(from + X::LEN <= to || to + Y::LEN <= from, "two live values overlap");
    let base = (&raw mut *arena).cast::<T>();
    // SAFETY: as in `at` for both, and they do not overlap.
    unsafe { f(&*base.add(from * B).cast(), &mut *base.add(to * B).cast()) }
}

/// As [`between`], with both values to change.
///
/// # Panics
/// As [`between`].
#[inline(always)]
pub fn between_mut<T: Scalar, X: Tensor<T>, Y: Tensor<T>, const N: usize, const B: usize, R>(
    arena: &mut [Arena<T, N>; B],
    from: usize,
    to: usize,
    f: impl FnOnce(&mut [X; B], &mut [Y; B]) -> R,
) -> R {
    const { assert!(N % ALIGNMENT == 0, "an arena is a whole number of cache lines") };
    assert!(from + X::LEN <= N && to + Y::LEN <= N, "a value lies outside its arena");
    assert!(from + X::LEN <= to || to + Y::LEN <= from, "two live values overlap");
    let base = (&raw mut *arena).cast::<T>();
    // SAFETY: as in `at` for both, and they do not overlap.
    unsafe { f(&mut *base.add(from * B).cast(), &mut *base.add(to * B).cast()) }
}

/// How long a value of a network lives: written at step `from`, last read at step `to`.
#[derive(Clone, Copy, Debug)]
pub struct Life {
    /// Its length in numbers.
    pub len: usize,
    /// The step that writes it.
    pub from: usize,
    /// The last step that reads it.
    pub to: usize,
}

/// Where the values of a network lie in its arena.
#[derive(Clone, Copy, Debug)]
pub struct Plan<const V: usize> {
    /// The offset of each value, in numbers.
    pub offsets: [usize; V],
    /// The length of the arena, in numbers.
    pub total: usize,
}

const fn aligned(len: usize) -> usize {
    len.div_ceil(ALIGNMENT) * ALIGNMENT
}

const fn meet(a: Life, b: Life) -> bool {
    a.from <= b.to && b.from <= a.to
}

/// The largest sum of lengths that are live at one step: no plan can be smaller.
pub const fn largest_live_set<const V: usize>(values: &[Life; V]) -> usize {
    let mut largest = 0;
    let mut step = 0;
    while step < V {
        // The sum only grows when a value is born.
        let now = values[step].from;
        let (mut sum, mut other) = (0, 0);
        while other < V {
            if values[other].from <= now && now <= values[other].to {
                sum += aligned(values[other].len);
            }
            other += 1;
        }
        if sum > largest {
            largest = sum;
        }
        step += 1;
    }
    largest
}

/// Gives every value an offset so that values alive at the same step never overlap.
///
/// Two strategies, the smaller result wins. In a chain, values in turn take the low and the high
/// end of the largest live set, which is optimal. Elsewhere, the largest value first, each at the
/// lowest offset that is free for its whole life.
pub const fn plan<const V: usize>(values: &[Life; V]) -> Plan<V> {
    let bound = largest_live_set(values);
    let ends = from_both_ends(values, bound);
    if fits(values, &ends.offsets) {
        return ends;
    }
    largest_first(values)
}

const fn from_both_ends<const V: usize>(values: &[Life; V], total: usize) -> Plan<V> {
    let mut offsets = [0; V];
    let mut index = 0;
    while index < V {
        offsets[index] = if index % 2 == 0 { 0 } else { total - aligned(values[index].len) };
        index += 1;
    }
    Plan { offsets, total }
}

const fn fits<const V: usize>(values: &[Life; V], offsets: &[usize; V]) -> bool {
    let mut a = 0;
    while a < V {
        let mut b = a + 1;
        while b < V {
            let apart = offsets[a] + values[a].len <= offsets[b] || offsets[b] + values[b].len <= offsets[a];
            if meet(values[a], values[b]) && !apart {
                return false;
            }
            b += 1;
        }
        a += 1;
    }
    true
}

const fn largest_first<const V: usize>(values: &[Life; V]) -> Plan<V> {
    let (mut offsets, mut placed) = ([0; V], [false; V]);
    let (mut total, mut round) = (0, 0);
    while round < V {
        // The largest value that has no place yet.
        let (mut pick, mut found, mut index) = (0, false, 0);
        while index < V {
            if !placed[index] && (!found || values[index].len > values[pick].len) {
                (pick, found) = (index, true);
            }
            index += 1;
        }
        // Raise its offset past every neighbour in time that it would overlap, until none is left.
        let (mut offset, mut moved) = (0, true);
        while moved {
            moved = false;
            let mut other = 0;
            while other < V {
                if placed[other] && meet(values[pick], values[other]) {
                    let end = offsets[other] + aligned(values[other].len);
                    if offset < end && offsets[other] < offset + values[pick].len {
                        (offset, moved) = (end, true);
                    }
                }
                other += 1;
            }
        }
        offsets[pick] = offset;
        placed[pick] = true;
        if offset + aligned(values[pick].len) > total {
            total = offset + aligned(values[pick].len);
        }
        round += 1;
    }
    Plan { offsets, total }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_needs_no_more_than_its_largest_pair() {
        const LENS: [usize; 4] = [160, 96, 128, 160];
        const LIVES: [Life; 4] = {
            let mut lives = [Life { len: 0, from: 0, to: 0 }; 4];
            let mut index = 0;
            while index < 4 {
                lives[index] = Life { len: LENS[index], from: index, to: index + 1 };
                index += 1;
            }
            lives
        };
        const PLAN: Plan<4> = plan(&LIVES);
        assert_eq!(PLAN.total, 160 + 128);
        assert!(fits(&LIVES, &PLAN.offsets));
    }

    #[test]
    fn random_lives_never_overlap() {
        let mut state = 1_u64;
        let mut next = move |below: u64| {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (state >> 33) % below
        };
        for _ in 0..2000 {
            let lives: [Life; 7] = core::array::from_fn(|step| Life {
                len: 1 + next(200) as usize,
                from: step,
                to: step + 1 + next(4) as usize,
            });
            let plan = plan(&lives);
            assert!(fits(&lives, &plan.offsets));
            assert!(plan.total >= largest_live_set(&lives));
            for (life, offset) in lives.iter().zip(plan.offsets) {
                assert!(offset + life.len <= plan.total && offset % ALIGNMENT == 0);
            }
        }
    }
}
