use monomorph::prelude::*;

network! { pub Line: [1] -> [1] { Dense(1) } }

fn main() {
    let _ = Trainer::<Line, _, 4>::new(Mse, Sgd::default());
}
