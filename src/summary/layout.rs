//! Where the nodes of a graph are placed in a drawing.
//!
//! Rows run from top to bottom; the row of a node is the length of the longest path to it. The graph is decomposed into
//! chains, the longest path first; a chain stays in its column, so that it is drawn as a straight line. An edge that
//! passes rows runs down the column of its chain below the chain's end, or in a track beside the column.

use super::{Node, sources};

/// Up to this many nodes are arranged; larger graphs are drawn as one column.
pub(super) const LIMIT: usize = 256;

/// The number of tracks that edges share if nodes are not arranged.
const PLAIN_TRACKS: usize = 12;

/// No node, no track.
const NONE: u16 = u16::MAX;

/// How an edge gets from its source to the row above its target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Route {
    /// Down the column of the source; there is no node in the way.
    Column,
    /// Down a track beside the column of the source.
    Track(usize),
}

pub(super) struct Layout {
    graph: &'static [Node],
    /// How many nodes are arranged; 0 if they are drawn as one column.
    arranged: usize,
    row: [u16; LIMIT],
    column: [u16; LIMIT],
    /// The next node of the chain.
    next: [u16; LIMIT],
    /// Whether the chain is a side line: few nodes beside a long path. Side lines do not push the others away from the
    /// middle.
    aside: [bool; LIMIT],
    /// The track of the edges that leave a node and pass others of its chain.
    track: [u16; LIMIT],
    /// The last column of each row that counts for the middle.
    breadth: [u16; LIMIT],
}

impl Layout {
    pub(super) fn new(graph: &'static [Node]) -> Self {
        let mut layout = Self {
            graph,
            arranged: if graph.len() <= LIMIT { graph.len() } else { 0 },
            row: [0; LIMIT],
            column: [0; LIMIT],
            next: [NONE; LIMIT],
            aside: [false; LIMIT],
            track: [NONE; LIMIT],
            breadth: [0; LIMIT],
        };
        layout.place_rows();
        layout.place_columns();
        layout.place_tracks();
        layout
    }

    fn is_plain(&self) -> bool {
        self.arranged < self.graph.len()
    }

    pub(super) fn rows(&self) -> usize {
        if self.is_plain() { self.graph.len() } else { self.last(&self.row) }
    }

    pub(super) fn columns(&self) -> usize {
        if self.is_plain() { 1 } else { self.last(&self.column) }
    }

    /// One more than the largest.
    fn last(&self, places: &[u16; LIMIT]) -> usize {
        places[..self.arranged].iter().max().map_or(0, |last| *last as usize + 1)
    }

    pub(super) fn row(&self, node: usize) -> usize {
        if self.is_plain() { node } else { self.row[node] as usize }
    }

    pub(super) fn column(&self, node: usize) -> usize {
        if self.is_plain() { 0 } else { self.column[node] as usize }
    }

    /// The last column of a row that counts for the middle.
    pub(super) fn breadth(&self, row: usize) -> usize {
        if self.is_plain() { 0 } else { self.breadth[row] as usize }
    }

    /// How many tracks a column has.
    pub(super) fn tracks(&self, column: usize) -> usize {
        if self.is_plain() {
            return PLAIN_TRACKS;
        }
        let tracks = (0..self.arranged).filter(|node| self.column(*node) == column).map(|node| self.track[node]);
        tracks.filter(|track| *track != NONE).max().map_or(0, |track| track as usize + 1)
    }

    /// How those edges of a node run that pass rows.
    pub(super) fn route(&self, source: usize) -> Route {
        match self.is_plain() {
            true => Route::Track(source % PLAIN_TRACKS),
            false if self.next[source] == NONE || self.track[source] == NONE => Route::Column,
            false => Route::Track(self.track[source] as usize),
        }
    }

    /// Whether the edge to an adjacent row is the first of a side line.
    pub(super) fn turns_aside(&self, source: usize, target: usize) -> bool {
        !self.is_plain()
            && self.aside[target]
            && self.column(target) > self.column(source)
            && self.is_free(self.row(source), self.column(source) + 1, self.column(target))
    }

    /// Whether an edge that runs down the column of its source is the last of a side line, and can
    /// enter its target from the side.
    pub(super) fn comes_from_aside(&self, source: usize, target: usize) -> bool {
        !self.is_plain()
            && self.aside[source]
            && self.next[source] == NONE
            && self.column(source) > self.column(target)
            && self.is_free(self.row(target), self.column(target) + 1, self.column(source))
    }

    /// Whether there is no node in a row between two columns, inclusive.
    fn is_free(&self, row: usize, from: usize, to: usize) -> bool {
        !(0..self.arranged).any(|node| self.row(node) == row && (from..=to).contains(&self.column(node)))
    }

    /// The nodes that read a node.
    fn targets(&self, node: usize) -> impl Iterator<Item = usize> {
        let graph = self.graph;
        (node + 1..self.arranged).filter(move |target| sources(graph, *target).any(|source| source == node))
    }

    fn place_rows(&mut self) {
        for node in 0..self.arranged {
            self.row[node] = sources(self.graph, node).map(|source| self.row[source] + 1).max().unwrap_or(0);
        }
        // An input is placed just above the first node that reads it.
        for node in 0..self.arranged {
            if sources(self.graph, node).next().is_none() {
                let above = self.targets(node).map(|target| self.row[target] - 1).min();
                self.row[node] = above.unwrap_or(0);
            }
        }
    }

    fn place_columns(&mut self) {
        let nodes = 0..self.arranged;
        // The longest path starting at each node.
        let mut ahead = [0u16; LIMIT];
        for node in nodes.clone().rev() {
            for source in sources(self.graph, node) {
                ahead[source] = ahead[source].max(ahead[node] + 1);
            }
        }
        let rows = self.rows();
        let mut placed = [false; LIMIT];
        // The rows that the chain of each first node has to itself.
        let mut taken = [(0u16, 0u16); LIMIT];
        let mut firsts = [false; LIMIT];
        let start = nodes.clone().rev().max_by_key(|node| (ahead[*node], sources(self.graph, *node).next().is_none()));
        for first in start.into_iter().chain(nodes.clone()) {
            if placed[first] {
                continue;
            }
            let (mut last, mut length) = (first, 1);
            placed[first] = true;
            loop {
                let row = self.row[last] + 1;
                let free = self.targets(last).filter(|target| !placed[*target] && self.row[*target] == row);
                // The first of equally good ones.
                let Some(next) = free.min_by_key(|target| u16::MAX - ahead[*target]) else { break };
                self.next[last] = next as u16;
                placed[next] = true;
                (last, length) = (next, length + 1);
            }
            // Where the chain comes from and where it goes.
            let parent = sources(self.graph, first).max_by_key(|source| self.row[*source]);
            let target = self.targets(last).map(|target| self.row(target)).max();
            let from = parent.map_or(0, |_| self.row(first));
            let to = target.unwrap_or(rows);
            let main = Some(first) == start;
            let aside = !main && length * 2 < to - from;
            // A side line occupies no rows beyond its own nodes.
            let from = if aside { self.row(first) } else { from };
            let from = from - usize::from(parent.is_some());
            let to = if aside && target.is_none() { self.row(last) } else { to };
            let mut column = if main { 0 } else { parent.map_or(1, |parent| self.column[parent] + 1) };
            let is_taken = |column: u16| {
                let overlaps = |(begin, end): (u16, u16)| begin as usize <= to && from <= end as usize;
                nodes.clone().any(|other| firsts[other] && self.column[other] == column && overlaps(taken[other]))
            };
            while is_taken(column) {
                column += 1;
            }
            firsts[first] = true;
            taken[first] = (from as u16, to as u16);
            let mut node = first;
            loop {
                self.column[node] = column;
                self.aside[node] = aside;
                if self.next[node] == NONE {
                    break;
                }
                node = self.next[node] as usize;
            }
            if !aside {
                let from = from + usize::from(parent.is_some());
                for breadth in &mut self.breadth[from..to.min(rows)] {
                    *breadth = (*breadth).max(column);
                }
            }
        }
    }

    fn place_tracks(&mut self) {
        // The row up to which the edges of a node run in a track; 0 if they do not.
        let mut reach = [0u16; LIMIT];
        for node in (0..self.arranged).filter(|node| self.next[*node] != NONE) {
            let far = self.targets(node).map(|target| self.row[target]).filter(|row| *row > self.row[node] + 1);
            reach[node] = far.max().unwrap_or(0);
        }
        // Short ones first: they are next to the nodes, and longer ones go around them.
        for length in 2..=self.rows() as u16 {
            for node in (0..self.arranged).filter(|node| reach[*node] == self.row[*node] + length) {
                let is_beside = |other: usize| {
                    self.column[other] == self.column[node]
                        && self.row[other] < reach[node]
                        && self.row[node] < reach[other]
                };
                let mut track = 0;
                while (0..self.arranged).any(|other| other != node && self.track[other] == track && is_beside(other)) {
                    track += 1;
                }
                self.track[node] = track;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::networks;
    use super::*;

    fn node(graph: &[Node], name: &str) -> usize {
        graph.iter().position(|node| node.name == name).expect("a node of this name")
    }

    #[test]
    fn chains_are_straight() {
        let layout = Layout::new(networks::LENET.graph);
        assert_eq!((layout.rows(), layout.columns()), (13, 1));
        assert!((0..13).all(|node| layout.row(node) == node && layout.column(node) == 0));
    }

    #[test]
    fn shortcuts_stand_aside() {
        let graph = networks::RESNET.graph;
        let layout = Layout::new(graph);
        let [from, shortcut, sum] = ["relu3", "shortcut1", "residual2"].map(|name| node(graph, name));
        assert_eq!((layout.column(from), layout.column(shortcut), layout.column(sum)), (0, 1, 0));
        assert_eq!(layout.row(shortcut), layout.row(from) + 1);
        assert!(layout.turns_aside(from, shortcut) && layout.comes_from_aside(shortcut, sum));
        // The main line stays where it is.
        assert!((0..layout.rows()).all(|row| layout.breadth(row) == 0));
        assert_eq!(layout.route(node(graph, "relu1")), Route::Track(0));
    }

    #[test]
    fn long_edges_go_around_short_ones() {
        let graph = networks::UNET.graph;
        let layout = Layout::new(graph);
        assert_eq!(layout.route(node(graph, "relu2")), Route::Track(0));
        assert_eq!(layout.route(node(graph, "relu1")), Route::Track(1));
        assert_eq!(layout.tracks(0), 2);
    }

    #[test]
    fn heads_stand_side_by_side() {
        let graph = networks::ACTOR_CRITIC.graph;
        let layout = Layout::new(graph);
        let [trunk, policy, value] = ["tanh2", "policy", "value"].map(|name| node(graph, name));
        assert_eq!((layout.row(policy), layout.row(value)), (5, 5));
        assert_eq!((layout.column(policy), layout.column(value)), (0, 1));
        // Both count for the middle, so that the trunk is above and between them.
        assert_eq!((layout.breadth(layout.row(trunk)), layout.breadth(5)), (0, 1));
    }

    #[test]
    fn inputs_stand_where_they_are_read() {
        let graph = networks::MIXED.graph;
        let layout = Layout::new(graph);
        let [action, product] = ["action", "product"].map(|name| node(graph, name));
        assert_eq!(layout.row(action) + 1, layout.row(product));
    }

    #[test]
    fn every_node_has_a_place_of_its_own() {
        for summary in networks::ALL {
            let layout = Layout::new(summary.graph);
            for node in 0..summary.graph.len() {
                let place = |node| (layout.row(node), layout.column(node));
                assert!((0..node).all(|other| place(other) != place(node)), "{}: {node}", summary.name);
                assert!(sources(summary.graph, node).all(|source| layout.row(source) < layout.row(node)));
            }
        }
    }
}
