use monomorph::prelude::*;

network! { pub Net: [4] -> [2] { Dense(8), Relu, Dense(2) } }

pub fn scores(net: &Net, input: &[f64; 4]) -> [f64; 2] {
    net.evaluate(input)
}

fn main() {}
