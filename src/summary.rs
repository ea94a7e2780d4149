//! What a network consists of, to look at: as a table, as Graphviz source, as a drawing.
//!
//! Nothing here allocates: texts go straight to the formatter, so a summary can be written to a serial
//! port as well as to a string.

mod dot;
mod layout;
#[cfg(test)]
mod networks;
mod svg;

use core::fmt::{self, Display, Formatter, Write};

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
    /// The nodes it reads, by their index.
    pub inputs: &'static [usize],
    /// The shape of what it gives.
    pub shape: &'static [usize],
    /// How many parameters it has, running statistics included; 0 where they were counted before,
    /// for a layer that is used again.
    pub parameters: usize,
    /// Its multiply-accumulate operations.
    pub macs: usize,
}

/// What a network consists of: its layers and what they cost.
///
/// Displayed, it is a table. A row that does not simply read the row above says what it reads.
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
    /// How many bytes it works in while it evaluates one sample.
    pub evaluate_bytes: usize,
    /// How many bytes the gradient of one sample takes: the activations that are kept, their
    /// gradients, and the gradient of the parameters.
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

impl Display for Summary {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let rows = || [Row::Header, Row::Total].into_iter().chain((0..self.graph.len()).map(Row::Node));
        let widths =
            COLUMNS.map(|column| rows().map(|row| width(&Cell { table: self, row, column })).max().unwrap_or(0));
        let line = widths.iter().sum::<usize>() + GAP * (COLUMNS.len() - 1);

        writeln!(f, "{}", self.name)?;
        self.row(f, Row::Header, &widths)?;
        writeln!(f, "{:─<line$}", "")?;
        for index in 0..self.graph.len() {
            self.row(f, Row::Node(index), &widths)?;
        }
        writeln!(f, "{:─<line$}", "")?;
        self.row(f, Row::Total, &widths)?;
        writeln!(f)?;

        let memory = [
            ("parameters", self.parameter_bytes(), ""),
            ("evaluate", self.evaluate_bytes, "beside the parameters, for one sample"),
            ("train", self.train_bytes, "beside the parameters, for one sample"),
        ];
        let bytes = memory.map(|(_, bytes, _)| width(&Grouped(bytes))).into_iter().max().unwrap_or(0);
        let rounded = memory.map(|(_, bytes, _)| width(&Rounded(bytes))).into_iter().max().unwrap_or(0);
        for (what, number, note) in memory {
            let mut line = Line::new(f);
            line.left(&what, 10)?;
            line.skip(GAP);
            line.right(&Grouped(number), bytes)?;
            line.right(&" bytes", 6)?;
            line.skip(GAP);
            line.right(&Rounded(number), rounded)?;
            line.skip(GAP);
            line.left(&note, 0)?;
            writeln!(f)?;
        }
        Ok(())
    }
}

impl Summary {
    fn row(&self, f: &mut Formatter<'_>, row: Row, widths: &[usize; COLUMNS.len()]) -> fmt::Result {
        let mut line = Line::new(f);
        for (column, &width) in COLUMNS.iter().zip(widths) {
            let cell = Cell { table: self, row, column: *column };
            match column {
                Column::Layer | Column::Kind | Column::Output => line.left(&cell, width)?,
                _ => line.right(&cell, width)?,
            }
            line.skip(GAP);
        }
        if let Row::Node(index) = row {
            line.left(&Sources { graph: self.graph, index }, 0)?;
        }
        writeln!(f)
    }
}

/// Between two columns.
const GAP: usize = 2;

#[derive(Clone, Copy)]
enum Column {
    Layer,
    Kind,
    Output,
    Parameters,
    Bytes,
    Macs,
    Share,
}

const COLUMNS: [Column; 7] =
    [Column::Layer, Column::Kind, Column::Output, Column::Parameters, Column::Bytes, Column::Macs, Column::Share];

#[derive(Clone, Copy)]
enum Row {
    Header,
    Node(usize),
    Total,
}

/// What stands in a row of a column.
struct Cell<'a> {
    table: &'a Summary,
    row: Row,
    column: Column,
}

impl Display for Cell<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let table = self.table;
        let index = match self.row {
            Row::Node(index) => index,
            Row::Header => {
                return f.write_str(match self.column {
                    Column::Layer => "layer",
                    Column::Kind => "kind",
                    Column::Output => "output",
                    Column::Parameters => "parameters",
                    Column::Bytes => "bytes",
                    Column::Macs => "MACs",
                    Column::Share => "of MACs",
                });
            }
            Row::Total => {
                return match self.column {
                    Column::Layer => f.write_str("total"),
                    Column::Parameters => Grouped(table.parameters()).fmt(f),
                    Column::Bytes => Grouped(table.parameter_bytes()).fmt(f),
                    Column::Macs => Grouped(table.macs()).fmt(f),
                    Column::Kind | Column::Output | Column::Share => Ok(()),
                };
            }
        };
        let Some(node) = table.graph.get(index) else { return Ok(()) };
        let number = |f: &mut Formatter<'_>, number| match number {
            // Most layers have none; the eye finds those that have some.
            0 => Ok(()),
            number => Grouped(number).fmt(f),
        };
        match self.column {
            Column::Layer => f.write_str(node.name),
            Column::Kind if node.kind == node.name => Ok(()),
            Column::Kind => f.write_str(node.kind),
            Column::Output => Shape(node.shape).fmt(f),
            Column::Parameters if is_shared(table.graph, index) => f.write_str("shared"),
            Column::Parameters => number(f, node.parameters),
            Column::Bytes => number(f, table.bytes(node.parameters)),
            Column::Macs => number(f, node.macs),
            Column::Share => Share { part: node.macs, whole: table.macs() }.fmt(f),
        }
    }
}

/// What a node reads, unless it is just the node before.
struct Sources {
    graph: &'static [Node],
    index: usize,
}

impl Display for Sources {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let mut sources = sources(self.graph, self.index);
        let (Some(first), second) = (sources.next(), sources.next()) else { return Ok(()) };
        if second.is_none() && first + 1 == self.index {
            return Ok(());
        }
        let mut separator = "from ";
        for source in [first].into_iter().chain(second).chain(sources) {
            write!(f, "{separator}{}", self.graph[source].name)?;
            separator = ", ";
        }
        Ok(())
    }
}

/// The nodes that `index` reads, those that exist.
fn sources(graph: &'static [Node], index: usize) -> impl Iterator<Item = usize> {
    let inputs = graph.get(index).map_or(&[][..], |node| node.inputs);
    inputs.iter().copied().filter(move |source| *source < index)
}

/// Whether a node has the parameters of a node before it.
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

/// A part of a whole in percent, rounded to tenths; nothing if there is no part.
struct Share {
    part: usize,
    whole: usize,
}

impl Display for Share {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if self.part == 0 || self.whole == 0 {
            return Ok(());
        }
        match (self.part as u128 * 1000 + self.whole as u128 / 2) / self.whole as u128 {
            0 => f.write_str("<0.1%"),
            tenths => write!(f, "{}.{}%", tenths / 10, tenths % 10),
        }
    }
}

/// A number of bytes in KiB, MiB or GiB, rounded to tenths; nothing below 1 KiB.
struct Rounded(usize);

impl Display for Rounded {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let bytes = self.0 as u64;
        let tenths = |shift: u32| ((bytes as u128 * 10 + (1 << shift) / 2) >> shift) as u64;
        for (unit, shift) in [("KiB", 10), ("MiB", 20), ("GiB", 30)] {
            let tenths = tenths(shift);
            if bytes >> 10 != 0 && (tenths < 10_240 || shift == 30) {
                return write!(f, "{}.{} {unit}", tenths / 10, tenths % 10);
            }
        }
        Ok(())
    }
}

/// How many characters a text has.
fn width(text: &dyn Display) -> usize {
    struct Count(usize);

    impl Write for Count {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            self.0 += text.chars().count();
            Ok(())
        }
    }

    let mut count = Count(0);
    // Counting cannot fail; a text that cannot be displayed will say so when it is written.
    let _ = write!(count, "{text}");
    count.0
}

/// Writes the columns of a line, without blanks at its end.
struct Line<'a, 'b> {
    f: &'a mut Formatter<'b>,
    blanks: usize,
}

impl<'a, 'b> Line<'a, 'b> {
    fn new(f: &'a mut Formatter<'b>) -> Self {
        Self { f, blanks: 0 }
    }

    fn skip(&mut self, blanks: usize) {
        self.blanks += blanks;
    }

    fn left(&mut self, text: &dyn Display, column: usize) -> fmt::Result {
        let width = width(text);
        if width > 0 {
            write!(self.f, "{:1$}{text}", "", self.blanks)?;
            self.blanks = 0;
        }
        self.blanks += column.saturating_sub(width);
        Ok(())
    }

    fn right(&mut self, text: &dyn Display, column: usize) -> fmt::Result {
        self.blanks += column.saturating_sub(width(text));
        self.left(text, 0)
    }
}

/// What kind of work a node does; drawings have a colour for each.
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
    /// A layer of the user's, a network, whatever has no colour of its own.
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

    /// Fill and outline, the same in all drawings. Texts on the fill are dark, so that a drawing is
    /// readable on a page of any colour.
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
mod tests {
    use alloc::string::ToString;

    use super::*;

    #[test]
    fn table_of_a_chain() {
        let expected = "\
LeNet5
layer     kind       output        parameters    bytes     MACs  of MACs
────────────────────────────────────────────────────────────────────────
input                [28, 28, 1]
conv1     Conv2d     [28, 28, 6]          156      624  117,600    28.2%
relu1     Relu       [28, 28, 6]
pool1     MaxPool2d  [14, 14, 6]
conv2     Conv2d     [10, 10, 16]       2,416    9,664  240,000    57.6%
relu2     Relu       [10, 10, 16]
pool2     MaxPool2d  [5, 5, 16]
flatten1  Flatten    [400]
dense1    Dense      [120]             48,120  192,480   48,000    11.5%
relu3     Relu       [120]
dense2    Dense      [84]              10,164   40,656   10,080     2.4%
relu4     Relu       [84]
dense3    Dense      [10]                 850    3,400      840     0.2%
────────────────────────────────────────────────────────────────────────
total                                  61,706  246,824  416,520

parameters  246,824 bytes  241.0 KiB
evaluate     23,520 bytes   23.0 KiB  beside the parameters, for one sample
train       301,584 bytes  294.5 KiB  beside the parameters, for one sample
";
        assert_eq!(networks::LENET.to_string(), expected);
    }

    #[test]
    fn says_what_is_read_where_it_is_not_the_row_above() {
        let table = networks::RESNET.to_string();
        let line = |name: &str| table.lines().find(|line| line.starts_with(name)).expect("a row");
        assert!(line("residual1").ends_with("  from norm3, relu1"));
        assert!(line("shortcut1").ends_with("   1.0%  from relu3"));
        assert!(line("residual2").ends_with("  from norm5, shortcut1"));
        assert_eq!(table.matches("from ").count(), 5);
        let table = networks::UNET.to_string();
        assert!(table.contains("  from relu2, up1\n") && table.contains("  from relu1, up2\n"));
        assert_eq!(networks::ACTOR_CRITIC.to_string().matches("from ").count(), 1);
    }

    #[test]
    fn totals() {
        assert_eq!(networks::RESNET.parameters(), 78_666);
        assert_eq!(networks::RESNET.parameter_bytes(), 4 * 78_666);
        assert_eq!(networks::RESNET.macs(), 12_501_632);
        let table = networks::RESNET.to_string();
        assert!(table.contains("78,666  314,664  12,501,632\n"));
        // What cannot be counted does not overflow either.
        assert_eq!((networks::HOSTILE.parameters(), networks::HOSTILE.parameter_bytes()), (usize::MAX, usize::MAX));
    }

    #[test]
    fn shared_parameters_are_counted_once() {
        let table = networks::MIXED.to_string();
        assert_eq!(table.matches("shared").count(), 1);
        assert_eq!(networks::MIXED.parameters(), 1964);
    }

    #[test]
    fn columns_are_aligned() {
        for summary in networks::ALL.into_iter().filter(|summary| *summary != networks::HOSTILE) {
            let table = summary.to_string();
            let header = table.lines().nth(1).expect("a header");
            let end = |line: &str, title: &str| line.find(title).map(|at| at + title.len());
            let (parameters, macs) = (end(header, "parameters").unwrap(), end(header, " MACs").unwrap());
            for line in table.lines().take(summary.graph.len() + 5).skip(1) {
                assert_eq!(line, line.trim_end());
                // Numbers end below their title, a gap follows.
                for at in [parameters, macs] {
                    let after = line.get(at..at + 1).unwrap_or(" ");
                    assert!(after == " " || line.starts_with('─'), "{line}");
                }
            }
        }
    }

    #[test]
    fn numbers() {
        for (number, text) in [(0, "0"), (999, "999"), (1000, "1,000"), (1_000_007, "1,000,007"), (12_034, "12,034")] {
            assert_eq!(Grouped(number).to_string(), text);
        }
        let share = |part, whole| Share { part, whole }.to_string();
        assert_eq!([share(0, 5), share(1, 3), share(1, 10_000), share(5, 5)], ["", "33.3%", "<0.1%", "100.0%"]);
        assert_eq!(share(usize::MAX, usize::MAX), "100.0%");
        let rounded = [1023, 1024, 1536, (1 << 20) - 1, 1 << 20, 3 << 29].map(|bytes| Rounded(bytes).to_string());
        assert_eq!(rounded, ["", "1.0 KiB", "1.5 KiB", "1.0 MiB", "1.0 MiB", "1.5 GiB"]);
    }

    #[test]
    fn families() {
        let of = |kind| Family::of(&Node { kind, ..networks::LENET.graph[0] });
        let families =
            ["DepthwiseConv2d", "Dense", "RmsNorm", "Relu6", "GlobalAvgPool2d", "Concat", "self::Gru"].map(of);
        use Family::{Activation, Convolution, Dense, Norm, Other, Pool, Structure};
        assert_eq!(families, [Convolution, Dense, Norm, Activation, Pool, Structure, Other]);
    }
}
