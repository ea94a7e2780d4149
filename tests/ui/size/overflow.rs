use monomorph::network;

network! {
    pub Endless: [268435456, 268435456, 268435456] -> [10] { Flatten, Dense(10) }
}

fn main() {}
