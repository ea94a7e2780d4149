use std::string::{String, ToString};
use std::vec::Vec;

use crate::activation::Activation;
use crate::layer::{Layer, Pass, Reads};
use crate::layers::{Dense, Dropout};
use crate::memory::zeroed;
use crate::parameters::Parameters;
use crate::scalar::bits;
use crate::simd::Simd;
#[cfg(feature = "safetensors")]
use crate::testing::{FileError, compare_with_file};
use crate::testing::{PassError, passes};

/// What a layer does wrong.
#[derive(Clone, Copy, PartialEq)]
#[repr(u8)]
enum Mistake {
    None,
    NothingEvaluated,
    NoOutput,
    NoGradientOfInput,
    OtherFunction,
    NoFunction,
    Overwrites,
    NeedsGradientOfInput,
    ReadsOutput,
    ReadsInput,
    LevelsDiffer,
}
use Mistake::*;

/// `y = w·x`, number by number; its derivative reads the input.
#[derive(Parameters)]
#[repr(C)]
struct Scale<const MISTAKE: u8> {
    weight: [f64; 2],
}

impl<const MISTAKE: u8> Scale<MISTAKE> {
    fn is(mistake: Mistake) -> bool {
        MISTAKE == mistake as u8
    }
    fn scale(&self, input: &[[f64; 2]], output: &mut [[f64; 2]]) {
        for (x, y) in input.iter().zip(output) {
            *y = [x[0] * self.weight[0], x[1] * self.weight[1]];
        }
    }
}

impl<const MISTAKE: u8> Layer for Scale<MISTAKE> {
    type Input = [f64; 2];
    type Output = [f64; 2];
    type Saved<const B: usize> = ();
    type Workspace<const B: usize> = ();
    const MACS: usize = 2;
    // Nothing is said of what it reads by mistake.
    const BACKWARD_READS: Reads = if MISTAKE == ReadsInput as u8 { Reads::OUTPUT } else { Reads::INPUT };

    fn evaluate<S: Simd, const B: usize>(&self, simd: S, x: &[[f64; 2]; B], y: &mut [[f64; 2]; B], (): &mut ()) {
        if !Self::is(NothingEvaluated) {
            self.scale(x, y);
        }
        if Self::is(LevelsDiffer) {
            y[0][0] += S::f32s_len(simd);
        }
    }

    fn forward<S: Simd, const B: usize>(
        &self,
        _: S,
        x: &[[f64; 2]; B],
        y: &mut [[f64; 2]; B],
        (): &mut (),
        _: &mut Pass<f64>,
    ) {
        if !Self::is(NoOutput) {
            self.scale(x, y);
        }
    }

    fn backward<S: Simd, const B: usize>(
        &self,
        _: S,
        x: &[[f64; 2]; B],
        y: &[[f64; 2]; B],
        (): &mut (),
        dy: &mut [[f64; 2]; B],
        dx: Option<&mut [[f64; 2]; B]>,
        gradient: &mut Self,
        _: &Pass<f64>,
    ) {
        if Self::is(Overwrites) {
            gradient.weight = [0.0; 2];
        }
        if Self::is(NeedsGradientOfInput) && dx.is_none() {
            return;
        }
        for b in 0..B {
            for i in 0..2 {
                let x = if Self::is(ReadsOutput) { y[b][i] / self.weight[i] } else { x[b][i] };
                gradient.weight[i] += dy[b][i] * x;
            }
        }
        let Some(dx) = dx.filter(|_| !Self::is(NoGradientOfInput)) else { return };
        self.scale(dy, dx);
    }

    fn evaluate_then<S: Simd, const B: usize, A: Activation<f64>>(
        &self,
        simd: S,
        x: &[[f64; 2]; B],
        y: &mut [[f64; 2]; B],
        (): &mut (),
    ) {
        self.evaluate(simd, x, y, &mut ());
        if !Self::is(OtherFunction) {
            crate::layer::apply::<f64, S, A>(simd, y.as_flattened_mut());
        }
    }

    fn forward_then<S: Simd, const B: usize, A: Activation<f64>>(
        &self,
        simd: S,
        x: &[[f64; 2]; B],
        y: &mut [[f64; 2]; B],
        (): &mut (),
        pass: &mut Pass<f64>,
    ) {
        self.forward(simd, x, y, &mut (), pass);
        if !Self::is(NoFunction) {
            crate::layer::apply::<f64, S, A>(simd, y.as_flattened_mut());
        }
    }
}

/// A number that is another one at each level.
trait Lanes: Simd {
    fn f32s_len(self) -> f64 {
        f64::from(u16::try_from(size_of::<Self::f32s>()).unwrap_or(u16::MAX))
    }
}
impl<S: Simd> Lanes for S {}

fn run<const MISTAKE: u8>() -> Result<(), PassError> {
    let mut layer: Scale<MISTAKE> = zeroed();
    layer.weight = [0.5, -2.0];
    passes(&layer, &[[1.0, 2.0], [3.0, -4.0]], &[[1.0, 0.5], [-1.0, 0.25]]).map(|passes| {
        assert_eq!(*passes.evaluated, [[0.5, -4.0], [1.5, 8.0]]);
        assert_eq!(*passes.output, *passes.evaluated);
        assert_eq!(*passes.grad_input, [[0.5, -1.0], [-0.5, -0.5]]);
        assert_eq!(passes.gradient.weight, [-2.0, 0.0]);
    })
}

fn what<const MISTAKE: u8>() -> String {
    run::<MISTAKE>().unwrap_err().to_string()
}

#[test]
fn mistakes_in_passes_are_named() {
    run::<{ None as u8 }>().unwrap();
    let texts: Vec<(String, &str)> = [
        (what::<{ NothingEvaluated as u8 }>(), "`evaluate` leaves a number unwritten: at "),
        (what::<{ NoOutput as u8 }>(), "`forward` leaves a number unwritten: at "),
        (what::<{ NoGradientOfInput as u8 }>(), "`backward` leaves a number of ∂L/∂input unwritten: at "),
        (what::<{ OtherFunction as u8 }>(), "`evaluate_then` is not `evaluate` and then the function: at "),
        (what::<{ NoFunction as u8 }>(), "`forward_then` is not `forward` and then the function: at "),
        (what::<{ Overwrites as u8 }>(), "`backward` does not add to the gradient"),
        (what::<{ NeedsGradientOfInput as u8 }>(), "`backward` does not add to the gradient"),
        (what::<{ ReadsOutput as u8 }>(), "`backward` reads what `BACKWARD_READS` does not say: ∂L/∂parameters: at "),
        (what::<{ ReadsInput as u8 }>(), "`backward` reads what `BACKWARD_READS` does not say: ∂L/∂parameters: at "),
    ]
    .into();
    for (text, expected) in texts {
        assert!(text.starts_with(expected), "{text}");
        assert!(text.contains(", number ") && !text.contains('{'), "{text}");
    }
    if crate::simd::levels().count() > 1 {
        assert!(what::<{ LevelsDiffer as u8 }>().starts_with("`evaluate` depends on the level: at "));
    }
}

#[test]
fn layers_of_the_library_pass() {
    let mut dense: Dense<[f32; 17], [[f32; 5]; 17], [f32; 5]> = zeroed();
    dense.weight[3] = [1.0, 2.0, 3.0, 4.0, 5.0];
    passes(&dense, &[[0.5; 17]; 3], &[[1.0; 5]; 3]).unwrap();
    let dropout: Dropout<[f64; 40], { bits(0.5) }> = zeroed();
    passes(&dropout, &[[0.5; 40]; 2], &[[1.0; 40]; 2]).unwrap();
}

#[cfg(feature = "safetensors")]
#[test]
fn what_differs_from_a_file_is_named() {
    use crate::layers::{Activate, Elu, Relu};
    let path = std::format!("{}/tests/golden/act_elu.safetensors", env!("CARGO_MANIFEST_DIR"));
    compare_with_file::<Activate<Elu, [f64; 21]>, 3>(&path, 1e-10).unwrap();
    let error = compare_with_file::<Activate<Relu, [f64; 21]>, 3>(&path, 1e-10).unwrap_err();
    assert!(matches!(&error, FileError::Differs { tensor, .. } if tensor == "y"), "{error}");
    let error = compare_with_file::<Activate<Elu, [f64; 20]>, 3>(&path, 1e-10).unwrap_err();
    assert_eq!(error.to_string(), "the tensor `x` has 63 numbers in the file, but 60 in the layer");
    let error = compare_with_file::<Dense<[f64; 21], [[f64; 21]; 21], [f64; 21]>, 3>(&path, 1e-10).unwrap_err();
    assert!(error.to_string().ends_with("the file has no tensor `p.weight`"), "{error}");
}
