use monomorph::network;

network! {
    #[stored(Digits: i8)]
    pub Digits: [784] -> [10] { Dense(10) }
}

network! {
    #[stored(LettersSmall: i8, LettersSmall: f16)]
    pub Letters: [784] -> [26] { Dense(26) }
}

fn main() {}
