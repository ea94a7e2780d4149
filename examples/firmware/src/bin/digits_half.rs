//! Digits with 16-bit weights, read in place: the network is a blob in flash, which could also arrive over the air.
//!
//! `build.rs` writes the blob. At startup, the program checks that it is this network and undamaged.
#![cfg_attr(target_os = "none", no_std, no_main)]

use firmware::{IMAGES, digit, exit, fail, load, measure, print, print_number};
use monomorph::memory::zeroed;
use monomorph::network::Workspace;
use monomorph::weights::blob::Aligned;
use networks::DigitsHalf;
use static_cell::ConstStaticCell;

static BLOB: &Aligned<[u8]> = &Aligned(*include_bytes!(concat!(env!("OUT_DIR"), "/digits_half.blob")));

struct Memory {
    image: [[[[f32; 1]; 28]; 28]; 1],
    scores: [[f32; 10]; 1],
    workspace: Workspace<DigitsHalf, 1>,
}
static MEMORY: ConstStaticCell<Memory> =
    ConstStaticCell::new(Memory { image: zeroed(), scores: zeroed(), workspace: zeroed() });

#[cfg_attr(target_os = "none", firmware::entry)]
fn main() -> ! {
    let Some(Memory { image, scores, workspace }) = MEMORY.try_take() else { fail() };
    let Ok(net) = DigitsHalf::from_bytes(&BLOB.0) else { fail() };
    print_number("# weights", DigitsHalf::PARAM_BYTES as u32);
    print_number("# planned", size_of::<Memory>() as u32);
    print_number("# macs", DigitsHalf::MACS as u32);
    for bytes in IMAGES {
        load(bytes, &mut image[0]);
        net.evaluate_in(image, scores, workspace);
        print_number("digit", digit(&scores[0]));
        print("scores", &scores[0]);
        measure(4, || net.evaluate_in(image, scores, workspace));
    }
    exit()
}
