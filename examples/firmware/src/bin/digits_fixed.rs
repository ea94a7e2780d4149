//! Digits with integers only, for processors without floating-point unit: weights in fixed point, read in place.
//!
//! `build.rs` converts the weights that were trained in `f32`, and writes the blob.
#![cfg_attr(target_os = "none", no_std, no_main)]

use firmware::{IMAGES, exit, fail, measure, print_number};
use monomorph::memory::zeroed;
use monomorph::network::Workspace;
use monomorph::weights::blob::Aligned;
use networks::{DigitsOf, Number};
use static_cell::ConstStaticCell;

static BLOB: &Aligned<[u8]> = &Aligned(*include_bytes!(concat!(env!("OUT_DIR"), "/digits_fixed.blob")));

type Net = DigitsOf<Number>;

struct Memory {
    image: [[[[Number; 1]; 28]; 28]; 1],
    scores: [[Number; 10]; 1],
    workspace: Workspace<Net, 1>,
}
static MEMORY: ConstStaticCell<Memory> =
    ConstStaticCell::new(Memory { image: zeroed(), scores: zeroed(), workspace: zeroed() });

#[cfg_attr(target_os = "none", firmware::entry)]
fn main() -> ! {
    let Some(Memory { image, scores, workspace }) = MEMORY.try_take() else { fail() };
    let Ok(net) = Net::from_bytes(&BLOB.0) else { fail() };
    print_number("# weights", Net::PARAM_BYTES as u32);
    print_number("# planned", size_of::<Memory>() as u32);
    print_number("# macs", Net::MACS as u32);
    for bytes in IMAGES {
        for (pixel, byte) in image.as_flattened_mut().as_flattened_mut().as_flattened_mut().iter_mut().zip(bytes) {
            // A 255th is four of the 1024 steps from 0 to 1, and a little.
            *pixel = Number::from_bits((u32::from(*byte) * 1024 / 255) as i16);
        }
        net.evaluate_in(image, scores, workspace);
        let mut digit = 0;
        for (index, score) in scores[0].iter().enumerate() {
            if *score > scores[0][digit] {
                digit = index;
            }
            print_number("score", (i32::from(score.to_bits()) + 32768) as u32);
        }
        print_number("digit", digit as u32);
        measure(4, || net.evaluate_in(image, scores, workspace));
    }
    exit()
}
