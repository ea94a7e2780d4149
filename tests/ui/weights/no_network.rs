use monomorph::prelude::*;

pub struct Small {
    pub weight: [f32; 3],
}

static NET: Small = include_weights!(Small, "../../files/small.safetensors");

fn main() {
    let _ = NET.weight;
}
