use monomorph::network;

network! {
    pub Odd: [4.5] -> [2] { Dense(-3), Dense("two"), Dense(2) }
}

fn main() {}
