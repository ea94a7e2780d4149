//! Sizes that are types.
use monomorph::prelude::*;

network! { pub Rest<D: Unsigned>: [D] -> [1] { Dense(D % 2), Dense(1) } }
network! { pub Window<D: Unsigned>: [D, D, 1] -> [4] { Conv2d(4, kernel = 3), Flatten, Dense(4) } }
network! { pub Flat<D: Unsigned>: [D, 2] -> [4] { Flatten, Dense(4) } }
network! { pub Groups<D: Unsigned>: [3, D] -> [3, D] { GroupNorm(D / 2) } }
network! { pub Other<D: Unsigned>: [D] -> [D] { Dense(D * 2), Dense(D + 1) } }

fn main() {}
