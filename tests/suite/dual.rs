//! Networks of dual numbers: their derivatives are those of `backward` in `f64`, and of finite differences.

use monomorph::parameters::{Role, for_each_role};
use monomorph::prelude::*;
use monomorph::simd::level;
use monomorph::tensor::{Tensor, batch_slice, batch_slice_mut};
use monomorph::{Dual, Parameters, memory};

use super::numbers::{Passes, agrees, assert_close, network, passes, random};

/// A derivative along one direction.
type Along = Dual<f64, 1>;

network! { pub Small<T>: [3] -> [2] { Dense(8), Tanh, Dense(2) } }
network! { pub Deep<T>: [5] -> [3] {
    Dense(7), Gelu, LayerNorm, residual { Dense(7), Silu, Dense(7) }, RmsNorm, Dense(6), Softplus, Dense(5), Elu,
    Dense(4), GeluTanh, Dense(4), Mish, Dense(4), Sigmoid, Dense(4), Selu, Dense(3), LogSoftmax,
} }
network! { pub Image<T>: [8, 8, 2] -> [3] {
    Conv2d(4, kernel = 3, padding = same), BatchNorm, Tanh, MaxPool2d(2),
    residual { DepthwiseConv2d(3, padding = same), GroupNorm(2), Silu, Conv2d(4, kernel = 1) },
    AvgPool2d(2, stride = 1), Dropout(0.25), Conv2d(5, kernel = 2), Softsign, GlobalAvgPool2d, Dense(3), Softmax,
} }
network! { pub Wide<T>: [43] -> [41] { Dense(41, bias = false), Tanh, Dense(41) } }

/// Numbers that move along a direction.
fn moving(values: &[f64], direction: &[f64], to: &mut [Along]) {
    for (to, (value, derivative)) in to.iter_mut().zip(values.iter().zip(direction)) {
        *to = Dual { value: *value, derivatives: [*derivative] };
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn derivatives(numbers: &[Along]) -> Vec<f64> {
    numbers.iter().map(|number| number.derivatives[0]).collect()
}

/// A network in `f64`, an input, and a gradient of the output.
struct Setting<A: Network, const B: usize> {
    net: Box<A>,
    input: Box<[A::Input; B]>,
    grad_output: Box<[A::Output; B]>,
    noise: Noise,
}

impl<A: Network<Scalar = f64, Input = X>, X: Tensor<Element = f64>, const B: usize> Setting<A, B> {
    fn new(seed: u64) -> Self {
        let mut noise = Noise::new(seed);
        let (net, input, grad_output) = (network(&mut noise), random(&mut noise), random(&mut noise));
        Self { net, input, grad_output, noise }
    }

    fn passes(&self) -> Passes<A, B> {
        passes(level(), &*self.net, &self.input, &self.grad_output)
    }

    /// A direction of the learned parameters and one of the inputs.
    fn direction(&mut self) -> (Vec<f64>, Vec<f64>) {
        let mut parameters = vec![0.0; A::COUNT];
        for_each_role(A::ENTRIES, &mut |role, range| {
            if role == Role::Learned {
                parameters[range].fill_with(|| self.noise.uniform() - 0.5);
            }
        });
        (parameters, (0..B * X::LEN).map(|_| self.noise.uniform() - 0.5).collect())
    }

    /// The passes while parameters and inputs move along a direction.
    fn along<N, Y>(&self, (parameters, inputs): &(Vec<f64>, Vec<f64>)) -> Passes<N, B>
    where
        Y: Tensor<Element = Along>,
        N: Network<Scalar = Along, Input = Y>,
    {
        let mut net: Box<N> = memory::boxed();
        moving(self.net.as_slice(), parameters, net.as_mut_slice());
        let (mut input, mut grad_output): (Box<[Y; B]>, Box<[N::Output; B]>) = (memory::boxed(), memory::boxed());
        moving(batch_slice(&self.input[..]), inputs, batch_slice_mut(&mut input[..]));
        let constant = vec![0.0; B * A::Output::LEN];
        moving(batch_slice(&self.grad_output[..]), &constant, batch_slice_mut(&mut grad_output[..]));
        passes(level(), &*net, &input, &grad_output)
    }

    /// The gradients of learned parameters and inputs where both have moved so far along a direction.
    fn gradients_at(&self, far: f64, (parameters, inputs): &(Vec<f64>, Vec<f64>)) -> Vec<f64> {
        let (mut net, mut input): (Box<A>, Box<[X; B]>) = (memory::boxed(), memory::boxed());
        for (index, to) in net.as_mut_slice().iter_mut().enumerate() {
            *to = self.net.as_slice()[index] + far * parameters[index];
        }
        for (index, to) in batch_slice_mut(&mut input[..]).iter_mut().enumerate() {
            *to = batch_slice(&self.input[..])[index] + far * inputs[index];
        }
        let passes = passes(level(), &*net, &input, &self.grad_output);
        [learned::<A>(passes.gradient.as_slice()), batch_slice(&passes.grad_input[..]).to_vec()].concat()
    }
}

/// The numbers of parameters that are learned.
fn learned<A: Parameters>(numbers: &[A::Scalar]) -> Vec<A::Scalar> {
    let mut learned = Vec::new();
    for_each_role(A::ENTRIES, &mut |role, range| {
        if role == Role::Learned {
            learned.extend_from_slice(&numbers[range]);
        }
    });
    learned
}

#[test]
fn every_first_derivative_is_exact() {
    let setting = Setting::<Small<f64>, 1>::new(1);
    let expected = setting.passes();
    let gradients = [expected.gradient.as_slice(), batch_slice(&expected.grad_input[..])].concat();
    let grad_output = setting.grad_output[0];
    for (index, expected) in gradients.iter().enumerate() {
        let mut direction = (vec![0.0; Small::<f64>::COUNT], vec![0.0; 3]);
        if index < Small::<f64>::COUNT {
            direction.0[index] = 1.0;
        } else {
            direction.1[index - Small::<f64>::COUNT] = 1.0;
        }
        let passes = setting.along::<Small<Along>, _>(&direction);
        let actual = dot(&derivatives(&passes.evaluated[0]), &grad_output);
        assert_close("derivative", &[actual], &[*expected], 1e-12);
    }

    // All inputs at once.
    let mut dual = Small::<Dual<f64, 3>>::zeroed();
    for (to, from) in dual.as_mut_slice().iter_mut().zip(setting.net.as_slice()) {
        *to = Dual::from(*from);
    }
    let y = dual.evaluate(&std::array::from_fn(|index| Dual::variable(setting.input[0][index], index)));
    let actual: [f64; 3] = std::array::from_fn(|x| (0..2).map(|o| y[o].derivatives[x] * grad_output[o]).sum());
    assert_close("derivative by all inputs", &actual, &expected.grad_input[0], 1e-12);
}

/// First and second derivatives along random directions.
fn check<A, N, X, Y, const B: usize>(tolerance: f64)
where
    X: Tensor<Element = f64>,
    Y: Tensor<Element = Along>,
    A: Network<Scalar = f64, Input = X>,
    N: Network<Scalar = Along, Input = Y>,
{
    let mut setting = Setting::<A, B>::new(2);
    let expected = setting.passes();
    let (v, w) = (setting.direction(), setting.direction());
    let along = |direction| {
        let passes = setting.along::<N, Y>(direction);
        let slope = dot(&derivatives(batch_slice(&passes.output[..])), batch_slice(&setting.grad_output[..]));
        let by_parameters = derivatives(&learned::<N>(passes.gradient.as_slice()));
        let product = [by_parameters, derivatives(batch_slice(&passes.grad_input[..]))].concat();
        (slope, product)
    };
    let whole = |(parameters, inputs): &(Vec<f64>, Vec<f64>)| [learned::<A>(parameters), inputs.clone()].concat();
    let gradients = setting.gradients_at(0.0, &v);
    let ((slope, product), (_, other)) = (along(&v), along(&w));
    assert_close(A::NAME, &[slope], &[dot(&gradients, &whole(&v))], tolerance);
    assert_close(
        A::NAME,
        batch_slice(&setting.along::<N, Y>(&v).output[..]),
        batch_slice(&expected.output[..]),
        tolerance,
    );

    // The product with the Hessian, which is symmetric.
    let step = 1e-5;
    let (after, before) = (setting.gradients_at(step, &v), setting.gradients_at(-step, &v));
    let differences: Vec<f64> =
        after.iter().zip(before).map(|(after, before)| (after - before) / (2.0 * step)).collect();
    assert_close(A::NAME, &product, &differences, 1e-6);
    assert_close(A::NAME, &[dot(&product, &whole(&w))], &[dot(&other, &whole(&v))], tolerance);
}

#[test]
fn derivatives_along_directions_agree() {
    check::<Small<f64>, Small<Along>, _, _, 3>(1e-12);
    check::<Deep<f64>, Deep<Along>, _, _, 2>(1e-11);
    check::<Image<f64>, Image<Along>, _, _, 2>(1e-11);
}

#[test]
fn values_are_those_of_plain_numbers() {
    agrees::<Deep<f64>, Deep<Dual<f64, 2>>, _, _, 2>(1e-11);
    agrees::<Image<f64>, Image<Dual<f32, 1>>, _, _, 2>(1e-4);
    // Weights that would be read as a stream, were they numbers of one register.
    agrees::<Wide<f64>, Wide<Dual<f64, 7>>, _, _, 1>(1e-11);
    agrees::<Wide<f64>, Wide<Dual<f64, 15>>, _, _, 1>(1e-11);
}

#[test]
fn dual_numbers_nest() {
    let setting = Setting::<Small<f64>, 1>::new(5);
    let mut dual = Small::<Dual<Dual<f64, 1>, 1>>::zeroed();
    for (to, from) in dual.as_mut_slice().iter_mut().zip(setting.net.as_slice()) {
        *to = Dual::constant(Dual::constant(*from));
    }
    // The second derivative by the first input.
    let mut x = setting.input[0].map(|x| Dual::constant(Dual::constant(x)));
    x[0] = Dual { value: Dual::variable(setting.input[0][0], 0), derivatives: [Dual::constant(1.0)] };
    let second = dual.evaluate(&x).map(|y| y.derivatives[0].derivatives[0]);

    for (output, second) in second.into_iter().enumerate() {
        let mut setting = Setting::<Small<f64>, 1>::new(5);
        setting.grad_output[0] = [0.0; 2];
        setting.grad_output[0][output] = 1.0;
        let passes = setting.along::<Small<Along>, _>(&(vec![0.0; Small::<f64>::COUNT], vec![1.0, 0.0, 0.0]));
        assert_close("second derivative", &[second], &[passes.grad_input[0][0].derivatives[0]], 1e-12);
    }
}

#[test]
fn a_step_of_training_has_derivatives() {
    // How the loss after a step of Adam depends on where the network was.
    fn train(net: &mut Small<Along>) -> Along {
        let mut trainer =
            Trainer::<Small<Along>, _, 2>::new(Adam { learning_rate: 0.1, ..Adam::default() }, CrossEntropy);
        let x = [[0.1, 0.7, -0.4], [-0.9, 0.2, 0.3]].map(|x| x.map(Dual::constant));
        trainer.step(net, &x, &[0_u8, 1]).unwrap();
        trainer.step(net, &x, &[0_u8, 1]).unwrap().loss
    }
    let mut setting = Setting::<Small<f64>, 1>::new(7);
    let (direction, _) = setting.direction();
    let loss = |moved: f64, direction: &[f64]| {
        let mut net = Small::<Along>::zeroed();
        let values = setting.net.as_slice().iter().zip(direction).map(|(p, v)| p + moved * v);
        moving(&values.collect::<Vec<f64>>(), direction, net.as_mut_slice());
        train(&mut net)
    };
    let derivative = loss(0.0, &direction).derivatives[0];
    let difference = (loss(1e-5, &direction).value - loss(-1e-5, &direction).value) / 2e-5;
    assert_close("derivative", &[derivative], &[difference], 1e-7);
}
