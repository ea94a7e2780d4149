//! monomorph itself, and the workloads that every peer runs.

use monomorph::network::{Workspace, evaluate, evaluate_at, evaluate_in};
use monomorph::prelude::*;
use monomorph::simd::{Level, level};
use monomorph::{Tensor, memory};

use crate::bench::{Bench, Outcome};
use crate::graph::{self, BATCH, INPUTS, Net, STEPS, Task, Work};
use crate::workloads::*;

const IMAGES: usize = 4;
const LABELS: usize = 5;

/// Calls a macro with the networks that are evaluated, and with those that are trained.
macro_rules! networks {
    ($evaluated:ident, $trained:ident) => {
        $evaluated!(
            PolicyTanh, PolicyRelu, Tiny16, Tiny8, Wide128, Digits128, Digits512, LeNet5, Anomaly, Keywords, ResNet8,
            MobileNet
        );
        $trained!(Digits128, Digits512, LeNet5);
    };
}

/// How far outputs may differ with packed weights, relative to the largest output (or 1). The ten layers of the
/// autoencoder differ by two thirds of this, the other networks by a fifth.
const FORMATS: [(&str, f32); 3] = [("bf16", 0.03), ("f16", 0.004), ("i8", 0.08)];

pub fn works() -> Vec<Work> {
    let mut works = vec![];
    macro_rules! evaluated {
        ($($net:ident),*) => { $(works.push(Work::Evaluate(evaluated::<$net>()));)* };
    }
    macro_rules! trained {
        ($($net:ident),*) => { $(for optimizer in [graph::Optimizer::Sgd, graph::Optimizer::Adam] {
            works.push(Work::Train(trained::<$net>(optimizer)));
        })* };
    }
    networks!(evaluated, trained);
    works
}

pub fn run(work: &Work, bench: &Bench) -> Outcome {
    match work {
        Work::Evaluate(net) => {
            macro_rules! evaluate {
                ($($net:ident),*) => { match net.name {
                    $($net::NAME => {
                        let (network, inputs) = (network::<$net>(), inputs::<$net, INPUTS>());
                        return match bench.level {
                            None => bench.evaluate(net, |i| network.evaluate(&inputs[i]), |output| output.to_vec()),
                            Some(level) => {
                                bench.evaluate(net, |i| at(level, &*network, &inputs[i]), |output| output.to_vec())
                            }
                        };
                    })*
                    _ => {}
                } };
            }
            macro_rules! skip {
                ($($net:ident),*) => {};
            }
            networks!(evaluate, skip);
        }
        Work::Train(task) => {
            macro_rules! skip {
                ($($net:ident),*) => {};
            }
            macro_rules! train {
                ($($net:ident),*) => { match task.net.name {
                    $($net::NAME => return bench.train(task, steps::<$net>(task.optimizer, bench.level.unwrap_or_else(level)), |&loss| loss),)*
                    _ => {}
                } };
            }
            networks!(skip, train);
        }
    }
    unreachable!("works are made of the same list")
}

/// Networks that are limited by reading weights, with packed weights: name, format, and result.
pub fn packed(bench: &Bench) -> Vec<(&'static str, &'static str, Outcome)> {
    fn measure<S>(bench: &Bench) -> (&'static str, &'static str, Outcome)
    where
        S: PackedNetwork<Scalar = f32>,
        S::Of: Network<Input = S::Input, Output = S::Output>,
        S::Input: Tensor<Element = f32>,
    {
        let net = evaluated::<S::Of>();
        let (network, inputs) = (S::boxed_from(&network::<S::Of>()), inputs::<S::Of, INPUTS>());
        let (_, tolerance) = FORMATS.iter().find(|(format, _)| *format == S::FORMAT).expect("all formats are listed");
        let run = |i: usize| evaluate(&*network, &inputs[i]);
        let outcome = bench.evaluate_within(*tolerance, &net, run, |output| output.numbers().to_vec());
        (net.name, S::FORMAT, outcome)
    }
    macro_rules! each {
        ($($net:ident),*) => { vec![$(measure::<$net>(bench)),*] };
    }
    each!(
        Wide128Bf16,
        Wide128F16,
        Wide128I8,
        Digits128Bf16,
        Digits128F16,
        Digits128I8,
        Digits512Bf16,
        Digits512F16,
        Digits512I8,
        AnomalyBf16,
        AnomalyF16,
        AnomalyI8
    )
}

/// Random weights, and random biases instead of zeros; the same in every call.
fn network<N: Network<Scalar = f32>>() -> Box<N> {
    let mut noise = Noise::new(1);
    let mut network = memory::boxed::<N>();
    network.initialize(Init::default(), &mut noise);
    for parameter in network.as_mut_slice() {
        if *parameter == 0.0 {
            *parameter = (0.2 * noise.uniform() - 0.1) as f32;
        }
    }
    network
}

/// Normally distributed.
fn inputs<N: Network<Scalar = f32, Input: Tensor<Element = f32>>, const B: usize>() -> Box<[N::Input; B]> {
    let mut noise = Noise::new(2);
    let mut inputs = memory::boxed::<[N::Input; B]>();
    for number in inputs.iter_mut().flat_map(|input| input.numbers_mut()) {
        *number = noise.normal() as f32;
    }
    inputs
}

fn labels() -> Vec<[u8; BATCH]> {
    let mut noise = Noise::new(3);
    (0..LABELS).map(|_| std::array::from_fn(|_| (noise.next_u64() % 10) as u8)).collect()
}

fn evaluated<N: Network<Scalar = f32, Input: Tensor<Element = f32>>>() -> Net {
    let (network, inputs) = (network::<N>(), inputs::<N, INPUTS>());
    let mut outputs = memory::boxed::<[N::Output; INPUTS]>();
    evaluate_in(&*network, &inputs, &mut outputs, &mut memory::boxed::<Workspace<N, INPUTS>>());
    let mut net = Net::of(&*network);
    net.inputs = inputs.iter().map(|input| input.numbers().to_vec()).collect();
    net.outputs = outputs.iter().map(|output| output.numbers().to_vec()).collect();
    net
}

fn trained<N>(optimizer: graph::Optimizer) -> Task
where
    N: Network<Scalar = f32, Input: Tensor<Element = f32>, Output = [f32; 10]> + Trainable,
{
    let images = inputs::<N, { IMAGES * BATCH }>();
    let images = images.chunks(BATCH).map(|batch| batch.iter().flat_map(|x| x.numbers()).copied().collect());
    let mut step = steps::<N>(optimizer, level());
    let losses = (0..STEPS).map(&mut step).collect();
    Task { net: Net::of(&*network::<N>()), optimizer, images: images.collect(), labels: labels(), losses }
}

/// Like `N::evaluate`, at a given level.
fn at<N: Network<Scalar = f32>>(level: Level, network: &N, input: &N::Input) -> N::Output {
    let mut output = memory::zeroed::<[N::Output; 1]>();
    let mut workspace = memory::zeroed::<Workspace<N, 1>>();
    evaluate_at(level, network, std::array::from_ref(input), &mut output, &mut workspace);
    let [output] = output;
    output
}

/// A network in training.
fn steps<N>(optimizer: graph::Optimizer, level: Level) -> Box<dyn FnMut(usize) -> f32>
where
    N: Network<Scalar = f32, Input: Tensor<Element = f32>, Output = [f32; 10]> + Trainable,
{
    fn with<N, O>(optimizer: O, level: Level) -> Box<dyn FnMut(usize) -> f32>
    where
        N: Network<Scalar = f32, Input: Tensor<Element = f32>, Output = [f32; 10]> + Trainable,
        O: monomorph::optim::Optimizer<f32> + 'static,
    {
        let (mut network, images, labels) = (network::<N>(), inputs::<N, { IMAGES * BATCH }>(), labels());
        let mut trainer = Trainer::<N, _, BATCH>::new(optimizer, CrossEntropy);
        Box::new(move |step| {
            let (images, _) = images.as_chunks::<BATCH>();
            let (images, labels) = (&images[step % IMAGES], &labels[step % LABELS]);
            let step = trainer.step_at(level, &mut network, images, labels);
            step.expect("labels fit and losses are finite").loss
        })
    }
    let learning_rate = optimizer.learning_rate();
    match optimizer {
        graph::Optimizer::Sgd => with::<N, _>(Sgd { learning_rate, ..Sgd::default() }, level),
        graph::Optimizer::Adam => with::<N, _>(Adam { learning_rate, ..Adam::default() }, level),
    }
}
