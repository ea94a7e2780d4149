use monomorph::prelude::*;

network! { pub Unknown: [8] -> [8] { residual(rate = 0.1) { Dense(8) } } }
network! { pub Twice: [8] -> [8] { residual(drop = 0.1, drop = 0.2) { Dense(8) } } }
network! { pub TooMuch: [8] -> [8] { residual(drop = 1.0) { Dense(8) } } }
network! { pub Deviation: [8] -> [8] { GaussianNoise(-0.1) } }

fn main() {}
