use monomorph::prelude::*;

network! { pub Small: [4] -> [2] { Dense(8), Relu, Dense(2) } }
network! { pub Wide: [4] -> [2] { Dense(16), Relu, Dense(2) } }

fn main() {
    let net = Wide::zeroed();
    let mut evaluator = Evaluator::<Small, 2>::new();
    let _ = evaluator.score(&net, &CrossEntropy, &[[0.0; 4]; 2], &[0_u8, 1]);
}
