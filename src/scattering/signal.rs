//! Scattering of signals.

use alloc::vec;
use alloc::vec::Vec;

use super::ScatteringError;
use super::fourier::{Complex, Fourier, Planes, root};
use crate::kernels::elementwise::{zip, zip3};
use crate::scalar::{Real, Vector};
use crate::simd::{Simd, Task, dispatch, level};

/// The width of the low-pass filter at scale 0, in periods of a sample.
const LOW: f64 = 0.1;
/// How many widths of a wavelet's spectrum must be below half of the frequencies that are kept.
const CLEAR: f64 = 5.0;

/// The scattering transform of signals of one length.
///
/// With scales up to `2^J` samples and `Q` wavelets of each octave, a signal has features at each `2^J`-th place: first
/// `S₀`, then `S₁` from the highest frequency down, then `S₂` by the first wavelet and the second, one of each octave.
///
/// ```
/// use monomorph::scattering::Scattering1d;
///
/// let mut scattering = Scattering1d::<f32>::new(256, 4, 4)?;
/// assert_eq!((scattering.features(), scattering.places()), (29, 16));
///
/// let tone: Vec<f32> = (0..256).map(|n| (0.2217 * std::f32::consts::TAU * n as f32).sin()).collect();
/// let mut features = vec![0.0; 16 * 29];
/// scattering.scatter(&tone, &mut features);
/// // The wavelet of that frequency answers most.
/// let middle = &features[8 * 29..9 * 29];
/// let most = (0..29).max_by(|a, b| middle[*a].total_cmp(&middle[*b]));
/// assert_eq!(most, Some(4));
/// # Ok::<(), monomorph::scattering::ScatteringError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Scattering1d<T> {
    length: usize,
    scales: usize,
    /// The border before the signal, and the places of it that are kept.
    border: usize,
    kept: [usize; 2],
    fourier: Vec<Fourier<T>>,
    /// The wavelets of both orders.
    first: Vec<Wave<T>>,
    second: Vec<Wave<T>>,
    /// The low-pass filter at each resolution.
    low: Vec<Vec<T>>,
    /// The spectra of the signal and of a modulus, and memory to work in.
    memory: [[Vec<T>; 2]; 4],
}

/// A wavelet: by what power of two its output can be thinned, and its spectrum at each resolution.
#[derive(Clone, Debug)]
struct Wave<T> {
    scale: usize,
    spectra: Vec<Vec<T>>,
}

impl<T: Real> Scattering1d<T> {
    /// Computes the filters for signals of `length` samples, `scales` (`J`) and `octave` (`Q`) wavelets of each octave.
    ///
    /// # Errors
    /// Sizes for which there is no scattering.
    pub fn new(length: usize, scales: usize, octave: usize) -> Result<Self, ScatteringError> {
        if scales == 0 || octave == 0 {
            return Err(ScatteringError::Nothing);
        }
        let least = if scales < 24 { 1 << scales } else { usize::MAX };
        if length < least {
            return Err(ScatteringError::Short { length, least });
        }
        let width = LOW / (1_u64 << scales) as f64;
        let whole = with_border(length, width);
        let spectra = |frequency: Option<f64>, width: f64, levels: usize| -> Vec<Vec<T>> {
            let all = morlet(whole, frequency, width);
            let thin = |level: usize| periods(&all, 1 << level).into_iter().map(T::from_f64).collect();
            (0..=levels).map(thin).collect()
        };
        let bank = |octave| {
            let waves = wavelets(width, octave);
            let scale =
                |(frequency, width): &(f64, f64)| (-libm::log2((frequency + CLEAR * width).min(0.5))) as usize - 1;
            waves.iter().map(|wave| (*wave, scale(wave))).collect::<Vec<_>>()
        };
        let (first, second) = (bank(octave), bank(1));
        let finer = |than: usize| first.iter().map(|(_, scale)| *scale).filter(|scale| *scale < than).max();
        let coarsest = first.iter().chain(&second).map(|(_, scale)| *scale).max().unwrap_or(0).min(scales);
        let low = spectra(None, width, coarsest);
        let wave = |((frequency, width), scale): &((f64, f64), usize), levels: usize| Wave {
            scale: *scale,
            spectra: spectra(Some(*frequency), *width, levels),
        };
        let second = second.iter().map(|found| wave(found, finer(found.1).unwrap_or(0))).collect();
        let first = first.iter().map(|found| wave(found, 0)).collect();
        let fourier = (0..=scales).filter_map(|level| Fourier::new(whole >> level)).collect();
        let border = (whole - length) / 2;
        let kept = [border, border + length].map(|place| place.div_ceil(1 << scales));
        let memory = core::array::from_fn(|_| [vec![T::ZERO; whole], vec![T::ZERO; whole]]);
        Ok(Self { length, scales, border, kept, fourier, first, second, low, memory })
    }

    /// How many features each place has.
    pub fn features(&self) -> usize {
        let deeper = |first: &Wave<T>| self.second.iter().filter(|second| second.scale > first.scale).count();
        1 + self.first.len() + self.first.iter().map(deeper).sum::<usize>()
    }

    /// How many places there are.
    pub fn places(&self) -> usize {
        self.kept[1] - self.kept[0]
    }

    /// Writes the features of a signal, those of a place side by side.
    ///
    /// If a slice is too short, what is missing counts as 0 or is not written.
    pub fn scatter(&mut self, signal: &[T], features: &mut [T]) {
        dispatch(level(), Run { scattering: self, signal, features });
    }
}

struct Run<'a, T> {
    scattering: &'a mut Scattering1d<T>,
    signal: &'a [T],
    features: &'a mut [T],
}

/// What the steps of a transform share.
struct Steps<'a, T> {
    fourier: &'a [Fourier<T>],
    low: &'a [Vec<T>],
    scales: usize,
    kept: [usize; 2],
    count: usize,
}

impl<T: Real> Task for Run<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(&mut self, simd: S) {
        let count = self.scattering.features();
        let Scattering1d { length, scales, border, kept, fourier, first, second, low, memory } = &mut *self.scattering;
        let steps = Steps { fourier, low, scales: *scales, kept: *kept, count };
        let [signal, modulus, a, b] = memory;
        // The border reflects the signal.
        let period = 2 * (*length - 1).max(1);
        for (place, to) in a[0].iter_mut().enumerate() {
            let at = (place + period - *border) % period;
            *to = self.signal.get(at.min(period - at)).copied().unwrap_or(T::ZERO);
        }
        a[1].fill(T::ZERO);
        steps.transform(simd, 0, a, b, false);
        copy(a, signal);
        steps.smooth(simd, (signal, 0), a, b, self.features, 0);
        let mut deeper = 1 + first.len();
        for (index, wave) in first.iter().enumerate() {
            let level = wave.scale.min(steps.scales);
            steps.wavelet(simd, (signal, 0), wave, level, a, b);
            copy(a, modulus);
            steps.smooth(simd, (modulus, level), a, b, self.features, 1 + index);
            for coarser in second.iter().filter(|coarser| coarser.scale > wave.scale) {
                let coarse = coarser.scale.min(steps.scales).max(level);
                steps.wavelet(simd, (modulus, level), coarser, coarse, a, b);
                // The spectrum is in `a`, so its product goes to `b`.
                steps.product(simd, coarse, steps.scales, a, b, &steps.low[coarse]);
                steps.keep(simd, b, a, self.features, deeper);
                deeper += 1;
            }
        }
    }
}

impl<T: Real> Steps<'_, T> {
    /// Transforms `a`, or back, where it is then.
    #[inline(always)]
    fn transform<S: Simd>(&self, simd: S, level: usize, a: &mut [Vec<T>; 2], b: &mut [Vec<T>; 2], back: bool) {
        let fourier = &self.fourier[level];
        let moved = fourier.transform(simd, 1, planes(a, fourier.size, back), planes(b, fourier.size, back));
        if moved {
            core::mem::swap(a, b);
        }
    }

    /// The product of a spectrum at the resolution `from` with a filter, thinned to the resolution `to`: the mean of
    /// its periods.
    #[inline(always)]
    fn product<S: Simd>(
        &self,
        simd: S,
        from: usize,
        to: usize,
        spectrum: &[Vec<T>; 2],
        result: &mut [Vec<T>; 2],
        filter: &[T],
    ) {
        let (size, share) = (self.fourier[to].size, T::from_f64(1.0 / (1_u64 << (to - from)) as f64));
        let share = T::Vector::<S>::splat(simd, share);
        for (spectrum, result) in spectrum.iter().zip(result) {
            let result = &mut result[..size];
            result.fill(T::ZERO);
            for (x, filter) in spectrum[..self.fourier[from].size].chunks_exact(size).zip(filter.chunks_exact(size)) {
                zip3(
                    simd,
                    result,
                    x,
                    filter,
                    #[inline(always)]
                    |sum, x, filter| sum + x * filter * share,
                );
            }
        }
    }

    /// The spectrum of `|x * ψ|` at the resolution `to`, in `a`.
    #[inline(always)]
    fn wavelet<S: Simd>(
        &self,
        simd: S,
        (spectrum, from): (&[Vec<T>; 2], usize),
        wave: &Wave<T>,
        to: usize,
        a: &mut [Vec<T>; 2],
        b: &mut [Vec<T>; 2],
    ) {
        self.product(simd, from, to, spectrum, a, &wave.spectra[from]);
        self.transform(simd, to, a, b, true);
        let size = self.fourier[to].size;
        let scale = T::Vector::<S>::splat(simd, T::from_f64(1.0 / size as f64));
        let [re, im] = a;
        zip(
            simd,
            &mut re[..size],
            &im[..size],
            #[inline(always)]
            |re, im| T::sqrt_lanes(simd, re * re + im * im) * scale,
        );
        im[..size].fill(T::ZERO);
        self.transform(simd, to, a, b, false);
    }

    /// The local means of what has this spectrum become a feature of each place.
    #[inline(always)]
    fn smooth<S: Simd>(
        &self,
        simd: S,
        (spectrum, level): (&[Vec<T>; 2], usize),
        a: &mut [Vec<T>; 2],
        b: &mut [Vec<T>; 2],
        features: &mut [T],
        feature: usize,
    ) {
        self.product(simd, level, self.scales, spectrum, a, &self.low[level]);
        self.keep(simd, a, b, features, feature);
    }

    /// What has this spectrum, in `a`, becomes a feature of each place.
    #[inline(always)]
    fn keep<S: Simd>(&self, simd: S, a: &mut [Vec<T>; 2], b: &mut [Vec<T>; 2], features: &mut [T], feature: usize) {
        self.transform(simd, self.scales, a, b, true);
        let scale = T::from_f64(1.0 / self.fourier[self.scales].size as f64);
        for (place, mean) in a[0].iter().take(self.kept[1]).skip(self.kept[0]).enumerate() {
            if let Some(to) = features.get_mut(place * self.count + feature) {
                *to = *mean * scale;
            }
        }
    }
}

/// Real and imaginary parts of the first `size` numbers, or exchanged.
fn planes<T>([re, im]: &mut [Vec<T>; 2], size: usize, exchanged: bool) -> Planes<'_, T> {
    let (re, im) = (&mut re[..size], &mut im[..size]);
    if exchanged { Planes { re: im, im: re } } else { Planes { re, im } }
}

/// Copies real and imaginary parts.
fn copy<T: Real>(from: &[Vec<T>; 2], to: &mut [Vec<T>; 2]) {
    from.iter().zip(to).for_each(|(from, to)| to.copy_from_slice(from));
}

/// How many samples a signal has with its border: a power of two, and room for what the low-pass filter reaches.
fn with_border(length: usize, width: f64) -> usize {
    // How far the filter reaches before less than a thousandth of it is left on that side.
    let filter = back(&morlet(length, None, width));
    let (mut left, mut reach) = (0.0, length / 2);
    for place in (0..length / 2).rev() {
        left += filter[place];
        if left > 1e-3 {
            break;
        }
        reach = place + 1;
    }
    let wanted = (length + 6 * reach).next_power_of_two();
    // A border that reflects the signal is shorter than it.
    let most = 1 << (3 * length).saturating_sub(2).max(1).ilog2();
    wanted.min(most)
}

/// The absolute values of the filter that has a real spectrum.
fn back(spectrum: &[f64]) -> Vec<f64> {
    let size = spectrum.len();
    let value = |n: usize| {
        let sum = spectrum.iter().enumerate().fold([0.0; 2], |[re, im]: Complex, (k, x)| {
            let [c, s] = root(k * n % size, size);
            [re + x * c, im - x * s]
        });
        libm::hypot(sum[0], sum[1]) / size as f64
    };
    (0..size).map(value).collect()
}

/// The frequencies and widths of wavelets, from the highest down: by equal factors as long as their width is above the
/// narrowest, then by equal steps.
fn wavelets(narrowest: f64, octave: usize) -> Vec<(f64, f64)> {
    let step = libm::exp2(1.0 / octave as f64);
    let highest = (1.0 / (1.0 + libm::exp2(3.0 / octave as f64))).max(0.35);
    // Neighbors meet where their spectra are √½ of their peaks.
    let share = (1.0 - 1.0 / step) / (1.0 + 1.0 / step) / libm::sqrt(core::f64::consts::LN_2);
    let mut waves = Vec::new();
    let mut last = (highest, highest * share);
    let mut elbow = last.1;
    if last.1 > narrowest {
        waves.push(last);
        while last.1 > narrowest * step {
            last = (last.0 / step, last.1 / step);
            waves.push(last);
        }
        elbow = last.0;
    }
    waves.extend((1..octave).map(|index| (elbow - index as f64 / octave as f64 * elbow, narrowest)));
    waves
}

/// The spectrum of a Morlet wavelet, or without a frequency that of a Gaussian; the absolute values of the filter sum
/// to 1.
fn morlet(size: usize, frequency: Option<f64>, width: f64) -> Vec<f64> {
    // As many periods as it takes to fall below a ten-millionth.
    let reach = (libm::ceil(libm::sqrt(-2.0 * width * width * libm::log(1e-7)) + 1.0) as i64).min(5);
    let gauss = |center: f64| -> Vec<f64> {
        let at = |index: usize, period: i64| {
            let place = index as f64 / size as f64 + period as f64 - center;
            // Within one period, frequencies above the half are negative ones.
            let place = if reach == 1 && center == 0.0 && 2 * index >= size { place - 1.0 } else { place };
            libm::exp(-place * place / (2.0 * width * width))
        };
        let mean = |index| (1 - reach..reach).map(|period| at(index, period)).sum::<f64>() / (2 * reach - 1) as f64;
        (0..size).map(mean).collect()
    };
    let mut spectrum = gauss(0.0);
    if let Some(frequency) = frequency {
        let waves = gauss(frequency);
        let share = waves[0] / spectrum[0];
        spectrum = waves.iter().zip(&spectrum).map(|(wave, low)| wave - share * low).collect();
    }
    let sum: f64 = back(&spectrum).iter().sum();
    spectrum.iter().map(|number| number / sum).collect()
}

/// The mean of the periods of a spectrum: that of every `thinned`-th sample of the filter.
fn periods(spectrum: &[f64], thinned: usize) -> Vec<f64> {
    let size = spectrum.len() / thinned;
    (0..size).map(|at| spectrum[at..].iter().step_by(size).sum::<f64>() / thinned as f64).collect()
}
