//! What the code of `network!` calls; not part of the public interface.

pub use crate::layer::Layer;
pub use crate::noise::Noise;
pub use crate::simd::Simd;
pub use crate::summary::Node;
pub use crate::weights::Stored;
pub use crate::{__untrained as untrained, memory, tensor};

pub mod passes;

use crate::parameters::Parameters;
use crate::scalar::Scalar;

/// The numbers of a layer that is stored as it is.
pub fn copy_parameters<T: Scalar, L: Parameters<T>>(from: &L, to: &mut L) {
    to.as_mut_slice().copy_from_slice(from.as_slice());
}

/// Calls `f` with the numbers of a layer that is stored as it is, as bytes.
pub fn pieces<T: Stored, L: Parameters<T>>(layer: &L, f: &mut dyn FnMut(&[u8])) {
    f(crate::weights::blob::bytes_of(layer.as_slice()));
}

/// How many numbers of `number` bytes lie between fields of such sizes and alignments and a next one of the
/// alignment `next`; of the largest alignment, if that is 0.
pub const fn padding(number: usize, fields: &[(usize, usize)], next: usize) -> usize {
    let (mut end, mut largest, mut index) = (0_usize, number, 0);
    while index < fields.len() {
        let (size, alignment) = fields[index];
        end = end.next_multiple_of(alignment) + size;
        if alignment > largest {
            largest = alignment;
        }
        index += 1;
    }
    (end.next_multiple_of(if next == 0 { largest } else { next }) - end) / number
}

/// `forward` and `backward` of a layer that only evaluates: what calls them does not compile, and says `refusal`.
#[doc(hidden)]
#[macro_export]
macro_rules! __untrained {
    ($refusal:literal) => {
        fn forward<__S: $crate::simd::Simd, const __B: usize>(
            &self,
            _: __S,
            _: &[Self::Input; __B],
            _: &mut [Self::Output; __B],
            _: &mut Self::Saved<__B>,
            _: &mut $crate::Noise,
        ) {
            const { ::core::panic!($refusal) }
        }

        fn backward<__S: $crate::simd::Simd, const __B: usize>(
            &self,
            _: __S,
            _: &[Self::Input; __B],
            _: &[Self::Output; __B],
            _: &mut Self::Saved<__B>,
            _: &mut [Self::Output; __B],
            _: ::core::option::Option<&mut [Self::Input; __B]>,
            _: &mut Self,
        ) {
            const { ::core::panic!($refusal) }
        }
    };
}
