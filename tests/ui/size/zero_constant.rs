use monomorph::network;

const NONE: usize = 0;

network! {
    pub Empty: [4] -> [NONE] { Dense(NONE) }
}

fn main() {}
