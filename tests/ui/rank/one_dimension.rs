use monomorph::network;

network! {
    pub Keyword: [49, 10, 1] -> [12] {
        Conv1d(64, kernel = 4), Relu,
        GlobalAvgPool2d, Dense(12),
    }
}

fn main() {}
