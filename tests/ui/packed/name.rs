use monomorph::network;

network! {
    #[packed(Digits: i8)]
    pub Digits: [784] -> [10] { Dense(10) }
}

network! {
    #[packed(LettersSmall: i8, LettersSmall: f16)]
    pub Letters: [784] -> [26] { Dense(26) }
}

fn main() {}
