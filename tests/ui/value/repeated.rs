use monomorph::network;

network! {
    pub Net: [4] -> [3] {
        let trunk = input |> Dense(8);
        let trunk = trunk |> Tanh;
        trunk |> Dense(3)
    }
}

fn main() {}
