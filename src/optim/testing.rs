//! What the tests of all optimizers share.

use super::*;
use crate::memory::zeroed;
use crate::noise::Noise;
use crate::simd::{Task, dispatch, level, levels};
use crate::testing::golden::{Case, assert_close};
use std::format;

#[derive(Parameters)]
#[repr(C)]
struct Flat<T: Scalar, const N: usize> {
    w: [T; N],
}

/// Learned numbers around a running statistic, at sizes that are no multiple of a register.
#[derive(Parameters)]
#[repr(C)]
struct Mixed<T: Scalar> {
    a: [T; 33],
    #[parameters(state)]
    running: [T; 5],
    b: [T; 3],
    c: [[T; 10]; 10],
}

pub(super) struct Step<'a, T: Scalar, O: Optimizer<T>, N: Parameters<Scalar = T>> {
    pub(super) optimizer: &'a O,
    pub(super) step: u64,
    pub(super) rate: f64,
    pub(super) scale: f64,
    pub(super) parameters: &'a mut N,
    pub(super) gradient: &'a N,
    pub(super) memory: &'a mut O::Memory<N>,
}

impl<T: Scalar, O: Optimizer<T>, N: Parameters<Scalar = T>> Task for Step<'_, T, O, N> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(&mut self, simd: S) {
        let Self { optimizer, step, rate, scale, parameters, gradient, memory } = self;
        optimizer.update(simd, *step, *rate, T::from_f64(*scale), *parameters, gradient, *memory);
    }
}

/// Twelve steps of a reference case from PyTorch, to 1e-10 in `f64` and 2e-6 in `f32`; then `Mixed`.
pub(super) fn optimizer<O: Optimizer<f64> + Optimizer<f32>>(name: &str, optimizer: &O) {
    golden::<f64, O>(name, optimizer, 1e-10);
    golden::<f32, O>(name, optimizer, 2e-6);
    mixed::<f64, O>(optimizer, 1e-12);
    mixed::<f32, O>(optimizer, 1e-5);
}

/// One parameter, step by step.
pub(super) fn by_hand<O: Optimizer<f64>>(optimizer: &O, start: f64, gradients: &[f64], expected: &[f64]) {
    let mut parameters = Flat { w: [start] };
    let mut memory: O::Memory<Flat<f64, 1>> = zeroed();
    for (index, (gradient, expected)) in gradients.iter().zip(expected).enumerate() {
        let (gradient, memory) = (&Flat { w: [*gradient] }, &mut memory);
        let (step, parameters) = (index as u64 + 1, &mut parameters);
        dispatch(level(), Step { optimizer, step, rate: 1.0, scale: 1.0, parameters, gradient, memory });
        assert_close("by hand", &parameters.w, &[*expected], 1e-14);
    }
}

fn golden<T: Scalar, O: Optimizer<T>>(name: &str, optimizer: &O, tolerance: f64) {
    let case = Case::open(name);
    let (start, gradients, expected) = (case.numbers("w0"), case.numbers("grads"), case.numbers("weights"));
    for level in levels() {
        let mut parameters = Flat { w: core::array::from_fn(|i| T::from_f64(start[i])) };
        let mut memory: O::Memory<Flat<T, 7>> = zeroed();
        for (index, (gradient, expected)) in gradients.chunks(7).zip(expected.chunks(7)).enumerate() {
            // The gradient is passed in doubled, to check that it is scaled.
            let gradient = Flat { w: core::array::from_fn(|i| T::from_f64(gradient[i] * 2.0)) };
            dispatch(
                level,
                Step {
                    optimizer,
                    step: index as u64 + 1,
                    rate: 1.0,
                    scale: 0.5,
                    parameters: &mut parameters,
                    gradient: &gradient,
                    memory: &mut memory,
                },
            );
            assert_close(&format!("{name} at {level:?}, step {}", index + 1), &parameters.w, expected, tolerance);
        }
    }
}

/// Every learned number must move as it would in a network of its own; state decreases by its gradient.
fn mixed<T: Scalar, O: Optimizer<T>>(optimizer: &O, tolerance: f64) {
    for level in levels() {
        let mut noise = Noise::new(3);
        let mut draw = || T::from_f64(noise.uniform() * 2.0 - 1.0);
        let mut network: Mixed<T> = zeroed();
        network.as_mut_slice().fill_with(&mut draw);
        let mut memory: O::Memory<Mixed<T>> = zeroed();
        let mut alone: [Flat<T, 1>; 141] = core::array::from_fn(|i| Flat { w: [network.as_slice()[i]] });
        let mut memories: [O::Memory<Flat<T, 1>>; 141] = core::array::from_fn(|_| zeroed());
        for step in 1..=3 {
            let (rate, scale) = (1.0 / step as f64, 0.3);
            let mut gradient: Mixed<T> = zeroed();
            gradient.as_mut_slice().fill_with(&mut draw);
            let before = network.running;
            let (parameters, memory) = (&mut network, &mut memory);
            dispatch(level, Step { optimizer, step, rate, scale, parameters, gradient: &gradient, memory });
            for (index, (parameters, memory)) in alone.iter_mut().zip(&mut memories).enumerate() {
                let gradient = &Flat { w: [gradient.as_slice()[index]] };
                dispatch(level, Step { optimizer, step, rate, scale, parameters, gradient, memory });
            }
            for index in 0..5 {
                assert!(network.running[index] == before[index] - gradient.running[index]);
            }
            for (index, alone) in alone.iter().enumerate().filter(|(index, _)| !(33..38).contains(index)) {
                let actual = network.as_slice()[index];
                assert_close(&format!("{index} at {level:?}"), &[actual], &[alone.w[0].to_f64()], tolerance);
            }
        }
        for_each_part::<Mixed<T>, O>(&memory, &mut |_, part| {
            let PartRef::Tensors(part) = part else { return };
            assert!(part.running.iter().all(|x| *x == T::ZERO), "state has no memory");
        });
    }
}
