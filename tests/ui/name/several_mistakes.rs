use monomorph::network;

network! {
    pub Digits: [28, 28, 1] -> [10] {
        Conv2d(6, kernel = 55), Relu,
        head: Dense(84), head: Relu,
        Dense(12),
        Denze(11),
    }
}

fn main() {}
