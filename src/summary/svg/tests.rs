use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::super::networks;
use super::*;
use crate::noise::Noise;

/// A straight part of an edge: the source and the target of the edge, and the rectangle of the part.
type Line = (usize, usize, [i32; 4]);

/// All straight parts of all edges; asserts that curves stay between rows.
fn lines(drawing: &Drawing) -> Vec<Line> {
    let mut lines = Vec::new();
    for target in 0..drawing.graph.len() {
        for (place, source) in sources(drawing.graph, target).enumerate() {
            let (mut x, mut y) = (0, 0);
            let traced = drawing.trace(source, target, place, |step| {
                let mut line = |x0: i32, y0: i32, x1: i32, y1: i32| {
                    lines.push((source, target, [x0.min(x1), y0.min(y1), x0.max(x1), y0.max(y1)]));
                };
                (x, y) = match step {
                    Step::Start { x, y } => (x, y),
                    Step::Out { x: to } => {
                        line(x, y, to, y);
                        (to, y)
                    }
                    Step::Bend { row, x: to } => {
                        let (from, down) = (drawing.row_bottom(row), drawing.row_top(row + 1));
                        assert!(y <= from && from + REGULAR <= down, "{source} to {target}");
                        line(x, y, x, from);
                        (to, down)
                    }
                    Step::Enter { x: to, y: down } => {
                        assert_eq!(x, to, "{source} to {target}");
                        line(x, y, x, down);
                        (x, down)
                    }
                    Step::EnterAside { x: to, y: down } => {
                        assert!(to + TURN <= x, "{source} to {target}");
                        line(x, y, x, down);
                        line(x, down, to, down);
                        (to, down)
                    }
                };
                Ok::<_, ()>(())
            });
            traced.unwrap();
        }
    }
    lines
}

/// No edge runs through a node or along an edge from another source, and no two nodes overlap.
fn check(summary: Summary) {
    let drawing = Drawing::new(summary);
    let graph = drawing.graph;
    let boxes: Vec<[i32; 4]> = (0..graph.len())
        .map(|node| {
            let (x, y, half) = (drawing.x(node), drawing.y(node), drawing.width / 2);
            let right = if sign(&graph[node]).is_some() { x + RADIUS } else { x + half };
            let height = drawing.box_height(node);
            [x - half, y - height / 2, right, y + height / 2]
        })
        .collect();
    let overlap = |a: [i32; 4], b: [i32; 4]| a[0] < b[2] && b[0] < a[2] && a[1] < b[3] && b[1] < a[3];
    for (node, rectangle) in boxes.iter().enumerate() {
        assert!(boxes[..node].iter().all(|other| !overlap(*other, *rectangle)), "{}: {node}", summary.name);
    }
    let lines = lines(&drawing);
    for (i, (source, target, line)) in lines.iter().enumerate() {
        for (node, rectangle) in boxes.iter().enumerate() {
            // An edge reaches into a circle's box as far as the arc.
            let own = (node == *source || node == *target) && sign(&graph[node]).is_some();
            let shrunk = [rectangle[0] + 1, rectangle[1] + 1, rectangle[2] - 1, rectangle[3] - 1];
            let thick = [line[0], line[1], line[2] + 1, line[3] + 1];
            assert!(own || !overlap(shrunk, thick), "{}: {source} to {target} runs through {node}", summary.name);
        }
        for (other_source, other_target, other) in &lines[..i] {
            if source == other_source {
                continue;
            }
            let along = |a: usize, b: usize| {
                line[a] == line[a + 2]
                    && other[a] == other[a + 2]
                    && line[a] == other[a]
                    && line[b] < other[b + 2]
                    && other[b] < line[b + 2]
            };
            assert!(
                !along(0, 1) && !along(1, 0),
                "{}: {source} to {target} runs along {other_source} to {other_target}",
                summary.name
            );
        }
    }
}

#[test]
fn edges_keep_clear_of_nodes_and_of_each_other() {
    networks::ALL.into_iter().for_each(check);
}

#[test]
fn edges_keep_clear_in_random_graphs() {
    for seed in 0..400 {
        check(random(seed));
    }
}

fn random(seed: u64) -> Summary {
    let mut noise = Noise::new(seed);
    let mut below = |limit: usize| noise.below(limit as u64) as usize;
    let (length, reach) = (3 + below(30), 1 + below(12));
    let node = |index: usize| {
        let (kind, inputs) = match below(8) {
            _ if index == 0 => ("input", 0),
            0 => ("input", 0),
            1 => ("Add", 2),
            2 => ("Concat", 2 + below(3)),
            3 => ("Multiply", 2),
            4 => ("Relu", 1),
            _ => ("Dense", 1),
        };
        let inputs: Vec<usize> = (0..inputs).map(|_| index - 1 - below(reach.min(index))).collect();
        let parameters = if kind == "Dense" { 6 } else { 0 };
        Node { name: "node", kind, inputs: Box::leak(inputs.into()), shape: &[2], parameters, macs: 0 }
    };
    let graph: Vec<Node> = (0..length).map(node).collect();
    Summary { name: Box::leak(format!("seed {seed}").into()), graph: Box::leak(graph.into()), ..networks::LENET }
}

/// The tags of a document; every tag must be closed, and text must be escaped.
fn tags(document: &str) -> Vec<&str> {
    let (mut open, mut tags) = (Vec::new(), Vec::new());
    for part in document.split('<').skip(1) {
        let (tag, text) = part.split_once('>').expect("a tag is closed");
        assert!(!text.contains('>'));
        assert_eq!(tag.matches('"').count() % 2, 0, "{tag}");
        for entity in part.split('&').skip(1) {
            assert!(["amp;", "lt;", "gt;", "quot;"].iter().any(|known| entity.starts_with(known)), "{part}");
        }
        let name = tag.split(' ').next().unwrap_or(tag);
        match tag.strip_prefix('/') {
            Some(closed) => assert_eq!(open.pop(), Some(closed)),
            None if tag.ends_with('/') => tags.push(tag),
            None => {
                open.push(name);
                tags.push(tag);
            }
        }
    }
    assert!(open.is_empty());
    tags
}

#[test]
fn has_every_node_and_every_edge() {
    for summary in networks::ALL {
        let text = summary.svg().to_string();
        let tags = tags(&text);
        let count = |name: &str| tags.iter().filter(|tag| tag.split(' ').next() == Some(name)).count();
        let graph = summary.graph;
        assert_eq!(count("svg"), 1);
        assert_eq!(count("rect") + count("circle"), graph.len());
        assert_eq!(count("circle"), graph.iter().filter(|node| sign(node).is_some()).count());
        assert_eq!(count("path"), (0..graph.len()).map(|node| sources(graph, node).count()).sum::<usize>());
        for node in graph {
            assert!(text.contains(&format!("<title>{}: {} {:?}", Escaped(node.name), Escaped(node.kind), node.shape)));
        }
    }
}

#[test]
fn is_inside_its_frame() {
    for summary in networks::ALL {
        let drawing = Drawing::new(summary);
        let text = summary.svg().to_string();
        let frame: Vec<i32> = text
            .split_once("viewBox=\"")
            .and_then(|(_, rest)| rest.split_once('"'))
            .map(|(frame, _)| frame.split(' ').map(|number| number.parse().unwrap()).collect())
            .unwrap();
        for (.., line) in lines(&drawing) {
            assert!(frame[0] < line[0] && line[2] < frame[0] + frame[2] && line[3] < frame[3], "{}", summary.name);
        }
    }
}

#[test]
fn shows_what_layers_weigh() {
    let text = networks::MIXED.svg().to_string();
    for part in
        ["1,964 parameters · 921,936 MACs", ">584 parameters<", ">shared parameters<", "self::Attention&lt;8, 2&gt;"]
    {
        assert!(text.contains(part), "{part}");
    }
}

#[test]
fn draws_long_networks_as_a_column() {
    let mut graph = Vec::new();
    for index in 0..LIMIT + 44 {
        let inputs: &[usize] = match index {
            0 => &[],
            _ if index % 10 == 5 => Box::leak(Box::new([index - 1, index - 5])),
            _ => Box::leak(Box::new([index - 1])),
        };
        let kind = if inputs.len() == 2 { "Add" } else { "Relu" };
        graph.push(Node { name: "node", kind, inputs, shape: &[8], parameters: 0, macs: 0 });
    }
    let summary = Summary { name: "Long", graph: Box::leak(graph.into()), ..networks::LENET };
    check(summary);
    let text: String = summary.svg().to_string();
    assert_eq!(text.matches("<rect").count() + text.matches("<circle").count(), LIMIT + 44);
    tags(&text);
}

#[test]
fn draws_nothing() {
    let summary = Summary { graph: &[], ..networks::LENET };
    assert_eq!(tags(&summary.svg().to_string()).len(), 6);
}

#[test]
fn needs_little_stack() {
    assert!(size_of::<Drawing>() <= 8 * 1024);
}
