use monomorph::network;

network! {
    pub Digits: [784] -> [10] {
        Dence(64), ReLU,
        Linear(10),
    }
}

fn main() {}
