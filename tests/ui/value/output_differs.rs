use monomorph::network;

network! {
    pub ActorCritic(observation: [17]) -> (policy: [6], value: [1]) {
        let trunk = observation |> Dense(64) |> Tanh;
        let policy = trunk |> Dense(5);
        let value = trunk |> Dense(1);
    }
}

fn main() {}
