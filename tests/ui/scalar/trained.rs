use monomorph::prelude::*;

network! { pub Net<T>: [4] -> [2] { Dense(8), Relu, Dense(2) } }

pub struct Learner {
    pub trainer: Trainer<Net<i32>, (Adam, CrossEntropy), 4>,
}

fn main() {}
