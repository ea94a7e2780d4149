use monomorph::prelude::*;

network! {
    pub Digits: [28, 28, 1] -> [10] { Flatten, Dense(10) }
}

fn main() {
    let net = Digits::zeroed();
    let scores: [f32; 10] = net.evaluate(&[[[0.0; 1]; 32]; 32]);
    let classes: [f32; 12] = net.evaluate(&[[[0.0; 1]; 28]; 28]);
    let _ = (scores, classes);
}
