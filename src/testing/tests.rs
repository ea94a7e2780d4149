mod passes;

use std::string::ToString;

use super::*;
use crate::layer::{Batch, GradientOf as Gradient, forward_evaluates};
use crate::memory::zeroed;
use crate::parameters::Parameters;

/// What a layer does wrong.
mod mistake {
    pub(super) const NONE: u8 = 0;
    pub(super) const NO_TERM_OF_PARAMETERS: u8 = 1;
    pub(super) const NO_TERM_OF_INPUT: u8 = 2;
    pub(super) const NO_WEIGHT_OF_THE_TERM: u8 = 3;
    pub(super) const NO_MEAN: u8 = 4;
    pub(super) const NO_TERM_IN_FORWARD: u8 = 5;
    pub(super) const NO_GRADIENT_OF_INPUT: u8 = 6;
    pub(super) const NO_GRADIENT_OF_PARAMETERS: u8 = 7;
}
use mistake::*;

/// `y = w·x`, and the term `Σ (w·x)²`, a mean over the batch.
#[derive(Parameters)]
#[repr(C)]
struct Penalty<const MISTAKE: u8> {
    weight: [f64; 2],
}

impl<const MISTAKE: u8> Layer for Penalty<MISTAKE> {
    type Input = [f64; 2];
    type Output = [f64; 2];
    type Saved<const B: usize> = ();
    type Workspace<const B: usize> = ();
    const MACS: usize = 2;

    fn evaluate<S: Simd, const B: usize>(&self, _: S, input: &[[f64; 2]; B], output: &mut [[f64; 2]; B], _: &mut ()) {
        for (x, y) in input.iter().zip(output) {
            *y = [x[0] * self.weight[0], x[1] * self.weight[1]];
        }
    }

    fn forward<S: Simd, const B: usize>(
        &self,
        simd: S,
        input: &[[f64; 2]; B],
        output: &mut [[f64; 2]; B],
        _saved: &mut (),
        pass: &mut Pass<f64>,
    ) {
        self.evaluate(simd, input, output, &mut ());
        if MISTAKE != NO_TERM_IN_FORWARD {
            pass.add_term(output.as_flattened().iter().map(|y| y * y).sum::<f64>() / B as f64);
        }
    }

    fn backward<S: Simd, const B: usize>(
        &self,
        _simd: S,
        input: &[[f64; 2]; B],
        _output: &[[f64; 2]; B],
        _saved: &mut (),
        grad_output: &mut [[f64; 2]; B],
        grad_input: Option<&mut [[f64; 2]; B]>,
        gradient: &mut Self,
        pass: &Pass<f64>,
    ) {
        let weight = if MISTAKE == NO_WEIGHT_OF_THE_TERM { 1.0 } else { pass.term_weight };
        let weight = if MISTAKE == NO_MEAN { weight } else { weight / B as f64 };
        let term = |b: usize, i: usize| 2.0 * weight * self.weight[i] * input[b][i];
        let of_parameters = if MISTAKE == NO_TERM_OF_PARAMETERS { 0.0 } else { 1.0 };
        let of_input = if MISTAKE == NO_TERM_OF_INPUT { 0.0 } else { 1.0 };
        for (b, i) in (0..B).flat_map(|b| [(b, 0), (b, 1)]) {
            if MISTAKE != NO_GRADIENT_OF_PARAMETERS {
                gradient.weight[i] += (grad_output[b][i] + of_parameters * term(b, i)) * input[b][i];
            }
        }
        let Some(grad_input) = grad_input.filter(|_| MISTAKE != NO_GRADIENT_OF_INPUT) else { return };
        for (b, i) in (0..B).flat_map(|b| [(b, 0), (b, 1)]) {
            grad_input[b][i] = (grad_output[b][i] + of_input * term(b, i)) * self.weight[i];
        }
    }
}

fn penalty<const MISTAKE: u8>() -> Result<(), GradientError> {
    let mut layer = Penalty::<MISTAKE> { weight: [0.5, -1.5] };
    check_gradients(&mut layer, &[[1.0, 2.0], [-0.5, 0.75], [0.25, 3.0]], 1e-7)
}

#[test]
fn terms_of_the_loss_have_gradients() {
    penalty::<NONE>().expect("all is there");
    let of = |result: Result<(), GradientError>| result.expect_err("something is missing").of;
    assert_eq!(of(penalty::<NO_TERM_OF_PARAMETERS>()), GradientOf::Parameters);
    assert_eq!(of(penalty::<NO_TERM_OF_INPUT>()), GradientOf::Input);
    assert_eq!(of(penalty::<NO_WEIGHT_OF_THE_TERM>()), GradientOf::Input);
    assert_eq!(of(penalty::<NO_MEAN>()), GradientOf::Input);
    assert_eq!(of(penalty::<NO_TERM_IN_FORWARD>()), GradientOf::Input);
}

#[test]
fn what_is_not_written_is_noticed() {
    let error = penalty::<NO_GRADIENT_OF_INPUT>().expect_err("no gradient of the input");
    assert!(error.of == GradientOf::Input && error.index == 0 && error.backward.is_nan());
    let error = penalty::<NO_GRADIENT_OF_PARAMETERS>().expect_err("no gradient of the parameters");
    assert!(error.of == GradientOf::Parameters && error.index == 0 && error.backward == 0.0);
    assert_eq!(
        GradientError { index: 3, backward: 0.5, difference: -25.0, ..error }.to_string(),
        "the gradient of parameter 3 is 5e-1 by backward, but -2.5e1 by finite differences"
    );
}

/// `y = w·x·Σz` of the token's weight `w`: an input of numbers, one of tokens, and one of numbers again.
#[derive(Parameters)]
#[repr(C)]
struct Mixed<const FORGETS_LAST: bool> {
    weight: [f64; 4],
}

type Inputs3 = ([f64; 2], u32, [[f64; 1]; 3]);

impl<const FORGETS_LAST: bool> Layer for Mixed<FORGETS_LAST> {
    type Input = Inputs3;
    type Output = [f64; 2];
    type Saved<const B: usize> = ();
    type Workspace<const B: usize> = ();
    const MACS: usize = 4;

    fn evaluate<S: Simd, const B: usize>(
        &self,
        _simd: S,
        (x, token, z): Batch<'_, Inputs3, B>,
        output: &mut [[f64; 2]; B],
        _workspace: &mut (),
    ) {
        for b in 0..B {
            let factor = self.weight[token[b] as usize] * z[b].as_flattened().iter().sum::<f64>();
            output[b] = x[b].map(|x| x * factor);
        }
    }

    forward_evaluates!();

    fn backward<S: Simd, const B: usize>(
        &self,
        _simd: S,
        (x, token, z): Batch<'_, Inputs3, B>,
        _output: &[[f64; 2]; B],
        _saved: &mut (),
        grad_output: &mut [[f64; 2]; B],
        (mut grad_x, _, mut grad_z): Gradient<'_, Inputs3, B>,
        gradient: &mut Self,
        _pass: &Pass<f64>,
    ) {
        for b in 0..B {
            let token = token[b] as usize;
            let (weight, sum) = (self.weight[token], z[b].as_flattened().iter().sum::<f64>());
            let product = grad_output[b][0] * x[b][0] + grad_output[b][1] * x[b][1];
            gradient.weight[token] += product * sum;
            if let Some(grad_x) = &mut grad_x {
                grad_x[b] = grad_output[b].map(|dy| dy * weight * sum);
            }
            if let Some(grad_z) = &mut grad_z {
                let forgotten = FORGETS_LAST && b == B - 1;
                grad_z[b] = [[if forgotten { 0.0 } else { product * weight }]; 3];
            }
        }
    }
}

#[test]
fn each_of_several_inputs_is_checked() {
    let input = ([[1.0, 2.0], [-0.5, 0.75]], [3, 1], [[[0.5], [0.25], [1.0]], [[-2.0], [0.5], [0.125]]]);
    let mut layer = Mixed::<false> { weight: [7.0, 0.5, 7.0, -1.5] };
    check_gradients(&mut layer, &input, 1e-7).expect("the derivative");
    let mut layer: Mixed<true> = zeroed();
    layer.weight = [7.0, 0.5, 7.0, -1.5];
    let error = check_gradients(&mut layer, &input, 1e-7).expect_err("the last sample is forgotten");
    // After the four numbers of the first input and the three of the first sample of the last input.
    assert_eq!((error.of, error.index, error.backward), (GradientOf::Input, 7, 0.0));
}
