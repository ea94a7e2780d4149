use monomorph::network;

network! {
    pub Deep: [8, 8, 1] -> [10] {
        MaxPool2d(2), MaxPool2d(2), MaxPool2d(2), last: MaxPool2d(2),
        Flatten, Dense(10),
    }
}

fn main() {}
