//! Blocks and tied outputs.
use monomorph::network;

network! { pub Odd: [8, 12] -> [8, 12] { TransformerBlock(heads = 5, ffn = 24) } }
network! { pub Word: [8, 12] -> [8, 12] { TransformerBlock(heads = 4, ffn = 24, activation = gelo) } }
network! { pub Missing: [8, 12] -> [8, 12] { TransformerBlock(heads = 4) } }
network! { pub Flat: [12] -> [12] { TransformerBlock(heads = 4, ffn = 24) } }
network! { pub Untied: [u8; 8] -> [8, 5] { Embedding(5, 4), Unembedding(tokens) } }
network! { pub Wide: [u8; 8] -> [8, 5] { tokens: Embedding(5, 4), Dense(6), Unembedding(tokens) } }
network! { #[packed(Small: i8)] pub Tied: [u8; 8] -> [8, 5] { tokens: Embedding(5, 4), Unembedding(tokens) } }
network! { #[streaming] pub Future: [8, 12] -> [8, 12] { TransformerBlock(heads = 4, ffn = 24) } }
network! { pub Other: [8, 12] -> [8, 12] { MultiHeadAttention(4) } }

fn main() {}
