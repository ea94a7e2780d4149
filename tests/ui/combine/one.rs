use monomorph::network;

network! {
    pub Lonely: [16] -> [16] { add(input) |> Dense(16) }
}

fn main() {}
