use monomorph::network;

network! {
    pub Net(state: [4], goal: [2]) -> [3] {
        let trunk = state |> Dense(8) |> Tanh;
        let other = trunk |> Dense(5);
        trunk |> Dense(3)
    }
}

fn main() {}
