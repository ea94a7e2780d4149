//! This kernel is larger than a thumbnail.

use monomorph::prelude::*;

const THUMBNAIL: usize = shape_proofs::SIDE / 7;

network! {
    pub Thumbnails: [THUMBNAIL, THUMBNAIL, 1] -> [10] {
        Conv2d(8, kernel = 5), Relu,
        Flatten,
        Dense(10),
    }
}

fn main() {}
