use monomorph::network;

network! {
    pub Odd: [7, 7, 4] -> [10] {
        MaxPool2d(2), Flatten, Dense(10),
    }
}

fn main() {}
