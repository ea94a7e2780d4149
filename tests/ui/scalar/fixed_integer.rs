use monomorph::network;

network! {
    pub Net<u8>: [4] -> [2] { Dense(2) }
}

fn main() {}
