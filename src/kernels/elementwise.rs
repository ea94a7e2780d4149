//! Loops that treat every number alike.

use crate::layer::lanes;
use crate::scalar::Scalar;
use crate::simd::{Simd, Vector};

/// `x ← f(x)`.
#[inline(always)]
pub fn map<T: Scalar, S: Simd>(simd: S, values: &mut [T], f: impl Fn(T::Vector<S>) -> T::Vector<S>) {
    let lanes = lanes::<S, T>();
    let (pointer, len) = (values.as_mut_ptr(), values.len());
    let mut index = 0;
    while index + lanes <= len {
        // SAFETY: `index + lanes <= len`.
        unsafe { f(T::Vector::<S>::load(simd, pointer.add(index))).store(pointer.add(index)) };
        index += lanes;
    }
    if index < len {
        // SAFETY: `len - index` numbers are left.
        unsafe {
            let x = T::Vector::<S>::load_partial(simd, pointer.add(index), len - index);
            f(x).store_partial(pointer.add(index), len - index);
        }
    }
}
