use monomorph::network;

network! {
    pub Digits: [28, 28, 1] -> [10] {
        Conv2d(6, kernel = (3, 3, 3)), Conv2d(0, kernel = 3), Conv2d(4, kernel = 3, padding = sane),
        Dropout(1.5), Flatten, Dense(10, bias = 3),
    }
}

fn main() {}
