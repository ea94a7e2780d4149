//! What attention takes.
use monomorph::network;

network! { pub Flat: [12] -> [12] { SelfAttention(heads = 4) } }
network! { pub Alone: [8, 12] -> [8, 12] { Attention(heads = 4) } }
network! { pub Memory(x: [8, 12], memory: [3, 12]) -> [8, 12] { (x, memory) |> SelfAttention(heads = 4) } }
network! { pub Causal(x: [8, 12], memory: [3, 12]) -> [8, 12] { (x, memory) |> Attention(heads = 4, causal) } }
network! { pub Lengths(x: [8, 12], lengths: [u16; 8]) -> [8, 12] { (x, lengths) |> SelfAttention(heads = 4) } }
network! { pub Tokens: [u8; 8] -> [8, 12] { SelfAttention(heads = 4) } }
network! { pub Places: [8, 5] -> [8, 5] { SinusoidalPositions } }
network! { pub Place: [5] -> [5] { Positions } }

fn main() {}
