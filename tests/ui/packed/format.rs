use monomorph::network;

network! {
    #[packed(DigitsSmall: i4, DigitsHalf: fp16)]
    pub Digits: [784] -> [10] { Dense(10) }
}

network! {
    #[packed(LettersSmall: int)]
    pub Letters: [784] -> [26] { Dense(26) }
}

fn main() {}
