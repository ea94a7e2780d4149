use monomorph::prelude::*;

network! {
    #[packed(DigitsSmall: i8)]
    pub Digits: [784] -> [10] { Dense(10) }
}

network! { pub Letters: [784] -> [26] { Dense(26) } }

fn main() {
    DigitsSmall::zeroed().pack(&Letters::zeroed());
}
