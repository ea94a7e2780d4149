//! What the readers of files give: a graph of operators, in the words of ONNX.

use std::collections::{BTreeMap, HashMap};

use crate::Error;

/// The numbers of a constant.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Numbers {
    Real(Vec<f32>),
    Whole(Vec<i64>),
}

/// A constant of a graph.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Array {
    pub(super) shape: Vec<usize>,
    pub(super) numbers: Numbers,
}

/// No constant has more numbers: a damaged file could claim any size.
const MOST: usize = 1 << 26;

/// The product of sizes, if it is one that a file can have.
pub(super) fn product(sizes: &[usize]) -> Result<usize, Error> {
    let product = sizes.iter().try_fold(1_usize, |product, size| product.checked_mul(*size));
    product.filter(|product| *product <= MOST).ok_or_else(|| Error(format!("the sizes {sizes:?} are absurd")))
}

impl Array {
    /// Checks that there are as many numbers as the shape says.
    pub(super) fn new(shape: Vec<usize>, numbers: Numbers) -> Result<Self, Error> {
        let (wanted, given) = (product(&shape)?, numbers.len());
        if wanted != given {
            return Err(Error(format!("a constant of the shape {shape:?} has {given} numbers")));
        }
        Ok(Self { shape, numbers })
    }

    pub(super) fn wholes(list: Vec<i64>) -> Self {
        Self { shape: vec![list.len()], numbers: Numbers::Whole(list) }
    }

    pub(super) fn reals(&self) -> Vec<f32> {
        match &self.numbers {
            Numbers::Real(numbers) => numbers.clone(),
            Numbers::Whole(numbers) => numbers.iter().map(|number| *number as f32).collect(),
        }
    }

    pub(super) fn list(&self) -> Option<&[i64]> {
        match &self.numbers {
            Numbers::Whole(numbers) => Some(numbers),
            Numbers::Real(_) => None,
        }
    }

    /// The only number, if there is one.
    pub(super) fn scalar(&self) -> Option<f32> {
        (self.numbers.len() == 1).then(|| self.reals()[0])
    }

    /// With its axes in another order: axis `i` of the result is axis `order[i]` of this.
    pub(super) fn transposed(&self, order: &[usize]) -> Self {
        let shape: Vec<usize> = order.iter().map(|axis| self.shape[*axis]).collect();
        let mut strides = vec![1; self.shape.len()];
        for axis in (1..self.shape.len()).rev() {
            strides[axis - 1] = strides[axis] * self.shape[axis];
        }
        let places = (0..self.numbers.len()).map(|mut index| {
            let mut place = 0;
            for (size, axis) in shape.iter().zip(order).rev() {
                place += index % size * strides[*axis];
                index /= size;
            }
            place
        });
        let numbers = match &self.numbers {
            Numbers::Real(numbers) => Numbers::Real(places.map(|place| numbers[place]).collect()),
            Numbers::Whole(numbers) => Numbers::Whole(places.map(|place| numbers[place]).collect()),
        };
        Self { shape, numbers }
    }
}

impl Numbers {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Real(numbers) => numbers.len(),
            Self::Whole(numbers) => numbers.len(),
        }
    }
}

/// An argument of an operator.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Attribute {
    Whole(i64),
    Real(f32),
    Text(String),
    Wholes(Vec<i64>),
    Reals(Vec<f32>),
    Array(Array),
    /// A part of a graph, or another thing that no operator here takes.
    Other,
}

/// An operator.
#[derive(Clone, Debug, Default)]
pub(super) struct Node {
    /// What it computes: the name of an operator of ONNX.
    pub(super) kind: String,
    pub(super) name: String,
    /// The names of its inputs; one that is left out has an empty name.
    pub(super) inputs: Vec<String>,
    pub(super) outputs: Vec<String>,
    pub(super) attributes: BTreeMap<String, Attribute>,
    /// Whether the channels of an image are its last axis, not the first behind the batch.
    pub(super) channels_last: bool,
}

impl Node {
    pub(super) fn whole(&self, name: &str, default: i64) -> i64 {
        match self.attributes.get(name) {
            Some(Attribute::Whole(number)) => *number,
            _ => default,
        }
    }

    pub(super) fn real(&self, name: &str, default: f32) -> f32 {
        match self.attributes.get(name) {
            Some(Attribute::Real(number)) => *number,
            _ => default,
        }
    }

    pub(super) fn text(&self, name: &str) -> &str {
        match self.attributes.get(name) {
            Some(Attribute::Text(text)) => text,
            _ => "",
        }
    }

    pub(super) fn wholes(&self, name: &str) -> Option<&[i64]> {
        match self.attributes.get(name) {
            Some(Attribute::Wholes(list)) => Some(list),
            _ => None,
        }
    }

    /// What it is called in a message.
    pub(super) fn title(&self) -> String {
        let name = if self.name.is_empty() { self.outputs.first().map_or("", String::as_str) } else { &self.name };
        format!("{} `{name:.60}`", self.kind)
    }
}

/// A value that comes from outside or goes there.
#[derive(Clone, Debug)]
pub(super) struct Port {
    pub(super) name: String,
    /// Its sizes, that of the batch first; a size that the file leaves open is its name.
    pub(super) sizes: Vec<Result<usize, String>>,
}

/// The operators of a model, each behind those that it depends on.
#[derive(Clone, Debug, Default)]
pub(super) struct Graph {
    pub(super) nodes: Vec<Node>,
    pub(super) constants: HashMap<String, Array>,
    pub(super) inputs: Vec<Port>,
    pub(super) outputs: Vec<String>,
    /// The version of ONNX' operators.
    pub(super) version: i64,
}
