use monomorph::prelude::*;

network! { pub Small: [2] -> [2] { hidden: Dense(3), Tanh, head: Dense(2) } }

static NET: Small = include_weights!(Small, "../../files/truncated.safetensors");

fn main() {
    let _: [f32; 2] = NET.evaluate(&[1.0, 2.0]);
}
