use monomorph::network;

const SURE: f64 = 1.0;
const LOSS: f32 = -0.5;

network! { pub Literal: [4] -> [2] { Dropout(1), ActivityRegularization(l2 = -0.1), Dense(2) } }
network! { pub Constant: [4] -> [2] { Dropout(SURE), Dense(2) } }
network! { pub Negative: [4] -> [2] { ActivityRegularization(l1 = LOSS), Dense(2) } }
network! { pub Text: [4] -> [2] { Dropout("half"), Dense(2) } }
// This is right.
network! { pub Right: [4] -> [2] { Dropout(0.5f32), Dropout(0), Dense(2) } }

fn main() {}
