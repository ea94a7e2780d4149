use monomorph::network;

network! {
    pub Digits: [28, 28, 1] -> [10] {
        Conv2d(6, kernel = 3, kernel = 5),
        Flatten, Dense(10, units = 10),
    }
}

fn main() {}
