use monomorph::network;

const FEATURES: usize = 400;

network! {
    pub Digits: [784] -> [10] { Dense(10, input = FEATURES) }
}

fn main() {}
