//! Options of recurrent layers that do not fit.
use monomorph::prelude::*;

network! { pub Missing(x: [16, 3], h: [4]) -> [16, 4] { (x, h) |> Lstm(4) } }
network! { pub TooMany(x: [16, 3], h: [4], c: [4]) -> [16, 4] { (x, h, c) |> Gru(4) } }
network! { pub Narrow(x: [16, 3], h: [5]) -> [16, 4] { (x, h) |> Gru(4) } }
network! { pub Twice(x: [16, 3], h: [4]) -> [16, 4] { (x, h) |> Gru(4, initial = learned) } }
network! { pub TwoWays(x: [16, 3], h: [4]) -> [16, 8] { (x, h) |> Rnn(4, bidirectional) } }
network! { pub NoCell: [16, 3] -> [16, 8] { Gru(4, cell) } }
network! { pub NoReset: [16, 3] -> [16, 4] { Lstm(4, reset = before) } }
network! { pub Typo: [16, 3] -> [16, 4] { Gru(4, reset = befor) } }
network! { pub Start: [16, 3] -> [16, 4] { Gru(4, init = tensorflow) } }
network! { pub Axis: [16, 3] -> [16, 3] { Flip(axis = 2) } }
network! { pub Gate: [16, 4] -> [16, 2] { Glu(activation = relu) } }

fn main() {}
