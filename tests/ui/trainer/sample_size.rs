use monomorph::prelude::*;

network! { pub Small: [4] -> [2] { Dense(8), Relu, Dense(2) } }

fn main() {
    let mut net = Small::zeroed();
    let mut trainer = Trainer::<Small, _, 2>::new(Adam::default(), CrossEntropy);
    let (inputs, labels) = ([[0.0; 5]; 2], [0_u8; 2]);
    let _ = trainer.step(&mut net, &inputs, &labels);
}
