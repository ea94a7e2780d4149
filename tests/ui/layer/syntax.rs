use monomorph::network;

network! {
    pub Net: [4] -> [3] { Dense(8) Tanh, Dense(3) }
}

fn main() {}
