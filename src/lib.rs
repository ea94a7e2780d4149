#![doc = include_str!("../README.md")]
#![no_std]

#[cfg(feature = "alloc")]
extern crate alloc;
extern crate self as monomorph;
#[cfg(feature = "std")]
extern crate std;

#[doc(hidden)]
pub mod __private;
#[cfg(feature = "std")]
pub mod data;
#[doc = include_str!("../docs/from-notebook-to-microcontroller.md")]
pub mod guide {}
pub mod init;
pub mod kernels;
pub mod layer;
pub mod layers;
pub mod loss;
pub mod memory;
pub mod network;
pub mod noise;
pub mod optim;
#[cfg(feature = "rayon")]
pub mod parallel;
pub mod parameters;
pub mod prelude;
pub mod scalar;
pub mod shapes;
pub mod simd;
pub mod storage;
pub mod summary;
pub mod tensor;
#[cfg(feature = "alloc")]
pub mod testing;
pub mod train;
pub mod weights;

pub use layer::{Activation, Layer};
/// # The language
/// ```text
/// network! {
///     <attributes> <visibility> <Name> <generics>: <input> -> <output> { <body> }
/// }
/// input, output  [28, 28, 1]                            one value
///                (policy: [6], value: [1])              several, fields of `NameInput`, `NameOutput`
/// generics       <f64>                                  the number type, `f32` if none is given
///                <T>                                    any number type
///                <const IN: usize>                      a size
/// body           <step>, <step>, ..                     a chain
///                let x = <flow>; .. <flow>              a graph; a last `let` of an output's name gives it
/// flow           <value> |> <step> |> ..                `input` is the only input's name
/// step           Dense(10)   head: Dense(10)            a layer, with a name
///                residual { .. }                        what comes + what the body makes of it
///                residual(shortcut = <step>) { .. }     what the shortcut makes of it + ..
///                concat { { .. } { .. } }               branches, joined along the last axis
///                add { .. }   multiply { .. }           branches, number by number
///                concat(x, y)   add(x, y)               the same of named values
///                repeat 3 { .. }                        the steps three times, each with its own weights
///                eye: Eye   self::Scale::<8>            a network or layer of your own, by its path
///                eye                                    a layer from before, with the same weights
/// ```
/// Layers and their arguments are those of [`layers`]; `input = [..]` in any of them states
/// what it is to be given.
///
/// Attributes are passed on to the struct, except for three: `#[budget(flash = "64 KiB", ram = "8 KiB")]` is a
/// limit of what a network may take; `#[stored(NameSmall: i8)]` declares [the same network with its weights in fewer
/// bits](network::StoredNetwork) beside it, as `bf16`, `f16` or `i8`, and `#[stored(NameSmall: i8 { eye: EyeSmall })]`
/// says as what a network inside is stored; a network that is `#[unaligned]` may begin anywhere in memory. Others
/// begin at a cache line, and so do their layers of 256 parameters or more, because registers are read faster so; the
/// room between is zeros that belong to no layer. A network with const parameters has no alignment, since stable Rust
/// cannot compute its size, and what it contains must be `#[unaligned]` too.
///
/// # The machine code
/// This is all that evaluating `network! { pub Dense8: [8] -> [8] { Dense(8) } }` executes with AVX2, as the tests compare
/// it with what the compiler writes:
/// ```text
#[doc = include_str!("../tests/codegen/dense8_avx2.s")]
/// ```
/// - `rdi` points to three addresses: of the network, of the input, of the output.
/// - `vbroadcastss` fills a register with one of the eight inputs, 4 bytes apart.
/// - `vmulps` and `vfmadd…ps` multiply it by its row of weights, read where they lie in the network, 32 bytes apart; at
///   256 lies the bias, from which one of the four partial sums starts. One sum would wait for itself eight times.
/// - `vaddps` adds the four sums, `vmovups` writes the eight outputs.
///
/// There is no loop, no branch, no call, no bounds check and no stack.
pub use monomorph_macros::network;
pub use network::Network;
pub use noise::Noise;
pub use parameters::Parameters;
pub use scalar::Scalar;
pub use tensor::Tensor;
