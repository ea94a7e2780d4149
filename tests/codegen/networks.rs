//! Networks small enough for their machine code to be readable, each evaluated at a given level; and training of a
//! larger one, for which only the list of functions is checked.

use monomorph::Layer;
use monomorph::network::{Workspace, evaluate_at};
use monomorph::prelude::*;
use monomorph::simd::Level;

network! { pub Dense8: [8] -> [8] { Dense(8) } }
network! { pub Conv3x3: [6, 6, 1] -> [4, 4, 8] { Conv2d(8, kernel = 3) } }
network! { pub Mlp: [8] -> [1] { Dense(8), Relu, Dense(8), Relu, Dense(1) } }
network! { pub LeNet5: [28, 28, 1] -> [10] {
    Conv2d(6, kernel = 5, padding = same), Relu, MaxPool2d(2),
    Conv2d(16, kernel = 5), Relu, MaxPool2d(2),
    Flatten, Dense(120), Relu, Dense(84), Relu, Dense(10),
} }

#[unsafe(no_mangle)]
pub fn lenet5_evaluate(network: &LeNet5, input: &[[[f32; 1]; 28]; 28]) -> [f32; 10] {
    network.evaluate(input)
}

#[unsafe(no_mangle)]
pub fn lenet5_step(
    trainer: &mut Trainer<LeNet5, (Sgd, CrossEntropy), 64>,
    network: &mut LeNet5,
    input: &[[[[f32; 1]; 28]; 28]; 64],
    target: &[u8; 64],
) -> bool {
    trainer.step(network, input, target).is_ok()
}

/// An entry point: a function with a name that can be found in the assembly, which calls the network's function.
macro_rules! entry_points {
    ($($function:ident: $network:ident at $level:ident by $as_level:ident;)*) => { $(
        #[unsafe(no_mangle)]
        pub fn $function(
            level: Level,
            network: &$network,
            input: &[<$network as Layer>::Input; 1],
            output: &mut [<$network as Layer>::Output; 1],
            workspace: &mut Workspace<$network, 1>,
        ) {
            if let Some(simd) = level.$as_level() {
                evaluate_at(Level::$level(simd), network, input, output, workspace);
            }
        }
    )* };
}
entry_points! {
    dense8_avx2: Dense8 at Avx2 by as_avx2;
    dense8_avx512: Dense8 at Avx512 by as_avx512;
    conv3x3_avx2: Conv3x3 at Avx2 by as_avx2;
    conv3x3_avx512: Conv3x3 at Avx512 by as_avx512;
    mlp_avx2: Mlp at Avx2 by as_avx2;
    mlp_avx512: Mlp at Avx512 by as_avx512;
}
