use monomorph::prelude::*;

pub struct Line {
    pub slope: f32,
}

pub struct Learner {
    pub trainer: Trainer<Line, (Sgd, Mse), 4>,
}

fn main() {}
