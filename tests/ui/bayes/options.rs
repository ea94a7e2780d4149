//! Options of layers with noise that do not fit.
use monomorph::prelude::*;

network! { pub Prior: [4] -> [2] { BayesDense(2, prior = -1.0) } }
network! { pub Wide: [4] -> [2] { BayesDense(2, wide = 2.0) } }
network! { pub Certain: [4] -> [2] { BayesDense(2, prior = mixture, pi = 1.0) } }
network! { pub Estimator: [4, 4, 1] -> [4, 4, 2] { BayesConv2d(2, kernel = 1, estimator = flip) } }
network! { pub Linear: [4] -> [2] { BayesLinear(2) } }
network! { pub Odd: [4] -> [2] { Dense(5), Bottleneck(beta = 0.1) } }
network! { pub Missing: [4] -> [2] { Bottleneck } }
network! { pub Scale: [4] -> [2] { Bottleneck(beta = 0.1, scale = exponential) } }
network! { pub Quiet: [4] -> [2] { InformationDropout(beta = 0.1, max_alpha = 0.0) } }

fn main() {}
