use monomorph::prelude::*;

network! { pub Small: [4] -> [2] { Dense(8), Relu, Dense(2) } }
network! { pub Wide: [4] -> [2] { Dense(16), Relu, Dense(2) } }

fn main() {
    let net = Wide::zeroed();
    let mut stopping = EarlyStopping::<Small>::new(5);
    let _ = stopping.observe(0.5, &net);
}
