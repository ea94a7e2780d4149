//! burn, on its CPU backend `flex`.

use std::convert::Infallible;

use burn::module::{Module, Param};
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::loss::CrossEntropyLossConfig;
use burn::nn::{Linear, LinearConfig, PaddingConfig2d};
use burn::optim::{AdamConfig, GradientsParams, ModuleOptimizer, SgdConfig};
use burn::tensor::activation::{relu, softmax};
use burn::tensor::module::{adaptive_avg_pool2d, max_pool2d};
use burn::tensor::ops::MaxPoolOptions;
use burn::tensor::{Device, Int, Tensor, TensorData};

use crate::bench::{Bench, Outcome};
use crate::graph::{self, BATCH, Kind, Net, Op, Optimizer, Window, Work};

/// The layers that have weights, in the order of the graph.
#[derive(Module, Debug)]
struct Layers {
    dense: Vec<Linear>,
    conv: Vec<Conv2d>,
}

#[derive(Clone)]
enum Value {
    Vector(Tensor<2>),
    Image(Tensor<4>),
}

pub fn run(work: &Work, bench: &Bench) -> Outcome {
    let net = work.net().channels_first();
    match work {
        Work::Evaluate(_) => {
            let device = Device::flex();
            let layers = layers(&net, &device);
            let inputs: Vec<Value> = net.inputs.iter().map(|data| input(&net, data, 1, &device)).collect();
            bench.evaluate(
                &net,
                |i| forward(&net, &layers, inputs[i].clone()),
                |output| output.to_data().try_to_vec().expect("numbers are f32"),
            )
        }
        Work::Train(task) => {
            let device = Device::flex().autodiff();
            let images: Vec<Value> = task.images.iter().map(|data| input(&net, data, BATCH, &device)).collect();
            let labels: Vec<Tensor<1, Int>> =
                task.labels.iter().map(|labels| Tensor::from_data(labels.map(i32::from), &device)).collect();
            let loss = CrossEntropyLossConfig::new().init(&device);
            let mut optimizer: ModuleOptimizer = match task.optimizer {
                Optimizer::Sgd => SgdConfig::new().init(),
                Optimizer::Adam => AdamConfig::new().with_epsilon(1e-8).init(),
            };
            let mut layers = Some(layers(&net, &device));
            bench.train(
                task,
                |n| {
                    let current = layers.take().expect("every step puts them back");
                    let scores = forward(&net, &current, images[n % images.len()].clone());
                    let loss = loss.forward(scores, labels[n % labels.len()].clone());
                    let gradients = GradientsParams::from_grads(loss.backward(), &current);
                    layers = Some(optimizer.step(task.optimizer.learning_rate(), current, gradients));
                    loss
                },
                |loss| loss.clone().into_scalar(),
            )
        }
    }
}

fn input(net: &Net, data: &[f32], batch: usize, device: &Device) -> Value {
    match net.input_shape()[..] {
        [c, h, w] => Value::Image(Tensor::from_data(TensorData::new(data.to_vec(), [batch, c, h, w]), device)),
        _ => Value::Vector(Tensor::from_data(TensorData::new(data.to_vec(), [batch, data.len() / batch]), device)),
    }
}

fn layers(net: &Net, device: &Device) -> Layers {
    fn param<const D: usize>(tensor: &graph::Tensor, device: &Device) -> Param<Tensor<D>> {
        Param::from_data(TensorData::new(tensor.data.clone(), tensor.shape.clone()), device)
    }
    let dense = |op: &Op| {
        let weight = net.weight(op);
        let mut layer = LinearConfig::new(weight.shape[0], weight.shape[1]).init(device);
        (layer.weight, layer.bias) = (param(weight, device), Some(param(net.bias(op), device)));
        layer
    };
    let conv = |op: &Op, Window { kernel, stride, padding }: Window, groups: usize| {
        let weight = net.weight(op);
        let [(top, bottom), (left, right)] = padding;
        let mut layer = Conv2dConfig::new([weight.shape[1] * groups, weight.shape[0]], kernel)
            .with_stride(stride)
            .with_padding(PaddingConfig2d::Explicit(top, left, bottom, right))
            .with_groups(groups)
            .init(device);
        (layer.weight, layer.bias) = (param(weight, device), Some(param(net.bias(op), device)));
        layer
    };
    let mut layers = Layers { dense: vec![], conv: vec![] };
    for op in &net.ops {
        match op.kind {
            Kind::Dense => layers.dense.push(dense(op)),
            Kind::Conv(window) => layers.conv.push(conv(op, window, 1)),
            Kind::Depthwise(window) => layers.conv.push(conv(op, window, op.shape[0])),
            _ => {}
        }
    }
    layers
}

fn forward(net: &Net, layers: &Layers, input: Value) -> Tensor<2> {
    let (mut dense, mut conv) = (layers.dense.iter(), layers.conv.iter());
    let output = net.walk(input, |index, x, y| {
        Ok::<_, Infallible>(match (net.ops[index].kind, x, y) {
            (Kind::Dense, Value::Vector(x), _) => Value::Vector(dense.next().expect("as many").forward(x)),
            (Kind::Conv(_) | Kind::Depthwise(_), Value::Image(x), _) => {
                Value::Image(conv.next().expect("as many").forward(x))
            }
            (Kind::MaxPool2, Value::Image(x), _) => {
                Value::Image(max_pool2d(x, MaxPoolOptions::new([2, 2]).with_stride([2, 2])))
            }
            (Kind::GlobalAvgPool, Value::Image(x), _) => Value::Vector(adaptive_avg_pool2d(x, [1, 1]).flatten(1, 3)),
            (Kind::Flatten, Value::Image(x), _) => Value::Vector(x.flatten(1, 3)),
            (Kind::Relu, Value::Vector(x), _) => Value::Vector(relu(x)),
            (Kind::Relu, Value::Image(x), _) => Value::Image(relu(x)),
            (Kind::Tanh, Value::Vector(x), _) => Value::Vector(x.tanh()),
            (Kind::Softmax, Value::Vector(x), _) => Value::Vector(softmax(x, 1)),
            (Kind::Add, Value::Image(x), Some(Value::Image(y))) => Value::Image(x + y),
            (kind, ..) => panic!("{kind:?} does not read this"),
        })
    });
    match output {
        Ok(Value::Vector(scores)) => scores,
        Ok(Value::Image(_)) => panic!("{} ends in an image", net.name),
    }
}
