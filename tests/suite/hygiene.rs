//! Declarations whose names meet those of the emitted code: in macros of the user's, beside constants and types of any
//! name, and with names of layers that are keywords or numbers.

use monomorph::Noise;
use monomorph::prelude::*;

/// Networks that a macro of the user's declares; what is passed in has other spans than the rest.
mod in_macros {
    #![deny(warnings)]
    use monomorph::prelude::*;

    network! { #[unaligned] pub Inner: [16] -> [16] { Dense(16) } }
    network! { #[unaligned] pub Generic<T>: [16] -> [16] { Dense(16) } }

    macro_rules! image {
        ($name:ident, $n:expr, $k:ident, $layer:ty, $path:path, $kernel:literal, $function:ident) => {
            network! {
                pub $name: [$n, $n, 1] -> [$k] {
                    conv: Conv2d(4, kernel = $n - 3), $function, Conv2d($n - 4, kernel = $kernel, padding = same),
                    Flatten, Dense($n * 2), Dropout($n as f64 / 100.0), $layer, $path, Dense($k), BatchNorm(momentum = 0.1)
                }
            }
        };
    }
    const K: usize = 3;
    image!(Image, 8, K, Inner, Generic<f32>, 3, Relu);

    // Not public, and nothing calls most of it.
    macro_rules! private {
        ($k:ident) => {
            network! {
                Several(a: [3], b: [4]) -> (c: [$k], d: [2]) {
                    let c = concat(a, b) |> Dense($k) |> Dropout(0.5);
                    let d = c |> Dense(2);
                }
            }
        };
    }
    private!(K);

    pub fn several() -> f32 {
        let mut net = Several::zeroed();
        net.dense1.bias[0] = 1.0;
        net.evaluate(&SeveralInput { a: [0.0; 3], b: [0.0; 4] }).c[0]
    }
}

#[test]
fn networks_are_declared_in_macros() {
    assert_eq!(in_macros::several(), 1.0);
    assert_eq!(in_macros::Image::zeroed().evaluate(&[[[1.0]; 8]; 8]), [0.0; 3]);
}

/// A constant where the emitted code has a binding would be a pattern there.
mod beside_constants {
    #![allow(non_upper_case_globals, dead_code)]
    use monomorph::prelude::*;

    macro_rules! constants {
        ($($name:ident)*) => { $(pub const $name: u32 = 7;)* };
    }
    constants!(
        COUNT arena bytes dense1 dx dy entries error f from grad_input grad_output gradient input memory network noise
        output owned pass plan result sample samples saved simd state stop text to v0 v1 value whole workspace worked_out
        x y
    );
    const width: usize = 4;

    /// As are types where it means those of `core`.
    pub trait FnMut {}
    pub struct Clone;
    pub struct Copy;
    pub struct None;
    pub struct Of;
    pub struct Option;
    pub struct PackFormat;
    pub struct Push;
    pub struct Result;
    pub struct Some;

    network! {
        #[packed(NetSmall: i8)]
        #[streaming]
        pub Net: [5, 4] -> [5, 3] {
            Dense(width), Relu, LayerNorm, Dropout(0.5), residual { Dense(width), add { { Dense(4) } { Tanh } } },
            concat { { Dense(2) } { Dense(2) } }, Dense(3)
        }
    }
    network! {
        pub Mixed(tokens: [u8; 3], x: [2, 4]) -> (y: [3, 4], input: [2, 2]) {
            let y = tokens |> Embedding(5, 4) |> LayerNorm;
            let input = x |> Dense(2) |> GroupNorm(2);
        }
    }
    network! {
        pub Several(x: [2, 4], z: [2, 4]) -> (y: [2, 4], input: [2, 2]) {
            let y = multiply(x, z);
            let input = y |> Dense(2);
        }
    }
    // Layers that are called like fields of the emitted structs, and like other uses of layers.
    network! {
        pub Fields<const N: usize>: [N] -> [width] {
            saved: Dense(width), parameters: Dense(width), gradients: Dense(width), norm2_saved: LayerNorm,
            norm2: LayerNorm, arena: Dense(width), norm2_workspace: Dense(4)
        }
    }
    network! {
        pub Planned: [width] -> [width] {
            saved: Dense(width), saved_2: Dense(4), saved, parameters: Dense(width), gradients: Dense(width),
            norm2_saved: LayerNorm, norm2: LayerNorm, arena: Dense(width), norm2_workspace: Dense(4), _padding1: Dense(4)
        }
    }
    network! {
        #[streaming]
        pub Stateful<T>: [5, 1] -> [5, 3] { parameters: Conv1d(3, kernel = 2, padding = causal), Tanh }
    }
    // Their names differ in case and underscores alone.
    network! { pub AB: [width] -> [width] { a: Dense(width), b_1: Dense(4), b1: Dense(4) } }
    #[allow(non_camel_case_types)]
    mod underscore {
        use super::width;
        monomorph::network! { pub A_b: [width] -> [width] { Dense(width) } }
        monomorph::network! { pub AB: [width] -> [width] { Dense(width) } }
    }
    pub use underscore::A_b;
}

#[test]
fn constants_are_no_patterns_of_the_emitted_code() {
    use beside_constants::{A_b, AB, Fields, Mixed, MixedInput, Net, NetSmall, Planned, Several, Stateful};
    let mut small = NetSmall::zeroed();
    small.pack(&Net::zeroed());
    assert_eq!(small.evaluate(&[[1.0; 4]; 5]), [[0.0; 3]; 5]);
    let net = Stateful::<f64>::zeroed();
    assert_eq!(net.step(&mut net.start(), &[1.0]), [0.0; 3]);
    assert_eq!(Mixed::zeroed().evaluate(&MixedInput { tokens: [1; 3], x: [[1.0; 4]; 2] }).y, [[0.0; 4]; 3]);
    let counts = [Several::PARAMS, Fields::<4>::PARAMS, Planned::PARAMS, AB::PARAMS, A_b::PARAMS];
    assert_eq!(counts, [10, 116, 156, 60, 20]);
}

network! {
    #[derive(Clone, PartialEq, Debug)]
    pub Named<const N: usize = 4>: [N] -> [2] {
        /// What its first layer is for.
        r#type: Dense(4),
        repeat 2 { r#match: Dense(4) },
        gen: Dense(2), gen2: Tanh, r#type2: Tanh
    }
}
network! { pub Counted: [4] -> [4] { repeat 11 { repeat 11 { a: Dense(4) } } } }

#[test]
fn keywords_are_names_without_their_prefix() {
    let mut net: Named = Named::zeroed();
    let names: Vec<_> = Named::<4>::GRAPH.iter().map(|node| node.name).collect();
    assert_eq!(names, ["input", "type", "match1", "match2", "gen", "gen2", "type2"]);
    let mut tensors = Vec::new();
    monomorph::parameters::for_each_tensor(<Named as monomorph::Parameters>::ENTRIES, &mut |path, _, _| {
        tensors.push(path.to_string());
    });
    assert_eq!(tensors[..3], ["type.weight", "type.bias", "match1.weight"]);
    let before = net.clone();
    net.r#gen.bias[1] = 1.0;
    assert!(net != before && before == before.clone());
    assert_eq!(Counted::PARAMS, 121 * 20);
}

network! {
    #[cfg(any())]
    pub Absent: [4] -> [4] { Dense(NOWHERE), self::Missing, What }
}
network! {
    #[cfg(all())]
    #[deprecated = "to see that what the macro emits is no use of it"]
    #[packed(OldSmall: i8)]
    #[streaming]
    pub Old: [4, 2] -> [4, 2] { Dense(2), Dropout(0.5) }
}
network! { pub Flat: [2, 3] -> [6] { Flatten } }
network! { pub Bordered: [4, 4, 1] -> [8, 8, 1] { Conv2d(1, kernel = 1, padding = 2) } }

#[test]
fn attributes_hold_for_all_that_is_emitted() {
    #[allow(deprecated)]
    let net = Old::zeroed();
    assert_eq!(net.sample(&[[1.0; 2]; 4], &mut Noise::new(1)), [[0.0; 2]; 4]);
}

#[test]
fn a_network_may_only_change_the_shape() {
    assert_eq!(Flat::zeroed().evaluate(&[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]), [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    let mut trainer = Trainer::<Flat, _, 1>::new(Adam::default(), Mse);
    let step = trainer.step(&mut Flat::zeroed(), &[[[1.0; 3]; 2]], &[[0.0; 6]]).unwrap();
    assert_eq!(step.loss, 1.0);
    assert_eq!(Flat::GRAPH.len(), 2);
}

#[test]
fn the_border_of_a_padded_convolution_is_the_bias() {
    let mut net = Bordered::zeroed();
    (net.conv1.weight, net.conv1.bias) = ([[[[2.0]]]], [0.5]);
    let y = net.evaluate(&[[[1.0]; 4]; 4]);
    for (i, row) in y.iter().enumerate() {
        for (j, [y]) in row.iter().enumerate() {
            let inside = (2..6).contains(&i) && (2..6).contains(&j);
            assert_eq!(*y, if inside { 2.5 } else { 0.5 }, "{i}, {j}");
        }
    }
}

#[test]
fn a_function_has_networks_of_its_own() {
    network! { Dense2: [4] -> [4] { Dense(4) } }
    network! { Relux: [4] -> [4] { Dense2, Relu } }
    network! { Both: [4] -> [4] { Dense2, Relux::<> } }
    assert_eq!(Both::PARAMS, 40);
}
