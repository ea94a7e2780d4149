use monomorph::prelude::*;

network! {
    #[packed(DigitsSmall: i8)]
    pub Digits: [784] -> [10] { Dense(10) }
}

fn main() {
    let mut trainer = Trainer::<DigitsSmall, _, 4>::new(Sgd::default(), CrossEntropy);
}
