use monomorph::network;

network! {
    pub Digits: [28, 28, 1] -> [10] {
        Conv2d(16, kernel = 5, padding = same), Relu, MaxPool2d(2),
        MaxPool2d(2),
        Dense(10),
    }
}

fn main() {}
