use monomorph::layers::graph::Topology;
use monomorph::prelude::*;

pub struct Ring;
impl Topology for Ring {
    const EDGES: &'static [[u16; 2]] = &[[0, 1], [1, 2], [2, 3], [3, 0]];
}

network! { Three: [3, 2] -> [3, 2] { Gin(graph = self::Ring) } }

fn main() {
    let net = Three::zeroed();
    net.evaluate(&[[0.0; 2]; 3]);
}
