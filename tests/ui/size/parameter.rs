use monomorph::network;

network! {
    pub Wide<const N: usize>: [N] -> [2] { Dense(2 * N), Tanh, Dense(2) }
}

fn main() {}
