use monomorph::prelude::*;

network! { pub Digits: [784] -> [10] { Dense(32), Relu, Dense(10) } }

fn main() {
    let mut net = Digits::zeroed();
    let mut trainer = Trainer::<Digits, _, 4>::new(Adam::default(), CrossEntropy);
    let (images, probabilities) = ([[0.0; 784]; 4], [[0.0_f32; 12]; 4]);
    let _ = trainer.step(&mut net, &images, &probabilities);
}
