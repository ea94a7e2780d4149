use monomorph::network;

network! {
    pub Digits: [784] -> [10] {
        Conv2d(16, kernel = 5), Relu,
        Flatten, Dense(10),
    }
}

fn main() {}
