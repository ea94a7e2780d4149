//! Files for programs in other languages: graphs, weights, inputs, expected outputs.

use std::fs;
use std::path::Path;

use serde_json::{Map, Value, json};

use crate::bench::{LOSS_TOLERANCE, OUTPUT_TOLERANCE};
use crate::graph::{BATCH, Work};
use crate::onnx;
use crate::sequences::{Kind, LEARNING_RATE, Sequence};

/// Consecutive numbers, with the offset and the length of each array.
#[derive(Clone, Default)]
struct File {
    bytes: Vec<u8>,
    index: Map<String, Value>,
}

impl File {
    fn add(&mut self, name: &str, numbers: &[f32]) {
        self.index.insert(name.into(), json!([self.bytes.len() / 4, numbers.len()]));
        self.bytes.extend(numbers.iter().flat_map(|x| x.to_le_bytes()));
    }
}

/// Writes `NAME.json` and its numbers for every workload, with channels last and first; models for
/// ONNX Runtime; and `works.json`, the list.
pub fn write(works: &[Work], sequences: &[Sequence], folder: &Path) -> std::io::Result<()> {
    fs::create_dir_all(folder)?;
    let mut list = vec![];
    for work in works {
        let (net, name) = (work.net(), work.name().replace(' ', "-"));
        let mut entry =
            json!({ "work": work.name(), "file": name, "macs": net.macs(), "parameters": net.parameters() });
        let mut numbers = File::default();
        match work {
            Work::Evaluate(net) => {
                fs::write(folder.join(format!("{name}.onnx")), onnx::bytes(&net.channels_first()))?;
                numbers.add("outputs", &net.outputs.concat());
            }
            Work::Train(task) => {
                let labels: Vec<f32> = task.labels.concat().iter().map(|&label| f32::from(label)).collect();
                numbers.add("images", &task.images.concat());
                numbers.add("labels", &labels);
                numbers.add("losses", &task.losses);
                entry["optimizer"] = format!("{:?}", task.optimizer).into();
                entry["learning_rate"] = task.optimizer.learning_rate().into();
                // The first layer needs no input gradient.
                entry["macs"] = (BATCH * (3 * net.macs() - net.macs_of(&net.ops[1]))).into();
            }
        }
        for (layout, net) in [("last", net), ("first", &net.channels_first())] {
            let mut numbers = numbers.clone();
            numbers.add("inputs", &net.inputs.concat());
            for (name, tensor) in net.ops.iter().filter_map(|op| net.tensors_of(op)).flatten() {
                numbers.add(&name, &tensor.data);
            }
            let mut graph = net.json();
            graph["numbers"] = numbers.index.into();
            graph["shapes"] = net.tensors.iter().map(|(name, tensor)| (name.clone(), json!(tensor.shape))).collect();
            fs::write(folder.join(format!("{name}.{layout}.json")), graph.to_string())?;
            fs::write(folder.join(format!("{name}.{layout}.f32")), numbers.bytes)?;
        }
        list.push(entry);
    }
    for work in sequences {
        let Sequence { kind, net, macs } = work;
        let mut numbers = File::default();
        numbers.add("inputs", &net.inputs.concat());
        numbers.add("outputs", &net.outputs.concat());
        for (name, tensor) in &net.tensors {
            numbers.add(name, &tensor.data);
        }
        let shapes: Map<_, _> = net.tensors.iter().map(|(name, tensor)| (name.clone(), json!(tensor.shape))).collect();
        let graph = json!({ "ops": [{ "shape": kind.shape() }], "numbers": numbers.index, "shapes": shapes });
        fs::write(folder.join(format!("{}.last.json", net.name)), graph.to_string())?;
        fs::write(folder.join(format!("{}.last.f32", net.name)), numbers.bytes)?;
        let mut entry = json!({ "work": work.name(), "file": net.name, "macs": macs, "parameters": net.parameters(), "sequence": format!("{kind:?}") });
        if *kind == Kind::Train {
            (entry["optimizer"], entry["learning_rate"]) = ("Adam".into(), LEARNING_RATE.into());
        }
        list.push(entry);
    }
    let works = json!({ "works": list, "output_tolerance": OUTPUT_TOLERANCE, "loss_tolerance": LOSS_TOLERANCE });
    fs::write(folder.join("works.json"), works.to_string())
}
