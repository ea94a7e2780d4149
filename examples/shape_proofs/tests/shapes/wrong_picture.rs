//! A picture from a different camera is rejected.

use monomorph::prelude::*;
use shape_proofs::{Parts, kind};

fn main() {
    let picture = [[[0.5; 1]; 32]; 32];
    kind(&Parts::zeroed(), &picture);
}
