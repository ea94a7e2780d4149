use monomorph::prelude::*;

network! { pub Eye: [8] -> [4] { Dense(4) } }

network! {
    pub Agent: [8] -> [2] {
        let trunk = input |> Dense(16);
        trunk.value |> Dense(2)
    }
}

network! {
    pub Watcher: [8] -> [2] {
        let seen = input |> Eye;
        seen.value |> Dense(2)
    }
}

fn main() {}
