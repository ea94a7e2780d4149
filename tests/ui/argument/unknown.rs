use monomorph::network;

network! {
    pub Digits: [28, 28, 1] -> [10] {
        Conv2d(6, kernal = 3), Relu(0.1),
        Conv2d(6, kernel = 3, colour = 2),
        Flatten, Dense(10, 20),
    }
}

fn main() {}
