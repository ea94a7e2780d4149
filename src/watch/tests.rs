use super::*;
use crate::loss::Mse;
use crate::network;
use crate::noise::Noise;
use crate::optim::Sgd;
use crate::parameters::Parameters;
use crate::prelude::Init;
use crate::train::Trainer;
use std::string::{String, ToString};
use std::vec;
use std::vec::Vec;

network! { #[watched] pub Deep: [3] -> [2] { first: Dense(17), BatchNorm, Relu, Dense(33), Relu, Dense(2) } }

fn deep() -> Deep {
    let mut net = Deep::zeroed();
    net.initialize(Init::default(), &mut Noise::new(2));
    net
}

#[test]
fn norms_are_those_of_the_layers() {
    let mut net = deep();
    let before = deep();
    let mut trainer = Trainer::<Deep, _, 4>::new(Sgd { learning_rate: 0.1, ..Sgd::default() }, Mse);
    let mut watch = Watch::new(&net);
    let x = [[0.1, 0.2, 0.3], [1.0, -1.0, 0.5], [0.7, 0.9, -0.4], [-2.0, 0.3, 0.1]];
    trainer.step(&mut net, &x, &[[1.0, 0.0]; 4]).unwrap();
    let mut seen: Vec<(String, [f64; 3])> = vec![];
    watch.layers(&net, trainer.gradient(), |norms| {
        seen.push((norms.layer.to_string(), [norms.weights, norms.gradient, norms.update]));
    });
    let names: Vec<&str> = seen.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["first", "norm1", "dense1", "dense2"]);
    let norm = |weight: &[f32], bias: &[f32]| {
        weight.iter().chain(bias).map(|x| f64::from(*x) * f64::from(*x)).sum::<f64>().sqrt()
    };
    let dense = |net: &Deep| norm(net.dense1.weight.as_flattened(), &net.dense1.bias);
    let [weights, gradient, update] = seen[2].1;
    assert!((weights - dense(&net)).abs() < 1e-5 * weights);
    assert!((gradient - dense(trainer.gradient())).abs() < 1e-5 * gradient);
    assert!((update - 0.1 * gradient).abs() < 1e-3 * update);
    // The running statistics do not count.
    assert!((seen[1].1[0] - norm(&net.norm1.weight, &net.norm1.bias)).abs() < 1e-6);
    assert_ne!(net.norm1.running_mean, before.norm1.running_mean);
    // Nothing has moved since.
    watch.layers(&net, trainer.gradient(), |norms| assert_eq!(norms.update, 0.0));
}

network! { #[watched] Image<T>: [4, 4, 1] -> [2] {
    Conv2d(3, kernel = 3), Relu, residual { Conv2d(3, kernel = 1), Tanh }, Flatten, Dropout(0.5), Dense(2)
} }

#[test]
fn activations_are_what_layers_give() {
    let mut net = Image::<f64>::zeroed();
    net.conv1.weight[1][1][0] = [1.0, -1.0, 0.5];
    net.dense1.weight[0] = [1.0, 2.0];
    let mut seen = vec![];
    Activations::<Image<f64>, 2>::new().of(&net, &[[[[2.0]; 4]; 4]; 2], |layer| seen.push(layer));
    let conv = seen.iter().find(|layer| layer.layer == "conv1").unwrap();
    assert_eq!((conv.mean, conv.zeros, conv.units, conv.dead), (1.0, 1.0 / 3.0, 3, 1));
    assert!((conv.rms - (5.0_f64 / 3.0).sqrt()).abs() < 1e-12);
    assert_eq!(seen.last().unwrap().layer, "output");
    let net = deep();
    let (mut seen, mut activations) = (vec![], Activations::<Deep, 3>::new());
    activations.of(&net, &[[0.0; 3]; 3], |layer| seen.push((layer.layer, layer.units)));
    assert!(seen.contains(&("dense1", 33)) && seen.contains(&("output", 2)), "{seen:?}");
}

#[test]
fn directions_have_the_norms_of_the_filters() {
    let net = deep();
    let plane = Landscape::new(&net, &mut Noise::new(3));
    for direction in &plane.directions {
        for filter in 0..33 {
            let norm = |net: &Deep| net.dense1.weight.iter().map(|row| row[filter] * row[filter]).sum::<f32>().sqrt();
            assert!((norm(direction) - norm(&net)).abs() < 1e-5);
        }
        assert_eq!((direction.dense1.bias, direction.norm1.running_var), ([0.0; 33], [0.0; 17]));
    }
    assert_ne!(plane.directions[0].first.weight, plane.directions[1].first.weight);
}

#[test]
fn the_middle_is_the_network() {
    let net = deep();
    let mut plane = Landscape::new(&net, &mut Noise::new(3));
    let mut seen = 0;
    let grid = plane.grid::<5>(0.5, |at| {
        seen += 1;
        f64::from(u8::from(at.as_slice() == net.as_slice()))
    });
    assert_eq!((seen, grid[2][2], grid.as_flattened().iter().sum::<f64>()), (25, 1.0, 1.0));
}

#[test]
fn logs_are_csv_or_json() {
    let mut log = Log::csv(Vec::new());
    log.row(&[("a,\"b", 1.5), ("c", f64::INFINITY)]).unwrap();
    let error = log.row(&[("c", 1.0)]).unwrap_err().to_string();
    assert_eq!(error, r#"the log has the columns ["a,\"b", "c"], but this row has ["c"]"#);
    assert_eq!(String::from_utf8(log.into_inner()).unwrap(), "\"a,\"\"b\",c\n1.5,inf\n");
    let mut log = Log::json_lines(Vec::new());
    log.row(&[("a\"\n", 1e-7), ("c", f64::NAN)]).unwrap();
    log.row(&[]).unwrap();
    let text = String::from_utf8(log.into_inner()).unwrap();
    assert_eq!(text, "{\"a\\\"\\u000a\":0.0000001,\"c\":null}\n{}\n");
}

#[test]
fn charts_of_anything() {
    let mut chart = Chart::new("a < b & c", ["x", "y"]).logarithmic();
    assert!(chart.svg().contains("a &lt; b &amp; c"));
    for (x, y) in [(0.0, 0.0), (1.0, f64::NAN), (2.0, 1.0), (2.0, -1.0)] {
        chart.add("curve", x, y);
    }
    assert!(!chart.svg().contains("NaN") && !chart.svg().contains("inf"));
    chart.add("curve", 3.0, 1e-6);
    assert!(chart.svg().contains("1.0e-6"), "{}", chart.svg());
    assert!(!heat_map("", &[[f64::NAN]]).contains("NaN"));
}
