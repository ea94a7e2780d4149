//! candle, on its own CPU backend.

use candle_core::{Device, Result, Tensor, Var};
use candle_nn::{AdamW, Conv2d, Conv2dConfig, Linear, Module, Optimizer as _, ParamsAdamW, SGD, ops};

use crate::bench::{Bench, Failure, Outcome};
use crate::graph::{self, BATCH, Kind, Net, Op, Optimizer, Window, Work};

/// A step of an optimizer, given the loss.
type Update = Box<dyn FnMut(&Tensor) -> Result<()>>;

enum Layer {
    Dense(Linear),
    Conv(Conv2d, [(usize, usize); 2]),
    Other,
}

pub fn run(work: &Work, bench: &Bench) -> Outcome {
    let net = work.net().channels_first();
    // For evaluation, weights are plain tensors: nothing is recorded for a gradient.
    let mut vars = matches!(work, Work::Train(_)).then(Vec::new);
    let layers = layers(&net, &mut vars)?;
    let input =
        |data: &[f32], batch: usize| Tensor::from_slice(data, [&[batch], net.input_shape()].concat(), &Device::Cpu);
    match work {
        Work::Evaluate(_) => {
            let inputs = net.inputs.iter().map(|data| input(data, 1)).collect::<Result<Vec<_>>>()?;
            forward(&net, &layers, &inputs[0])?;
            bench.evaluate(
                &net,
                |i| forward(&net, &layers, &inputs[i]).expect("it ran before"),
                |output| output.flatten_all().and_then(|x| x.to_vec1()).expect("numbers are f32"),
            )
        }
        // `mask.avg_pool2d` in its `Op::MaxPool2D` is one over the size of the window if the maximum is
        // unique. Adam is insensitive to a constant factor; SGD is not.
        Work::Train(task) if net.ops.iter().any(|op| op.kind == Kind::MaxPool2) && task.optimizer == Optimizer::Sgd => {
            Err(Failure::NotMeasured("its gradient of 2×2 max pooling is a quarter of the correct value".into()))
        }
        Work::Train(task) => {
            let images = task.images.iter().map(|data| input(data, BATCH)).collect::<Result<Vec<_>>>()?;
            let labels = task.labels.iter().map(|labels| Tensor::new(&labels.map(u32::from), &Device::Cpu));
            let labels = labels.collect::<Result<Vec<_>>>()?;
            let (vars, lr) = (vars.unwrap_or_default(), task.optimizer.learning_rate());
            let mut update: Update = match task.optimizer {
                Optimizer::Sgd => {
                    let mut sgd = SGD::new(vars, lr)?;
                    Box::new(move |loss| sgd.backward_step(loss))
                }
                Optimizer::Adam => {
                    let mut adam = AdamW::new(vars, ParamsAdamW { lr, weight_decay: 0.0, ..Default::default() })?;
                    Box::new(move |loss| adam.backward_step(loss))
                }
            };
            let mut step = |n: usize| {
                let scores = forward(&net, &layers, &images[n % images.len()])?;
                let loss = candle_nn::loss::cross_entropy(&scores, &labels[n % labels.len()])?;
                update(&loss)?;
                Ok::<_, candle_core::Error>(loss)
            };
            bench.train(task, |n| step(n).expect("shapes fit"), |loss| loss.to_scalar().expect("a loss is a number"))
        }
    }
}

fn layers(net: &Net, vars: &mut Option<Vec<Var>>) -> Result<Vec<Layer>> {
    let mut tensor = |tensor: &graph::Tensor| {
        let plain = Tensor::from_slice(&tensor.data, &tensor.shape[..], &Device::Cpu)?;
        let Some(vars) = vars else { return Ok(plain) };
        vars.push(Var::from_tensor(&plain)?);
        Ok::<_, candle_core::Error>(vars[vars.len() - 1].as_tensor().clone())
    };
    let mut layer = |op: &Op| {
        Ok(match op.kind {
            Kind::Dense => {
                Layer::Dense(Linear::new(tensor(&net.weight(op).permute(&[1, 0]))?, Some(tensor(net.bias(op))?)))
            }
            Kind::Conv(window) | Kind::Depthwise(window) => {
                let Window { stride, padding, .. } = window;
                // Its convolution has no asymmetric padding.
                let inside = padding.iter().all(|&(before, after)| before == after && before == padding[0].0);
                let groups = if matches!(op.kind, Kind::Depthwise(_)) { op.shape[0] } else { 1 };
                let padded = if inside { padding[0].0 } else { 0 };
                let config = Conv2dConfig { padding: padded, stride: stride[0], groups, ..Default::default() };
                let conv = Conv2d::new(tensor(net.weight(op))?, Some(tensor(net.bias(op))?), config);
                Layer::Conv(conv, if inside { [(0, 0); 2] } else { padding })
            }
            _ => Layer::Other,
        })
    };
    net.ops.iter().map(&mut layer).collect()
}

fn forward(net: &Net, layers: &[Layer], input: &Tensor) -> Result<Tensor> {
    net.walk(input.clone(), |index, x, y| match (&layers[index], net.ops[index].kind) {
        (Layer::Dense(linear), _) => linear.forward(&x),
        (Layer::Conv(conv, [(0, 0), (0, 0)]), _) => conv.forward(&x),
        (Layer::Conv(conv, [(top, bottom), (left, right)]), _) => {
            conv.forward(&x.pad_with_zeros(2, *top, *bottom)?.pad_with_zeros(3, *left, *right)?)
        }
        (_, Kind::MaxPool2) => x.max_pool2d(2),
        (_, Kind::GlobalAvgPool) => x.mean((2, 3)),
        (_, Kind::Flatten) => x.flatten_from(1),
        (_, Kind::Relu) => x.relu(),
        (_, Kind::Tanh) => x.tanh(),
        (_, Kind::Softmax) => ops::softmax_last_dim(&x),
        (_, Kind::Add) => x + y.expect("a sum has two terms"),
        (Layer::Other, Kind::Input | Kind::Dense | Kind::Conv(_) | Kind::Depthwise(_)) => unreachable!(),
    })
}
