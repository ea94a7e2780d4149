use monomorph::Scalar;
use monomorph::fixed::Q15;
use monomorph::prelude::*;

network! { pub Net<T: Scalar>: [4] -> [2] { Dense(3), Relu, Dense(2) } }

pub fn evaluated(net: &Net<Q15>) -> [Q15; 2] {
    net.evaluate(&[Q15::ONE; 4])
}

pub type Trained = Trainer<Net<Q15>, (Sgd, Mse), 4>;

pub fn trainer() -> Trained {
    Trainer::new(Sgd::default(), Mse)
}

pub fn trained(trainer: &mut Trained, net: &mut Net<Q15>, x: &[[Q15; 4]; 4], y: &[[Q15; 2]; 4]) {
    let _ = trainer.step(net, x, y);
}

fn main() {}
