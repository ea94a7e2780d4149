//! Digits from flash: weights and test images are constants of the program.
//!
//! Flash holds the weights and the code; RAM holds the image, the workspace that was planned while
//! compiling, and the scores. Nothing is loaded, copied or allocated.
#![cfg_attr(target_os = "none", no_std, no_main)]

use firmware::{exit, fail, measure, print, print_number};
use monomorph::memory::zeroed;
use monomorph::network::Workspace;
use monomorph::prelude::*;
use networks::{Digits, IMAGES};
use static_cell::ConstStaticCell;

/// In flash: the compiler has read the file.
static NET: Digits = include_weights!(Digits, "../../weights/digits.safetensors");
/// Images of 28×28 grey pixels, a byte each.
static IMAGE_BYTES: &[[[[u8; 1]; 28]; 28]; IMAGES] = &images(include_bytes!("../../weights/images.bin"));

/// All the RAM that an inference needs, beside a little stack.
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
    print_number("# macs", Digits::OPERATIONS as u32);
    for bytes in IMAGE_BYTES {
        let pixels = image.as_flattened_mut().as_flattened_mut().as_flattened_mut().iter_mut();
        for (pixel, byte) in pixels.zip(bytes.as_flattened().as_flattened()) {
            *pixel = f32::from(*byte) / 255.0;
        }
        NET.evaluate_in(image, scores, workspace);
        print_number("digit", largest(&scores[0]) as u32);
        print("scores", &scores[0]);
        measure(4, || NET.evaluate_in(image, scores, workspace));
    }
    exit()
}

/// Where the largest number is.
fn largest(scores: &[f32]) -> usize {
    let (mut best, mut most) = (0, f32::NEG_INFINITY);
    for (index, score) in scores.iter().enumerate() {
        if *score > most {
            (best, most) = (index, *score);
        }
    }
    best
}

/// The bytes of a file as images.
const fn images(bytes: &[u8; IMAGES * 28 * 28]) -> [[[[u8; 1]; 28]; 28]; IMAGES] {
    let mut images = [[[[0; 1]; 28]; 28]; IMAGES];
    let mut index = 0;
    while index < bytes.len() {
        images[index / 784][index / 28 % 28][index % 28][0] = bytes[index];
        index += 1;
    }
    images
}
