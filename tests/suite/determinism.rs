//! The same seed gives the same network, bit for bit.

use monomorph::Parameters;
use monomorph::prelude::*;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

network! {
    pub Small: [8, 8, 1] -> [3] {
        Conv2d(4, kernel = 3), Relu, MaxPool2d(2), Flatten, Dropout(0.3), Dense(16), Tanh, Dense(3),
    }
}

fn trained(seed: u64) -> Vec<u32> {
    let mut net = Small::init(&mut ChaCha8Rng::seed_from_u64(seed));
    let mut trainer = Trainer::<Small, _, 4>::new(Adam::default(), CrossEntropy).seed(seed);
    let mut noise = Noise::new(seed);
    for step in 0..50 {
        let x = core::array::from_fn(|_| [[[0.0; 1]; 8]; 8].map(|row| row.map(|_| [noise.uniform() as f32])));
        let y: [u8; 4] = core::array::from_fn(|sample| ((sample + step) % 3) as u8);
        trainer.step(&mut net, &x, &y).expect("a step");
    }
    net.as_slice().iter().map(|parameter| parameter.to_bits()).collect()
}

#[test]
fn fifty_steps_are_bit_equal() {
    assert_eq!(trained(7), trained(7));
    assert_ne!(trained(7), trained(8));
}

#[test]
fn a_seed_gives_these_numbers_on_every_platform() {
    let net = Small::init(&mut ChaCha8Rng::seed_from_u64(1));
    assert_eq!(net.conv1.weight[0][0][0].map(f32::to_bits), [3198332899, 3163122250, 3198585620, 1060929685]);
}
