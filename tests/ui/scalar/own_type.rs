use monomorph::prelude::*;

pub struct Half(u16);

network! { pub Net<T>: [4] -> [2] { Dense(8), Relu, Dense(2) } }

pub fn load(net: &mut Net<Half>) {
    let _ = net;
}

fn main() {}
