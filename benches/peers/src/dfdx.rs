//! dfdx, limited to what works on stable Rust: dense networks.

use ::dfdx::losses::cross_entropy_with_logits_loss;
use ::dfdx::nn::modules;
use ::dfdx::optim::{Adam, AdamConfig, Sgd, SgdConfig};
use ::dfdx::prelude::*;

use crate::bench::{Bench, Failure, Outcome};
use crate::graph::{self, BATCH, Kind, Net, Op, Work};

type Policy<A> = ((Linear<22, 64>, A), (Linear<64, 64>, A), Linear<64, 4>);
type Tiny<const N: usize> = ((Linear<N, N>, ReLU), (Linear<N, N>, ReLU), Linear<N, 1>);
type Wide = ((Linear<128, 128>, ReLU), (Linear<128, 128>, ReLU), Linear<128, 128>);
type Digits128 = (Linear<784, 128>, ReLU, Linear<128, 10>);
type Digits512 = ((Linear<784, 512>, ReLU), (Linear<512, 256>, ReLU), Linear<256, 10>);
type Square = (Linear<128, 128>, ReLU);
type Anomaly = (
    (Linear<640, 128>, ReLU, Square, Square, Square, Linear<128, 8>),
    (ReLU, Linear<8, 128>, ReLU, Square, Square, Square),
    Linear<128, 640>,
);

pub fn run(work: &Work, bench: &Bench) -> Outcome {
    // As in its own examples.
    ::dfdx::flush_denormals_to_zero();
    match work {
        Work::Evaluate(net) => match net.name {
            "PolicyTanh" => evaluate::<Policy<Tanh>, 22, 4>(net, bench),
            "PolicyRelu" => evaluate::<Policy<ReLU>, 22, 4>(net, bench),
            "Tiny16" => evaluate::<Tiny<16>, 16, 1>(net, bench),
            "Tiny8" => evaluate::<Tiny<8>, 8, 1>(net, bench),
            "Wide128" => evaluate::<Wide, 128, 128>(net, bench),
            "Digits128" => evaluate::<Digits128, 784, 10>(net, bench),
            "Digits512" => evaluate::<Digits512, 784, 10>(net, bench),
            "Anomaly" => evaluate::<Anomaly, 640, 640>(net, bench),
            _ => no_convolutions(),
        },
        Work::Train(task) => match task.net.name {
            "Digits128" => train::<Digits128>(task, bench),
            "Digits512" => train::<Digits512>(task, bench),
            _ => no_convolutions(),
        },
    }
}

fn no_convolutions() -> Outcome {
    Err(Failure::NotMeasured("its convolutions do not compile on stable Rust".into()))
}

fn evaluate<N, const I: usize, const O: usize>(net: &Net, bench: &Bench) -> Outcome
where
    N: BuildOnDevice<Cpu, f32>,
    N::Built: Load + Module<Tensor<Rank1<I>, f32, Cpu>, Output = Tensor<Rank1<O>, f32, Cpu>>,
{
    let device = Cpu::default();
    let mut model = device.build_module::<N, f32>();
    model.load(net, &mut dense(net));
    let inputs: Vec<Tensor<Rank1<I>, f32, Cpu>> = net.inputs.iter().map(|data| device.tensor(data.clone())).collect();
    bench.evaluate(net, |i| model.forward(inputs[i].clone()), |output| output.as_vec())
}

fn train<N>(task: &graph::Task, bench: &Bench) -> Outcome
where
    N: BuildOnDevice<Cpu, f32>,
    N::Built: Load
        + TensorCollection<f32, Cpu>
        + ModuleMut<
            Tensor<Rank2<BATCH, 784>, f32, Cpu, OwnedTape<f32, Cpu>>,
            Output = Tensor<Rank2<BATCH, 10>, f32, Cpu, OwnedTape<f32, Cpu>>,
        >,
{
    let device = Cpu::default();
    let mut model = device.build_module::<N, f32>();
    model.load(&task.net, &mut dense(&task.net));
    let images: Vec<Tensor<Rank2<BATCH, 784>, f32, Cpu>> =
        task.images.iter().map(|data| device.tensor(data.clone())).collect();
    let one_hot = |labels: &[u8; BATCH]| {
        let mut targets = vec![0.0_f32; BATCH * 10];
        for (row, &label) in labels.iter().enumerate() {
            targets[row * 10 + usize::from(label)] = 1.0;
        }
        device.tensor(targets)
    };
    let labels: Vec<Tensor<Rank2<BATCH, 10>, f32, Cpu>> = task.labels.iter().map(one_hot).collect();
    let lr = task.optimizer.learning_rate();
    let mut sgd = Sgd::new(&model, SgdConfig { lr, ..Default::default() });
    let mut adam = Adam::new(&model, AdamConfig { lr, ..Default::default() });
    let mut kept = Some(model.alloc_grads());
    let step = |n: usize| {
        let images = images[n % images.len()].clone();
        let scores = model.forward_mut(images.traced(kept.take().expect("every step puts them back")));
        let loss = cross_entropy_with_logits_loss(scores, labels[n % labels.len()].clone());
        let value = loss.array();
        let mut gradients = loss.backward();
        let updated = match task.optimizer {
            graph::Optimizer::Sgd => sgd.update(&mut model, &gradients),
            graph::Optimizer::Adam => adam.update(&mut model, &gradients),
        };
        updated.expect("every parameter has a gradient");
        model.zero_grads(&mut gradients);
        kept = Some(gradients);
        value
    };
    bench.train(task, step, |&loss| loss)
}

fn dense(net: &Net) -> impl Iterator<Item = &Op> {
    net.ops.iter().filter(|op| op.kind == Kind::Dense)
}

/// Takes weights from a network, layer by layer.
trait Load {
    fn load<'a>(&mut self, net: &Net, ops: &mut impl Iterator<Item = &'a Op>);
}

impl<const I: usize, const O: usize> Load for modules::Linear<I, O, f32, Cpu> {
    fn load<'a>(&mut self, net: &Net, ops: &mut impl Iterator<Item = &'a Op>) {
        let op = ops.next().expect("as many layers");
        self.weight.copy_from(&net.weight(op).permute(&[1, 0]).data);
        self.bias.copy_from(&net.bias(op).data);
    }
}

macro_rules! without_weights {
    ($($layer:ty),*) => { $(impl Load for $layer {
        fn load<'a>(&mut self, _: &Net, _: &mut impl Iterator<Item = &'a Op>) {}
    })* };
}
without_weights!(ReLU, Tanh);

macro_rules! chain {
    ($($layer:ident)*) => {
        impl<$($layer: Load),*> Load for ($($layer,)*) {
            #[expect(non_snake_case, reason = "the fields have the names of their types")]
            fn load<'a>(&mut self, net: &Net, ops: &mut impl Iterator<Item = &'a Op>) {
                let ($($layer,)*) = self;
                $($layer.load(net, ops);)*
            }
        }
    };
}
chain!(A B);
chain!(A B C);
chain!(A B C D E F);
