use monomorph::prelude::*;

network! { pub Letters: [128] -> [128, 16] { Embedding(256, 16) } }

network! { pub Again(text: [u8; 8], long: [u16; 8]) -> [8, 4] {
    let x = text |> table: Embedding(256, 4);
    let y = long |> table;
    add(x, y)
} }

network! { pub Deeper: [u8; 8] -> [8, 4] { Embedding(256, 4), Embedding(256, 4) } }

fn main() {}
