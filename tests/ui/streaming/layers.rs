//! Layers that need more than the steps so far.
use monomorph::prelude::*;

network! { #[streaming] pub Centered: [16, 1] -> [16, 4] { Conv1d(4, kernel = 3, padding = same) } }
network! { #[streaming] pub Slower: [16, 1] -> [8, 4] { Conv1d(4, kernel = 2, stride = 2, padding = causal) } }
network! { #[streaming] pub Pooled: [16, 3] -> [2] { Dense(4), GlobalAvgPool1d, Dense(2) } }
network! { #[streaming] pub Several(a: [16, 3], b: [16, 3]) -> [16, 3] { add(a, b) |> Dense(3) } }
network! { #[streaming] pub Summarized: [16, 3] -> [4] { Lstm(4, last) } }

fn main() {}
