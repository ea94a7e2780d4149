use monomorph::loss::InfoNce;
use monomorph::prelude::*;

network! { pub Pairs(x: [6]) -> (query: [4], key: [4]) {
    let query = x |> Dense(4);
    let key = x |> Dense(4);
} }

fn main() {
    let net = Pairs::zeroed();
    let _ = Evaluator::<Pairs, 4>::new().score(&net, &InfoNce::default(), &[[0.0; 6]; 8], &[(); 8]);
}
