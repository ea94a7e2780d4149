use monomorph::network;

network! {
    pub Causal: [20, 2] -> [10] {
        Conv1d(16, kernel = 3, dilation = 16, padding = 4),
        Flatten, Dense(10),
    }
}

fn main() {}
