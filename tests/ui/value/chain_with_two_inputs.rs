use monomorph::network;

network! {
    pub Net(a: [4], b: [2]) -> [3] { Dense(8), Tanh, Dense(3) }
}

fn main() {}
