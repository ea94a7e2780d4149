//! Recognizes gestures in the samples of an accelerometer, one by one as they come.
#![cfg_attr(target_os = "none", no_std, no_main)]

use core::hint::black_box;

use firmware::{exit, measure, print, print_number};
use monomorph::prelude::*;
use networks::Gestures;
use networks::gestures::{Detector, NAMES};

static NET: Gestures = include_weights!(Gestures, "../../weights/gestures.safetensors");

/// Samples of the sensor, little-endian: three axes in thousandths of the earth's acceleration, and the number of the
/// gesture that ends there, if one does.
static RECORDED: &[u8] = include_bytes!("../../weights/gestures.bin");

#[cfg_attr(target_os = "none", firmware::entry)]
fn main() -> ! {
    let (mut state, mut detector) = (NET.start(), Detector::default());
    let (mut made, mut recognized, mut sample) = (0, 0, [0.0; 3]);
    for (index, bytes) in RECORDED.as_chunks::<8>().0.iter().enumerate() {
        let [x, y, z, ended] = [0, 2, 4, 6].map(|at| i16::from_le_bytes([bytes[at], bytes[at + 1]]));
        sample = [x, y, z].map(|axis| f32::from(axis) / 1000.0);
        let scores = NET.step(&mut state, &sample);
        if let Some(class) = detector.next(&scores) {
            print_number(NAMES.get(class).unwrap_or(&""), index as u32);
            print("scores", &scores);
            recognized += 1;
        }
        made += u32::from(ended != 0);
    }
    print_number("made", made);
    print_number("recognized", recognized);
    print_number("# macs", Gestures::MACS as u32 / 128);
    for value in [sample, [0.0; 3], [-8.0, 8.0, 1.0]] {
        let mut same = state.clone();
        measure(16, || {
            black_box(NET.step(black_box(&mut same), black_box(&value)));
        });
    }
    exit()
}
