//! Test images for the programs that recognize digits.

/// Images of 28×28 grey pixels, one byte per pixel, in flash.
pub static IMAGES: &[[u8; 28 * 28]; networks::IMAGES] = &split(include_bytes!("../weights/images.bin"));

/// Converts the pixels to numbers from 0 to 1.
#[inline(never)]
pub fn load(bytes: &[u8; 28 * 28], image: &mut [[[f32; 1]; 28]; 28]) {
    for (pixel, byte) in image.as_flattened_mut().as_flattened_mut().iter_mut().zip(bytes) {
        *pixel = f32::from(*byte) / 255.0;
    }
}

/// The digit with the largest score.
#[inline(never)]
pub fn digit(scores: &[f32; 10]) -> u32 {
    let (mut best, mut most) = (0, f32::NEG_INFINITY);
    for (digit, score) in (0..).zip(scores) {
        if *score > most {
            (best, most) = (digit, *score);
        }
    }
    best
}

/// Splits the bytes of the file into images.
const fn split(bytes: &[u8; networks::IMAGES * 28 * 28]) -> [[u8; 28 * 28]; networks::IMAGES] {
    let mut images = [[0; 28 * 28]; networks::IMAGES];
    let mut index = 0;
    while index < bytes.len() {
        images[index / 784][index % 784] = bytes[index];
        index += 1;
    }
    images
}
