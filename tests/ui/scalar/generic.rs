use monomorph::prelude::*;

network! { pub Net<T>: [4] -> [2] { Dense(8), Relu, Dense(2) } }

pub struct Robot<T> {
    pub net: Net<T>,
}

fn main() {}
