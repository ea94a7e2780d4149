use monomorph::network;

network! {
    pub ActorCritic(observation: [17]) -> (policy: [6], value: [1]) {
        let policy = observation |> Dense(64) |> Tanh |> Dense(6);
    }
}

fn main() {}
