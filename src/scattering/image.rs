//! Scattering of images.

use alloc::vec;
use alloc::vec::Vec;
use core::f64::consts::PI;

use super::fourier::{Complex, Fourier, Planes, definition};
use super::{ScatteringError, part, part_mut};
use crate::kernels::elementwise::{add_scaled, zip_to, zip3};
use crate::kernels::gemm::transpose;
use crate::kernels::reduce::dot;
use crate::scalar::Real;
use crate::simd::{Simd, Task, dispatch, level};

/// What Kymatio divides filters by, so that features are its own to the last digits.
#[expect(clippy::approx_constant, reason = "it is not π")]
const ROUNDED_PI: f64 = 3.1415;

/// The scattering transform of images of one size.
///
/// With `J` scales and `L` directions an image has `1 + J·L + L²·J·(J - 1)/2` features at each `2^J`-th place of both
/// axes: first `S₀`, then `S₁` by scale and direction, then `S₂` by the scale and direction of the first wavelet and
/// those of the second.
///
/// | | |
/// | --- | --- |
/// | `ψ` of scale `j` | Morlet wavelet of width `0.8·2^j` and frequency `3π/4 / 2^j`, `L/4` times as wide along its crests |
/// | `φ` | Gaussian of width `0.8·2^(J-1)` |
/// | border | the image, reflected; then periodic |
///
/// ```
/// use monomorph::scattering::Scattering2d;
///
/// let mut scattering = Scattering2d::<f32>::new([28, 28], 2, 8)?;
/// assert_eq!((scattering.features(), scattering.places()), (81, [7, 7]));
///
/// let (image, mut features) = (vec![0.5; 28 * 28], vec![0.0; 7 * 7 * 81]);
/// scattering.scatter(&image, &mut features);
/// // Nothing but grey has no waves.
/// assert!((features[0] - 0.5).abs() < 1e-4 && features[1..81].iter().all(|wave| wave.abs() < 1e-5));
/// # Ok::<(), monomorph::scattering::ScatteringError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Scattering2d<T> {
    size: [usize; 2],
    scales: usize,
    directions: usize,
    border: [usize; 2],
    levels: Vec<Level<T>>,
    scratch: Scratch<T>,
}

/// What belongs to a resolution: images of which every `2^level`-th place was kept.
#[derive(Clone, Debug)]
struct Level<T> {
    size: [usize; 2],
    fourier: [Fourier<T>; 2],
    /// The Fourier transforms of the wavelets, by scale and direction from this scale on, with a row for each column.
    waves: Vec<T>,
    /// What takes local means along both axes: a row for each place.
    means: [Vec<T>; 2],
}

/// Memory for images with their borders.
#[derive(Clone, Debug)]
struct Scratch<T> {
    image: Vec<T>,
    /// The transforms of the image and of a modulus.
    spectra: [[Vec<T>; 2]; 2],
    work: [[Vec<T>; 2]; 2],
    modulus: Vec<T>,
    rows: Vec<T>,
}

/// How many numbers an axis has with its border.
const fn padded(size: usize, scales: usize) -> usize {
    (((size + (1 << scales)) >> scales) + 1) << scales
}

impl<T: Real> Scattering2d<T> {
    /// Computes the filters for images of `[height, width]`, `scales` (`J`) and `directions` (`L`).
    ///
    /// # Errors
    /// Sizes for which there is no scattering.
    pub fn new(size: [usize; 2], scales: usize, directions: usize) -> Result<Self, ScatteringError> {
        if scales == 0 || directions == 0 {
            return Err(ScatteringError::Nothing);
        }
        for length in size {
            let least = if scales < 24 { 1 << scales } else { usize::MAX };
            if length < least {
                return Err(ScatteringError::Short { length, least });
            }
        }
        let whole = size.map(|length| padded(length, scales));
        let mut waves = Vec::new();
        for scale in 0..scales {
            for direction in 0..directions {
                waves.push(wave(whole, scale, direction, directions));
            }
        }
        let smooth = whole.map(|length| gauss(length, 0.8 * (1_usize << (scales - 1)) as f64));
        let mut levels = Vec::new();
        for level in 0..scales {
            let here = whole.map(|length| length >> level);
            let [Some(rows), Some(columns)] = here.map(Fourier::new) else {
                let axis = usize::from(Fourier::<T>::new(here[0]).is_some());
                return Err(ScatteringError::Factor { length: size[axis], padded: whole[axis] });
            };
            let mut all = Vec::new();
            for (index, spectrum) in waves.iter().enumerate() {
                let scale = index / directions;
                if scale >= level {
                    // What is kept of the product's periods is their mean, and the inverse divides by the rest.
                    let kept = folded(spectrum, whole, level);
                    let factor = 1.0 / (here[0] * here[1]) as f64;
                    for column in 0..here[1] {
                        all.extend((0..here[0]).map(|row| T::from_f64(kept[row * here[1] + column] * factor)));
                    }
                }
            }
            let means = [0, 1].map(|axis| {
                mean(&smooth[axis], level, scales, size[axis] >> scales).into_iter().map(T::from_f64).collect()
            });
            levels.push(Level { size: here, fourier: [rows, columns], waves: all, means });
        }
        let area = whole[0] * whole[1];
        let memory = || [vec![T::ZERO; area], vec![T::ZERO; area]];
        let scratch = Scratch {
            image: vec![T::ZERO; area],
            spectra: [memory(), memory()],
            work: [memory(), memory()],
            modulus: vec![T::ZERO; area],
            rows: vec![T::ZERO; (size[0] >> scales) * whole[1]],
        };
        let border = [0, 1].map(|axis| (whole[axis] - size[axis]) / 2);
        Ok(Self { size, scales, directions, border, levels, scratch })
    }

    /// How many features each place has.
    pub fn features(&self) -> usize {
        let (scales, directions) = (self.scales, self.directions);
        1 + scales * directions + directions * directions * scales * (scales - 1) / 2
    }

    /// How many places there are along both axes.
    pub fn places(&self) -> [usize; 2] {
        self.size.map(|length| length >> self.scales)
    }

    /// Writes the features of an image of `height * width` numbers, row by row: those of a place side by side.
    ///
    /// If a slice is too short, what is missing counts as 0 or is not written.
    pub fn scatter(&mut self, image: &[T], features: &mut [T]) {
        dispatch(level(), Run { scattering: self, image, features });
    }

    /// Writes the image with its border, which reflects it.
    fn pad(&mut self, image: &[T]) {
        let [height, width] = self.size;
        let reflect = |at: usize, border: usize, length: usize| {
            let (at, period) = (at + 2 * length.saturating_sub(1).max(1) - border, 2 * length.saturating_sub(1).max(1));
            let at = at % period;
            if at < length { at } else { period - at }
        };
        let whole = self.levels[0].size;
        for row in 0..whole[0] {
            let from = part(image, reflect(row, self.border[0], height), width);
            for (column, to) in part_mut(&mut self.scratch.image, row, whole[1]).iter_mut().enumerate() {
                *to = from.get(reflect(column, self.border[1], width)).copied().unwrap_or(T::ZERO);
            }
        }
    }
}

struct Run<'a, T> {
    scattering: &'a mut Scattering2d<T>,
    image: &'a [T],
    features: &'a mut [T],
}

impl<T: Real> Task for Run<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(&mut self, simd: S) {
        self.scattering.pad(self.image);
        let (count, places) = (self.scattering.features(), self.scattering.places());
        let Scattering2d { scales, directions, levels, scratch, .. } = &mut *self.scattering;
        let (scales, directions) = (*scales, *directions);
        let Scratch { image, spectra: [first, second], work, modulus, rows } = scratch;
        levels[0].smooth(simd, places, image, rows, &mut *self.features, [count, 0]);
        levels[0].spectrum(simd, image, first, work);

        let mut deeper = 1 + scales * directions;
        for (scale, level) in levels.iter().enumerate() {
            for direction in 0..directions {
                let index = scale * directions + direction;
                level.wavelet(simd, &levels[0], (&*first, index), work, modulus);
                level.smooth(simd, places, modulus, rows, &mut *self.features, [count, 1 + index]);
                if scale + 1 < scales {
                    level.spectrum(simd, modulus, second, work);
                }
                for (coarse, coarser) in levels.iter().enumerate().skip(scale + 1) {
                    for other in 0..directions {
                        let index = (coarse - scale) * directions + other;
                        coarser.wavelet(simd, level, (&*second, index), work, modulus);
                        coarser.smooth(simd, places, modulus, rows, &mut *self.features, [count, deeper]);
                        deeper += 1;
                    }
                }
            }
        }
    }
}

impl<T: Real> Level<T> {
    /// The transform of a real image of this resolution, with a row for each column.
    #[inline(always)]
    fn spectrum<S: Simd>(&self, simd: S, image: &[T], spectrum: &mut [Vec<T>; 2], work: &mut [[Vec<T>; 2]; 2]) {
        let ([height, width], area) = (self.size, self.size[0] * self.size[1]);
        let [a, b] = work;
        a[0][..area].copy_from_slice(&image[..area]);
        a[1][..area].fill(T::ZERO);
        let moved = self.fourier[0].transform(simd, width, planes(a, area), planes(b, area));
        let (from, to) = if moved { (&mut *b, &mut *a) } else { (&mut *a, &mut *b) };
        for part in 0..2 {
            transpose(simd, [height, width], (&from[part][..area], width), (&mut to[part][..area], height));
        }
        let moved = self.fourier[1].transform(simd, height, planes(to, area), planes(from, area));
        let result = if moved { from } else { to };
        for part in 0..2 {
            spectrum[part][..area].copy_from_slice(&result[part][..area]);
        }
    }

    /// `|x * ψ|` at this resolution, from the spectrum of `x` at the resolution `source`.
    #[inline(always)]
    fn wavelet<S: Simd>(
        &self,
        simd: S,
        source: &Self,
        (spectrum, index): (&[Vec<T>; 2], usize),
        work: &mut [[Vec<T>; 2]; 2],
        modulus: &mut [T],
    ) {
        let ([height, width], area) = (self.size, self.size[0] * self.size[1]);
        let ([source_height, _], whole) = (source.size, source.size[0] * source.size[1]);
        let [a, b] = work;
        let wave = part(&source.waves, index, whole);
        // What is kept of every `2^k`-th place has the mean of the spectrum's periods as its spectrum.
        let periods = source_height / height;
        for (spectrum, to) in spectrum.iter().zip(a.iter_mut()) {
            if periods == 1 {
                zip_to(
                    simd,
                    &spectrum[..area],
                    wave,
                    &mut to[..area],
                    #[inline(always)]
                    |x, wave| x * wave,
                );
                continue;
            }
            for column in 0..width {
                let sum = part_mut(to, column, height);
                sum.fill(T::ZERO);
                for period in 0..periods {
                    let row = column + period * width;
                    let (x, wave) = (part(spectrum, row, source_height), part(wave, row, source_height));
                    for (x, wave) in x.chunks_exact(height).zip(wave.chunks_exact(height)) {
                        zip3(
                            simd,
                            sum,
                            x,
                            wave,
                            #[inline(always)]
                            |sum, x, wave| sum + x * wave,
                        );
                    }
                }
            }
        }
        // With its parts exchanged, the transform is the inverse.
        let moved = self.fourier[1].transform(simd, height, exchanged(a, area), exchanged(b, area));
        let (from, to) = if moved { (&mut *b, &mut *a) } else { (&mut *a, &mut *b) };
        for part in 0..2 {
            transpose(simd, [width, height], (&from[part][..area], height), (&mut to[part][..area], width));
        }
        let moved = self.fourier[0].transform(simd, width, exchanged(to, area), exchanged(from, area));
        let [re, im] = if moved { from } else { to };
        zip_to(
            simd,
            &re[..area],
            &im[..area],
            &mut modulus[..area],
            #[inline(always)]
            |re, im| T::sqrt_lanes(simd, re * re + im * im),
        );
    }

    /// The local means of an image of this resolution, which become the feature `[count, feature]` of each place.
    #[inline(always)]
    fn smooth<S: Simd>(
        &self,
        simd: S,
        places: [usize; 2],
        image: &[T],
        rows: &mut [T],
        features: &mut [T],
        [count, feature]: [usize; 2],
    ) {
        let [height, width] = self.size;
        for place in 0..places[0] {
            let sum = part_mut(rows, place, width);
            sum.fill(T::ZERO);
            for (row, weight) in part(&self.means[0], place, height).iter().enumerate() {
                add_scaled(simd, sum, part(image, row, width), *weight);
            }
            for column in 0..places[1] {
                let mean = dot(simd, sum, part(&self.means[1], column, width));
                if let Some(to) = features.get_mut((place * places[1] + column) * count + feature) {
                    *to = mean;
                }
            }
        }
    }
}

/// Real and imaginary parts of the first `area` numbers.
fn planes<T>([re, im]: &mut [Vec<T>; 2], area: usize) -> Planes<'_, T> {
    Planes { re: &mut re[..area], im: &mut im[..area] }
}

/// The same, one in the place of the other.
fn exchanged<T>([re, im]: &mut [Vec<T>; 2], area: usize) -> Planes<'_, T> {
    Planes { re: &mut im[..area], im: &mut re[..area] }
}

/// The transform of a Gaussian of one dimension whose width is `width`.
fn gauss(length: usize, width: f64) -> Vec<f64> {
    let at = |place: f64| libm::exp(-place * place / (2.0 * width * width)) / (libm::sqrt(2.0 * ROUNDED_PI) * width);
    let copies =
        |place: usize| -> f64 { (-2..=2).map(|copy| at(place as f64 + f64::from(copy) * length as f64)).sum() };
    let filter: Vec<Complex> = (0..length).map(|place| [copies(place), 0.0]).collect();
    definition(&filter, false).into_iter().map(|[re, _]| re).collect()
}

/// The transform of a Morlet wavelet, which is real.
fn wave([height, width]: [usize; 2], scale: usize, direction: usize, directions: usize) -> Vec<f64> {
    let factor = (1_u64 << scale) as f64;
    let (sigma, frequency, slant) = (0.8 * factor, 0.75 * PI / factor, 4.0 / directions as f64);
    // Directions are counted down from `⌊L/2⌋ - 1`.
    let turns = (directions / 2).saturating_sub(1) as f64 - direction as f64;
    let (sin, cos) = libm::sincos(turns * PI / directions as f64);
    let mut sums = [[0.0; 2]; 2];
    let mut filters = [vec![[0.0; 2]; height * width], vec![[0.0; 2]; height * width]];
    for place in 0..height * width {
        for copy in 0..25 {
            let at = |place: usize, copy: i32, length: usize| place as f64 + f64::from(copy - 2) * length as f64;
            let (y, x) = (at(place / width, copy / 5, height), at(place % width, copy % 5, width));
            // Along the waves and across them.
            let (along, across) = (y * cos + x * sin, x * cos - y * sin);
            let envelope = libm::exp(-(along * along + slant * slant * across * across) / (2.0 * sigma * sigma));
            let (im, re) = libm::sincos(along * frequency);
            filters[0][place] = [filters[0][place][0] + envelope * re, filters[0][place][1] + envelope * im];
            filters[1][place][0] += envelope;
        }
        for (sum, filter) in sums.iter_mut().zip(&filters) {
            *sum = [sum[0] + filter[place][0], sum[1] + filter[place][1]];
        }
    }
    // As much of the envelope is taken away as makes the sum 0.
    let [re, im] = sums[0].map(|part| part / sums[1][0]);
    let norm = 2.0 * ROUNDED_PI * sigma * sigma / slant;
    let mut filter = filters[0].clone();
    for (number, [envelope, _]) in filter.iter_mut().zip(&filters[1]) {
        *number = [(number[0] - re * envelope) / norm, (number[1] - im * envelope) / norm];
    }
    for row in filter.chunks_exact_mut(width) {
        let transformed = definition(row, false);
        row.copy_from_slice(&transformed);
    }
    for column in 0..width {
        let numbers: Vec<Complex> = (0..height).map(|row| filter[row * width + column]).collect();
        for (row, number) in definition(&numbers, false).into_iter().enumerate() {
            filter[row * width + column] = number;
        }
    }
    filter.into_iter().map(|[re, _]| re).collect()
}

/// Whether a frequency is one that a filter keeps at a coarser resolution.
fn kept(frequency: usize, length: usize, level: usize) -> bool {
    let (first, count) = (length >> (level + 1), length - (length >> level));
    level == 0 || !(first..first + count).contains(&frequency)
}

/// A spectrum at a coarser resolution: the sum of its periods, without frequencies that it does not have.
fn folded(spectrum: &[f64], [height, width]: [usize; 2], level: usize) -> Vec<f64> {
    let (rows, columns) = (height >> level, width >> level);
    let mut sum = vec![0.0; rows * columns];
    for row in (0..height).filter(|row| kept(*row, height, level)) {
        for column in (0..width).filter(|column| kept(*column, width, level)) {
            sum[row % rows * columns + column % columns] += spectrum[row * width + column];
        }
    }
    sum
}

/// The matrix that takes local means along an axis at a resolution, at the places that are kept.
fn mean(spectrum: &[f64], level: usize, scales: usize, places: usize) -> Vec<f64> {
    let length = spectrum.len() >> level;
    let mut folded: Vec<Complex> = vec![[0.0; 2]; length];
    for (frequency, number) in spectrum.iter().enumerate().filter(|(at, _)| kept(*at, spectrum.len(), level)) {
        folded[frequency % length][0] += number;
    }
    let filter = definition(&folded, true);
    let step = 1 << (scales - level);
    let mut matrix = Vec::new();
    for place in 0..places {
        // The first place that is kept is behind the border.
        let center = (place + 1) * step;
        matrix.extend((0..length).map(|at| filter[(center + length - at) % length][0]));
    }
    matrix
}
