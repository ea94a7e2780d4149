use monomorph::prelude::*;

network! { pub Digits: [784] -> [10] { Dense(32), Relu, Dense(10) } }

fn main() {
    let mut net = Digits::zeroed();
    let mut trainer = Trainer::<Digits, _, 4>::new(Adam::default(), Mse);
    let (images, labels) = ([[0.0; 784]; 4], [7_u8, 2, 1, 0]);
    let _ = trainer.step(&mut net, &images, &labels);
}
