//! A graph as source for Graphviz.

use core::fmt::{self, Display, Formatter, Write};

use super::{Family, Grouped, Shape, Summary, is_shared, sign, sources};

/// A network's graph in the language of Graphviz, made by [`Summary::dot`].
#[derive(Clone, Copy, Debug)]
pub struct Dot {
    summary: Summary,
}

impl Dot {
    pub(super) fn new(summary: Summary) -> Self {
        Self { summary }
    }
}

impl Display for Dot {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let graph = self.summary.graph;
        writeln!(f, "digraph \"{}\" {{", Escaped(self.summary.name))?;
        writeln!(f, "    bgcolor=transparent;")?;
        writeln!(f, "    node [shape=box, style=\"rounded,filled\", fontname=\"sans-serif\", fontsize=11];")?;
        writeln!(f, "    edge [color=\"#7d8590\", fontcolor=\"#7d8590\", fontname=\"sans-serif\", fontsize=9];")?;
        for (index, node) in graph.iter().enumerate() {
            let (fill, outline) = Family::of(node).colours();
            let name = Escaped(node.name);
            write!(f, "    n{index} [")?;
            match sign(node) {
                Some(sign) => {
                    write!(f, "label=\"{sign}\", shape=circle, width=0.3, fixedsize=true, ")?;
                    write!(f, "xlabel=\"{name}\\n{}\", fontcolor=\"#7d8590\"", Shape(node.shape))?;
                }
                None => {
                    write!(f, "label=\"{name}\\n")?;
                    if node.kind != node.name {
                        write!(f, "{} ", Escaped(node.kind))?;
                    }
                    write!(f, "{}", Shape(node.shape))?;
                    if is_shared(graph, index) {
                        f.write_str("\\nshared parameters")?;
                    } else if node.parameters > 0 {
                        write!(f, "\\n{} parameters", Grouped(node.parameters))?;
                    }
                    f.write_char('"')?;
                }
            }
            writeln!(f, ", fillcolor=\"{fill}\", color=\"{outline}\"];")?;
        }
        for index in 0..graph.len() {
            for source in sources(graph, index) {
                writeln!(f, "    n{source} -> n{index} [label=\" {}\"];", Shape(graph[source].shape))?;
            }
        }
        writeln!(f, "}}")
    }
}

/// A text between quotation marks.
struct Escaped(&'static str);

impl Display for Escaped {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            match c {
                '"' => f.write_str("\\\"")?,
                '\\' => f.write_str("\\\\")?,
                // Graphviz reads entities in all texts.
                '&' => f.write_str("&amp;")?,
                c if c.is_control() => f.write_char(' ')?,
                c => f.write_char(c)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;
    use alloc::string::ToString;

    use super::super::networks;
    use super::*;

    #[test]
    fn is_what_graphviz_reads() {
        let mut summary = networks::LENET;
        summary.graph = &summary.graph[..2];
        let expected = r##"digraph "LeNet5" {
    bgcolor=transparent;
    node [shape=box, style="rounded,filled", fontname="sans-serif", fontsize=11];
    edge [color="#7d8590", fontcolor="#7d8590", fontname="sans-serif", fontsize=9];
    n0 [label="input\n[28, 28, 1]", fillcolor="#f1f5f9", color="#64748b"];
    n1 [label="conv1\nConv2d [28, 28, 6]\n156 parameters", fillcolor="#dbeafe", color="#3b82f6"];
    n0 -> n1 [label=" [28, 28, 1]"];
}
"##;
        assert_eq!(summary.dot().to_string(), expected);
    }

    #[test]
    fn has_every_node_and_every_edge() {
        for summary in networks::ALL {
            let (text, graph) = (summary.dot().to_string(), summary.graph);
            let mut edges = 0;
            for (index, node) in graph.iter().enumerate() {
                let label = format!("label=\"{}\\n", Escaped(node.name));
                let line = text.lines().find(|line| line.starts_with(&format!("    n{index} ["))).expect("a node");
                assert!(line.contains(&label), "{line}");
                for source in sources(graph, index) {
                    edges += 1;
                    let edge = format!("    n{source} -> n{index} [label=\" {}\"];\n", Shape(graph[source].shape));
                    assert!(text.contains(&edge), "{edge}");
                }
            }
            assert_eq!(text.matches(" -> ").count(), edges);
            for line in text.lines() {
                let quotes = line.replace("\\\\", "").replace("\\\"", "").matches('"').count();
                assert_eq!(quotes % 2, 0, "{line}");
            }
        }
    }

    #[test]
    fn names_cannot_break_out() {
        let text = networks::HOSTILE.dot().to_string();
        assert!(text.starts_with("digraph \"<\\\"\\\\&amp;>\" {\n"));
        assert!(text.contains(r#"label="a<b>\"c\"&amp;'d'\\e \ncrate::Own<'static, \"x\"> [1]\n"#));
    }
}
