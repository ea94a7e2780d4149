//! What the code emitted by `network!` calls; not part of the public API.

pub use crate::bytes::Bits;
pub use crate::layer::{Layer, Pass};
pub use crate::memory::{
    Arena, Exact, Plain, Plan, Slot, apart2, apart3, apart4, at, clear, plan_lives as plan, zeroed,
};
pub use crate::network::structure_packed;
pub use crate::noise::Noise;
pub use crate::simd::Simd;
pub use crate::streaming::{Streaming, receptive_field};
pub use crate::summary::Node;
pub use crate::tensor::{Tensor, reshape, reshape_mut};
pub use crate::{
    __add_field as add_field, __counted as counted, __field as field, __flat_tensor as flat_tensor,
    __methods as methods, __mixed_inputs as mixed_inputs, __packed_from as packed_from, __padding as padding,
    __parts as parts, __put_field as put_field, __samples as samples, __take_field as take_field,
    __untrained as untrained,
};
pub use monomorph_macros::network;

#[cfg(feature = "generic-array")]
pub use generic_array::{ArrayLength, GenericArray};
#[cfg(feature = "generic-array")]
pub use typenum;

pub mod counted;
mod given;
mod methods;
pub mod passes;

pub use given::{Given, Values};

use crate::activation::Activation;
use crate::bytes::{bytes_of, bytes_of_packed};
use crate::layer::Reads;
use crate::parameters::{Entry, Parameters, tensor_count};
use crate::scalar::Scalar;
use crate::weight::Weight;

/// The names of parameters that users see in the documentation of their networks. A constant of such a name would be
/// taken for a pattern; a function that is nearer is not.
pub mod names {
    macro_rules! functions {
        ($($name:ident)*) => {
            $(#[doc = "Never called."] pub fn $name() {})*
        };
    }
    functions!(bytes input network noise output state workspace);
}

/// The stack, on which a network `FITS` or not. The lifetime only defers the check of bounds to callers.
pub struct Stack<'a, const FITS: bool>(core::marker::PhantomData<&'a ()>);

/// The stack holds what the network `N` works in.
#[diagnostic::on_unimplemented(
    message = "evaluating `{N}` would take more than 256 KiB of the stack",
    label = "its workspace is too large for the stack",
    note = "`evaluate_in` works in memory that you provide, such as `monomorph::memory::boxed()`",
    note = "`train::Evaluator` has its own on the heap"
)]
pub trait Holds<N> {}
impl<N> Holds<N> for Stack<'_, true> {}

/// Whether the stack holds what a network works in.
pub const fn fits<N: crate::Network>() -> bool {
    crate::network::fits_stack::<N>()
}

/// The field whose name has this hash, in a struct of several inputs or outputs.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no part of this name",
    label = "not one of the outputs",
    note = "the parts of a value are the outputs of the network that gives it, by their names"
)]
pub trait Field<const NAME: u64> {
    /// The type of the field.
    type Type: Tensor;
    /// It.
    fn get(&self) -> &Self::Type;
    /// The same, mutably.
    fn get_mut(&mut self) -> &mut Self::Type;
}

/// The packed form of a network: `N` is that network.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not `{N}` in fewer bits",
    label = "not what `{N}` is packed as",
    note = "name a network that `#[packed(..)]` on `{N}` declares"
)]
pub trait PackedFrom<N> {
    /// It.
    type Network;
    /// It.
    fn get(&self) -> &Self::Network;
    /// The same, mutably.
    fn get_mut(&mut self) -> &mut Self::Network;
}

/// A node of a layer.
pub const fn node<L: Layer>(
    name: &'static str,
    kind: &'static str,
    inputs: &'static [usize],
    shape: &'static [usize],
) -> Node {
    Node { parameters: tensor_count(L::ENTRIES), macs: L::MACS, ..Node::step(name, kind, inputs, shape) }
}

/// A node of a layer whose parameters were counted before.
pub const fn node_again<L: Layer>(
    name: &'static str,
    kind: &'static str,
    inputs: &'static [usize],
    shape: &'static [usize],
) -> Node {
    Node { macs: L::MACS, ..Node::step(name, kind, inputs, shape) }
}

/// The multiply-accumulate operations of all nodes.
pub const fn macs(graph: &[Node]) -> usize {
    let (mut sum, mut index) = (0, 0);
    while index < graph.len() {
        sum += graph[index].macs;
        index += 1;
    }
    sum
}

/// Fails to compile if the macro's knowledge of a layer differs from its type.
pub const fn assert_layer<L: Layer>(reads_input: bool, reads_output: bool, parameters: Option<usize>) {
    let Reads { input, output } = L::BACKWARD_READS;
    assert!(
        input == reads_input && output == reads_output,
        "the table of layers says that `backward` reads something else"
    );
    if let Some(count) = parameters {
        assert!(count == tensor_count(L::ENTRIES), "the table of layers counts other parameters");
    }
}

/// Fails to compile if the macro's knowledge of an activation differs from its type.
pub const fn assert_activation<T: Scalar, A: Activation<T>>(from_output: bool) {
    assert!(A::FROM_OUTPUT == from_output, "the table of layers derives the activation from something else");
}

/// How many numbers the last axes have, `axes` of them and one more.
pub const fn behind(shape: &[usize], axes: usize) -> usize {
    let (mut product, mut axis) = (1, shape.len() - 1 - axes);
    while axis < shape.len() {
        product *= shape[axis];
        axis += 1;
    }
    product
}

/// The shape of a tensor of `T`.
///
/// Numbers of another type are rejected, even where size and alignment happen to match:
///
/// ```compile_fail,E0271
/// #[derive(monomorph::Parameters)]
/// #[repr(C)]
/// struct Mixed<T> {
///     first: [T; 1],
///     second: [f32; 1],
///     third: [T; 1],
/// }
/// ```
pub const fn tensor_shape<T: Scalar, X: Tensor<Element = T>>() -> &'static [usize] {
    X::SHAPE
}

/// How many numbers a tensor of `T` holds.
pub const fn tensor_len<T: Scalar, X: Tensor<Element = T>>() -> usize {
    X::LEN
}

/// The shape of a weight whose computation uses numbers of type `T`.
pub const fn weight_shape<T: Scalar, W: Weight<Scalar = T>>() -> &'static [usize] {
    W::SHAPE
}

/// The table of contents of parameters of type `T`.
pub const fn entries<T: Scalar, P: Parameters<Scalar = T>>() -> &'static [Entry] {
    P::ENTRIES
}

/// Copies parameters, packed or not.
pub fn copy_parameters<P: Parameters>(from: &P, to: &mut P) {
    // SAFETY: parameters are made of numbers only.
    unsafe { core::ptr::copy_nonoverlapping(from, to, 1) };
}

/// Calls `f` with the numbers of a weight and its scales, as bytes.
pub fn weight_pieces<W: Weight<Scalar: Bits>>(weight: &W, f: &mut dyn FnMut(&[u8])) {
    f(bytes_of_packed::<W::Scalar, W::Format>(weight.packed()));
    f(bytes_of(weight.scale()));
}

/// Calls `f` with the numbers of a tensor, as bytes.
pub fn tensor_pieces<X: Tensor<Element: Bits>>(tensor: &X, f: &mut dyn FnMut(&[u8])) {
    f(bytes_of(tensor.numbers()));
}

/// How many numbers of `number` bytes of padding there are between fields of these sizes and alignments and a next one
/// of alignment `next`, or of the largest alignment if `next` is 0.
pub const fn padding_between(number: usize, fields: &[(usize, usize)], next: usize) -> usize {
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

/// The length of the padding between fields of these types and a following field of this alignment.
#[doc(hidden)]
#[macro_export]
macro_rules! __padding {
    ($number:ty; $($field:ty),*; $next:expr) => {
        $crate::__private::padding_between(
            ::core::mem::size_of::<$number>(),
            &[$((::core::mem::size_of::<$field>(), ::core::mem::align_of::<$field>())),*],
            $next,
        )
    };
}

/// The samples of a network, as its layer takes them.
#[doc(hidden)]
#[macro_export]
macro_rules! __samples {
    () => {
        fn batch<const __B: usize>(__samples: &[Self::Input; __B]) -> $crate::layer::Batch<'_, Self::Input, __B> {
            __samples
        }
    };
}

/// The axes of a struct of tensors that is itself a tensor: it has no rows, only numbers.
#[doc(hidden)]
#[macro_export]
macro_rules! __flat_tensor {
    () => {
        type Item = Self::Element;
        type Rows = Self::Element;
        type Last = Self;
        type With<__E: $crate::tensor::Element> = __E;
        type WithLast<__L: $crate::Tensor<Element = Self::Element>> = __L;
        const CHANNELS: usize = Self::LEN;
        type RowsIn<__A: $crate::tensor::Axis> = Self::Element;
        type LastIn<__W: $crate::Tensor<Element = Self::Element>> = Self;
        type WithLastIn<__A: $crate::tensor::Axis, __L: $crate::Tensor<Element = Self::Element>> = __L;
    };
}

/// A field by the hash of its name.
#[doc(hidden)]
#[macro_export]
macro_rules! __field {
    ($field:ident: $type:ty, $hash:literal; [$($impl:tt)*] $name:ty; [$($where:tt)*]) => {
        #[automatically_derived]
        impl $($impl)* $crate::__private::Field<$hash> for $name $($where)* {
            type Type = $type;

            #[inline(always)]
            fn get(&self) -> &Self::Type {
                &self.$field
            }
            #[inline(always)]
            fn get_mut(&mut self) -> &mut Self::Type {
                &mut self.$field
            }
        }
    };
}

/// The outputs of a network, by the hashes of their names and by their places.
#[doc(hidden)]
#[macro_export]
macro_rules! __parts {
    ($impl:tt $name:ty; $where:tt; $($field:ident: $type:ty, $hash:literal, $place:literal;)*) => { $(
        $crate::__field!($field: $type, $hash; $impl $name; $where);
        $crate::__parts!(@ $field: $type, $place; $impl $name; $where);
    )* };
    (@ $field:ident: $type:ty, $place:literal; [$($impl:tt)*] $name:ty; [$($where:tt)*]) => {
        #[automatically_derived]
        impl $($impl)* $crate::tensor::Part<$place> for $name $($where)* {
            type Type = $type;

            #[inline(always)]
            fn part(&self) -> &Self::Type {
                &self.$field
            }
            #[inline(always)]
            fn part_mut(&mut self) -> &mut Self::Type {
                &mut self.$field
            }
        }
    };
}

/// The network that a packed network is packed from.
#[doc(hidden)]
#[macro_export]
macro_rules! __packed_from {
    () => {
        type Network = Self;

        #[inline(always)]
        fn get(&self) -> &Self {
            self
        }
        fn get_mut(&mut self) -> &mut Self {
            self
        }
    };
}

/// Takes a field out of every sample: `x ← whole.field`.
#[doc(hidden)]
#[macro_export]
macro_rules! __take_field {
    ($whole:expr, $field:ident, $part:expr) => {
        $crate::__private::passes::take_field(
            $whole,
            $part,
            #[inline(always)]
            |__whole| &__whole.$field,
        )
    };
}

/// Takes a field out of every sample, and adds it: `x ← x + whole.field`.
#[doc(hidden)]
#[macro_export]
macro_rules! __add_field {
    ($whole:expr, $field:ident, $part:expr) => {
        $crate::__private::passes::add_field(
            $whole,
            $part,
            #[inline(always)]
            |__whole| &__whole.$field,
        )
    };
}

/// Puts a part into a field of every sample: `whole.field ← x`.
#[doc(hidden)]
#[macro_export]
macro_rules! __put_field {
    ($part:expr, $whole:expr, $field:ident) => {
        $crate::__private::passes::put_field(
            $part,
            $whole,
            #[inline(always)]
            |__whole| &mut __whole.$field,
        )
    };
}

/// Implementations for a struct of inputs, some of which are integers: it holds samples, but is not a tensor.
#[doc(hidden)]
#[macro_export]
macro_rules! __mixed_inputs {
    ([$($impl:tt)*] $name:ty; [$($where:tt)*] $($field:ident)*) => {
        #[automatically_derived]
        impl $($impl)* $crate::layer::Inputs for $name $($where)* {
            type Batch<'__a, const __B: usize> = &'__a [Self; __B];
            type Gradient<'__a, const __B: usize> = ::core::option::Option<&'__a mut [Self; __B]>;
            type Owned<const __B: usize> = [Self; __B];

            fn batch<const __B: usize>(__owned: &[Self; __B]) -> &[Self; __B] {
                __owned
            }
            fn gradient<const __B: usize>(__owned: &mut [Self; __B]) -> ::core::option::Option<&mut [Self; __B]> {
                ::core::option::Option::Some(__owned)
            }
            fn no_gradient<'__a, const __B: usize>() -> ::core::option::Option<&'__a mut [Self; __B]> {
                ::core::option::Option::None
            }
            fn copy<const __B: usize>(__from: &[Self; __B], __to: &mut [Self; __B]) {
                __to.copy_from_slice(__from);
            }
            fn each_part<__T: $crate::tensor::Element, const __B: usize>(
                __owned: &mut [Self; __B],
                __f: &mut dyn ::core::ops::FnMut(&mut [__T]),
            ) {
                for __sample in __owned {
                    $($crate::layer::numbers_of(::core::slice::from_mut(&mut __sample.$field)).map(&mut *__f);)*
                }
            }
        }
    };
}
