use monomorph::network;

network! {
    pub Endless: [4294967296, 4294967296, 3] -> [10] { Flatten, Dense(10) }
}

fn main() {}
