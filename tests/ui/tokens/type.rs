use monomorph::prelude::*;

network! { pub Floats: [f32; 4] -> [2] { Dense(2) } }

network! { pub Large: [u64; 128] -> [128, 16] { Embedding(1000, 16) } }

network! { pub Given: [4] -> [u8; 2] { Dense(2) } }

fn main() {}
