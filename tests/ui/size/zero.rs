use monomorph::network;

network! {
    pub Empty: [28, 0, 1] -> [10] {
        Conv2d(4, kernel = 3, stride = 0), Flatten, Dense(0),
    }
}

fn main() {}
