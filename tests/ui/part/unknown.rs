use monomorph::prelude::*;

network! {
    pub Head: [8] -> (policy: [4], value: [1]) {
        let trunk = input |> Dense(16) |> Tanh;
        let policy = trunk |> Dense(4);
        let value = trunk |> Dense(1);
    }
}

network! {
    pub Agent: [8] -> [2] {
        let head = input |> Head;
        head.polcy |> Dense(2)
    }
}

fn main() {}
