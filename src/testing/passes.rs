//! All passes of a layer, at every SIMD level, compared with each other.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use super::Owned;
use crate::layer::{Inputs, Layer, Pass, apply};
use crate::layers::Relu;
use crate::memory::boxed;
use crate::noise::Noise;
use crate::parameters::{Role, for_each_role};
use crate::scalar::Scalar;
#[cfg(not(feature = "std"))]
use crate::simd::level;
#[cfg(feature = "std")]
use crate::simd::levels;
use crate::simd::{Level, Simd, Task, dispatch};
use crate::tensor::{batch_slice, batch_slice_mut};

/// Without the standard library, only the best level can be told.
#[cfg(not(feature = "std"))]
fn levels() -> [Level; 1] {
    [level()]
}

/// What the passes of a layer over a batch write.
pub struct Passes<L: Layer, const B: usize> {
    /// The output of `evaluate`.
    pub evaluated: Box<[L::Output; B]>,
    /// The output of `forward`.
    pub output: Box<[L::Output; B]>,
    /// ∂L/∂input, by `backward`.
    pub grad_input: Box<Owned<L, B>>,
    /// ∂L/∂parameters, by `backward`.
    pub gradient: Box<L>,
}

impl<L: Layer, const B: usize> fmt::Debug for Passes<L, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (evaluated, output) = (batch_slice(&self.evaluated[..]), batch_slice(&self.output[..]));
        f.debug_struct("Passes").field("evaluated", &evaluated).field("output", &output).finish_non_exhaustive()
    }
}

/// Two passes of a layer that disagree.
#[derive(Clone, Copy, Debug)]
pub struct PassError {
    /// What is wrong.
    pub what: &'static str,
    /// The level at which it is.
    pub level: Level,
    /// The index in the flat slice of the batch's numbers or of the parameters.
    pub index: usize,
    /// The number that is wrong, or at least another one.
    pub found: f64,
    /// The number that it should be.
    pub expected: f64,
}

impl fmt::Display for PassError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, level, index, found, expected } = self;
        write!(f, "{what}: at {}, number {index} is {found:e}, not {expected:e}", name(*level))
    }
}

impl core::error::Error for PassError {}

/// `Avx2`.
pub(super) fn name(level: Level) -> String {
    format!("{level:?}").chars().take_while(|letter| letter.is_alphanumeric()).collect()
}

/// Runs all passes of a layer at every SIMD level of this machine, and checks what must hold for every layer:
///
/// - All levels give the same numbers.
/// - `evaluate_then` is `evaluate`, and `forward_then` is `forward`, followed by the function.
/// - `backward` adds to the gradient, which does not depend on whether ∂L/∂input is wanted.
/// - `backward` reads nothing but what [`BACKWARD_READS`](Layer::BACKWARD_READS) says.
/// - If all numbers are finite, no pass leaves NaN behind, as it does where it forgets to write.
///
/// Every forward pass draws the same noise. Numbers may differ by rounding: by 10⁻⁹ in `f64` and 10⁻⁴ otherwise, relative
/// to `1 + |expected|`. Whether the numbers are right is for the caller to say, who gets those of the first level:
///
/// ```
/// use monomorph::layers::Dense;
/// use monomorph::testing::passes;
///
/// let mut dense: Dense<[f32; 2], [[f32; 3]; 2], [f32; 3]> = monomorph::memory::zeroed();
/// dense.weight = [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]];
/// let passes = passes(&dense, &[[10.0, 1.0]], &[[1.0, 0.0, -1.0]])?;
/// assert_eq!(*passes.output, [[14.0, 25.0, 36.0]]);
/// assert_eq!(*passes.grad_input, [[-2.0, -2.0]]);
/// assert_eq!(passes.gradient.weight, [[10.0, 0.0, -10.0], [1.0, 0.0, -1.0]]);
/// # Ok::<(), monomorph::testing::PassError>(())
/// ```
///
/// # Errors
/// The first number that is not what it must be.
pub fn passes<L: Layer, const B: usize>(
    layer: &L,
    input: &<L::Input as Inputs>::Owned<B>,
    grad_output: &[L::Output; B],
) -> Result<Passes<L, B>, PassError> {
    let mut first: Option<Passes<L, B>> = None;
    for level in levels() {
        let mut here = Passes::at(level, layer, input, grad_output)?;
        let Some(first) = &mut first else {
            first = Some(here);
            continue;
        };
        let check = Check { level, finite: false };
        check.same("`evaluate` depends on the level", &here.evaluated[..], &first.evaluated[..])?;
        check.same("`forward` depends on the level", &here.output[..], &first.output[..])?;
        let (found, expected) = (gradients::<L, B>(&mut here), gradients::<L, B>(first));
        check.numbers("`backward` depends on the level: ∂L/∂input", &found, &expected)?;
        let (found, expected) = (here.gradient.as_slice(), first.gradient.as_slice());
        check.numbers("`backward` depends on the level: ∂L/∂parameters", found, expected)?;
    }
    Ok(first.unwrap_or_else(Passes::unwritten))
}

/// The numbers of ∂L/∂input.
fn gradients<L: Layer, const B: usize>(passes: &mut Passes<L, B>) -> Vec<L::Scalar> {
    let mut numbers = Vec::new();
    L::Input::each_part::<L::Scalar, B>(&mut passes.grad_input, &mut |part| numbers.extend_from_slice(part));
    numbers
}

impl<L: Layer, const B: usize> Passes<L, B> {
    /// The passes at one level, with all checks of [`passes`] that need no other.
    ///
    /// # Errors
    /// As [`passes`].
    pub fn at(
        level: Level,
        layer: &L,
        input: &<L::Input as Inputs>::Owned<B>,
        grad_output: &[L::Output; B],
    ) -> Result<Self, PassError> {
        let mut finite = batch_slice(grad_output).iter().chain(layer.as_slice()).all(|x| x.to_f64().is_finite());
        let mut copy: Box<Owned<L, B>> = boxed();
        L::Input::copy(input, &mut copy);
        L::Input::each_part::<L::Scalar, B>(&mut copy, &mut |part| {
            finite &= part.iter().all(|x| x.to_f64().is_finite());
        });
        dispatch(level, Run { layer, input, grad_output, check: Check { level, finite } })
    }

    /// NaN everywhere but in the gradient, so that a number that a pass forgets to write is not mistaken for a zero.
    fn unwritten() -> Self {
        let mut passes = Self { evaluated: boxed(), output: boxed(), grad_input: boxed(), gradient: boxed::<L>() };
        batch_slice_mut(&mut passes.evaluated[..]).fill(nan());
        batch_slice_mut(&mut passes.output[..]).fill(nan());
        L::Input::each_part::<L::Scalar, B>(&mut passes.grad_input, &mut |part| part.fill(nan()));
        passes
    }
}

fn nan<T: Scalar>() -> T {
    T::from_f64(f64::NAN)
}

/// Compares numbers at a level.
#[derive(Clone, Copy)]
struct Check {
    level: Level,
    /// Whether NaN is a mistake.
    finite: bool,
}

impl Check {
    fn same<X: crate::Tensor<Element: Scalar>>(
        self,
        what: &'static str,
        found: &[X],
        expected: &[X],
    ) -> Result<(), PassError> {
        self.numbers(what, batch_slice(found), batch_slice(expected))
    }

    fn numbers<T: Scalar>(self, what: &'static str, found: &[T], expected: &[T]) -> Result<(), PassError> {
        let tolerance = if size_of::<T>() == 8 { 1e-9 } else { 1e-4 };
        for (index, (found, expected)) in found.iter().zip(expected).enumerate() {
            let (found, expected) = (found.to_f64(), expected.to_f64());
            let close = (found - expected).abs() <= tolerance * (1.0 + expected.abs());
            if !(close || found == expected || found.is_nan() && expected.is_nan()) {
                return Err(PassError { what, level: self.level, index, found, expected });
            }
        }
        Ok(())
    }

    fn written<T: Scalar>(self, what: &'static str, numbers: &[T]) -> Result<(), PassError> {
        match numbers.iter().position(|number| number.to_f64().is_nan()) {
            Some(index) if self.finite => {
                Err(PassError { what, level: self.level, index, found: f64::NAN, expected: 0.0 })
            }
            _ => Ok(()),
        }
    }
}

struct Run<'a, L: Layer, const B: usize> {
    layer: &'a L,
    input: &'a Owned<L, B>,
    grad_output: &'a [L::Output; B],
    check: Check,
}

impl<L: Layer, const B: usize> Run<'_, L, B> {
    /// A forward pass and a backward pass; what `backward` does not read is NaN if `hidden`.
    #[inline(always)]
    fn backward<S: Simd>(
        &self,
        simd: S,
        output: &mut [L::Output; B],
        grad_input: Option<&mut Owned<L, B>>,
        gradient: &mut L,
        hidden: bool,
    ) {
        let (mut saved, mut pass): (Box<L::Saved<B>>, _) = (boxed(), Pass::new(Noise::new(1), L::Scalar::ONE));
        self.layer.forward(simd, L::Input::batch(self.input), output, &mut saved, &mut pass);
        let mut input: Box<Owned<L, B>> = boxed();
        L::Input::copy(self.input, &mut input);
        let mut read: Box<[L::Output; B]> = boxed();
        batch_slice_mut(&mut read[..]).copy_from_slice(batch_slice(output));
        if hidden && !L::BACKWARD_READS.input {
            L::Input::each_part::<L::Scalar, B>(&mut input, &mut |part| part.fill(nan()));
        }
        if hidden && !L::BACKWARD_READS.output {
            batch_slice_mut(&mut read[..]).fill(nan());
        }
        let mut grad_output: Box<[L::Output; B]> = boxed();
        batch_slice_mut(&mut grad_output[..]).copy_from_slice(batch_slice(self.grad_output));
        let grad_input = grad_input.map_or_else(L::Input::no_gradient, L::Input::gradient);
        let input = L::Input::batch(&input);
        self.layer.backward(simd, input, &read, &mut saved, &mut grad_output, grad_input, gradient, &pass);
    }
}

impl<L: Layer, const B: usize> Task for Run<'_, L, B> {
    type Output = Result<Passes<L, B>, PassError>;

    #[inline(always)]
    fn run<S: Simd>(&mut self, simd: S) -> Self::Output {
        let Self { layer, check, .. } = *self;
        let mut passes = Passes::<L, B>::unwritten();
        let mut workspace: Box<L::Workspace<B>> = boxed();
        let input = L::Input::batch(self.input);
        layer.evaluate(simd, input, &mut passes.evaluated, &mut workspace);
        check.written("`evaluate` leaves a number unwritten", batch_slice(&passes.evaluated[..]))?;

        let mut then = Passes::<L, B>::unwritten();
        layer.evaluate_then::<S, B, Relu>(simd, input, &mut then.evaluated, &mut workspace);
        batch_slice_mut(&mut then.output[..]).copy_from_slice(batch_slice(&passes.evaluated[..]));
        apply::<L::Scalar, S, Relu>(simd, batch_slice_mut(&mut then.output[..]));
        check.same("`evaluate_then` is not `evaluate` and then the function", &then.evaluated[..], &then.output[..])?;

        self.backward(simd, &mut passes.output, Some(&mut passes.grad_input), &mut passes.gradient, false);
        check.written("`forward` leaves a number unwritten", batch_slice(&passes.output[..]))?;
        let expected = gradients(&mut passes);
        check.written("`backward` leaves a number of ∂L/∂input unwritten", &expected)?;
        check.written("`backward` makes ∂L/∂parameters NaN", passes.gradient.as_slice())?;

        if !L::BACKWARD_READS.output {
            let (mut saved, mut pass): (Box<L::Saved<B>>, _) = (boxed(), Pass::new(Noise::new(1), L::Scalar::ONE));
            layer.forward_then::<S, B, Relu>(simd, input, &mut then.evaluated, &mut saved, &mut pass);
            batch_slice_mut(&mut then.output[..]).copy_from_slice(batch_slice(&passes.output[..]));
            apply::<L::Scalar, S, Relu>(simd, batch_slice_mut(&mut then.output[..]));
            check.same(
                "`forward_then` is not `forward` and then the function",
                &then.evaluated[..],
                &then.output[..],
            )?;
        }

        self.backward(simd, &mut then.output, Some(&mut then.grad_input), &mut then.gradient, true);
        let what = "`backward` reads what `BACKWARD_READS` does not say: ∂L/∂input";
        check.numbers(what, &gradients(&mut then), &expected)?;
        let what = "`backward` reads what `BACKWARD_READS` does not say: ∂L/∂parameters";
        check.numbers(what, then.gradient.as_slice(), passes.gradient.as_slice())?;

        // Once more, without ∂L/∂input and on top of ones.
        let mut result = Ok(());
        then.gradient.as_mut_slice().fill(L::Scalar::ONE);
        self.backward(simd, &mut then.output, None, &mut then.gradient, false);
        for_each_role(L::ENTRIES, &mut |role, range| {
            if role == Role::Learned && result.is_ok() {
                let expected: Vec<L::Scalar> =
                    passes.gradient.as_slice()[range.clone()].iter().map(|x| *x + L::Scalar::ONE).collect();
                let what = "`backward` does not add to the gradient, or adds something else if ∂L/∂input is not wanted";
                result = check.numbers(what, &then.gradient.as_slice()[range], &expected);
            }
        });
        result.map(|()| passes)
    }
}
