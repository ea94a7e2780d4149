use monomorph::network;

network! {
    #[packed(i8)]
    pub Digits: [784] -> [10] { Dense(10) }
}

network! {
    #[packed()]
    pub Letters: [784] -> [26] { Dense(26) }
}

fn main() {}
