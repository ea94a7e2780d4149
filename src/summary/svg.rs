//! A drawing of a graph.

use core::fmt::{self, Display, Formatter, Write};

use super::layout::{LIMIT, Layout, Route};
use super::{Family, Grouped, Node, Shape, Summary, is_shared, sign, sources};

/// A drawing of a network's graph, made by [`Summary::svg`]: a self-contained file, readable on light and on dark
/// pages.
///
/// Graphs of more than 256 nodes are drawn as one column.
#[derive(Clone, Copy, Debug)]
pub struct Svg {
    summary: Summary,
}

impl Svg {
    pub(super) fn new(summary: Summary) -> Self {
        Self { summary }
    }
}

impl Display for Svg {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        Drawing::new(self.summary).draw(f)
    }
}

// All lengths are pixels.

/// The radius of sums and products.
const RADIUS: i32 = 12;
/// The height of boxes with one line and with two lines.
const LOW: i32 = 26;
const HIGH: i32 = 42;
/// Between rows: where edges go straight down, and where some go sideways.
const NEAR: i32 = 16;
const FAR: i32 = 38;
/// Between rows that are all alike.
const REGULAR: i32 = 24;
/// The radius of a bend of an edge.
const TURN: i32 = 8;
/// The length of an arrow's head.
const ARROW: i32 = 5;
/// Between the text of a box and its border, and between two texts.
const PADDING: i32 = 10;
/// From a box to the first track, and between tracks.
const FIRST_TRACK: i32 = 16;
const TRACK: i32 = 10;
/// Around everything.
const MARGIN: i32 = 12;
/// The height of the title.
const TITLE: i32 = 46;
/// Readable on light and on dark pages.
const GREY: &str = "#7d8590";

/// A part of an edge's path.
#[derive(Clone, Copy)]
enum Step {
    Start {
        x: i32,
        y: i32,
    },
    /// Sideways to `x`, then down.
    Out {
        x: i32,
    },
    /// To `x` on the way from one row to the next.
    Bend {
        row: usize,
        x: i32,
    },
    /// Down into the target.
    Enter {
        x: i32,
        y: i32,
    },
    /// Down to `y`, then sideways into the target.
    EnterAside {
        x: i32,
        y: i32,
    },
}

struct Drawing {
    summary: Summary,
    graph: &'static [Node],
    layout: Layout,
    /// The width of boxes.
    width: i32,
    /// The middle of each column, relative to the first.
    middle: [i32; LIMIT],
    /// How far each row is moved.
    shift: [i32; LIMIT],
    /// Where each row begins and how high it is.
    top: [i32; LIMIT],
    height: [i32; LIMIT],
}

impl Drawing {
    fn new(summary: Summary) -> Self {
        let graph = summary.graph;
        let mut drawing = Self {
            summary,
            graph,
            layout: Layout::new(graph),
            width: graph.iter().map(room).max().unwrap_or(0).max(120) / 2 * 2,
            middle: [0; LIMIT],
            shift: [0; LIMIT],
            top: [0; LIMIT],
            height: [0; LIMIT],
        };
        for column in 1..drawing.layout.columns() {
            let tracks = drawing.layout.tracks(column - 1) as i32;
            let between = FIRST_TRACK * 2 + (tracks - 1).max(0) * TRACK;
            drawing.middle[column] = drawing.middle[column - 1] + drawing.width + between;
        }
        if drawing.is_regular() {
            return drawing;
        }
        for row in 0..drawing.layout.rows() {
            drawing.shift[row] = -drawing.middle[drawing.layout.breadth(row)] / 2;
        }
        for (node, height) in graph.iter().map(box_height).enumerate() {
            let highest = &mut drawing.height[drawing.layout.row(node)];
            *highest = height.max(*highest);
        }
        let mut bends = [false; LIMIT];
        drawing.each_step(|step| {
            if let Step::Bend { row, .. } = step {
                bends[row] = true;
            }
        });
        let mut top = TITLE;
        for row in 0..drawing.layout.rows() {
            drawing.top[row] = top;
            top += drawing.height[row] + if bends[row] { FAR } else { NEAR };
        }
        drawing
    }

    /// Whether all rows have the same height, because there are too many to store.
    fn is_regular(&self) -> bool {
        self.graph.len() > LIMIT
    }

    fn row_top(&self, row: usize) -> i32 {
        if self.is_regular() { TITLE + row as i32 * (HIGH + REGULAR) } else { self.top[row] }
    }

    fn row_bottom(&self, row: usize) -> i32 {
        self.row_top(row) + if self.is_regular() { HIGH } else { self.height[row] }
    }

    /// The middle of a column in a row.
    fn column_x(&self, column: usize, row: usize) -> i32 {
        if self.is_regular() { 0 } else { self.middle[column] + self.shift[row] }
    }

    /// The middle of a node.
    fn x(&self, node: usize) -> i32 {
        self.column_x(self.layout.column(node), self.layout.row(node))
    }

    fn y(&self, node: usize) -> i32 {
        let row = self.layout.row(node);
        (self.row_top(row) + self.row_bottom(row)) / 2
    }

    fn top(&self, node: usize) -> i32 {
        self.y(node) - self.box_height(node) / 2
    }

    fn box_height(&self, node: usize) -> i32 {
        let height = box_height(&self.graph[node]);
        if self.is_regular() { height.min(HIGH) } else { height }
    }

    /// The position in a row of the edges of a node that pass rows.
    fn line(&self, source: usize, row: usize) -> i32 {
        let x = self.column_x(self.layout.column(source), row);
        match self.layout.route(source) {
            Route::Column => x,
            Route::Track(track) => x + self.width / 2 + FIRST_TRACK + track as i32 * TRACK,
        }
    }

    fn passes_rows(&self, source: usize, target: usize) -> bool {
        self.layout.row(target) > self.layout.row(source) + 1
    }

    /// Whether an edge begins at the side of its source. At a circle, edges only end at the side.
    fn leaves_aside(&self, source: usize, target: usize) -> bool {
        sign(&self.graph[source]).is_none()
            && match self.passes_rows(source, target) {
                true => self.layout.route(source) != Route::Column,
                false => self.layout.turns_aside(source, target),
            }
    }

    /// Whether an edge ends at the side of its target.
    fn enters_aside(&self, source: usize, target: usize) -> bool {
        match self.layout.route(source) {
            Route::Track(_) if self.passes_rows(source, target) => {
                self.layout.column(source) == self.layout.column(target)
            }
            _ => self.layout.comes_from_aside(source, target),
        }
    }

    /// The position of an edge as it leaves the row above its target.
    fn arrival(&self, source: usize, target: usize) -> i32 {
        let above = self.layout.row(target) - 1;
        if self.passes_rows(source, target) {
            self.line(source, above)
        } else if self.leaves_aside(source, target) {
            self.column_x(self.layout.column(target), above)
        } else {
            self.x(source)
        }
    }

    /// The point at the top of a node where the edge of its input `place` ends. Edges from the left are to the left of
    /// those that come straight down, so that they do not cross.
    fn port(&self, target: usize, place: usize) -> (i32, i32) {
        let x = self.x(target);
        let entries = || {
            let all = sources(self.graph, target).enumerate();
            all.filter(|(_, source)| !self.enters_aside(*source, target))
                .map(|(place, source)| (self.arrival(source, target), place))
        };
        let own = entries().find(|(_, other)| *other == place).unwrap_or((x, place));
        let count = entries().count() as i32;
        let before = entries().filter(|other| *other < own).count() as i32;
        let left = entries().filter(|(from, _)| *from < x).count() as i32;
        let straight = entries().filter(|(from, _)| *from == x).count() as i32;
        let middle = if straight > 0 { 2 * left + straight - 1 } else { count - 1 };
        let (y, is_circle) = (self.y(target), sign(&self.graph[target]).is_some());
        let extent = if is_circle { 2 * RADIUS } else { self.width };
        let spacing = (extent / (count + 1)).min(if is_circle { 12 } else { 24 });
        let aside = ((2 * before - middle) * spacing / 2).clamp(-extent / 2, extent / 2);
        match is_circle {
            true => (x + aside, y - (RADIUS * RADIUS - aside * aside).max(0).isqrt()),
            false => (x + aside, self.top(target)),
        }
    }

    /// The point on the right side of a node where the edge of its input `place` ends or, without one, its own edges
    /// begin. Edges from nearby are above those from far away, so that they do not cross.
    fn side(&self, node: usize, place: Option<usize>) -> (i32, i32) {
        let entries = || {
            let all = sources(self.graph, node).enumerate();
            all.filter(|(_, source)| self.enters_aside(*source, node))
                .map(|(place, source)| (self.line(source, self.layout.row(node)), place))
        };
        let count = entries().count() as i32;
        let own = entries().find(|(_, other)| Some(*other) == place);
        let before = own.map_or(count, |own| entries().filter(|other| *other < own).count() as i32);
        let (x, y) = (self.x(node), self.y(node));
        if sign(&self.graph[node]).is_some() {
            let spacing = (2 * RADIUS / (count + 1)).min(10);
            let down = (2 * before - count + 1) * spacing / 2;
            return (x + (RADIUS * RADIUS - down * down).max(0).isqrt(), y + down);
        }
        let leaves = (node + 1..self.graph.len())
            .any(|target| sources(self.graph, target).any(|source| source == node && self.leaves_aside(node, target)));
        let height = self.box_height(node);
        (x + self.width / 2, self.top(node) + height * (before + 1) / (count + leaves as i32 + 1))
    }

    /// The path of the edge to a node from its input `place`.
    fn trace<E>(
        &self,
        source: usize,
        target: usize,
        place: usize,
        mut step: impl FnMut(Step) -> Result<(), E>,
    ) -> Result<(), E> {
        let (from, to) = (self.layout.row(source), self.layout.row(target));
        let mut x = self.x(source);
        if self.leaves_aside(source, target) {
            let (start, y) = self.side(source, None);
            step(Step::Start { x: start, y })?;
            x = match self.passes_rows(source, target) {
                true => self.line(source, from),
                false => self.column_x(self.layout.column(target), from),
            };
            step(Step::Out { x })?;
        } else {
            step(Step::Start { x, y: self.y(source) + self.box_height(source) / 2 })?;
        }
        let mut bend = |row: usize, next: i32| {
            let moved = core::mem::replace(&mut x, next) != next;
            if moved { step(Step::Bend { row, x: next }) } else { Ok(()) }
        };
        for row in from + 1..to {
            bend(row - 1, self.line(source, row))?;
        }
        if self.enters_aside(source, target) {
            bend(to - 1, self.line(source, to))?;
            let (x, y) = self.side(target, Some(place));
            step(Step::EnterAside { x, y })
        } else {
            let (x, y) = self.port(target, place);
            bend(to - 1, x)?;
            step(Step::Enter { x, y })
        }
    }

    /// Calls `visit` with all parts of all edges.
    fn each_step(&self, mut visit: impl FnMut(Step)) {
        for target in 0..self.graph.len() {
            for (place, source) in sources(self.graph, target).enumerate() {
                let traced = self.trace(source, target, place, |step| {
                    visit(step);
                    Ok::<_, core::convert::Infallible>(())
                });
                traced.unwrap_or_else(|never| match never {});
            }
        }
    }

    fn draw(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let summary = &self.summary;
        let costs = Costs { parameters: summary.parameters(), macs: summary.macs() };
        let (mut left, mut right) = (-self.width / 2, self.width / 2);
        for node in 0..self.graph.len() {
            left = left.min(self.x(node) - self.width / 2);
            right = right.max(self.x(node) + self.width / 2);
        }
        self.each_step(|step| {
            if let Step::Out { x } | Step::Bend { x, .. } = step {
                right = right.max(x);
            }
        });
        let middle = (left + right) / 2;
        let title = text_width(&summary.name, 15).max(text_width(&costs, 11)).max(right - left);
        let (width, left) = (title + 2 * MARGIN, middle - title / 2 - MARGIN);
        let height = self.layout.rows().checked_sub(1).map_or(TITLE, |row| self.row_bottom(row)) + MARGIN;

        writeln!(
            f,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"{left} 0 {width} {height}\" width=\"{width}\" \
             height=\"{height}\" role=\"img\" font-size=\"11\" \
             font-family=\"system-ui, -apple-system, 'Segoe UI', Roboto, Helvetica, Arial, sans-serif\">"
        )?;
        let name = Escaped(summary.name);
        writeln!(f, "<title>{name}</title>")?;
        writeln!(f, "<g text-anchor=\"middle\" fill=\"{GREY}\">")?;
        writeln!(f, "<text x=\"{middle}\" y=\"20\" font-size=\"15\" font-weight=\"600\">{name}</text>")?;
        writeln!(f, "<text x=\"{middle}\" y=\"36\">{costs}</text>")?;
        writeln!(f, "</g>")?;
        writeln!(f, "<g fill=\"none\" stroke=\"{GREY}\" stroke-width=\"1.5\">")?;
        for target in 0..self.graph.len() {
            for (place, source) in sources(self.graph, target).enumerate() {
                self.edge(f, source, target, place)?;
            }
        }
        writeln!(f, "</g>")?;
        for node in 0..self.graph.len() {
            self.node(f, node)?;
        }
        writeln!(f, "</svg>")
    }

    fn edge(&self, f: &mut Formatter<'_>, source: usize, target: usize, place: usize) -> fmt::Result {
        f.write_str("<path d=\"")?;
        let (mut x, mut y) = (0, 0);
        self.trace(source, target, place, |step| match step {
            Step::Start { x: to, y: down } => {
                (x, y) = (to, down);
                write!(f, "M{x} {y}")
            }
            Step::Out { x: to } => {
                let turn = if to > x { TURN } else { -TURN };
                x = to;
                write!(f, "H{}Q{x} {y} {x} {}", x - turn, y + TURN)
            }
            Step::Bend { row, x: to } => {
                // Straight at the end, where the arrow is.
                let (from, down) = (self.row_bottom(row), self.row_top(row + 1) - ARROW);
                let half = (from + down) / 2;
                write!(f, "V{from}C{x} {half} {to} {half} {to} {down}")?;
                x = to;
                Ok(())
            }
            Step::Enter { x, y } => write!(f, "V{y}M{} {}L{x} {y}L{} {}", x - 4, y - ARROW, x + 4, y - ARROW),
            Step::EnterAside { x: to, y } => {
                write!(f, "V{}Q{x} {y} {} {y}H{to}", y - TURN, x - TURN)?;
                write!(f, "M{} {}L{to} {y}L{} {}", to + ARROW, y - 4, to + ARROW, y + 4)
            }
        })?;
        writeln!(f, "\"/>")
    }

    fn node(&self, f: &mut Formatter<'_>, index: usize) -> fmt::Result {
        let node = &self.graph[index];
        let (x, y) = (self.x(index), self.y(index));
        let (name, shape, family) = (Escaped(node.name), Shape(node.shape), Family::of(node));
        let (fill, outline) = family.colours();
        write!(f, "<g><title>{name}: {} {shape}", Escaped(node.kind))?;
        if is_shared(self.graph, index) {
            f.write_str(", shared parameters")?;
        } else if node.parameters > 0 {
            write!(f, ", {} parameters", Grouped(node.parameters))?;
        }
        if node.macs > 0 {
            write!(f, ", {} MACs", Grouped(node.macs))?;
        }
        writeln!(f, "</title>")?;
        if let Some(sign) = sign(node) {
            writeln!(f, "<circle cx=\"{x}\" cy=\"{y}\" r=\"{RADIUS}\" fill=\"{fill}\" stroke=\"{outline}\"/>")?;
            let middle = "text-anchor=\"middle\" font-size=\"16\" fill=\"#1f2937\"";
            writeln!(f, "<text x=\"{x}\" y=\"{}\" {middle}>{sign}</text>", y + 5)?;
            let end = x - RADIUS - PADDING;
            write!(f, "<text x=\"{end}\" y=\"{}\" text-anchor=\"end\" fill=\"{GREY}\">", y - 2)?;
            writeln!(
                f,
                "<tspan font-weight=\"600\">{name}</tspan><tspan x=\"{end}\" dy=\"12\">{shape}</tspan></text>"
            )?;
            return writeln!(f, "</g>");
        }
        let height = self.box_height(index);
        // Inputs and combinations have round ends.
        let round = if family == Family::Input || node.kind == "Concat" { LOW / 2 } else { 6 };
        let (left, top) = (x - self.width / 2, self.top(index));
        write!(f, "<rect x=\"{left}\" y=\"{top}\" width=\"{}\" height=\"{height}\" ", self.width)?;
        writeln!(f, "rx=\"{round}\" fill=\"{fill}\" stroke=\"{outline}\"/>")?;
        let (left, right) = (left + PADDING, x + self.width / 2 - PADDING);
        let is_high = has_two_lines(node);
        let first = if is_high { y - 4 } else { y + 4 };
        write!(f, "<text x=\"{left}\" y=\"{first}\" fill=\"#475569\">")?;
        write!(f, "<tspan font-size=\"12\" font-weight=\"600\" fill=\"#1f2937\">{name}</tspan>")?;
        if is_high {
            write!(f, "<tspan x=\"{left}\" dy=\"16\">{}</tspan>", Escaped(node.kind))?;
        } else if node.kind != node.name {
            write!(f, " {}", Escaped(node.kind))?;
        }
        writeln!(f, "</text>")?;
        write!(f, "<text x=\"{right}\" y=\"{first}\" text-anchor=\"end\" fill=\"#475569\">{shape}")?;
        if is_high {
            write!(f, "<tspan x=\"{right}\" dy=\"16\">")?;
            if is_shared(self.graph, index) {
                f.write_str("shared parameters")?;
            } else {
                write!(f, "{}", Cost(node))?;
            }
            f.write_str("</tspan>")?;
        }
        writeln!(f, "</text>")?;
        writeln!(f, "</g>")
    }
}

fn box_height(node: &Node) -> i32 {
    if sign(node).is_some() {
        2 * RADIUS
    } else if has_two_lines(node) {
        HIGH
    } else {
        // Space for the arrows of a node that reads many others.
        LOW + 8 * node.inputs.len().saturating_sub(3).min(20) as i32
    }
}

/// Layers with a cost show it in a second line.
fn has_two_lines(node: &Node) -> bool {
    node.parameters > 0 || node.macs > 0
}

/// The width that a node's texts need.
fn room(node: &Node) -> i32 {
    let (name, kind) = (text_width(&node.name, 13), text_width(&node.kind, 11));
    let shape = text_width(&Shape(node.shape), 11);
    if sign(node).is_some() {
        return 2 * (RADIUS + PADDING + name.max(shape));
    }
    let texts = match has_two_lines(node) {
        true => (name + shape).max(kind + text_width(&Cost(node), 11).max(text_width(&"shared parameters", 11))),
        false if node.kind == node.name => name + shape,
        false => name + 5 + kind + shape,
    };
    texts + 2 * PADDING + 2 * PADDING
}

/// The cost of a layer: its parameters or, without any, its operations.
struct Cost<'a>(&'a Node);

impl Display for Cost<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match (self.0.parameters, self.0.macs) {
            (0, macs) => write!(f, "{} MACs", Grouped(macs)),
            (parameters, _) => write!(f, "{} parameters", Grouped(parameters)),
        }
    }
}

/// The cost of a network.
struct Costs {
    parameters: usize,
    macs: usize,
}

impl Display for Costs {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{} parameters · {} MACs", Grouped(self.parameters), Grouped(self.macs))
    }
}

/// The approximate width of a text, in a wide font, because the actual font is unknown.
fn text_width(text: &dyn Display, size: i32) -> i32 {
    /// Hundredths of the font size.
    struct Measure(i32);

    impl Write for Measure {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            for c in text.chars() {
                let width = match c {
                    'i' | 'j' | 'l' | '\'' => 28,
                    ' ' | ',' | '.' | ':' | ';' | '|' => 32,
                    'f' | 'r' | 't' | 'I' | '[' | ']' | '(' | ')' | '-' => 39,
                    'm' | 'M' | 'W' => 98,
                    'w' | '<' | '>' => 83,
                    'A'..='Z' => 69,
                    '\u{2e80}'.. => 100,
                    _ => 63,
                };
                self.0 = self.0.saturating_add(width);
            }
            Ok(())
        }
    }

    let mut measure = Measure(0);
    // Measuring cannot fail; a text that cannot be displayed reports its error when it is written.
    let _ = write!(measure, "{text}");
    // A drawing of a text that long would be useless.
    measure.0.min(1_000_000) * size / 100
}

/// A text between tags.
struct Escaped(&'static str);

impl Display for Escaped {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            match c {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                // XML cannot represent these characters.
                '\u{fffe}' | '\u{ffff}' => f.write_char(' ')?,
                c if c.is_control() => f.write_char(' ')?,
                c => f.write_char(c)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
