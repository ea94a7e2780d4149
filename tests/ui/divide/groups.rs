use monomorph::network;

network! {
    pub Grouped: [8, 8, 6] -> [10] {
        Conv2d(12, kernel = 3, groups = 4), GroupNorm(5),
        Conv2d(10, kernel = 1, groups = 3),
        Flatten, Dense(10),
    }
}

fn main() {}
