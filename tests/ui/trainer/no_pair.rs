use monomorph::prelude::*;

network! { pub Line: [1] -> [1] { Dense(1) } }

pub struct Learner {
    pub trainer: Trainer<Line, Adam, 4>,
}

fn main() {}
