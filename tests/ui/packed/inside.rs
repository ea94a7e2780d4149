use monomorph::network;

network! {
    #[packed(DigitsSmall: i8)]
    pub Digits: [784] -> [10] { Dense(10) }
}

network! { pub Letters: [784] -> [26] { DigitsSmall, Dense(26) } }

fn main() {}
