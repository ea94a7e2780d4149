use monomorph::network;

network! { pub Encoder: [16] -> [4] { Dense(8), Tanh, Dense(4) } }

network! {
    pub Autoencoder: [20] -> [20] {
        encoder: Encoder, Dense(20),
    }
}

fn main() {}
