use monomorph::prelude::*;

network! { pub Small: [4] -> [2] { Dense(8), Relu, Dense(2) } }
network! { pub Wide: [4] -> [2] { Dense(16), Relu, Dense(2) } }

fn main() {
    let mut net = Wide::zeroed();
    let mut trainer = Trainer::<Small, _, 4>::new(Adam::default(), CrossEntropy);
    let _ = trainer.step(&mut net, &[[0.0; 4]; 4], &[0_u8, 1, 0, 1]);
}
