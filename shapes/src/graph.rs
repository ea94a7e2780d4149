//! Layers over graphs.

use crate::Text;

/// Checks the edges of a graph of so many nodes, and how many weights they have.
///
/// # Errors
/// A message for the user if an edge has a node that does not exist, or only some edges have weights.
#[doc(hidden)]
pub const fn topology(layer: &str, nodes: usize, edges: &[[u16; 2]], weights: usize) -> Result<(), Text> {
    let mut index = 0;
    while index < edges.len() {
        let [from, to] = edges[index];
        let node = if from as usize >= nodes { from } else { to } as usize;
        if node >= nodes {
            let text = Text::new().str(layer).str(": edge ").number(index).str(" of its graph has node ").number(node);
            return Err(text.str(", but there are ").number(nodes));
        }
        index += 1;
    }
    if weights != 0 && weights != edges.len() {
        let text = Text::new().str(layer).str(": its graph has ").number(edges.len()).str(" edges, but ");
        return Err(text.number(weights).str(" weights"));
    }
    Ok(())
}
