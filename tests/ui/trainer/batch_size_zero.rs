use monomorph::prelude::*;

network! { pub Small: [4] -> [2] { Dense(8), Relu, Dense(2) } }

const BYTES: usize = Trainer::<Small, (Adam, CrossEntropy), 0>::BYTES;

fn main() {}
