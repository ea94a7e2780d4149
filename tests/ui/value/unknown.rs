use monomorph::network;

network! {
    pub Net: [4] -> [3] {
        let trunk = input |> Dense(8) |> Tanh;
        add(trank |> Dense(3), body |> Dense(3))
    }
}

fn main() {}
