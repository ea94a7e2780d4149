use monomorph::prelude::*;

network! { pub Line: [1] -> [1] { Dense(1) } }

fn main() {
    let mut net = Line::zeroed();
    let mut trainer = Trainer::<Line, _, 2>::new(Adam::default(), Relu);
    let _ = trainer.step(&mut net, &[[1.0], [2.0]], &[[1.0], [2.0]]);
}

struct Relu;
