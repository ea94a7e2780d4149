//! Layers that need more than the steps so far.
use monomorph::prelude::*;

network! { #[streaming] pub Centered: [16, 1] -> [16, 4] { Conv1d(4, kernel = 3, padding = same) } }
network! { #[streaming] pub Slower: [16, 1] -> [8, 4] { Conv1d(4, kernel = 2, stride = 2, padding = causal) } }
network! { #[streaming] pub Pooled: [16, 3] -> [2] { Dense(4), GlobalAvgPool1d, Dense(2) } }
network! { #[streaming] pub Several(a: [16, 3], b: [16, 3]) -> [16, 3] { add(a, b) |> Dense(3) } }
network! { #[streaming] pub Summarized: [16, 3] -> [4] { Lstm(4, last) } }
network! { #[streaming] pub Both: [16, 3] -> [16, 8] { Lstm(4, bidirectional) } }
network! { #[streaming] pub Backward: [16, 3] -> [16, 3] { Flip(axis = 0) } }
network! { #[streaming] pub Begun(x: [16, 3], h: [4]) -> [16, 4] { (x, h) |> Gru(4) } }
network! { #[streaming] pub Half: [16, 3] -> [8, 3] { Slice(axis = 0, end = 8) } }

fn main() {}
