//! Loops over lists.
use monomorph::prelude::*;

network! { pub Nothing: [4] -> [4] { for c in [] { Dense(c) } Dense(4) } }
network! { pub Uneven: [8, 8, 1] -> [4] { for (c, k) in [(8, 3), (4)] { Conv2d(c, kernel = k) } Flatten, Dense(4) } }
network! { pub Range: [4] -> [4] { for c in 1..3 { Dense(c) } Dense(4) } }

fn main() {}
