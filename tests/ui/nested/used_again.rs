use monomorph::network;

network! { pub Encoder: [16] -> [4] { Dense(8), Tanh, Dense(4) } }

network! {
    pub Siamese(left: [16], right: [12]) -> [2] {
        let a = left |> encoder: Encoder;
        let b = right |> encoder;
        concat(a, b) |> Dense(2)
    }
}

fn main() {}
