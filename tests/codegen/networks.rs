//! Networks so small that their machine code can be read, each evaluated at a level that is given.

use monomorph::Layer;
use monomorph::network::{Workspace, evaluate_at};
use monomorph::prelude::*;
use monomorph::simd::Level;

network! { pub Dense8: [8] -> [8] { Dense(8) } }
network! { pub Conv3x3: [6, 6, 1] -> [4, 4, 8] { Conv2d(8, kernel = 3) } }
network! { pub Mlp: [8] -> [1] { Dense(8), Relu, Dense(8), Relu, Dense(1) } }

/// A function of a name that can be found in the assembly; what it calls is the network's.
macro_rules! door {
    ($($function:ident: $network:ident at $level:ident by $as_level:ident;)*) => { $(
        #[unsafe(no_mangle)]
        pub fn $function(
            level: Level,
            network: &$network,
            input: &[<$network as Layer<f32>>::Input; 1],
            output: &mut [<$network as Layer<f32>>::Output; 1],
            workspace: &mut Workspace<$network, 1>,
        ) {
            if let Some(simd) = level.$as_level() {
                evaluate_at(Level::$level(simd), network, input, output, workspace);
            }
        }
    )* };
}
door! {
    dense8_avx2: Dense8 at Avx2 by as_avx2;
    dense8_avx512: Dense8 at Avx512 by as_avx512;
    conv3x3_avx2: Conv3x3 at Avx2 by as_avx2;
    conv3x3_avx512: Conv3x3 at Avx512 by as_avx512;
    mlp_avx2: Mlp at Avx2 by as_avx2;
    mlp_avx512: Mlp at Avx512 by as_avx512;
}
