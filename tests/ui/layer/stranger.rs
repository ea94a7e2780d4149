use monomorph::network;

network! {
    pub Digits: [784] -> [10] {
        Whirl(3),
        Dense(10),
    }
}

fn main() {}
