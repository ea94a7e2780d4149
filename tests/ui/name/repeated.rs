use monomorph::network;

network! {
    pub Digits: [784] -> [10] {
        hidden: Dense(64), Relu,
        residual { hidden: Dense(64), Relu },
        Dense(10),
    }
}

fn main() {}
