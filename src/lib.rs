#![doc = include_str!("../README.md")]
#![no_std]

#[cfg(feature = "alloc")]
extern crate alloc;
extern crate self as monomorph;
#[cfg(feature = "std")]
extern crate std;

#[doc(hidden)]
pub mod __private;
mod activation;
#[cfg(feature = "audio")]
pub mod audio;
pub mod augment;
pub mod ball;
pub mod bounds;
mod bytes;
#[cfg(feature = "std")]
pub mod data;
#[cfg(feature = "alloc")]
pub mod distributed;
pub mod distributions;
pub mod dual;
#[doc = include_str!("../docs/from-notebook-to-microcontroller.md")]
pub mod guide {}
#[cfg(feature = "nalgebra")]
pub mod filters;
pub mod fit;
pub mod fixed;
mod float;
mod fpu;
pub mod hyperparameters;
#[cfg(feature = "import")]
pub mod import;
pub mod init;
pub mod interval;
pub mod jet;
mod kernels;
pub mod layer;
pub mod layers;
#[cfg(all(feature = "nalgebra", feature = "alloc"))]
pub mod linalg;
pub mod loss;
mod math;
pub mod memory;
pub mod metrics;
pub mod network;
pub mod noise;
pub mod ode;
pub mod optim;
#[cfg(feature = "rayon")]
pub mod parallel;
pub mod parameters;
mod plain;
pub mod prelude;
#[cfg(feature = "alloc")]
pub mod prune;
pub mod rl;
pub mod sampling;
pub mod scalar;
#[cfg(feature = "alloc")]
pub mod scattering;
pub mod simd;
pub mod storage;
pub mod streaming;
pub mod summary;
pub mod tensor;
#[cfg(feature = "alloc")]
pub mod testing;
pub mod train;
pub mod uncertainty;
#[cfg(feature = "alloc")]
pub mod watch;
pub mod weight;
pub mod weights;

pub use ball::Ball;
pub use dual::Dual;
pub use interval::Interval;
pub use jet::Jet;
pub use layer::{Activation, Layer};
#[doc(inline)]
pub use monomorph_shapes as shapes;
pub use network::Network;
pub use noise::Noise;
pub use parameters::Parameters;
pub use scalar::{Real, Scalar};
pub use streaming::Streaming;
pub use tensor::Tensor;

/// Declares a neural network.
///
/// # The language
/// ```text
/// network! {
///     <attributes> <visibility> <Name> <generics>: <input> -> <output> { <body> }
/// }
/// or             pub Amp = "amp.nam";                   a network from a model file: see `audio`
///                pub Keywords = "keywords.onnx";        from an ONNX or TensorFlow Lite file: see `import`
/// input, output  [28, 28, 1]                            one value
///                [u8; 128]                              integers such as tokens, as an input
///                (policy: [6], value: [1])              several, fields of `NameInput`, `NameOutput`
/// generics       <f64>                                  the number type, `f32` if none is given
///                <T>                                    any number type
///                <const IN: usize>                      a size
///                <D: Unsigned>                          a size to compute with: `Dense(D * 4)`
/// body           <step>, <step>, ..                     a chain
///                let x = <flow>; .. <flow>              a graph; a `let` named after an output defines that output
/// flow           <value> |> <step> |> ..                the name of a single input is `input`
///                head.policy |> ..                      one output of a network inside
///                (x, y) |> self::Blend() |> ..          several values into one layer
/// step           Dense(10)   head: Dense(10)            a layer, with a name
///                residual { .. }                        the input + what the body makes of it
///                residual(shortcut = <step>) { .. }     what the shortcut makes of the input + ..
///                concat { { .. } { .. } }               branches, joined along the last axis
///                concat(axis = 0) { { .. } { .. } }     branches, joined along another axis
///                add { .. }   multiply { .. }           branches, number by number; missing and single axes are copied
///                concat(x, y)   add(x, y)               the same of named values; `concat(x, y, axis = 0)`
///                repeat 3 { .. }                        the steps three times, each with its own weights
///                for c in [16, 32] { Dense(c), .. }     the steps for each number of a list
///                for (c, k) in [(16, 3), (32, 5)] { .. } the same for pairs
///                eye: Eye   self::Scale::<8>            a network or layer of your own, by its path
///                self::Ripple(8)                        the layer `Ripple<X, 8>`, where `X` is its input
///                eye                                    an earlier layer, with the same weights
/// ```
/// Layers and their arguments are those of [`layers`]; `input = [..]` in any of them states the input shape that it
/// expects.
///
/// Attributes are passed on to the struct, except for these:
///
/// | attribute | |
/// | --- | --- |
/// | `#[budget(flash = "64 KiB", ram = "8 KiB")]` | limits how much memory a network may take |
/// | `#[packed(NameSmall: i8)]` | declares [the same network with quantized weights](network::PackedNetwork) beside it, as `bf16`, `f16` or `i8`; `#[packed(NameSmall: i8 { eye: EyeSmall })]` names the packed type of a network inside |
/// | `#[streaming]` | the network also runs [step by step](Streaming): it emits `NameState`, `start` and `step` |
/// | `#[unaligned]` | the network needs no special alignment |
/// | `#[watched]` | what its forward pass keeps [can be looked at](network::Watched) |
///
/// Other networks are aligned to a cache line, and so are their layers of 256 parameters or more, because aligned loads
/// are faster; the padding in between is zeros that belong to no layer. A network with generic sizes is not aligned to
/// cache lines, since stable Rust cannot compute its size, and the networks in it must be `#[unaligned]` too.
///
/// `#[cfg(..)]` holds for everything that the macro emits. Doc comments on a layer become those of its field. Names that
/// begin with `__` are the macro's.
///
/// The macro finds this crate by itself, also where it is renamed in a `Cargo.toml` or re-exported by another crate;
/// `#[derive(Parameters)]` is told by `#[monomorph(crate = path)]` on the struct.
/// The calling crate may be of any edition; in that of 2015, sizes are numbers and not constants.
///
/// A size that is a type, `<D: Unsigned>`, needs the feature `generic-array`. It is a number of the crate `typenum`;
/// sums, differences, products and quotients of such sizes and integers are sizes too, and `GenericArray<T, D>` is the
/// tensor:
///
/// ```
/// # #[cfg(feature = "generic-array")] {
/// use generic_array::GenericArray;
/// use monomorph::prelude::*;
///
/// network! {
///     /// Half as wide in the middle as at its ends.
///     pub Autoencoder<D: Unsigned>: [D] -> [D] { Dense(D / 2), Tanh, Dense(D) }
/// }
///
/// let net = Autoencoder::<typenum::U8>::zeroed();
/// assert_eq!(net.dense1.bias.len(), 4);
/// assert_eq!(net.evaluate(&GenericArray::from([1.0; 8])), GenericArray::from([0.0; 8]));
/// # }
/// ```
///
/// # The machine code
/// This is everything that evaluating `network! { pub Dense8: [8] -> [8] { Dense(8) } }` executes with AVX2; a test
/// compares the listing with the compiler's output:
/// ```text
#[doc = include_str!("../tests/codegen/dense8_avx2.s")]
/// ```
/// - `rdi` points to the addresses of the network, the input and the output.
/// - `vbroadcastss` fills a register with one of the eight inputs, 4 bytes apart.
/// - `vmulps` and `vfmadd…ps` multiply it by its row of weights, read directly from the network, 32 bytes apart; the
///   bias is at offset 256 and is the initial value of one of the four partial sums. With a single sum, each of the
///   eight additions would wait for the one before it.
/// - `vaddps` adds the four sums, `vmovups` writes the eight outputs.
///
/// There is no loop, no branch, no call, no bounds check and no stack.
#[macro_export]
macro_rules! network {
    ($($declaration:tt)*) => {
        // `$crate` is this library, whatever it is called where a network is declared.
        $crate::__private::network! { ($crate) $($declaration)* }
    };
}
