//! Heads that do not divide.
use monomorph::network;

const HEADS: usize = 5;

network! { pub Odd: [8, 12] -> [8, 12] { SelfAttention(heads = 5) } }
network! { pub Named: [8, 12] -> [8, 12] { SelfAttention(heads = HEADS) } }
network! { pub Shared: [8, 12] -> [8, 12] { SelfAttention(heads = 4, kv_heads = 3) } }
network! { pub Turned: [8, 12] -> [8, 12] { SelfAttention(heads = 4, rotary = half), SelfAttention(heads = 2, rotary = whole) } }
network! { pub Based: [8, 12] -> [8, 12] { SelfAttention(heads = 4, base = 500.0) } }
network! { pub None: [8, 12] -> [8, 12] { SelfAttention(causal) } }

fn main() {}
