//! TensorFlow Lite files: their operators in the words of ONNX, with the channels last.

use std::collections::BTreeMap;

use super::flatbuffer::Table;
use super::graph::{Array, Attribute, Graph, Node, Numbers, Port};
use crate::Error;

/// Whether a file is of this format.
pub(super) fn is(bytes: &[u8]) -> bool {
    bytes.get(4..8) == Some(b"TFL3")
}

/// A tensor of the file.
struct Tensor {
    /// Its name, and its number so that no other has it.
    name: String,
    shape: Vec<i32>,
    constant: Option<Array>,
}

/// Reads a file.
pub(super) fn read(bytes: &[u8]) -> Result<Graph, Error> {
    let model = Table::root(bytes)?;
    let subgraphs = model.tables(2)?;
    let [main] = subgraphs.as_slice() else {
        return Err(Error(format!("the model has {} graphs, where one is known", subgraphs.len())));
    };
    let buffers = model.tables(4)?;
    let mut tensors = Vec::new();
    for (index, table) in main.tables(0)?.iter().enumerate() {
        tensors.push(tensor(index, table, &buffers)?);
    }
    // The newer field has room for more than 127 kinds; the greater of both holds.
    let codes = model.tables(1)?;
    let codes = codes.iter().map(|code| Ok(i32::from(code.byte(0)?).max(code.whole(3, 0)?)));
    let codes = codes.collect::<Result<Vec<_>, Error>>()?;
    // Version 13 of ONNX' operators has the softmax that is meant here.
    let mut graph = Graph { version: 13, ..Graph::default() };
    for operator in main.tables(3)? {
        let code = usize::try_from(operator.whole(0, 0)?).ok().and_then(|index| codes.get(index));
        let code = code.ok_or_else(|| Error("the file is damaged: an operator has no kind".into()))?;
        add(&mut graph, *code, &operator, &tensors)?;
    }
    for index in main.wholes(1)? {
        let tensor = at(&tensors, index)?;
        let sizes = tensor.shape.iter().map(|size| usize::try_from(*size).map_err(|_| "?".to_owned())).collect();
        graph.inputs.push(Port { name: tensor.name.clone(), sizes });
    }
    for index in main.wholes(2)? {
        graph.outputs.push(at(&tensors, index)?.name.clone());
    }
    for tensor in tensors {
        if let Some(array) = tensor.constant {
            graph.constants.insert(tensor.name, array);
        }
    }
    Ok(graph)
}

fn at(tensors: &[Tensor], index: i32) -> Result<&Tensor, Error> {
    let tensor = usize::try_from(index).ok().and_then(|index| tensors.get(index));
    tensor.ok_or_else(|| Error(format!("the file is damaged: there is no tensor {index}")))
}

fn tensor(index: usize, table: &Table<'_>, buffers: &[Table<'_>]) -> Result<Tensor, Error> {
    let (shape, kind) = (table.wholes(0)?, table.byte(1)?);
    let name = format!("{}:{index}", table.text(3)?);
    let buffer = usize::try_from(table.whole(2, 0)?).ok().and_then(|index| buffers.get(index));
    let data = buffer.map_or(Ok([].as_slice()), |buffer| buffer.bytes(0))?;
    if data.is_empty() {
        if [3, 7, 9].contains(&kind) {
            return Err(Error(format!("`{name:.60}`: the model computes in integers; models of floats are known")));
        }
        return Ok(Tensor { name, shape, constant: None });
    }
    let numbers = match kind {
        0 => Numbers::Real(data.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()),
        1 => Numbers::Real(data.as_chunks().0.iter().map(|bytes| super::half(u16::from_le_bytes(*bytes))).collect()),
        2 => Numbers::Whole(data.as_chunks().0.iter().map(|bytes| i64::from(i32::from_le_bytes(*bytes))).collect()),
        4 => Numbers::Whole(data.as_chunks().0.iter().map(|bytes| i64::from_le_bytes(*bytes)).collect()),
        _ => {
            return Err(Error(format!("the constant `{name:.60}` has numbers of the type {kind}, which is not known")));
        }
    };
    let sizes: Result<Vec<usize>, _> = shape.iter().map(|size| usize::try_from(*size)).collect();
    let sizes = sizes.map_err(|_| Error(format!("the constant `{name:.60}` has a negative size")))?;
    let array = Array::new(sizes, numbers).map_err(|Error(problem)| Error(format!("`{name:.60}`: {problem}")))?;
    Ok(Tensor { name, shape, constant: Some(array) })
}

/// The kinds that need no more than another name.
const NAMES: &[(i32, &str)] = &[
    (0, "Add"),
    (2, "Concat"),
    (6, "Identity"),
    (14, "Sigmoid"),
    (18, "Mul"),
    (19, "Relu"),
    (21, "Relu6"),
    (22, "Reshape"),
    (25, "Softmax"),
    (28, "Tanh"),
    (34, "Pad"),
    (39, "Transpose"),
    (40, "ReduceMean"),
    (41, "Sub"),
    (42, "Div"),
    (43, "Squeeze"),
    (50, "LogSoftmax"),
    (54, "PRelu"),
    (74, "ReduceSum"),
    (77, "Shape"),
    (82, "ReduceMax"),
    (98, "LeakyRelu"),
    (111, "Elu"),
    (117, "HardSwish"),
    (150, "Gelu"),
];

/// Adds an operator, and the function that is fused into it.
fn add(graph: &mut Graph, code: i32, operator: &Table<'_>, tensors: &[Tensor]) -> Result<(), Error> {
    let input_tensors = operator.wholes(1)?;
    let mut inputs = Vec::new();
    for index in &input_tensors {
        inputs.push(if *index < 0 { String::new() } else { at(tensors, *index)?.name.clone() });
    }
    let outputs = operator.wholes(2)?.into_iter().map(|index| Ok(at(tensors, index)?.name.clone()));
    let outputs = outputs.collect::<Result<Vec<_>, Error>>()?;
    let mut node = Node { inputs, outputs, channels_last: true, ..Node::default() };
    let name = NAMES.iter().find(|(number, _)| *number == code).map(|(_, name)| *name);
    node.kind = name.map_or_else(|| format!("builtin operator {code}"), str::to_owned);
    let mut function = 0;
    if let Some(options) = operator.table(4)? {
        function = options_of(&mut node, code, &options)?;
    }
    match code {
        1 | 17 => node.kind = if code == 1 { "AveragePool" } else { "MaxPool" }.to_owned(),
        3 | 4 => {
            node.kind = "Conv".to_owned();
            // `[out][kernel][in]`, or of one for each channel `[1][kernel][channels]`, to `[out][in][kernel]`.
            let order = if code == 3 { [0, 3, 1, 2] } else { [3, 0, 1, 2] };
            let weight = input_tensors.get(1).map(|index| at(tensors, *index)).transpose()?;
            if let Some(Tensor { constant: Some(array), .. }) = weight
                && array.shape.len() == 4
            {
                if code == 4 {
                    let channels = input_tensors.first().map(|index| at(tensors, *index)).transpose()?;
                    let channels = channels.and_then(|tensor| tensor.shape.last()).copied().unwrap_or(1);
                    node.attributes.insert("group".into(), Attribute::Whole(i64::from(channels)));
                }
                let name = format!("{} as ONNX has it", node.inputs[1]);
                graph.constants.insert(name.clone(), array.transposed(&order));
                node.inputs[1] = name;
            }
        }
        9 => {
            node.kind = "Gemm".to_owned();
            node.attributes.insert("transB".into(), Attribute::Whole(1));
            // Whatever comes is a list of vectors.
            let first = input_tensors.first().map(|index| at(tensors, *index)).transpose()?;
            if let Some(first) = first.filter(|first| first.shape.len() != 2) {
                let (flat, shape) = (format!("{} flat", first.name), format!("{} flat shape", first.name));
                graph.constants.insert(shape.clone(), Array::wholes(vec![1, -1]));
                let inputs = vec![first.name.clone(), shape];
                let reshape = Node { kind: "Reshape".into(), inputs, outputs: vec![flat.clone()], ..Node::default() };
                graph.nodes.push(reshape);
                node.inputs[0] = flat;
            }
        }
        34 => {
            // Pairs of sides, axis by axis, to all first sides and all last ones.
            let sides = input_tensors.get(1).map(|index| at(tensors, *index)).transpose()?;
            if let Some(list) = sides.and_then(|tensor| tensor.constant.as_ref()).and_then(Array::list) {
                let pairs = list.as_chunks::<2>().0;
                let sides = pairs.iter().map(|pair| pair[0]).chain(pairs.iter().map(|pair| pair[1])).collect();
                node.attributes.insert("pads".into(), Attribute::Wholes(sides));
            }
        }
        39 => {
            let order = input_tensors.get(1).map(|index| at(tensors, *index)).transpose()?;
            if let Some(list) = order.and_then(|tensor| tensor.constant.as_ref()).and_then(Array::list) {
                node.attributes.insert("perm".into(), Attribute::Wholes(list.to_vec()));
            }
        }
        22 if node.inputs.len() == 1 => {
            if let Some(Attribute::Wholes(shape)) = node.attributes.get("shape") {
                let name = format!("{} shape", node.outputs.first().map_or("", String::as_str));
                graph.constants.insert(name.clone(), Array::wholes(shape.clone()));
                node.inputs.push(name);
            }
        }
        _ => {}
    }
    let function = match function {
        0 => None,
        1 => Some("Relu"),
        3 => Some("Relu6"),
        4 => Some("Tanh"),
        other => Some(if other == 2 { "a function from -1 to 1" } else { "an unknown function" }),
    };
    if let (Some(function), [output]) = (function, node.outputs.as_mut_slice()) {
        let before = format!("{output} before {function}");
        let then = Node {
            kind: function.to_owned(),
            inputs: vec![before.clone()],
            outputs: vec![core::mem::replace(output, before)],
            ..Node::default()
        };
        graph.nodes.extend([node, then]);
    } else {
        graph.nodes.push(node);
    }
    Ok(())
}

/// Reads the options of an operator; returns the number of the function that is fused into it.
fn options_of(node: &mut Node, code: i32, options: &Table<'_>) -> Result<u8, Error> {
    let attributes: &mut BTreeMap<String, Attribute> = &mut node.attributes;
    let mut pair = |name: &str, height: i32, width: i32| {
        attributes.insert(name.into(), Attribute::Wholes(vec![i64::from(height), i64::from(width)]));
    };
    let padded = match code {
        1 | 3 | 4 | 17 => {
            pair("strides", options.whole(2, 1)?, options.whole(1, 1)?);
            true
        }
        _ => false,
    };
    let function = match code {
        3 => {
            pair("dilations", options.whole(5, 1)?, options.whole(4, 1)?);
            options.byte(3)?
        }
        4 => {
            pair("dilations", options.whole(6, 1)?, options.whole(5, 1)?);
            options.byte(4)?
        }
        1 | 17 => {
            pair("kernel_shape", options.whole(4, 1)?, options.whole(3, 1)?);
            options.byte(5)?
        }
        0 | 9 | 18 | 41 | 42 => options.byte(0)?,
        2 => options.byte(1)?,
        _ => 0,
    };
    if padded {
        let side = if options.byte(0)? == 0 { "SAME_UPPER" } else { "VALID" };
        attributes.insert("auto_pad".into(), Attribute::Text(side.into()));
    }
    let list = |field: usize| -> Result<Attribute, Error> {
        Ok(Attribute::Wholes(options.wholes(field)?.into_iter().map(i64::from).collect()))
    };
    match code {
        2 => drop(attributes.insert("axis".into(), Attribute::Whole(i64::from(options.whole(0, 0)?)))),
        22 => drop(attributes.insert("shape".into(), list(0)?)),
        43 if !options.wholes(0)?.is_empty() => drop(attributes.insert("axes".into(), list(0)?)),
        40 | 74 | 82 => drop(attributes.insert("keepdims".into(), Attribute::Whole(i64::from(options.byte(0)?)))),
        98 => drop(attributes.insert("alpha".into(), Attribute::Real(options.real(0, 0.0)?))),
        150 if options.byte(0)? != 0 => drop(attributes.insert("approximate".into(), Attribute::Text("tanh".into()))),
        // The softmax of a multiple.
        25 if options.real(0, 1.0)? != 1.0 => node.kind = "Softmax with a beta other than 1".into(),
        _ => {}
    }
    Ok(function)
}
