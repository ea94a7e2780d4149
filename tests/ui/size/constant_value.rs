//! One error for each mistake, at the user's token.
use monomorph::network;

const SIGNED: i32 = 16;
const FOUR: usize = 4;

network! { pub Signed: [4] -> [2] { Dense(SIGNED), Tanh, Dense(2) } }
network! { pub Negative: [4] -> [2] { Dense(FOUR - 5), Tanh, Dense(2) } }
network! { pub Endless: [4] -> [2] { Dense(usize::MAX), Tanh, Dense(2) } }
network! { pub Vast: [4] -> [2] { Dense(1_000_000_000_000), Tanh, Dense(2) } }
network! { pub Padded: [4, 4, 1] -> [2] { Conv2d(2, kernel = 3, padding = SIGNED), Flatten, Dense(2) } }

fn main() {}
