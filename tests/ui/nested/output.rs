use monomorph::network;

network! { pub Encoder: [16] -> [4] { Dense(8), Tanh, Dense(4) } }

network! {
    pub Classifier: [16] -> [10] { Encoder }
}

fn main() {}
