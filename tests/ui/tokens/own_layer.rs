use monomorph::prelude::*;

network! { pub Scores: [8] -> [4] { Dense(4) } }

network! { pub Letters: [u8; 8] -> [4] { self::Scores } }

network! { pub Words: [u8; 8] -> [8, 4] { Embedding(256, 4) } }

network! { pub Spoken: [8] -> [8, 4] { Dense(8), self::Words } }

fn main() {}
