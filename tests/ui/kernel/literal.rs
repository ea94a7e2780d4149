use monomorph::network;

network! {
    pub Small: [4, 4, 1] -> [10] {
        Conv2d(6, kernel = 5), Relu,
        Flatten, Dense(10),
    }
}

fn main() {}
