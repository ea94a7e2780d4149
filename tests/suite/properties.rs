//! Mathematical properties of whole networks.

use monomorph::prelude::*;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

network! { pub Filter: [12, 12, 2] -> [12, 12, 5] { Conv2d(5, kernel = 3, padding = same) } }
network! { pub Pooled: [6, 7, 3] -> [3] { GlobalAvgPool2d } }
network! { pub PooledMax: [6, 7, 3] -> [3] { GlobalMaxPool2d } }

fn image<const H: usize, const W: usize, const C: usize>(seed: u64) -> [[[f32; C]; W]; H] {
    let mut noise = Noise::new(seed);
    [[[0.0; C]; W]; H].map(|row| row.map(|pixel| pixel.map(|_| noise.uniform() as f32 - 0.5)))
}

fn rotate<const H: usize, const W: usize, const C: usize>(
    image: &[[[f32; C]; W]; H],
    down: usize,
    right: usize,
) -> [[[f32; C]; W]; H] {
    core::array::from_fn(|row| core::array::from_fn(|column| image[(row + H - down) % H][(column + W - right) % W]))
}

/// Shifting the image shifts the output of a convolution with stride 1, away from the borders.
#[test]
fn convolution_is_equivariant_to_translation() {
    let net = Filter::init(&mut ChaCha8Rng::seed_from_u64(3));
    for seed in 0..20 {
        let (down, right) = (seed as usize % 3, seed as usize % 4);
        let here = image::<12, 12, 2>(seed);
        let moved = net.evaluate(&rotate(&here, down, right));
        let expected = rotate(&net.evaluate(&here), down, right);
        // Only pixels affected neither by the border, before or after, nor by the wrap-around.
        for row in down + 1..11 {
            for column in right + 1..11 {
                for channel in 0..5 {
                    let (a, b) = (moved[row][column][channel], expected[row][column][channel]);
                    assert!((a - b).abs() < 1e-5, "({row}, {column}, {channel}): {a} is not {b}");
                }
            }
        }
    }
}

/// Global pooling does not depend on position.
#[test]
fn global_pools_are_invariant_to_rearrangement() {
    let (mean, max) = (Pooled::zeroed(), PooledMax::zeroed());
    for seed in 0..20 {
        let here = image::<6, 7, 3>(seed);
        let mut pixels: Vec<[f32; 3]> = here.iter().flatten().copied().collect();
        Noise::new(seed).shuffle(&mut pixels);
        let there: [[[f32; 3]; 7]; 6] =
            core::array::from_fn(|row| core::array::from_fn(|column| pixels[row * 7 + column]));
        assert_eq!(max.evaluate(&here), max.evaluate(&there));
        for (a, b) in mean.evaluate(&here).iter().zip(mean.evaluate(&there)) {
            assert!((a - b).abs() < 1e-6);
        }
    }
}
