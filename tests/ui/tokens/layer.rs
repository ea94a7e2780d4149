use monomorph::prelude::*;

network! { pub Letters: [u8; 128] -> [10] { Dense(10) } }

network! { pub Words(text: [u16; 32], mood: [4]) -> [2] {
    let read = text |> Flatten |> Tanh;
    concat(read, mood) |> Dense(2)
} }

network! { pub Both: [u8; 8] -> [8] { residual { Embedding(256, 1), Flatten } } }

network! { pub Mixed(text: [u8; 8], mood: [8]) -> [8] {
    add(mood, text) |> Tanh
} }

network! { pub Again(text: [u8; 8], mood: [8]) -> [8] {
    let x = mood |> mix: Dense(8);
    let y = text |> mix;
    add(x, y)
} }

network! { pub Gives(text: [u8; 8]) -> (text: [8], mood: [8]) {
    let mood = text |> Embedding(256, 1) |> Flatten;
} }

fn main() {}
