use monomorph::prelude::*;

network! { pub Line: [1] -> [1] { Dense(1) } }

fn main() {
    let net = Line::zeroed();
    let mut evaluator = Evaluator::<Line, 2>::new();
    let _ = evaluator.score(&net, &Mse, &[[1.0], [2.0]], &[1.0_f32, 2.0]);
}
