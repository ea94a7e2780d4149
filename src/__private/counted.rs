//! The number of a network's parameters as a type, bit by bit.

#[cfg(feature = "generic-array")]
pub use self::number::*;

#[cfg(feature = "generic-array")]
mod number {
    use typenum::{B0, B1, UInt, UTerm};

    pub use crate::parameters::{CountedParameters, tensor_count};

    /// A bit of a number as a type: `Of<{ count >> 3 & 1 }>`.
    pub struct Of<const BIT: usize>;

    /// The type of a bit.
    pub trait ToBit {
        /// It.
        type Bit;
    }
    impl ToBit for Of<0> {
        type Bit = B0;
    }
    impl ToBit for Of<1> {
        type Bit = B1;
    }

    /// A number with one more bit appended. Leading zeros are dropped, as `typenum` requires.
    pub trait Push<B> {
        /// The number.
        type Number;
    }
    impl Push<B0> for UTerm {
        type Number = UTerm;
    }
    impl Push<B1> for UTerm {
        type Number = UInt<UTerm, B1>;
    }
    impl<U, L, B> Push<B> for UInt<U, L> {
        type Number = UInt<Self, B>;
    }
}

/// Implements `CountedParameters` for a network with less than 2²⁸ parameters.
#[cfg(feature = "generic-array")]
#[doc(hidden)]
#[macro_export]
macro_rules! __counted {
    ([$($impl:tt)*] $name:ty; [$($where:tt)*] $concrete:ty) => {
        const _: () = {
            const __COUNT: usize = $crate::__private::counted::tensor_count(<$concrete as $crate::Parameters>::ENTRIES);
            const _: () = ::core::assert!(__COUNT < 1 << 28, "a network of so many parameters cannot be counted by a type");
            $crate::__counted!(
                @bits [$($impl)*] $name; [$($where)*] $crate::__private::typenum::UTerm;
                27 26 25 24 23 22 21 20 19 18 17 16 15 14 13 12 11 10 9 8 7 6 5 4 3 2 1 0
            );
        };
    };
    (@bits [$($impl:tt)*] $name:ty; [$($where:tt)*] $number:ty; $bit:literal $($rest:literal)*) => {
        $crate::__counted!(
            @bits [$($impl)*] $name; [$($where)*]
            <$number as $crate::__private::counted::Push<
                <$crate::__private::counted::Of<{ __COUNT >> $bit & 1 }> as $crate::__private::counted::ToBit>::Bit,
            >>::Number; $($rest)*
        );
    };
    (@bits [$($impl:tt)*] $name:ty; [$($where:tt)*] $number:ty;) => {
        #[automatically_derived]
        impl $($impl)* $crate::__private::counted::CountedParameters for $name $($where)* {
            type ParamCount = $number;
        }
    };
}

/// Without the feature, nothing.
#[cfg(not(feature = "generic-array"))]
#[doc(hidden)]
#[macro_export]
macro_rules! __counted {
    ($($network:tt)*) => {};
}
