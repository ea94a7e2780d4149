//! Digits from flash: weights and test images are constants of the program.
//!
//! Flash holds the weights and the code; RAM holds the image, the workspace that was planned at
//! compile time, and the scores. Nothing is loaded, copied or allocated.
#![cfg_attr(target_os = "none", no_std, no_main)]

use firmware::{IMAGES, digit, exit, fail, load, measure, print, print_number};
use monomorph::memory::zeroed;
use monomorph::network::Workspace;
use monomorph::prelude::*;
use networks::Digits;
use static_cell::ConstStaticCell;

/// In flash: the compiler reads the file.
static NET: Digits = include_weights!(Digits, "../../weights/digits.safetensors");

/// All the RAM that an inference needs, besides a little stack.
struct Memory {
    image: [[[[f32; 1]; 28]; 28]; 1],
    scores: [[f32; 10]; 1],
    workspace: Workspace<Digits, 1>,
}
static MEMORY: ConstStaticCell<Memory> =
    ConstStaticCell::new(Memory { image: zeroed(), scores: zeroed(), workspace: zeroed() });

#[cfg_attr(target_os = "none", firmware::entry)]
fn main() -> ! {
    let Some(Memory { image, scores, workspace }) = MEMORY.try_take() else { fail() };
    print_number("# weights", size_of::<Digits>() as u32);
    print_number("# planned", size_of::<Memory>() as u32);
    print_number("# macs", Digits::MACS as u32);
    for bytes in IMAGES {
        load(bytes, &mut image[0]);
        NET.evaluate_in(image, scores, workspace);
        print_number("digit", digit(&scores[0]));
        print("scores", &scores[0]);
        measure(4, || NET.evaluate_in(image, scores, workspace));
    }
    exit()
}
