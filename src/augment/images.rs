//! Images, changed at random.

use super::{add_noise, between};
use crate::noise::Noise;
use crate::scalar::Scalar;

/// Random changes of an image `[[[T; C]; W]; H]`. With everything at 0, the default, the image stays as it is.
///
/// The pixel at `p`, counted from the middle `m` of the image, is the old one at `m + R(−φ)(p − m)/s − t + e(p)`:
/// rotated by `φ`, scaled by `s`, shifted by `t`, deformed by `e`; between pixels by bilinear interpolation, and 0
/// outside. `e` is interpolated smoothly between random displacements of a grid of 4 × 4 points, as Ronneberger,
/// Fischer and Brox do (*U-Net*, 2015) instead of smoothing a field of noise (Simard et al. 2003). Cutout: DeVries and
/// Taylor (2017).
///
/// ```
/// use monomorph::Noise;
/// use monomorph::augment::Images;
///
/// let image = [[[0.0_f32], [1.0]], [[2.0], [3.0]]];
/// let mut changed = image;
/// Images::default().apply(&image, &mut changed, &mut Noise::new(1));
/// assert_eq!(changed, image);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Images {
    /// The largest shift along each axis, in pixels.
    pub shift: f64,
    /// The largest angle of rotation, in radians.
    pub rotation: f64,
    /// The largest change of size: `s` is between `1 − scale` and `1 + scale`; below 1.
    pub scale: f64,
    /// The standard deviation of the displacements of the elastic deformation, in pixels.
    pub elastic: f64,
    /// Whether every second image, on average, is mirrored left to right.
    pub flip: bool,
    /// The side of a square that is set to 0, in pixels. Its middle is any pixel, so part of it may be outside.
    pub cutout: usize,
    /// The standard deviation of noise added to each number.
    pub noise: f64,
}

/// How many points of the grid of displacements there are along each axis.
const GRID: usize = 4;

/// Random displacements on a grid, interpolated smoothly.
struct Field([[[f64; 2]; GRID]; GRID]);

impl Field {
    fn draw(deviation: f64, noise: &mut Noise) -> Self {
        let mut field = [[[0.0; 2]; GRID]; GRID];
        if deviation > 0.0 {
            field.as_flattened_mut().as_flattened_mut().fill_with(|| deviation * noise.normal());
        }
        Self(field)
    }

    /// The displacement at a place between 0 and 1.
    fn at(&self, y: f64, x: f64) -> [f64; 2] {
        // 3t² − 2t³ between neighbors, so that there is no kink at the points.
        let part = |place: f64| {
            let place = place.clamp(0.0, 1.0) * (GRID - 1) as f64;
            let first = (place as usize).min(GRID - 2);
            let t = place - first as f64;
            (first, t * t * (3.0 - 2.0 * t))
        };
        let ((row, down), (column, right)) = (part(y), part(x));
        core::array::from_fn(|axis| {
            let point =
                |i: usize, j: usize| self.0.get(row + i).and_then(|row| row.get(column + j)).map_or(0.0, |d| d[axis]);
            let line = |i: usize| point(i, 0) + right * (point(i, 1) - point(i, 0));
            line(0) + down * (line(1) - line(0))
        })
    }
}

impl Images {
    /// Writes a changed image.
    pub fn apply<T: Scalar, const C: usize, const W: usize, const H: usize>(
        &self,
        from: &[[[T; C]; W]; H],
        to: &mut [[[T; C]; W]; H],
        noise: &mut Noise,
    ) {
        // Everything is drawn, whatever is used, so that a change of one setting leaves the others' numbers alone.
        let shift = [between(self.shift, noise), between(self.shift, noise)];
        let (angle, size) = (between(self.rotation, noise), 1.0 + between(self.scale, noise));
        let flipped = noise.next_u64() >> 63 == 1 && self.flip;
        let hole = [noise.below(H as u64) as usize, noise.below(W as u64) as usize];
        let still = self.elastic <= 0.0 && shift == [0.0; 2] && angle == 0.0 && size == 1.0;
        if still {
            *to = *from;
        } else {
            let field = Field::draw(self.elastic, noise);
            let (sin, cos) = (libm::sin(angle) / size, libm::cos(angle) / size);
            let middle = [(H as f64 - 1.0) / 2.0, (W as f64 - 1.0) / 2.0];
            for (row, to) in to.iter_mut().enumerate() {
                for (column, to) in to.iter_mut().enumerate() {
                    let [y, x] = [row as f64 - middle[0], column as f64 - middle[1]];
                    let [down, right] = match self.elastic > 0.0 {
                        true => field.at(row as f64 / (H.max(2) - 1) as f64, column as f64 / (W.max(2) - 1) as f64),
                        false => [0.0; 2],
                    };
                    *to = between_pixels(
                        from,
                        middle[0] + cos * y - sin * x - shift[0] + down,
                        middle[1] + sin * y + cos * x - shift[1] + right,
                    );
                }
            }
        }
        if flipped {
            to.iter_mut().for_each(|row| row.reverse());
        }
        if self.cutout > 0 {
            let side = |middle: usize, size: usize| {
                let start = middle.saturating_sub(self.cutout / 2);
                start..(middle + self.cutout.div_ceil(2)).min(size)
            };
            for row in to.get_mut(side(hole[0], H)).unwrap_or_default() {
                row.get_mut(side(hole[1], W)).unwrap_or_default().fill([T::ZERO; C]);
            }
        }
        add_noise(to.as_flattened_mut().as_flattened_mut(), self.noise, noise);
    }
}

/// The image at a place between its pixels.
fn between_pixels<T: Scalar, const C: usize, const W: usize, const H: usize>(
    image: &[[[T; C]; W]; H],
    y: f64,
    x: f64,
) -> [T; C] {
    let (top, left) = (libm::floor(y), libm::floor(x));
    let (down, right) = (y - top, x - left);
    let mut sum = [T::ZERO; C];
    for (i, share) in [(0.0, 1.0 - down), (1.0, down)] {
        for (j, other) in [(0.0, 1.0 - right), (1.0, right)] {
            let (row, column) = (top + i, left + j);
            // A negative number would become 0 as a `usize`.
            if row < 0.0 || column < 0.0 || share * other == 0.0 {
                continue;
            }
            let Some(pixel) = image.get(row as usize).and_then(|row| row.get(column as usize)) else { continue };
            for (sum, number) in sum.iter_mut().zip(pixel) {
                *sum += *number * T::from_f64(share * other);
            }
        }
    }
    sum
}

#[cfg(all(test, feature = "safetensors", feature = "std"))]
mod tests {
    use super::*;
    use crate::testing::golden::random;

    type Image = [[[f64; 2]; 7]; 5];

    fn image() -> Image {
        random::<Image, 1>(1)[0]
    }

    fn changed(images: Images, seed: u64) -> Image {
        let (mut to, mut noise) = ([[[9.0; 2]; 7]; 5], Noise::new(seed));
        images.apply(&image(), &mut to, &mut noise);
        to
    }

    #[test]
    fn the_same_noise_gives_the_same_image() {
        let all = Images { shift: 1.5, rotation: 0.4, scale: 0.2, elastic: 0.5, flip: true, cutout: 2, noise: 0.1 };
        assert_eq!(changed(all, 3), changed(all, 3));
        assert!(changed(all, 3) != changed(all, 4));
        assert!(changed(all, 3).as_flattened().as_flattened().iter().all(|x| x.abs() < 2.0));
        for seed in 0..20 {
            assert_eq!(changed(Images::default(), seed), image());
        }
    }

    /// Interpolation by the definition, at any place.
    #[test]
    fn between_pixels_is_bilinear() {
        let image = image();
        assert_eq!(between_pixels(&image, 2.0, 3.0), image[2][3]);
        let half = between_pixels(&image, 2.5, 3.0);
        assert!((half[0] - 0.5 * (image[2][3][0] + image[3][3][0])).abs() < 1e-15);
        assert_eq!(between_pixels(&image, -1.0, 3.0), [0.0; 2]);
        assert_eq!(between_pixels(&image, 2.0, 7.0), [0.0; 2]);
        let edge = between_pixels(&image, -0.25, 6.0);
        assert!((edge[1] - 0.75 * image[0][6][1]).abs() < 1e-15);
    }

    #[test]
    fn shifts_turns_and_sizes() {
        // A linear image shifted by t is lower by its slopes times t, away from the border.
        let plane: [[[f64; 1]; 9]; 9] =
            core::array::from_fn(|y| core::array::from_fn(|x| [2.0 * y as f64 + 3.0 * x as f64]));
        for seed in 0..10 {
            let mut to = plane;
            Images { shift: 1.0, ..Images::default() }.apply(&plane, &mut to, &mut Noise::new(seed));
            let by = plane[4][4][0] - to[4][4][0];
            assert!(by.abs() <= 5.0 && by != 0.0);
            for (y, x) in [(2, 2), (2, 6), (6, 5)] {
                assert!((plane[y][x][0] - to[y][x][0] - by).abs() < 1e-9);
            }
            // A turn and a change of size leave the middle, and the length of the slope changes by the size.
            let mut to = plane;
            Images { rotation: 0.5, scale: 0.3, ..Images::default() }.apply(&plane, &mut to, &mut Noise::new(seed));
            assert!((to[4][4][0] - plane[4][4][0]).abs() < 1e-9);
            let slope = (to[5][4][0] - to[4][4][0]).hypot(to[4][5][0] - to[4][4][0]) / 13.0_f64.sqrt();
            assert!((1.0 / 1.3..1.0 / 0.7).contains(&slope), "{slope}");
        }
    }

    #[test]
    fn flips_holes_and_noise() {
        let mirrored = image().map(|mut row| {
            row.reverse();
            row
        });
        let count =
            (0..200).filter(|seed| changed(Images { flip: true, ..Images::default() }, *seed) == mirrored).count();
        assert!((70..130).contains(&count), "{count} of 200 are mirrored");
        for seed in 0..50 {
            let to = changed(Images { cutout: 3, ..Images::default() }, seed);
            let zeros = to.as_flattened().iter().filter(|pixel| **pixel == [0.0; 2]).count();
            assert!((4..=9).contains(&zeros), "{zeros} of 9 pixels");
        }
        let images = Images { noise: 0.5, ..Images::default() };
        let mut squares = 0.0;
        for seed in 0..100 {
            let to = changed(images, seed);
            let pairs = to.as_flattened().as_flattened().iter().zip(image().as_flattened().as_flattened().to_vec());
            squares += pairs.map(|(a, b)| (a - b) * (a - b)).sum::<f64>() / 70.0;
        }
        assert!((squares / 100.0 - 0.25).abs() < 0.02);
        let displaced = changed(Images { elastic: 0.7, ..Images::default() }, 1);
        assert!(displaced != image());
    }
}
