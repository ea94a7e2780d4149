//! Elementwise loops.
//!
//! If slices differ in length, the loop ends with the shortest.

use crate::activation::Activation;
use crate::noise::Noise;
use crate::scalar::{Scalar, Vector, lanes};
use crate::simd::{Simd, again, outline, share};

/// Fills with independent standard normal numbers.
pub(crate) fn draw_normal<T: Scalar>(x: &mut [T], noise: &mut Noise) {
    for (x, normal) in x.iter_mut().zip(noise.normals()) {
        *x = T::from_f64(normal);
    }
}

/// `x ← f(x)`.
#[inline(always)]
pub fn map<T: Scalar, S: Simd>(simd: S, x: &mut [T], f: impl Fn(T::Vector<S>) -> T::Vector<S>) {
    let (len, out) = (x.len(), x.as_mut_ptr());
    // SAFETY: `x` has `len` numbers.
    unsafe {
        combine(
            simd,
            len,
            [out.cast_const()],
            out,
            #[inline(always)]
            |[x]| f(x),
        );
    }
}

/// `out ← f(x)`.
#[inline(always)]
pub fn map_to<T: Scalar, S: Simd>(simd: S, x: &[T], out: &mut [T], f: impl Fn(T::Vector<S>) -> T::Vector<S>) {
    let len = x.len().min(out.len());
    // SAFETY: no slice is shorter than `len`.
    unsafe {
        combine(
            simd,
            len,
            [x.as_ptr()],
            out.as_mut_ptr(),
            #[inline(always)]
            |[x]| f(x),
        );
    }
}

/// `x ← f(x, y)`.
#[inline(always)]
pub fn zip<T: Scalar, S: Simd>(simd: S, x: &mut [T], y: &[T], f: impl Fn(T::Vector<S>, T::Vector<S>) -> T::Vector<S>) {
    let (len, out) = (x.len().min(y.len()), x.as_mut_ptr());
    // SAFETY: no slice is shorter than `len`.
    unsafe {
        combine(
            simd,
            len,
            [out.cast_const(), y.as_ptr()],
            out,
            #[inline(always)]
            |[x, y]| f(x, y),
        );
    }
}

/// `out ← f(x, y)`.
#[inline(always)]
pub fn zip_to<T: Scalar, S: Simd>(
    simd: S,
    x: &[T],
    y: &[T],
    out: &mut [T],
    f: impl Fn(T::Vector<S>, T::Vector<S>) -> T::Vector<S>,
) {
    let len = x.len().min(y.len()).min(out.len());
    // SAFETY: no slice is shorter than `len`.
    unsafe {
        combine(
            simd,
            len,
            [x.as_ptr(), y.as_ptr()],
            out.as_mut_ptr(),
            #[inline(always)]
            |[x, y]| f(x, y),
        );
    }
}

/// `x ← f(x, y, z)`.
#[inline(always)]
pub fn zip3<T: Scalar, S: Simd>(
    simd: S,
    x: &mut [T],
    y: &[T],
    z: &[T],
    f: impl Fn(T::Vector<S>, T::Vector<S>, T::Vector<S>) -> T::Vector<S>,
) {
    let (len, out) = (x.len().min(y.len()).min(z.len()), x.as_mut_ptr());
    // SAFETY: no slice is shorter than `len`.
    unsafe {
        combine(
            simd,
            len,
            [out.cast_const(), y.as_ptr(), z.as_ptr()],
            out,
            #[inline(always)]
            |[x, y, z]| f(x, y, z),
        );
    }
}

/// `out ← f(x, y, z)`.
#[inline(always)]
pub fn zip3_to<T: Scalar, S: Simd>(
    simd: S,
    x: &[T],
    y: &[T],
    z: &[T],
    out: &mut [T],
    f: impl Fn(T::Vector<S>, T::Vector<S>, T::Vector<S>) -> T::Vector<S>,
) {
    let len = x.len().min(y.len()).min(z.len()).min(out.len());
    // SAFETY: no slice is shorter than `len`.
    unsafe {
        combine(
            simd,
            len,
            [x.as_ptr(), y.as_ptr(), z.as_ptr()],
            out.as_mut_ptr(),
            #[inline(always)]
            |[x, y, z]| f(x, y, z),
        );
    }
}

/// `x ← x + y`.
#[inline(always)]
pub fn add_assign<T: Scalar, S: Simd>(simd: S, x: &mut [T], y: &[T]) {
    zip(
        simd,
        x,
        y,
        #[inline(always)]
        |x, y| x + y,
    );
}

/// `y ← y + factor · x`.
#[inline(always)]
pub fn add_scaled<T: Scalar, S: Simd>(simd: S, y: &mut [T], x: &[T], factor: T) {
    let factor = T::Vector::<S>::splat(simd, factor);
    zip(
        simd,
        y,
        x,
        #[inline(always)]
        |y, x| factor.mul_add(x, y),
    );
}

/// `x ← factor · x`.
#[inline(always)]
pub fn scale<T: Scalar, S: Simd>(simd: S, x: &mut [T], factor: T) {
    let factor = T::Vector::<S>::splat(simd, factor);
    map(
        simd,
        x,
        #[inline(always)]
        |x| x * factor,
    );
}

/// `x ← f(x)` for every number of a slice: how a layer applies the function that follows it, in
/// [`Layer::evaluate_then`](crate::Layer::evaluate_then).
#[inline(always)]
pub fn apply<T: Scalar, S: Simd, A: Activation<T>>(simd: S, values: &mut [T]) {
    outline(
        simd,
        #[inline(always)]
        || {
            map(
                simd,
                values,
                #[inline(always)]
                |x| A::apply(simd, x),
            );
        },
    );
}

/// `y ← f(x)`.
#[inline(always)]
pub fn activation<T: Scalar, S: Simd, A: Activation<T>>(simd: S, x: &[T], y: &mut [T]) {
    map_to(
        simd,
        x,
        y,
        #[inline(always)]
        |x| A::apply(simd, x),
    );
}

/// `∂L/∂x ← ∂L/∂y · f′(x)` for `y = f(x)`.
#[inline(always)]
pub fn activation_backward<T: Scalar, S: Simd, A: Activation<T>>(
    simd: S,
    x: &[T],
    y: &[T],
    grad_output: &[T],
    grad_input: &mut [T],
) {
    zip3_to(
        simd,
        grad_output,
        x,
        y,
        grad_input,
        #[inline(always)]
        |gradient, x, y| {
            T::back(
                simd,
                gradient,
                x,
                y,
                #[inline(always)]
                |x, y| A::derivative(simd, x, y),
            )
        },
    );
}

/// `∂L/∂x ← ∂L/∂y · f′(x)` in place, for `y = f(x)`.
#[inline(always)]
pub fn activation_backward_in_place<T: Scalar, S: Simd, A: Activation<T>>(
    simd: S,
    x: &[T],
    y: &[T],
    gradient: &mut [T],
) {
    zip3(
        simd,
        gradient,
        x,
        y,
        #[inline(always)]
        |gradient, x, y| {
            T::back(
                simd,
                gradient,
                x,
                y,
                #[inline(always)]
                |x, y| A::derivative(simd, x, y),
            )
        },
    );
}

/// `out ← f(out, x)` for the first `len` numbers, where several slices are changed at once. Does nothing if one of them is
/// shorter.
///
/// The caller gives `len` because the compiler knows it then, and so how many lanes of the last registers are in use.
#[inline(always)]
pub(crate) fn update<T: Scalar, S: Simd, const M: usize, const N: usize>(
    simd: S,
    len: usize,
    mut out: [&mut [T]; M],
    x: [&[T]; N],
    f: impl Fn([T::Vector<S>; M], [T::Vector<S>; N]) -> [T::Vector<S>; M],
) {
    let short = out.iter().any(|out| out.len() < len) || x.iter().any(|x| x.len() < len);
    debug_assert!(!short, "a slice is too short");
    if short {
        return;
    }
    share(
        simd,
        #[inline(always)]
        || {
            let (lanes, nothing) = (lanes::<S, T>(), T::Vector::<S>::splat(simd, T::ZERO));
            let (mut before, mut inputs, mut index) = ([nothing; M], [nothing; N], 0);
            while index < len {
                let count = lanes.min(len - index);
                // SAFETY: no slice is shorter than `len`, and `index + count <= len`.
                unsafe {
                    for m in 0..M {
                        before[m] = load(simd, out[m].as_ptr().add(index), count);
                    }
                    for n in 0..N {
                        inputs[n] = load(simd, x[n].as_ptr().add(index), count);
                    }
                    let after = f(before, inputs);
                    for m in 0..M {
                        let to = out[m].as_mut_ptr().add(index);
                        if count == lanes { after[m].store(to) } else { after[m].store_partial(to, count) }
                    }
                }
                index += lanes;
            }
        },
    )
}

/// The first `count` numbers of a register.
///
/// # Safety
/// They must be readable, and fit in it.
#[inline(always)]
unsafe fn load<T: Scalar, S: Simd>(simd: S, from: *const T, count: usize) -> T::Vector<S> {
    // SAFETY: the caller guarantees exactly this.
    unsafe {
        if count == lanes::<S, T>() {
            T::Vector::<S>::load(simd, from)
        } else {
            // What was just stored is in registers, from which the compiler would gather lane by lane; a load is faster.
            T::Vector::<S>::load_partial(simd, again(from), count)
        }
    }
}

/// `out ← f(inputs)`, one register after the other.
///
/// # Safety
/// `out` must be valid for writing `len` numbers and each of `inputs` for reading as many. An
/// input may be `out` itself, but must not overlap it otherwise.
#[inline(always)]
unsafe fn combine<T: Scalar, S: Simd, const N: usize>(
    simd: S,
    len: usize,
    inputs: [*const T; N],
    out: *mut T,
    f: impl Fn([T::Vector<S>; N]) -> T::Vector<S>,
) {
    share(
        simd,
        #[inline(always)]
        || {
            let lanes = lanes::<S, T>();
            let mut x = [T::Vector::<S>::splat(simd, T::ZERO); N];
            let mut index = 0;
            while index + lanes <= len {
                for input in 0..N {
                    // SAFETY: `index + lanes <= len`, which is readable.
                    x[input] = unsafe { T::Vector::<S>::load(simd, inputs[input].add(index)) };
                }
                // SAFETY: `index + lanes <= len`, which is writable.
                unsafe { f(x).store(out.add(index)) };
                index += lanes;
            }
            let left = len - index;
            if left > 0 {
                for input in 0..N {
                    // SAFETY: `index + left == len`, and `left < lanes`.
                    x[input] = unsafe { T::Vector::<S>::load_partial(simd, inputs[input].add(index), left) };
                }
                // SAFETY: as above.
                unsafe { f(x).store_partial(out.add(index), left) };
            }
        },
    )
}

#[cfg(all(test, feature = "std"))]
mod tests {
    use super::*;
    use crate::noise::Noise;
    use crate::scalar::Real;
    use crate::simd::{Task, dispatch, levels};
    use std::vec::Vec;

    struct All<'a, T>(&'a [T], &'a [T], &'a [T], &'a mut [Vec<T>; 7]);

    impl<T: Scalar> Task for All<'_, T> {
        type Output = ();
        #[inline(always)]
        fn run<S: Simd>(&mut self, simd: S) {
            let Self(x, y, z, out) = self;
            map(
                simd,
                &mut out[0],
                #[inline(always)]
                |x| x * x,
            );
            map_to(
                simd,
                x,
                &mut out[1],
                #[inline(always)]
                |x| x.abs(),
            );
            zip(
                simd,
                &mut out[2],
                y,
                #[inline(always)]
                |x, y| x - y,
            );
            zip_to(
                simd,
                x,
                y,
                &mut out[3],
                #[inline(always)]
                |x, y| x / y,
            );
            zip3_to(
                simd,
                x,
                y,
                z,
                &mut out[4],
                #[inline(always)]
                |x, y, z| x * y - z,
            );
            add_assign(simd, &mut out[5], y);
            scale(simd, &mut out[6], T::from_f64(0.3));
        }
    }

    fn check<T: Real>() {
        let mut noise = Noise::new(1);
        for len in (0..40).chain([63, 64, 65, 100, 1000]) {
            let mut random = || (0..len).map(|_| T::from_f64(noise.uniform() + 0.1)).collect::<Vec<T>>();
            let (x, y, z) = (random(), random(), random());
            for level in levels() {
                let mut out: [Vec<T>; 7] = core::array::from_fn(|_| x.clone());
                dispatch(level, All(&x, &y, &z, &mut out));
                for i in 0..len {
                    let (x, y, z) = (x[i], y[i], z[i]);
                    let expected = [x * x, x, x - y, x / y, x * y - z, x + y, x * T::from_f64(0.3)];
                    for (out, expected) in out.iter().zip(expected) {
                        let close = (out[i] - expected).abs() <= T::EPSILON * T::from_f64(4.0);
                        assert!(close, "{level:?}, {i} of {len}: {} is not {expected}", out[i]);
                    }
                }
            }
        }
    }

    #[test]
    fn loops_agree_with_scalars_at_every_length() {
        check::<f32>();
        check::<f64>();
    }

    #[test]
    fn the_shortest_slice_ends_the_loop() {
        let mut out: [Vec<f32>; 7] = core::array::from_fn(|_| [7.0; 9].to_vec());
        dispatch(crate::simd::level(), All(&[1.0; 5], &[2.0; 8], &[3.0; 4], &mut out));
        assert_eq!(out[3][..6], [0.5, 0.5, 0.5, 0.5, 0.5, 7.0]);
        assert_eq!(out[4][..5], [-1.0, -1.0, -1.0, -1.0, 7.0]);
    }
}
