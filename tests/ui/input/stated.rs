use monomorph::network;

network! {
    pub Digits: [28, 28, 1] -> [10] {
        Conv2d(16, kernel = 5), Relu, MaxPool2d(2),
        Flatten,
        head: Dense(10, input = 400),
    }
}

fn main() {}
