use monomorph::network;

network! {
    pub Twice(left: [16], right: [12]) -> [4] {
        let a = left |> shared: Dense(4);
        let b = right |> shared;
        add(a, b)
    }
}

fn main() {}
