//! Forward and backward passes whose loss is the caller's own.

use crate::layer::{Inputs, Layer, Pass};
use crate::memory;
use crate::network::Network;
use crate::noise::Noise;
use crate::plain::Plain;
use crate::scalar::Scalar;
use crate::simd::{Simd, Task, dispatch, level};

/// What a [`Trainer`](super::Trainer) does before it takes a step, with the gradient `∂L/∂y` of the outputs from the
/// caller: for losses that are no function of an output and a target, such as one network's opinion of another.
///
/// It is the memory of the passes over `B` samples: zeros, in a `static`, a box or a field.
///
/// ```
/// use monomorph::memory::boxed;
/// use monomorph::prelude::*;
/// use monomorph::train::Passes;
///
/// network! { Line: [2] -> [1] { Dense(1) } }
/// let mut line = Line::zeroed();
/// line.dense1.weight = [[3.0], [4.0]];
///
/// // L = y²
/// let mut passes = boxed::<Passes<Line, 1>>();
/// let loss = passes.differentiate(&line, &[[1.0, 0.5]], |y, grad_y| {
///     grad_y[0] = [2.0 * y[0][0]];
///     y[0][0] * y[0][0]
/// });
/// assert_eq!((loss, passes.gradient.dense1.bias), (25.0, [10.0]));
/// assert_eq!(passes.grad_input, [[30.0, 40.0]]);
/// Sgd { learning_rate: 0.01, ..Sgd::default() }.apply(1, &mut line, &passes.gradient, &mut []);
/// assert!((line.dense1.bias[0] + 0.1).abs() < 1e-6);
/// ```
#[derive(Plain)]
pub struct Passes<N: Network, const B: usize> {
    /// ∂L/∂parameters.
    pub gradient: N,
    /// The outputs of the last forward pass.
    pub output: [N::Output; B],
    /// ∂L/∂y, which the caller writes between the passes; what a backward pass leaves here means nothing.
    pub grad_output: [N::Output; B],
    /// ∂L/∂x, where it was asked for.
    pub grad_input: <N::Input as Inputs>::Owned<B>,
    saved: <N as Layer>::Saved<B>,
}

impl<N: Network, const B: usize> Passes<N, B> {
    /// Computes the outputs.
    #[inline(always)]
    pub fn forward<S: Simd>(&mut self, simd: S, network: &N, input: &[N::Input; B]) {
        network.forward(simd, N::batch(input), &mut self.output, &mut self.saved, &mut pass());
    }

    /// Computes the gradient of the parameters, and that of the input if `by_input`.
    #[inline(always)]
    pub fn backward<S: Simd>(&mut self, simd: S, network: &N, input: &[N::Input; B], by_input: bool) {
        memory::clear(&mut self.gradient);
        self.add_backward(simd, network, input, by_input, &pass());
    }

    /// Computes the gradient of the input alone. What [`gradient`](Self::gradient) holds then means nothing.
    #[inline(always)]
    pub fn backward_to_input<S: Simd>(&mut self, simd: S, network: &N, input: &[N::Input; B]) {
        let mut pass = pass();
        pass.input_only = true;
        self.add_backward(simd, network, input, true, &pass);
    }

    #[inline(always)]
    fn add_backward<S: Simd>(
        &mut self,
        simd: S,
        network: &N,
        input: &[N::Input; B],
        by_input: bool,
        pass: &Pass<N::Scalar>,
    ) {
        let Self { gradient, output, grad_output, grad_input, saved } = self;
        let grad_input = if by_input { N::Input::gradient(grad_input) } else { N::Input::no_gradient() };
        network.backward(simd, N::batch(input), output, saved, grad_output, grad_input, gradient, pass);
    }

    /// Both passes at the best SIMD level, with all gradients: `loss` is given the outputs, writes ∂L/∂y, and what it
    /// returns is returned.
    pub fn differentiate<R>(
        &mut self,
        network: &N,
        input: &[N::Input; B],
        loss: impl FnOnce(&[N::Output; B], &mut [N::Output; B]) -> R,
    ) -> R {
        dispatch(level(), Forward { passes: self, network, input });
        let result = loss(&self.output, &mut self.grad_output);
        dispatch(level(), Backward { passes: self, network, input });
        result
    }
}

/// Passes without noise and without terms.
#[inline(always)]
fn pass<T: Scalar>() -> Pass<T> {
    Pass::new(Noise::new(0), T::ONE)
}

struct Forward<'a, N: Network, const B: usize> {
    passes: &'a mut Passes<N, B>,
    network: &'a N,
    input: &'a [N::Input; B],
}

impl<N: Network, const B: usize> Task for Forward<'_, N, B> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(&mut self, simd: S) {
        self.passes.forward(simd, self.network, self.input);
    }
}

struct Backward<'a, N: Network, const B: usize> {
    passes: &'a mut Passes<N, B>,
    network: &'a N,
    input: &'a [N::Input; B],
}

impl<N: Network, const B: usize> Task for Backward<'_, N, B> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(&mut self, simd: S) {
        self.passes.backward(simd, self.network, self.input, true);
    }
}

#[cfg(all(test, feature = "std"))]
mod tests {
    use super::*;
    use crate::prelude::*;

    network! { Net<f64>: [3] -> [2] { Dense(5), Tanh, Dense(2) } }

    /// `L = Σ y³`, whose gradient by each input is compared with differences; without the parameters' it is the same.
    #[test]
    fn gradients_by_the_input() {
        let mut net = Net::zeroed();
        net.initialize(Init::default(), &mut Noise::new(3));
        let x = [[0.3, -0.8, 0.5], [1.2, 0.1, -0.4], [0.0, 0.7, -1.0]];
        let loss = |x: &[[f64; 3]; 3]| x.iter().flat_map(|x| net.evaluate(x)).map(|y| y * y * y).sum::<f64>();
        let mut passes = memory::boxed::<Passes<Net, 3>>();
        let value = passes.differentiate(&net, &x, |y, grad_y| {
            for (y, grad_y) in y.as_flattened().iter().zip(grad_y.as_flattened_mut()) {
                *grad_y = 3.0 * y * y;
            }
            y.as_flattened().iter().map(|y| y * y * y).sum::<f64>()
        });
        assert!((value - loss(&x)).abs() < 1e-12);
        let by_both = passes.grad_input;
        for (sample, index) in (0..3).flat_map(|sample| (0..3).map(move |index| (sample, index))) {
            let (mut up, mut down) = (x, x);
            up[sample][index] += 1e-6;
            down[sample][index] -= 1e-6;
            let slope = (loss(&up) - loss(&down)) / 2e-6;
            assert!((by_both[sample][index] - slope).abs() < 1e-8, "{sample} {index}");
        }
        struct ToInput<'a>(&'a mut Passes<Net, 3>, &'a Net, &'a [[f64; 3]; 3]);
        impl Task for ToInput<'_> {
            type Output = ();
            #[inline(always)]
            fn run<S: Simd>(&mut self, simd: S) {
                self.0.forward(simd, self.1, self.2);
                for (y, grad_y) in self.0.output.iter().zip(&mut self.0.grad_output) {
                    *grad_y = y.map(|y| 3.0 * y * y);
                }
                self.0.backward_to_input(simd, self.1, self.2);
            }
        }
        passes.grad_input = [[0.0; 3]; 3];
        dispatch(level(), ToInput(&mut passes, &net, &x));
        assert_eq!(passes.grad_input, by_both);
    }
}
