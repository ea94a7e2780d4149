use monomorph::network;

network! {
    pub Stack: [4, 3] -> [8, 3] {
        let longer = input |> Dense(4);
        concat(input, longer, axis = 0)
    }
}
network! { pub Beyond: [4, 3] -> [8, 3] { concat(axis = 2) { {} { Tanh } } } }
network! { pub Sum: [4, 3] -> [4, 3] { add(axis = 0) { {} { Tanh } } } }
network! { pub Along: [4, 3] -> [8, 3] { concat(along = 0) { {} { Tanh } } } }
network! { pub Broadcast: [4, 3] -> [4, 3] { add { {} { ReduceMean(1) } } } }

fn main() {}
