use monomorph::network;

network! {
    #[stored(i8)]
    pub Digits: [784] -> [10] { Dense(10) }
}

network! {
    #[stored()]
    pub Letters: [784] -> [26] { Dense(26) }
}

fn main() {}
