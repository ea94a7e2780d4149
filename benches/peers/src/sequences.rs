//! Sequences: networks that run sample by sample, a block of a transformer, and a step of training a language model.

use monomorph::memory;
use monomorph::network::{Trainable, evaluate};
use monomorph::prelude::*;
use monomorph::{Streaming, streaming};

use crate::bench::{Bench, Outcome};
use crate::graph::{INPUTS, Net, STEPS};

network! { /// An audio effect, sample by sample.
#[streaming] pub Lstm40: [64, 1] -> [64, 1] { Lstm(40), Dense(1) } }
network! { /// The same with gated recurrent units.
#[streaming] pub Gru40: [64, 1] -> [64, 1] { Gru(40), Dense(1) } }
network! { /// A small one.
#[streaming] pub Gru8: [64, 1] -> [64, 1] { Gru(8), Dense(1) } }
network! { /// Dilated convolutions.
#[streaming] pub Dilated: [64, 1] -> [64, 1] {
    for d in [1, 2, 4, 8] { Conv1d(16, kernel = 3, dilation = d, padding = causal), Tanh },
    Dense(1),
} }
network! { /// A block of a transformer.
pub Block: [32, 64] -> [32, 64] { TransformerBlock(heads = 4, ffn = 256) } }
network! { /// A language model like Llama, of 0.8 million parameters.
pub Writer: [u8; 128] -> [128, 128] {
    Embedding(128, 128),
    repeat 4 {
        TransformerBlock(heads = 4, ffn = 344, causal, rotary = half, norm = rms, activation = swiglu, bias = false),
    }
    RmsNorm,
    Dense(128, bias = false),
} }

/// Samples of a stream that are compared.
pub const SAMPLES: usize = 64;
/// Texts of a step of training, and their length.
const TEXTS: usize = 16;
const LENGTH: usize = 128;

type Text = [u8; LENGTH];

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// The time of one sample; the outputs of the first samples are compared.
    Stream,
    /// The time of one sequence.
    Whole,
    /// The time of one step with Adam; `inputs` are texts and what is to be predicted, `outputs` the first losses.
    Train,
}

impl Kind {
    /// The shape of an input.
    pub fn shape(self) -> &'static [usize] {
        match self {
            Kind::Stream => &[SAMPLES, 1],
            Kind::Whole => &[32, 64],
            Kind::Train => &[2, TEXTS, LENGTH],
        }
    }
}

/// A workload, without a graph.
pub struct Sequence {
    pub kind: Kind,
    pub net: Net,
    /// Multiply-accumulates of what is timed.
    pub macs: usize,
}

impl Sequence {
    pub fn name(&self) -> String {
        if self.kind == Kind::Train { format!("{} Adam", self.net.name) } else { self.net.name.into() }
    }
}

pub const LEARNING_RATE: f64 = 0.001;

pub fn works() -> Vec<Sequence> {
    vec![stream::<Lstm40>(), stream::<Gru40>(), stream::<Gru8>(), stream::<Dilated>(), block(), writer()]
}

/// monomorph itself.
pub fn run(work: &Sequence, bench: &Bench) -> Outcome {
    fn samples<N: Streaming<StepInput = [f32; 1], StepOutput = [f32; 1]> + Network<Scalar = f32>>(
        work: &Sequence,
        bench: &Bench,
    ) -> Outcome {
        let (net, inputs) = (random::<N>(), &work.net.inputs);
        let mut state = memory::boxed::<N::State>();
        let mut output = vec![0.0; SAMPLES];
        bench.compare(&work.net, |i| {
            net.start(&mut state);
            for (x, y) in inputs[i].iter().zip(&mut output) {
                [*y] = streaming::step(&*net, &mut state, &[*x]);
            }
            output.clone()
        })?;
        Ok(bench.time(|turn| {
            std::hint::black_box(streaming::step(&*net, &mut state, &[inputs[0][turn % SAMPLES]]));
        }))
    }
    match work.net.name {
        "Lstm40" => samples::<Lstm40>(work, bench),
        "Gru40" => samples::<Gru40>(work, bench),
        "Gru8" => samples::<Gru8>(work, bench),
        "Dilated" => samples::<Dilated>(work, bench),
        "Block" => {
            let (net, inputs) = (random::<Block>(), sequences(&work.net));
            bench.evaluate(&work.net, |i| net.evaluate(&inputs[i]), |y| y.as_flattened().to_vec())
        }
        _ => {
            let mut step = training();
            for ours in &work.net.outputs[0] {
                bench.agree(&[*ours], &[step(&work.net)], 1e-3)?;
            }
            Ok(bench.time(|_| {
                std::hint::black_box(step(&work.net));
            }))
        }
    }
}

/// Random weights, the same in every call.
fn random<N: Network<Scalar = f32>>() -> Box<N> {
    let (mut net, mut noise) = (memory::boxed::<N>(), Noise::new(1));
    net.initialize(Init::Normal(0.1), &mut noise);
    for parameter in net.as_mut_slice() {
        if *parameter == 0.0 {
            *parameter = (0.2 * noise.uniform() - 0.1) as f32;
        }
    }
    net
}

fn stream<N: Streaming<StepInput = [f32; 1], StepOutput = [f32; 1]> + Network<Scalar = f32>>() -> Sequence {
    let (net, mut noise) = (random::<N>(), Noise::new(2));
    let mut data = Net::tensors(&*net);
    for _ in 0..INPUTS {
        let mut state = memory::boxed::<N::State>();
        net.start(&mut state);
        let x: Vec<f32> = (0..SAMPLES).map(|_| noise.normal() as f32).collect();
        data.outputs.push(x.iter().map(|x| streaming::step(&*net, &mut state, &[*x])[0]).collect());
        data.inputs.push(x);
    }
    Sequence { kind: Kind::Stream, net: data, macs: N::MACS / SAMPLES }
}

fn block() -> Sequence {
    let (net, mut noise) = (random::<Block>(), Noise::new(2));
    let mut data = Net::tensors(&*net);
    data.inputs = (0..INPUTS).map(|_| (0..32 * 64).map(|_| noise.normal() as f32).collect()).collect();
    data.outputs = sequences(&data).iter().map(|x| evaluate(&*net, x).as_flattened().to_vec()).collect();
    Sequence { kind: Kind::Whole, net: data, macs: Block::MACS }
}

fn sequences(net: &Net) -> Vec<[[f32; 64]; 32]> {
    let rows = |x: &Vec<f32>| <[[f32; 64]; 32]>::try_from(x.as_chunks::<64>().0).expect("32 rows");
    net.inputs.iter().map(rows).collect()
}

fn writer() -> Sequence {
    let (net, mut noise) = (random::<Writer>(), Noise::new(2));
    let mut data = Net::tensors(&*net);
    // Each character depends on the one before, so there is something to learn.
    let mut text = |_| {
        let mut letter = noise.next_u64() % 128;
        let mut next = || {
            letter = (5 * letter + noise.next_u64() % 4) % 128;
            letter as f32
        };
        (0..=LENGTH).map(|_| next()).collect()
    };
    let texts: Vec<Vec<f32>> = (0..TEXTS).map(&mut text).collect();
    let part = |from: usize| texts.iter().flat_map(move |text| text[from..from + LENGTH].to_vec());
    data.inputs = vec![part(0).chain(part(1)).collect()];
    let mut step = training();
    data.outputs = vec![(0..STEPS).map(|_| step(&data)).collect()];
    Sequence { kind: Kind::Train, net: data, macs: 3 * TEXTS * Writer::MACS }
}

/// A step of training on the texts of a workload; gives the loss.
fn training() -> impl FnMut(&Net) -> f32 {
    fn trainer<N: Network<Scalar = f32> + Trainable>() -> Trainer<N, (Adam, CrossEntropy), TEXTS> {
        Trainer::new(Adam { learning_rate: LEARNING_RATE, ..Adam::default() }, CrossEntropy)
    }
    let (mut net, mut trainer) = (random::<Writer>(), trainer::<Writer>());
    move |data| {
        let letters: Vec<u8> = data.inputs[0].iter().map(|x| *x as u8).collect();
        let texts: Vec<Text> = letters.as_chunks::<LENGTH>().0.to_vec();
        let (x, y) = texts.split_at(TEXTS);
        let (x, y): (&[Text; TEXTS], &[Text; TEXTS]) = (x.try_into().expect("texts"), y.try_into().expect("texts"));
        trainer.step(&mut net, x, y).expect("losses are finite").loss
    }
}

/// The block in candle.
#[cfg(feature = "libraries")]
pub fn candle(work: &Sequence, bench: &Bench) -> Outcome {
    use candle_core::{Device, Result, Tensor};
    use candle_nn::{LayerNorm, Linear, Module, ops::softmax_last_dim};

    if work.kind != Kind::Whole {
        return Err("only the block was written for it".into());
    }
    let tensor = |name: &str| {
        let tensor = &work.net.tensors[name];
        Tensor::from_slice(&tensor.data, &tensor.shape[..], &Device::Cpu)
    };
    let linear = |weight: &str, bias: &str| {
        Ok::<_, candle_core::Error>(Linear::new(tensor(weight)?.t()?.contiguous()?, Some(tensor(bias)?)))
    };
    let norm = |name: &str| {
        let [weight, bias] = ["weight", "bias"].map(|part| tensor(&format!("{name}.{part}")));
        Ok::<_, candle_core::Error>(LayerNorm::new(weight?, bias?, 1e-5))
    };
    let [q, k, v, o] =
        ["q", "k", "v", "o"].map(|of| linear(&format!("attention1.w{of}"), &format!("attention1.b{of}")));
    let (q, k, v, o) = (q?, k?, v?, o?);
    let [up, down] = ["dense1", "dense2"].map(|of| linear(&format!("{of}.weight"), &format!("{of}.bias")));
    let (up, down, norm1, norm2) = (up?, down?, norm("norm1")?, norm("norm2")?);
    let heads = |x: Tensor| x.reshape((1, 32, 4, 16))?.transpose(1, 2)?.contiguous();
    let forward = |x: &Tensor| -> Result<Tensor> {
        let n = norm1.forward(x)?;
        let (q, k, v) = (heads(q.forward(&n)?)?, heads(k.forward(&n)?)?, heads(v.forward(&n)?)?);
        let weights = softmax_last_dim(&(q.matmul(&k.t()?)? * 0.25)?)?;
        let context = weights.matmul(&v)?.transpose(1, 2)?.contiguous()?.reshape((1, 32, 64))?;
        let x = (x + o.forward(&context)?)?;
        let n = norm2.forward(&x)?;
        x + down.forward(&up.forward(&n)?.gelu_erf()?)?
    };
    let inputs = work.net.inputs.iter().map(|x| Tensor::from_slice(x, (1, 32, 64), &Device::Cpu));
    let inputs = inputs.collect::<Result<Vec<_>>>()?;
    bench.evaluate(
        &work.net,
        |i| forward(&inputs[i]).expect("shapes fit"),
        |y| y.flatten_all().and_then(|y| y.to_vec1()).expect("numbers are f32"),
    )
}

/// The block in burn.
#[cfg(feature = "libraries")]
pub fn burn(work: &Sequence, bench: &Bench) -> Outcome {
    use burn::module::Param;
    use burn::nn::{LayerNormConfig, LinearConfig};
    use burn::tensor::activation::{gelu, softmax};
    use burn::tensor::{Device, Tensor, TensorData};

    if work.kind != Kind::Whole {
        return Err("only the block was written for it".into());
    }
    let device = Device::flex();
    let data = |name: &str| {
        let tensor = &work.net.tensors[name];
        TensorData::new(tensor.data.clone(), tensor.shape.clone())
    };
    let linear = |weight: &str, bias: &str| {
        let shape = &work.net.tensors[weight].shape;
        let mut layer = LinearConfig::new(shape[0], shape[1]).init(&device);
        layer.weight = Param::from_data(data(weight), &device);
        layer.bias = Some(Param::from_data(data(bias), &device));
        layer
    };
    let norm = |name: &str| {
        let mut layer = LayerNormConfig::new(64).init(&device);
        layer.gamma = Param::from_data(data(&format!("{name}.weight")), &device);
        layer.beta = Some(Param::from_data(data(&format!("{name}.bias")), &device));
        layer
    };
    let [q, k, v, o] =
        ["q", "k", "v", "o"].map(|of| linear(&format!("attention1.w{of}"), &format!("attention1.b{of}")));
    let [up, down] = ["dense1", "dense2"].map(|of| linear(&format!("{of}.weight"), &format!("{of}.bias")));
    let (norm1, norm2) = (norm("norm1"), norm("norm2"));
    let heads = |x: Tensor<3>| x.reshape([1, 32, 4, 16]).swap_dims(1, 2);
    let forward = |x: Tensor<3>| {
        let n = norm1.forward(x.clone());
        let (q, k, v) = (heads(q.forward(n.clone())), heads(k.forward(n.clone())), heads(v.forward(n)));
        let weights = softmax(q.matmul(k.transpose()) * 0.25, 3);
        let context = weights.matmul(v).swap_dims(1, 2).reshape([1, 32, 64]);
        let x = x + o.forward(context);
        let n = norm2.forward(x.clone());
        x + down.forward(gelu(up.forward(n)))
    };
    let tensor = |x: &Vec<f32>| Tensor::<3>::from_data(TensorData::new(x.clone(), [1, 32, 64]), &device);
    let inputs: Vec<_> = work.net.inputs.iter().map(tensor).collect();
    bench.evaluate(&work.net, |i| forward(inputs[i].clone()), |y| y.to_data().try_to_vec().expect("numbers are f32"))
}
