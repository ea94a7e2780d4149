use monomorph::network;

network! {
    pub Digits: [28, 28, 1] -> [10] {
        Conv2d(6), Relu, MaxPool2d,
        Flatten, Dense(),
    }
}

fn main() {}
