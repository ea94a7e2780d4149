//! What a network consists of: as a table, as Graphviz source, as a drawing.
//!
//! Nothing here allocates: text goes straight to the formatter, so a summary can be written to a serial port as well as
//! to a string.

mod dot;
mod layout;
#[cfg(test)]
mod networks;
mod svg;
mod table;

use core::fmt::{self, Display, Formatter};

pub use dot::Dot;
pub use svg::Svg;

/// A node of a network's graph: an input, a layer, a sum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Node {
    /// Its name in the network, such as `conv1`.
    pub name: &'static str,
    /// What it is, such as `Conv2d`; `input` for an input.
    pub kind: &'static str,
    /// The indices of the nodes it reads.
    pub inputs: &'static [usize],
    /// The shape of its output.
    pub shape: &'static [usize],
    /// How many parameters it has, running statistics included; 0 for a layer that is used again, because they have
    /// already been counted.
    pub parameters: usize,
    /// Its multiply-accumulate operations.
    pub macs: usize,
}

impl Node {
    /// A node without parameters or multiplications: an input, a sum.
    pub const fn step(
        name: &'static str,
        kind: &'static str,
        inputs: &'static [usize],
        shape: &'static [usize],
    ) -> Self {
        Self { name, kind, inputs, shape, parameters: 0, macs: 0 }
    }
}

/// What a network consists of: its layers and what they cost.
///
/// Displays as a table. A row that does not simply read the row above says what it reads.
///
/// ```
/// use monomorph::summary::{Node, Summary};
///
/// const GRAPH: &[Node] = &[
///     Node { name: "input", kind: "input", inputs: &[], shape: &[17], parameters: 0, macs: 0 },
///     Node { name: "trunk", kind: "Dense", inputs: &[0], shape: &[64], parameters: 1152, macs: 1088 },
///     Node { name: "tanh", kind: "Tanh", inputs: &[1], shape: &[64], parameters: 0, macs: 0 },
///     Node { name: "policy", kind: "Dense", inputs: &[2], shape: &[6], parameters: 390, macs: 384 },
///     Node { name: "value", kind: "Dense", inputs: &[2], shape: &[1], parameters: 65, macs: 64 },
/// ];
/// let summary =
///     Summary { name: "ActorCritic", graph: GRAPH, number_bytes: 4, evaluate_bytes: 256, train_bytes: 7012 };
///
/// assert_eq!(format!("\n{summary}"), "
/// ActorCritic
/// layer   kind   output  parameters  bytes   MACs  of MACs
/// ────────────────────────────────────────────────────────
/// input          [17]
/// trunk   Dense  [64]         1,152  4,608  1,088    70.8%
/// tanh    Tanh   [64]
/// policy  Dense  [6]            390  1,560    384    25.0%
/// value   Dense  [1]             65    260     64     4.2%  from tanh
/// ────────────────────────────────────────────────────────
/// total                       1,607  6,428  1,536
///
/// parameters  6,428 bytes  6.3 KiB
/// evaluate      256 bytes           beside the parameters, for one sample
/// train       7,012 bytes  6.8 KiB  beside the parameters, for one sample
/// ");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Summary {
    /// The name of the network.
    pub name: &'static str,
    /// Its nodes in the order they are computed, inputs first.
    pub graph: &'static [Node],
    /// How many bytes a number takes.
    pub number_bytes: usize,
    /// The size of the workspace for evaluating one sample, in bytes.
    pub evaluate_bytes: usize,
    /// The memory for the gradient of one sample, in bytes: the saved activations, their gradients, and the gradient of
    /// the parameters.
    pub train_bytes: usize,
}

impl Summary {
    /// How many parameters all layers have, running statistics included.
    pub fn parameters(&self) -> usize {
        self.graph.iter().fold(0, |sum, node| sum.saturating_add(node.parameters))
    }

    /// How many bytes the parameters of all layers take.
    pub fn parameter_bytes(&self) -> usize {
        self.bytes(self.parameters())
    }

    /// Multiply-accumulate operations of one evaluation.
    pub fn macs(&self) -> usize {
        self.graph.iter().fold(0, |sum, node| sum.saturating_add(node.macs))
    }

    /// The graph as source for Graphviz.
    ///
    /// ```
    /// # use monomorph::summary::{Node, Summary};
    /// # const GRAPH: &[Node] = &[
    /// #     Node { name: "input", kind: "input", inputs: &[], shape: &[2], parameters: 0, macs: 0 },
    /// #     Node { name: "dense1", kind: "Dense", inputs: &[0], shape: &[1], parameters: 3, macs: 2 },
    /// # ];
    /// # let summary = Summary { name: "Line", graph: GRAPH, number_bytes: 4, evaluate_bytes: 0, train_bytes: 0 };
    /// let source = summary.dot().to_string(); // for `dot -Tsvg`
    /// assert!(source.contains("n0 -> n1"));
    /// ```
    pub fn dot(&self) -> Dot {
        Dot::new(*self)
    }

    /// A drawing of the graph, for documentation.
    ///
    /// ```
    /// # use monomorph::summary::{Node, Summary};
    /// # const GRAPH: &[Node] = &[
    /// #     Node { name: "input", kind: "input", inputs: &[], shape: &[2], parameters: 0, macs: 0 },
    /// #     Node { name: "dense1", kind: "Dense", inputs: &[0], shape: &[1], parameters: 3, macs: 2 },
    /// # ];
    /// # let summary = Summary { name: "Line", graph: GRAPH, number_bytes: 4, evaluate_bytes: 0, train_bytes: 0 };
    /// let drawing = summary.svg().to_string(); // for a file `network.svg`
    /// assert!(drawing.starts_with("<svg"));
    /// ```
    pub fn svg(&self) -> Svg {
        Svg::new(*self)
    }

    fn bytes(&self, parameters: usize) -> usize {
        parameters.saturating_mul(self.number_bytes)
    }
}

/// The nodes that `index` reads, limited to those that exist.
fn sources(graph: &'static [Node], index: usize) -> impl Iterator<Item = usize> {
    let inputs = graph.get(index).map_or(&[][..], |node| node.inputs);
    inputs.iter().copied().filter(move |source| *source < index)
}

/// Whether a node shares the parameters of an earlier node.
fn is_shared(graph: &[Node], index: usize) -> bool {
    let (before, rest) = graph.split_at(index.min(graph.len()));
    rest.first().is_some_and(|node| {
        let same = |other: &Node| other.name == node.name && other.kind == node.kind && other.parameters > 0;
        node.parameters == 0 && before.iter().any(same)
    })
}

/// A shape as Rust writes it: `[28, 28, 1]`.
struct Shape(&'static [usize]);

impl Display for Shape {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

/// A number with thousands separators.
struct Grouped(usize);

impl Display for Grouped {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.0 / 1000 {
            0 => write!(f, "{}", self.0),
            thousands => write!(f, "{},{:03}", Grouped(thousands), self.0 % 1000),
        }
    }
}

/// The kind of work a node does; drawings have a color for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Family {
    Input,
    Convolution,
    Dense,
    Norm,
    Activation,
    Pool,
    /// Moves numbers or joins values, and computes next to nothing.
    Structure,
    /// A user-defined layer, a network, anything that has no color of its own.
    Other,
}

impl Family {
    fn of(node: &Node) -> Self {
        const ACTIVATIONS: &[&str] = &[
            "Relu",
            "Relu6",
            "LeakyRelu",
            "Elu",
            "Selu",
            "Gelu",
            "GeluTanh",
            "Silu",
            "Sigmoid",
            "Tanh",
            "HardSigmoid",
            "HardSwish",
            "HardTanh",
            "LeakyHardTanh",
            "FastTanh",
            "Mish",
            "Softplus",
            "Softsign",
            "Softmax",
            "LogSoftmax",
        ];
        const STRUCTURE: &[&str] =
            &["Flatten", "Reshape", "Identity", "Dropout", "Concat", "Add", "Multiply", "Split", "Slice"];
        let kind = node.kind;
        if kind == "input" {
            Self::Input
        } else if kind.contains("Conv") {
            Self::Convolution
        } else if kind.contains("Dense") {
            Self::Dense
        } else if kind.ends_with("Norm") {
            Self::Norm
        } else if kind.contains("Pool") || kind.contains("Upsample") {
            Self::Pool
        } else if ACTIVATIONS.contains(&kind) {
            Self::Activation
        } else if STRUCTURE.contains(&kind) {
            Self::Structure
        } else {
            Self::Other
        }
    }

    /// Fill and outline, the same in all drawings. Text on the fill is dark, so that a drawing is readable on a page of
    /// any color.
    fn colours(self) -> (&'static str, &'static str) {
        match self {
            Self::Input => ("#f1f5f9", "#64748b"),
            Self::Convolution => ("#dbeafe", "#3b82f6"),
            Self::Dense => ("#ede9fe", "#8b5cf6"),
            Self::Norm => ("#fef3c7", "#d97706"),
            Self::Activation => ("#dcfce7", "#16a34a"),
            Self::Pool => ("#ffe4e6", "#e11d48"),
            Self::Structure => ("#e2e8f0", "#64748b"),
            Self::Other => ("#ccfbf1", "#0d9488"),
        }
    }
}

/// The sign of a node that combines values number by number.
fn sign(node: &Node) -> Option<&'static str> {
    match node.kind {
        "Add" => Some("+"),
        "Multiply" => Some("×"),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
