//! Operators on constants alone are computed while the file is read.

use super::graph::{Array, Attribute, Node, Numbers};
use super::operators::{axis, reshape, squeeze};
use super::translate::{Known, Refusal};

/// What an operator gives, if all of its inputs are constants and it is one of those below.
pub(super) fn fold(node: &Node, inputs: &[Option<Known>]) -> Option<Result<Array, Refusal>> {
    if node.kind == "Constant" {
        return node.attributes.values().find_map(|value| match value {
            Attribute::Array(array) => Some(Ok(array.clone())),
            Attribute::Wholes(list) => Some(Ok(Array::wholes(list.clone()))),
            Attribute::Whole(number) => Some(Ok(Array { shape: Vec::new(), numbers: Numbers::Whole(vec![*number]) })),
            Attribute::Real(number) => Some(Ok(Array { shape: Vec::new(), numbers: Numbers::Real(vec![*number]) })),
            Attribute::Reals(list) => Some(Ok(Array { shape: vec![list.len()], numbers: Numbers::Real(list.clone()) })),
            _ => None,
        });
    }
    let constants: Option<Vec<&Array>> = inputs
        .iter()
        .map(|input| match input {
            Some(Known::Constant(array)) => Some(array),
            _ => None,
        })
        .collect();
    let constants = constants.filter(|constants| !constants.is_empty())?;
    let first = constants[0];
    Some(match (node.kind.as_str(), constants.as_slice()) {
        ("Identity" | "Dropout", _) => Ok(first.clone()),
        ("Cast", _) => Ok(cast(node.whole("to", 1), first)),
        ("Shape", _) => Ok(Array::wholes(first.shape.iter().map(|size| *size as i64).collect())),
        ("Transpose", _) => {
            let rank = first.shape.len() as i64;
            let order = node.wholes("perm").map_or_else(|| (0..rank).rev().collect(), <[i64]>::to_vec);
            let order: Result<Vec<usize>, _> = order.iter().map(|number| axis(*number, first.shape.len())).collect();
            order.and_then(|order| match (0..first.shape.len()).all(|axis| order.contains(&axis)) {
                true if order.len() == first.shape.len() => Ok(first.transposed(&order)),
                _ => Err(format!("it has the order {order:?}")),
            })
        }
        ("Reshape", [_, shape]) => {
            let wanted = shape.list().unwrap_or_default();
            reshape(&first.shape, wanted, node.whole("allowzero", 0) != 0).and_then(|shape| seen_as(first, shape))
        }
        ("Squeeze" | "Unsqueeze", _) => squeeze(node, inputs, &first.shape).and_then(|shape| seen_as(first, shape)),
        ("Gather", [_, index]) if first.shape.len() == 1 => gather(first, index),
        ("Concat", all) => concat(all),
        ("Add" | "Sub" | "Mul" | "Div", [a, b]) => binary(&node.kind, a, b),
        ("Sqrt" | "Neg" | "Exp" | "Reciprocal", _) => {
            let numbers = first.reals().into_iter().map(|number| match node.kind.as_str() {
                "Sqrt" => number.sqrt(),
                "Neg" => -number,
                "Exp" => number.exp(),
                _ => 1.0 / number,
            });
            Ok(Array { shape: first.shape.clone(), numbers: Numbers::Real(numbers.collect()) })
        }
        _ => return None,
    })
}

/// Another type of numbers, by ONNX' number of the type.
fn cast(to: i64, array: &Array) -> Array {
    let numbers = match (&array.numbers, to) {
        (Numbers::Real(numbers), 2..=9 | 12 | 13) => Numbers::Whole(numbers.iter().map(|n| *n as i64).collect()),
        (Numbers::Whole(_), 1 | 10 | 11 | 16) => Numbers::Real(array.reals()),
        (numbers, _) => numbers.clone(),
    };
    Array { shape: array.shape.clone(), numbers }
}

/// The same numbers in another shape.
fn seen_as(array: &Array, shape: Vec<usize>) -> Result<Array, Refusal> {
    Array::new(shape, array.numbers.clone()).map_err(|error| error.to_string())
}

fn gather(from: &Array, index: &Array) -> Result<Array, Refusal> {
    let places = index.list().ok_or("its indices are no whole numbers")?;
    let places: Result<Vec<usize>, _> = places.iter().map(|place| axis(*place, from.numbers.len())).collect();
    let places = places?;
    let numbers = match &from.numbers {
        Numbers::Real(numbers) => Numbers::Real(places.iter().map(|place| numbers[*place]).collect()),
        Numbers::Whole(numbers) => Numbers::Whole(places.iter().map(|place| numbers[*place]).collect()),
    };
    Ok(Array { shape: index.shape.clone(), numbers })
}

fn concat(all: &[&Array]) -> Result<Array, Refusal> {
    if all.iter().any(|array| array.shape.len() > 1) {
        return Err("it joins constants of several axes".into());
    }
    let lists: Option<Vec<&[i64]>> = all.iter().map(|array| array.list()).collect();
    Ok(match lists {
        Some(lists) => Array::wholes(lists.concat()),
        None => {
            let numbers: Vec<f32> = all.iter().flat_map(|array| array.reals()).collect();
            Array { shape: vec![numbers.len()], numbers: Numbers::Real(numbers) }
        }
    })
}

fn binary(kind: &str, a: &Array, b: &Array) -> Result<Array, Refusal> {
    let len = a.numbers.len().max(b.numbers.len());
    if [a, b].iter().any(|array| ![1, len].contains(&array.numbers.len())) {
        return Err(format!("it combines constants of the shapes {:?} and {:?}", a.shape, b.shape));
    }
    let shape = if a.numbers.len() == len { a.shape.clone() } else { b.shape.clone() };
    if let (Some(a), Some(b)) = (a.list(), b.list()) {
        let numbers = (0..len).map(|index| {
            let (a, b) = (a[index % a.len()], b[index % b.len()]);
            match kind {
                "Add" => a.checked_add(b),
                "Sub" => a.checked_sub(b),
                "Mul" => a.checked_mul(b),
                _ => a.checked_div(b),
            }
        });
        let numbers: Option<Vec<i64>> = numbers.collect();
        return Ok(Array { shape, numbers: Numbers::Whole(numbers.ok_or("its whole numbers have no result")?) });
    }
    let (a, b) = (a.reals(), b.reals());
    let numbers = (0..len).map(|index| {
        let (a, b) = (a[index % a.len()], b[index % b.len()]);
        match kind {
            "Add" => a + b,
            "Sub" => a - b,
            "Mul" => a * b,
            _ => a / b,
        }
    });
    Ok(Array { shape, numbers: Numbers::Real(numbers.collect()) })
}
