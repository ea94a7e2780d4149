use monomorph::network;

network! {
    pub Digits: [28, 28, 1] -> [10] {
        Conv2d(16, kernel = 5), Relu,
        MaxPool2d(2, input = [28, 28, 16]),
        Flatten, Dense(10),
    }
}

fn main() {}
