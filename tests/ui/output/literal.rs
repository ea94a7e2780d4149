use monomorph::network;

network! {
    pub Classifier: [784] -> [10] {
        Dense(64), Relu,
        Dense(12),
    }
}

fn main() {}
