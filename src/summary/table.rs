//! A summary as a table.

use core::fmt::{self, Display, Formatter, Write};

use super::{Grouped, Node, Shape, Summary, is_shared, sources};

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

/// The content of a cell of the table.
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
            // Most layers have none; a blank makes the others stand out.
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

/// A part of a whole in percent, rounded to tenths; nothing if the part is 0.
pub(super) struct Share {
    pub(super) part: usize,
    pub(super) whole: usize,
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
pub(super) struct Rounded(pub(super) usize);

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
    // Counting cannot fail; a text that cannot be displayed reports its error when it is written.
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
