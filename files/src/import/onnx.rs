//! ONNX files.

use super::graph::{Array, Attribute, Graph, Node, Numbers, Port};
use super::protobuf::{Field, Message};
use crate::Error;

/// Reads a `ModelProto`.
pub(super) fn read(bytes: &[u8]) -> Result<Graph, Error> {
    let (mut graph, mut version) = (None, 1);
    for field in Message::new(bytes) {
        match field? {
            (7, field) => graph = Some(field.message()?),
            (8, field) => {
                let (mut domain, mut number) = (String::new(), 0);
                for field in field.message()? {
                    match field? {
                        (1, field) => domain = field.text()?,
                        (2, field) => number = field.whole()?,
                        _ => {}
                    }
                }
                if domain.is_empty() || domain == "ai.onnx" {
                    version = number;
                }
            }
            _ => {}
        }
    }
    let message = graph.ok_or_else(|| Error("the file is no ONNX model: it has no graph".into()))?;
    let mut graph = Graph { version, ..Graph::default() };
    let (mut inputs, mut outputs) = (Vec::new(), Vec::new());
    for field in message {
        match field? {
            (1, field) => graph.nodes.push(node(field.message()?)?),
            (5, field) => {
                let (name, array) = tensor(field.message()?)?;
                graph.constants.insert(name, array);
            }
            (11, field) => inputs.push(port(field.message()?)?),
            (12, field) => outputs.push(port(field.message()?)?),
            (15, _) => return Err(Error("the model has sparse constants, which are not known".into())),
            _ => {}
        }
    }
    // Older files list the constants among the inputs.
    graph.inputs = inputs.into_iter().filter(|port| !graph.constants.contains_key(&port.name)).collect();
    graph.outputs = outputs.into_iter().map(|port| port.name).collect();
    Ok(graph)
}

fn node(message: Message<'_>) -> Result<Node, Error> {
    let mut node = Node::default();
    let mut domain = String::new();
    for field in message {
        match field? {
            (1, field) => node.inputs.push(field.text()?),
            (2, field) => node.outputs.push(field.text()?),
            (3, field) => node.name = field.text()?,
            (4, field) => node.kind = field.text()?,
            (5, field) => {
                let (name, attribute) = attribute(field.message()?)?;
                node.attributes.insert(name, attribute);
            }
            (7, field) => domain = field.text()?,
            _ => {}
        }
    }
    if !domain.is_empty() && domain != "ai.onnx" {
        node.kind = format!("{domain}.{}", node.kind);
    }
    Ok(node)
}

fn attribute(message: Message<'_>) -> Result<(String, Attribute), Error> {
    let (mut name, mut single, mut kind) = (String::new(), None, 0);
    let (mut wholes, mut reals) = (Vec::new(), Vec::new());
    for field in message {
        match field? {
            (1, field) => name = field.text()?,
            (2, Field::Four(bytes)) => single = Some(Attribute::Real(f32::from_le_bytes(bytes))),
            (3, field) => single = Some(Attribute::Whole(field.whole()?)),
            (4, field) => single = Some(Attribute::Text(field.text()?)),
            (5, field) => single = Some(Attribute::Array(tensor(field.message()?)?.1)),
            (7, field) => field.reals(&mut reals)?,
            (8, field) => field.wholes(&mut wholes)?,
            (20, field) => kind = field.whole()?,
            _ => {}
        }
    }
    // Zeros may be left out of a file.
    let attribute = match (kind, single) {
        (6, _) => Attribute::Reals(reals),
        (7, _) => Attribute::Wholes(wholes),
        (_, Some(single)) => single,
        (1, None) => Attribute::Real(0.0),
        (2, None) => Attribute::Whole(0),
        (3, None) => Attribute::Text(String::new()),
        (0, None) if !wholes.is_empty() => Attribute::Wholes(wholes),
        (0, None) if !reals.is_empty() => Attribute::Reals(reals),
        _ => Attribute::Other,
    };
    Ok((name, attribute))
}

/// The name of a tensor and its numbers.
fn tensor(message: Message<'_>) -> Result<(String, Array), Error> {
    let (mut name, mut sizes, mut kind, mut raw) = (String::new(), Vec::new(), 0, None);
    let (mut reals, mut wholes) = (Vec::new(), Vec::new());
    for field in message {
        match field? {
            (1, field) => field.wholes(&mut sizes)?,
            (2, field) => kind = field.whole()?,
            (4, field) => field.reals(&mut reals)?,
            (5 | 7 | 11, field) => field.wholes(&mut wholes)?,
            (8, field) => name = field.text()?,
            (9, field) => raw = Some(field.bytes()?),
            (10, field) => field.doubles(&mut reals)?,
            (14, field) if field.whole()? == 1 => {
                return Err(Error(format!("the constant `{name:.60}` is in another file; save the model as one file")));
            }
            _ => {}
        }
    }
    let shape: Result<Vec<usize>, _> = sizes.iter().map(|size| usize::try_from(*size)).collect();
    let shape = shape.map_err(|_| Error(format!("the constant `{name:.60}` has a negative size")))?;
    let array = match (numbers(kind, raw, reals, wholes), shape) {
        (Some(numbers), shape) => Array::new(shape, numbers),
        (None, _) => Err(Error(format!("its numbers are of the type {kind} of ONNX, which is not known"))),
    };
    let array = array.map_err(|Error(problem)| Error(format!("the constant `{name:.60}`: {problem}")))?;
    Ok((name, array))
}

/// The numbers of a tensor, either as raw bytes or as lists.
fn numbers(kind: i64, raw: Option<&[u8]>, reals: Vec<f32>, wholes: Vec<i64>) -> Option<Numbers> {
    /// Reads numbers of so many bytes.
    fn each<const BYTES: usize, N>(raw: &[u8], number: impl Fn([u8; BYTES]) -> N) -> Vec<N> {
        raw.as_chunks().0.iter().map(|bytes| number(*bytes)).collect()
    }
    let brain = |bits: u16| f32::from_bits(u32::from(bits) << 16);
    Some(match (kind, raw) {
        (1, Some(raw)) => Numbers::Real(each(raw, f32::from_le_bytes)),
        (11, Some(raw)) => Numbers::Real(each(raw, |bytes| f64::from_le_bytes(bytes) as f32)),
        (10, Some(raw)) => Numbers::Real(each(raw, |bytes| super::half(u16::from_le_bytes(bytes)))),
        (16, Some(raw)) => Numbers::Real(each(raw, |bytes| brain(u16::from_le_bytes(bytes)))),
        (1 | 11, None) => Numbers::Real(reals),
        (10, None) => Numbers::Real(wholes.iter().map(|bits| super::half(*bits as u16)).collect()),
        (16, None) => Numbers::Real(wholes.iter().map(|bits| brain(*bits as u16)).collect()),
        (2 | 9, Some(raw)) => Numbers::Whole(raw.iter().map(|byte| i64::from(*byte)).collect()),
        (3, Some(raw)) => Numbers::Whole(raw.iter().map(|byte| i64::from(byte.cast_signed())).collect()),
        (4, Some(raw)) => Numbers::Whole(each(raw, |bytes| i64::from(u16::from_le_bytes(bytes)))),
        (5, Some(raw)) => Numbers::Whole(each(raw, |bytes| i64::from(i16::from_le_bytes(bytes)))),
        (6, Some(raw)) => Numbers::Whole(each(raw, |bytes| i64::from(i32::from_le_bytes(bytes)))),
        (7, Some(raw)) => Numbers::Whole(each(raw, i64::from_le_bytes)),
        (12, Some(raw)) => Numbers::Whole(each(raw, |bytes| i64::from(u32::from_le_bytes(bytes)))),
        (2..=7 | 9 | 12, None) => Numbers::Whole(wholes),
        _ => return None,
    })
}

/// The name and the sizes of an input or an output.
fn port(message: Message<'_>) -> Result<Port, Error> {
    let mut port = Port { name: String::new(), sizes: Vec::new() };
    for field in message {
        match field? {
            (1, field) => port.name = field.text()?,
            (2, field) => port.sizes = inside(field.message()?, &[1, 2])?,
            _ => {}
        }
    }
    Ok(port)
}

/// The sizes in a type, which lie some messages deep.
fn inside(message: Message<'_>, path: &[u64]) -> Result<Vec<Result<usize, String>>, Error> {
    let mut sizes = Vec::new();
    for field in message {
        match (field?, path) {
            ((number, field), [first, path @ ..]) if number == *first => sizes = inside(field.message()?, path)?,
            ((1, field), []) => {
                let mut size = Err("?".to_owned());
                for field in field.message()? {
                    match field? {
                        (1, field) => size = usize::try_from(field.whole()?).map_err(|_| "?".to_owned()),
                        (2, field) => size = Err(field.text()?),
                        _ => {}
                    }
                }
                sizes.push(size);
            }
            _ => {}
        }
    }
    Ok(sizes)
}
