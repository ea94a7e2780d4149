use monomorph::prelude::*;
use monomorph::scalar::Scalar;

network! { pub Net<T: Scalar>: [4] -> [2] { Dense(3), Tanh, Dense(2) } }

fn main() {}
