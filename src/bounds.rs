//! Training by bounds: networks whose answers do not change in a box around each sample, provably.
//!
//! Interval bound propagation (S. Gowal and others, *On the effectiveness of interval bound propagation for training
//! verifiably robust models*, 2018) carries a box through the network, layer by layer, and trains on the worst outputs that
//! the last box allows:
//!
//! | | center | radius |
//! | --- | --- | --- |
//! | a region `low ≤ x ≤ high` | `c = (high + low)/2` | `r = (high − low)/2` |
//! | a linear layer | `W c + b` | `abs(W) r` |
//! | a function that rises, at `u = c + r` and `l = c − r` | `(f(u) + f(l))/2` | `(f(u) − f(l))/2` |
//!
//! [`Bounded`] is a network of which these are the passes, and [`WorstCase`] the loss. Trainers, optimizers and evaluators
//! take both like any others.
//!
//! The paper begins with nominal samples only, then raises the radius over thousands of steps while the weight of the worst
//! case rises to one half: a network trained on large boxes from the first step does not learn.

use core::marker::PhantomData;

use crate::ball::Ball;
use crate::hyperparameters::{Range, check};
use crate::layer::{Layer, Pass, Reads};
use crate::loss::{Class, CrossEntropy, Loss, LossError};
use crate::memory;
use crate::network::{Network, Trainable};
use crate::parameters::{Parameters, for_each_tensor};
use crate::plain::Plain;
use crate::scalar::{Real, Scalar};
use crate::simd::Simd;
use crate::summary::Node;
use crate::tensor::{Tensor, batch_slice_mut};

/// A network that maps regions to regions: `[X; 3] -> [Y; 3]`.
///
/// | | 0 | 1 | 2 |
/// | --- | --- | --- | --- |
/// | input | a sample | the lower ends of its region | the upper ends |
/// | output | what the network makes of the sample | lower bounds for the region | upper bounds |
///
/// `N` is a network declared as `Net<T>`, `I` the same with [`Ball`]s. Its parameters are those of `N`, in the same memory.
/// It takes the time of three networks, and a copy of the parameters as balls in the memory of each pass.
///
/// The layers of `N` are linear (dense, convolutions, average pools, reductions, rearrangements), functions that rise
/// (`Relu`, `LeakyRelu`, `Elu`, `Sigmoid`, `Tanh`, `Softplus` and so on), sums and concatenations; a network with others
/// does not compile as `Bounded`. Bounds are rounded to nearest: [`Interval`](crate::Interval) gives certificates.
///
/// ```
/// use monomorph::bounds::{Bounded, WorstCase, region};
/// use monomorph::prelude::*;
/// use monomorph::Ball;
///
/// network! { Net<T>: [2] -> [2] { Dense(8), Relu, Dense(2) } }
/// type Robust = Bounded<Net<f32>, Net<Ball<f32>>>;
///
/// let mut robust = Robust::zeroed();
/// robust.initialize(Init::default(), &mut Noise::new(1));
/// let loss = WorstCase { weight: 0.5 };
/// let mut trainer = Trainer::<Robust, _, 4>::new(Adam { learning_rate: 0.01, ..Adam::default() }, loss);
/// let (x, y) = ([[0.1, 0.2], [0.9, 0.7], [0.2, 0.3], [0.7, 0.8]], [0_u8, 1, 0, 1]);
/// let regions = x.map(|x| region(&x, 0.1, 0.0, 1.0));
/// let mut certified = None;
/// for _ in 0..300 {
///     certified = trainer.step(&mut robust, &regions, &y)?.correct;
/// }
/// assert_eq!(certified, Some(4));
/// // It answers as it is.
/// assert!(robust.net.evaluate(&[0.15, 0.25])[0] > robust.net.evaluate(&[0.15, 0.25])[1]);
/// # Ok::<(), monomorph::train::TrainError>(())
/// ```
#[derive(Clone, Debug, Parameters)]
#[repr(C)]
pub struct Bounded<N, I> {
    /// The network.
    pub net: N,
    /// The network of balls.
    pub balls: PhantomData<I>,
}

/// The region of all inputs at most `radius` from `x` in each number, and from `least` to `most`, as [`Bounded`] takes it:
/// `x`, its lower ends and its upper ends.
///
/// ```
/// use monomorph::bounds::region;
/// let [x, low, high] = region(&[0.5_f32, 0.0], 0.25, 0.0, 1.0);
/// assert_eq!((x, low, high), ([0.5, 0.0], [0.25, 0.0], [0.75, 0.25]));
/// ```
pub fn region<T: Scalar, X: Tensor<Element = T>>(x: &X, radius: T, least: T, most: T) -> [X; 3] {
    let mut region = memory::zeroed::<[X; 3]>();
    let [point, low, high] = &mut region;
    let places = point.numbers_mut().iter_mut().zip(low.numbers_mut()).zip(high.numbers_mut());
    for (((point, low), high), x) in places.zip(x.numbers()) {
        *point = *x;
        *low = (*x - radius).max(least);
        *high = (*x + radius).min(most);
    }
    region
}

/// The layers of which balls are bounds, by the names that graphs have for them.
const KINDS: &[&str] = &[
    "input",
    "Add",
    "Concat",
    "Flatten",
    "Transpose",
    "Flip",
    "Slice",
    "PixelShuffle",
    "PixelUnshuffle",
    "DepthToSpace",
    "SpaceToDepth",
    "Dense",
    "Conv1d",
    "Conv2d",
    "DepthwiseConv1d",
    "DepthwiseConv2d",
    "ConvTranspose1d",
    "ConvTranspose2d",
    "AvgPool1d",
    "AvgPool2d",
    "AdaptiveAvgPool1d",
    "AdaptiveAvgPool2d",
    "GlobalAvgPool1d",
    "GlobalAvgPool2d",
    "ReduceMean",
    "ReduceSum",
    "Upsample2d",
    "Identity",
    "Relu",
    "Relu6",
    "LeakyRelu",
    "Elu",
    "Celu",
    "Selu",
    "Sigmoid",
    "Tanh",
    "HardSigmoid",
    "HardTanh",
    "LeakyHardTanh",
    "Softplus",
    "Softsign",
];

const fn equal(a: &str, b: &str) -> bool {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    let mut index = 0;
    while index < a.len() && index < b.len() && a[index] == b[index] {
        index += 1;
    }
    index == a.len() && index == b.len()
}

/// Whether balls are bounds of every layer.
const fn is_bounded(graph: &[Node]) -> bool {
    let mut node = 0;
    while node < graph.len() {
        let mut kind = 0;
        while kind < KINDS.len() && !equal(graph[node].kind, KINDS[kind]) {
            kind += 1;
        }
        if kind == KINDS.len() {
            return false;
        }
        node += 1;
    }
    true
}

/// The network of balls, and a batch of its inputs and outputs.
#[derive(Plain)]
struct Balls<I: Network, const B: usize> {
    net: I,
    input: [I::Input; B],
    output: [I::Output; B],
}

impl<T, I, const B: usize> Balls<I, B>
where
    T: Real,
    I: Network<Scalar = Ball<T>, Input: Tensor<Element = Ball<T>>>,
{
    /// Takes over the parameters and the regions, and the samples into `points`.
    #[inline(always)]
    fn prepare<N: Network<Scalar = T>, X: Tensor<Element = T>>(
        &mut self,
        net: &N,
        regions: &[[X; 3]; B],
        points: &mut [X; B],
    ) {
        let (from, to) = (net.as_slice(), self.net.as_mut_slice());
        for_each_tensor(N::ENTRIES, &mut |_, tensor, range| {
            let bias = tensor.name == "bias";
            for (to, from) in to[range.clone()].iter_mut().zip(&from[range]) {
                *to = Ball { center: *from, radius: if bias { T::ZERO } else { from.abs() } };
            }
        });
        let half = T::from_f64(0.5);
        for ((region, point), ball) in regions.iter().zip(points).zip(&mut self.input) {
            let [x, low, high] = region;
            point.numbers_mut().copy_from_slice(x.numbers());
            for ((ball, low), high) in ball.numbers_mut().iter_mut().zip(low.numbers()).zip(high.numbers()) {
                *ball = Ball { center: (*high + *low) * half, radius: (*high - *low) * half };
            }
        }
    }

    /// Writes the outputs of points and the ends of the balls.
    #[inline(always)]
    fn finish<Y: Tensor<Element = T>>(&self, points: &[Y; B], output: &mut [[Y; 3]; B])
    where
        I::Output: Tensor<Element = Ball<T>>,
    {
        for ((region, point), ball) in output.iter_mut().zip(points).zip(&self.output) {
            let [y, low, high] = region;
            y.numbers_mut().copy_from_slice(point.numbers());
            for ((ball, low), high) in ball.numbers().iter().zip(low.numbers_mut()).zip(high.numbers_mut()) {
                (*low, *high) = (ball.center - ball.radius, ball.center + ball.radius);
            }
        }
    }
}

/// What [`Bounded`] works in while it evaluates `B` regions.
#[derive(Plain)]
pub struct BoundedWorkspace<N: Network, I: Network, const B: usize> {
    input: [N::Input; B],
    output: [N::Output; B],
    plain: <N as Layer>::Workspace<B>,
    balls: Balls<I, B>,
    bounds: <I as Layer>::Workspace<B>,
}

/// What the forward pass of [`Bounded`] keeps for its backward pass.
#[derive(Plain)]
pub struct BoundedSaved<N: Network, I: Network, const B: usize> {
    input: [N::Input; B],
    output: [N::Output; B],
    grad_input: [N::Input; B],
    grad_output: [N::Output; B],
    plain: <N as Layer>::Saved<B>,
    balls: Balls<I, B>,
    ball_grad_input: [I::Input; B],
    ball_grad_output: [I::Output; B],
    ball_gradient: I,
    bounds: <I as Layer>::Saved<B>,
}

impl<N: Network, I: Network> Bounded<N, I> {
    const LAYERS: () = {
        assert!(N::COUNT == I::COUNT, "`Bounded` takes a network and the same network with balls");
        assert!(
            is_bounded(N::GRAPH),
            "`Bounded` takes networks of linear layers and of functions that rise: dense layers, convolutions, average \
             pools, rearrangements, sums, `Relu`, `Tanh` and the like; there is another layer in this one"
        );
    };
}

impl<T, X, Y, V, W, N, I> Layer for Bounded<N, I>
where
    T: Real,
    X: Tensor<Element = T>,
    Y: Tensor<Element = T>,
    V: Tensor<Element = Ball<T>>,
    W: Tensor<Element = Ball<T>>,
    N: Network<Scalar = T, Input = X, Output = Y>,
    I: Network<Scalar = Ball<T>, Input = V, Output = W>,
{
    type Input = [X; 3];
    type Output = [Y; 3];
    type Saved<const B: usize> = BoundedSaved<N, I, B>;
    type Workspace<const B: usize> = BoundedWorkspace<N, I, B>;
    const MACS: usize = 3 * N::MACS;
    const BACKWARD_READS: Reads = Reads::NOTHING;

    #[inline(always)]
    fn evaluate<S: Simd, const B: usize>(
        &self,
        simd: S,
        input: &[[X; 3]; B],
        output: &mut [[Y; 3]; B],
        workspace: &mut BoundedWorkspace<N, I, B>,
    ) {
        let () = Self::LAYERS;
        let BoundedWorkspace { input: points, output: answers, plain, balls, bounds } = workspace;
        balls.prepare(&self.net, input, points);
        self.net.evaluate(simd, points, answers, plain);
        balls.net.evaluate(simd, &balls.input, &mut balls.output, bounds);
        balls.finish(answers, output);
    }

    #[inline(always)]
    fn forward<S: Simd, const B: usize>(
        &self,
        simd: S,
        input: &[[X; 3]; B],
        output: &mut [[Y; 3]; B],
        saved: &mut BoundedSaved<N, I, B>,
        pass: &mut Pass<T>,
    ) {
        let () = Self::LAYERS;
        let BoundedSaved { input: points, output: answers, plain, balls, bounds, .. } = saved;
        balls.prepare(&self.net, input, points);
        self.net.forward(simd, points, answers, plain, pass);
        let mut ball_pass = Pass::new(pass.noise, Ball::ONE);
        balls.net.forward(simd, &balls.input, &mut balls.output, bounds, &mut ball_pass);
        balls.finish(answers, output);
    }

    /// With `l = c − r` and `u = c + r`: `∂L/∂c = ∂L/∂l + ∂L/∂u`, `∂L/∂r = ∂L/∂u − ∂L/∂l`, and for the input the other way
    /// round. `∂L/∂w` is the center's gradient plus the sign of `w` times that of the radius.
    #[inline(always)]
    fn backward<S: Simd, const B: usize>(
        &self,
        simd: S,
        _input: &[[X; 3]; B],
        _output: &[[Y; 3]; B],
        saved: &mut BoundedSaved<N, I, B>,
        grad_output: &mut [[Y; 3]; B],
        grad_input: Option<&mut [[X; 3]; B]>,
        gradient: &mut Self,
        pass: &Pass<T>,
    ) {
        let BoundedSaved {
            input,
            output,
            grad_input: dx,
            grad_output: dy,
            plain,
            balls: Balls { net, input: ball_input, output: ball_output },
            ball_grad_input,
            ball_grad_output,
            ball_gradient,
            bounds,
        } = saved;
        for ((region, point), ball) in grad_output.iter().zip(&mut *dy).zip(&mut *ball_grad_output) {
            let [y, low, high] = region;
            point.numbers_mut().copy_from_slice(y.numbers());
            for ((ball, low), high) in ball.numbers_mut().iter_mut().zip(low.numbers()).zip(high.numbers()) {
                *ball = Ball { center: *low + *high, radius: *high - *low };
            }
        }
        let wanted = grad_input.is_some();
        self.net.backward(simd, input, output, plain, dy, wanted.then_some(&mut *dx), &mut gradient.net, pass);
        memory::clear(ball_gradient);
        let ball_pass = Pass::new(pass.noise, Ball::ONE);
        let ball_dx = wanted.then_some(&mut *ball_grad_input);
        net.backward(simd, ball_input, ball_output, bounds, ball_grad_output, ball_dx, ball_gradient, &ball_pass);

        let (weights, from) = (self.net.as_slice(), ball_gradient.as_slice());
        let to = gradient.net.as_mut_slice();
        for_each_tensor(N::ENTRIES, &mut |_, tensor, range| {
            let bias = tensor.name == "bias";
            let numbers = to[range.clone()].iter_mut().zip(&from[range.clone()]).zip(&weights[range]);
            for ((to, from), weight) in numbers {
                let sign = if bias || *weight == T::ZERO { T::ZERO } else { T::ONE.copysign(*weight) };
                *to += from.center + sign * from.radius;
            }
        });
        let Some(grad_input) = grad_input else { return };
        let half = T::from_f64(0.5);
        for ((region, point), ball) in grad_input.iter_mut().zip(&*dx).zip(&*ball_grad_input) {
            let [x, low, high] = region;
            x.numbers_mut().copy_from_slice(point.numbers());
            for ((ball, low), high) in ball.numbers().iter().zip(low.numbers_mut()).zip(high.numbers_mut()) {
                *low = half * (ball.center - ball.radius);
                *high = half * (ball.center + ball.radius);
            }
        }
    }
}

impl<T, X, Y, V, W, N, I> Network for Bounded<N, I>
where
    T: Real,
    X: Tensor<Element = T>,
    Y: Tensor<Element = T>,
    V: Tensor<Element = Ball<T>>,
    W: Tensor<Element = Ball<T>>,
    N: Network<Scalar = T, Input = X, Output = Y>,
    I: Network<Scalar = Ball<T>, Input = V, Output = W>,
{
    const NAME: &'static str = N::NAME;
    const GRAPH: &'static [Node] = N::GRAPH;

    #[inline(always)]
    fn batch<const B: usize>(samples: &[[X; 3]; B]) -> &[[X; 3]; B] {
        samples
    }
}

impl<N: Trainable, I: Network> Trainable for Bounded<N, I> where Self: Network {}

/// The loss of a [`Bounded`] network with a class for each sample: cross-entropy of the sample's own outputs and of the
/// worst outputs that the bounds allow, `(1 − w)·L(y) + w·L(ŷ)`.
///
/// `ŷ` is the lower bound of the sample's class and the upper bounds of all others. Where `ŷ` still has its largest number
/// at the class, no input in the region is classified otherwise: these samples are what `correct` counts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct WorstCase {
    /// `w`, the weight of the worst case, from 0 to 1. It may change between steps, `trainer.loss.weight = ..`.
    pub weight: f64,
}

/// The worst outputs of each sample.
fn worst<T: Scalar, Y: Tensor<Element = T>, C: Class, const B: usize>(output: &[[Y; 3]; B], target: &[C; B]) -> [Y; B] {
    const { assert!(Y::SHAPE.len() == 1, "`WorstCase` takes a class for each sample") };
    let mut worst = memory::zeroed::<[Y; B]>();
    for ((worst, [_, low, high]), target) in worst.iter_mut().zip(output).zip(target) {
        worst.numbers_mut().copy_from_slice(high.numbers());
        if let (Some(worst), Some(low)) =
            (worst.numbers_mut().get_mut(target.class()), low.numbers().get(target.class()))
        {
            *worst = *low;
        }
    }
    worst
}

/// What the network makes of the samples themselves.
fn answers<T: Scalar, Y: Tensor<Element = T>, const B: usize>(output: &[[Y; 3]; B]) -> [Y; B] {
    let mut answers = memory::zeroed::<[Y; B]>();
    for (answer, [y, ..]) in answers.iter_mut().zip(output) {
        answer.numbers_mut().copy_from_slice(y.numbers());
    }
    answers
}

impl WorstCase {
    fn weights<T: Scalar>(&self) -> Result<[T; 2], LossError> {
        check::<T>("WorstCase", &[("weight", self.weight, Range::Share)]).map_err(LossError::OutOfRange)?;
        Ok([1.0 - self.weight, self.weight].map(T::from_f64))
    }
}

impl<T: Real, Y: Tensor<Element = T>, C: Class> Loss<T, [Y; 3], C> for WorstCase
where
    CrossEntropy: Loss<T, Y, C>,
{
    #[inline(always)]
    fn loss<S: Simd, const B: usize>(
        &self,
        simd: S,
        output: &[[Y; 3]; B],
        target: &[C; B],
        gradient: &mut [[Y; 3]; B],
    ) -> Result<T, LossError> {
        let [nominal, worst_case] = self.weights::<T>()?;
        let (mut of_answers, mut of_worst) = (memory::zeroed::<[Y; B]>(), memory::zeroed::<[Y; B]>());
        let loss = nominal * CrossEntropy.loss(simd, &answers(output), target, &mut of_answers)?
            + worst_case * CrossEntropy.loss(simd, &worst(output, target), target, &mut of_worst)?;
        batch_slice_mut(gradient).fill(T::ZERO);
        for (sample, [y, low, high]) in gradient.iter_mut().enumerate() {
            for (class, to) in y.numbers_mut().iter_mut().enumerate() {
                *to = nominal * of_answers[sample].numbers()[class];
                let to = if class == target[sample].class() { &mut *low } else { &mut *high };
                to.numbers_mut()[class] = worst_case * of_worst[sample].numbers()[class];
            }
        }
        Ok(loss)
    }

    #[inline(always)]
    fn value<S: Simd, const B: usize>(&self, simd: S, output: &[[Y; 3]; B], target: &[C; B]) -> Result<T, LossError> {
        let [nominal, worst_case] = self.weights::<T>()?;
        Ok(nominal * CrossEntropy.value(simd, &answers(output), target)?
            + worst_case * CrossEntropy.value(simd, &worst(output, target), target)?)
    }

    /// The number of samples that no input in their region is classified otherwise than them, and rightly.
    #[inline]
    fn correct<const B: usize>(&self, output: &[[Y; 3]; B], target: &[C; B]) -> Option<usize> {
        CrossEntropy.correct(&worst(output, target), target)
    }
}

#[cfg(all(test, feature = "std"))]
mod tests {
    use super::*;

    #[test]
    fn worst_outputs_are_those_of_the_ends() {
        let output = [[[0.0, 1.0, 2.0], [-1.0, 0.5, 1.0], [0.25, 1.5, 2.5]]];
        let loss = WorstCase { weight: 0.25 };
        let (value, gradient) = loss.loss_and_gradient(&output, &[1_u8]).expect("a loss");
        let (plain, plain_gradient) = CrossEntropy.loss_and_gradient(&[output[0][0]], &[1_u8]).expect("a loss");
        let (bad, bad_gradient) = CrossEntropy.loss_and_gradient(&[[0.25, 0.5, 2.5]], &[1_u8]).expect("a loss");
        assert!((value - (0.75 * plain + 0.25 * bad)).abs() < 1e-15);
        for class in 0..3 {
            assert_eq!(gradient[0][0][class], 0.75 * plain_gradient[0][class]);
            let [low, high] = if class == 1 { [0.25, 0.0] } else { [0.0, 0.25] };
            assert_eq!(gradient[0][1][class], low * bad_gradient[0][class]);
            assert_eq!(gradient[0][2][class], high * bad_gradient[0][class]);
        }
        let certain = [[[0.0, 3.0, 0.0], [0.0, 2.5, 0.0], [0.5, 3.5, 2.0]]];
        assert_eq!(loss.correct(&[output[0], certain[0]], &[1_u8, 1]), Some(1));
        assert!(WorstCase { weight: 1.5 }.loss_and_gradient(&output, &[1_u8]).is_err());
        assert!(loss.loss_and_gradient(&output, &[3_u8]).is_err());
    }
}
