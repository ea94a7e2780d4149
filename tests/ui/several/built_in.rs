use monomorph::prelude::*;

network! {
    pub Both(left: [4], right: [4]) -> [2] {
        (left, right) |> Dense(2)
    }
}

network! {
    pub Nowhere(left: [4], right: [4]) -> [4] {
        let both = (left, right);
        both |> Tanh
    }
}

fn main() {}
