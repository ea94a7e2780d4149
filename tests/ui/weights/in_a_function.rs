use monomorph::prelude::*;

network! { pub Small: [2] -> [2] { hidden: Dense(3), Tanh, head: Dense(2) } }

pub fn scores(input: [f32; 2]) -> [f32; 2] {
    let net: &'static Small = &include_weights!(Small, "../../files/wide.safetensors");
    net.evaluate(&input)
}

fn main() {}
