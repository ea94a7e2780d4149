//! The training loops outside of layers: optimizer updates, norms, losses that compare number by number.

use crate::scalar::{Scalar, Vector, lanes};
use crate::simd::Simd;

/// A compensated sum, in which rounding errors do not accumulate (Neumaier 1974).
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sum<T> {
    sum: T,
    lost: T,
}

impl<T: Scalar> Sum<T> {
    #[inline(always)]
    pub(crate) fn add(&mut self, value: T) {
        let sum = self.sum + value;
        self.lost += if self.sum.abs() < value.abs() { (value - sum) + self.sum } else { (self.sum - sum) + value };
        self.sum = sum;
    }

    #[inline(always)]
    pub(crate) fn value(self) -> T {
        // The compensation of an infinite sum is ∞ − ∞, which must not turn it into NaN.
        if self.lost.is_finite() { self.sum + self.lost } else { self.sum }
    }
}

/// How many numbers are summed in registers before they go into a [`Sum`]: few enough for the precision of `f32`.
const BLOCK: usize = 1024;

/// `(p, m) ← f(p, g, m)` for every parameter `p`, its gradient `g` and its `K` memory values `m`.
///
/// One pass over all of them; the shortest slice determines the length.
#[inline(always)]
pub fn update<T: Scalar, S: Simd, const K: usize>(
    simd: S,
    parameters: &mut [T],
    gradient: &[T],
    memory: [&mut [T]; K],
    f: impl Fn(T::Vector<S>, T::Vector<S>, [T::Vector<S>; K]) -> (T::Vector<S>, [T::Vector<S>; K]),
) {
    let lanes = lanes::<S, T>();
    let mut len = parameters.len().min(gradient.len());
    let mut memories = [core::ptr::null_mut::<T>(); K];
    for k in 0..K {
        len = len.min(memory[k].len());
        memories[k] = memory[k].as_mut_ptr();
    }
    let (parameters, gradient) = (parameters.as_mut_ptr(), gradient.as_ptr());
    let mut index = 0;
    while index + lanes <= len {
        // SAFETY: `index + lanes <= len`, and every slice has at least `len` numbers.
        unsafe {
            let mut state = [T::Vector::<S>::splat(simd, T::ZERO); K];
            for k in 0..K {
                state[k] = T::Vector::<S>::load(simd, memories[k].add(index));
            }
            let p = T::Vector::<S>::load(simd, parameters.add(index));
            let g = T::Vector::<S>::load(simd, gradient.add(index));
            let (p, state) = f(p, g, state);
            for k in 0..K {
                state[k].store(memories[k].add(index));
            }
            p.store(parameters.add(index));
        }
        index += lanes;
    }
    if index < len {
        let rest = len - index;
        // SAFETY: `rest < lanes` numbers are left in every slice.
        unsafe {
            let mut state = [T::Vector::<S>::splat(simd, T::ZERO); K];
            for k in 0..K {
                state[k] = T::Vector::<S>::load_partial(simd, memories[k].add(index), rest);
            }
            let p = T::Vector::<S>::load_partial(simd, parameters.add(index), rest);
            let g = T::Vector::<S>::load_partial(simd, gradient.add(index), rest);
            let (p, state) = f(p, g, state);
            for k in 0..K {
                state[k].store_partial(memories[k].add(index), rest);
            }
            p.store_partial(parameters.add(index), rest);
        }
    }
}

/// `Σ x²`; infinite or NaN if a square or the sum is not finite.
#[inline(always)]
pub fn sum_of_squares<T: Scalar, S: Simd>(simd: S, values: &[T]) -> T {
    let lanes = lanes::<S, T>();
    let zero = T::Vector::<S>::splat(simd, T::ZERO);
    // Compensated as in `Sum`, but lane by lane, and without a comparison (Knuth's TwoSum): blocks do not wait for each
    // other.
    let (mut total, mut lost) = (zero, zero);
    for block in values.chunks(BLOCK) {
        let (pointer, len) = (block.as_ptr(), block.len());
        // Four sums, because an addition must wait for the previous one.
        let (mut a, mut b, mut c, mut d) = (zero, zero, zero, zero);
        let mut index = 0;
        while index + 4 * lanes <= len {
            // SAFETY: `index + 4 * lanes <= len`.
            unsafe {
                let x = T::Vector::<S>::load(simd, pointer.add(index));
                a = x.mul_add(x, a);
                let x = T::Vector::<S>::load(simd, pointer.add(index + lanes));
                b = x.mul_add(x, b);
                let x = T::Vector::<S>::load(simd, pointer.add(index + 2 * lanes));
                c = x.mul_add(x, c);
                let x = T::Vector::<S>::load(simd, pointer.add(index + 3 * lanes));
                d = x.mul_add(x, d);
            }
            index += 4 * lanes;
        }
        while index < len {
            let count = lanes.min(len - index);
            // SAFETY: `count <= lanes` numbers from `index` on lie inside the block.
            let x = unsafe { T::Vector::<S>::load_partial(simd, pointer.add(index), count) };
            a = x.mul_add(x, a);
            index += count;
        }
        let summand = (a + b) + (c + d);
        let sum = total + summand;
        let added = sum - total;
        lost = lost + ((total - (sum - added)) + (summand - added));
        total = sum;
    }
    Sum { sum: total.reduce_sum(), lost: lost.reduce_sum() }.value()
}

/// `Σ l` over all numbers, where `(l, l′) = f(output, target)`; writes `gradient ← scale·l′`.
///
/// The shortest slice determines the length.
#[inline(always)]
pub fn compare<T: Scalar, S: Simd>(
    simd: S,
    output: &[T],
    target: &[T],
    gradient: Option<&mut [T]>,
    scale: T,
    f: impl Fn(T::Vector<S>, T::Vector<S>) -> (T::Vector<S>, T::Vector<S>),
) -> T {
    compare_parts(
        simd,
        [output],
        target,
        gradient.map(
            #[inline(always)]
            |gradient| [gradient],
        ),
        scale,
        #[inline(always)]
        |[x], t| {
            let (loss, derivative) = f(x, t);
            (loss, [derivative])
        },
    )
}

/// [`compare`] for outputs of `K` parts, such as a mean and a variance for each number of the target.
#[inline(always)]
pub fn compare_parts<T: Scalar, S: Simd, const K: usize>(
    simd: S,
    output: [&[T]; K],
    target: &[T],
    gradient: Option<[&mut [T]; K]>,
    scale: T,
    f: impl Fn([T::Vector<S>; K], T::Vector<S>) -> (T::Vector<S>, [T::Vector<S>; K]),
) -> T {
    let lanes = lanes::<S, T>();
    let mut len = target.len();
    let (mut outputs, mut gradients) = ([core::ptr::null::<T>(); K], [core::ptr::null_mut::<T>(); K]);
    for k in 0..K {
        len = len.min(output[k].len());
        outputs[k] = output[k].as_ptr();
    }
    let wanted = gradient.is_some();
    if let Some(gradient) = gradient {
        for k in 0..K {
            len = len.min(gradient[k].len());
            gradients[k] = gradient[k].as_mut_ptr();
        }
    }
    let target = target.as_ptr();
    let scale = T::Vector::<S>::splat(simd, scale);
    let mut total = Sum::default();
    let mut index = 0;
    while index < len {
        let end = len.min(index + BLOCK);
        let mut sum = T::Vector::<S>::splat(simd, T::ZERO);
        while index + lanes <= end {
            // SAFETY: `index + lanes <= end <= len`, and every slice has at least `len` numbers.
            unsafe {
                let mut x = [sum; K];
                for k in 0..K {
                    x[k] = T::Vector::<S>::load(simd, outputs[k].add(index));
                }
                let (loss, derivatives) = f(x, T::Vector::<S>::load(simd, target.add(index)));
                sum = sum + loss;
                if wanted {
                    for k in 0..K {
                        (derivatives[k] * scale).store(gradients[k].add(index));
                    }
                }
            }
            index += lanes;
        }
        if index < end {
            let rest = end - index;
            // SAFETY: `rest < lanes` numbers from `index` on lie inside every slice.
            unsafe {
                let mut x = [sum; K];
                for k in 0..K {
                    x[k] = T::Vector::<S>::load_partial(simd, outputs[k].add(index), rest);
                }
                let (loss, derivatives) = f(x, T::Vector::<S>::load_partial(simd, target.add(index), rest));
                sum = T::Vector::<S>::select(T::Vector::<S>::first(simd, rest), sum + loss, sum);
                if wanted {
                    for k in 0..K {
                        (derivatives[k] * scale).store_partial(gradients[k].add(index), rest);
                    }
                }
            }
            index = end;
        }
        total.add(sum.reduce_sum());
    }
    total.value()
}
