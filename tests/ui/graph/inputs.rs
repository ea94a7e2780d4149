use monomorph::prelude::*;

network! { NoEdges: [5, 3] -> [5, 4] { GraphConv(4) } }
network! { Numbers(x: [5, 3], y: [8, 2]) -> [5, 4] { (x, y) |> GraphSage(4) } }
network! { Triples(x: [5, 3], edges: [[u16; 3]; 8]) -> [5, 4] { (x, edges) |> GraphConv(4) } }
network! { Counts(x: [5, 3], edges: [[u16; 2]; 8], used: [u16; 2]) -> [5, 4] { (x, edges, used) |> GraphConv(4) } }
network! { Fewer(x: [5, 3], edges: [[u16; 2]; 8], w: [7]) -> [5, 4] { (x, edges, w) |> GraphConv(4) } }
network! { Features(x: [5, 3], edges: [[u16; 2]; 8], w: [8, 2]) -> [5, 4] { (x, edges, w) |> GraphConv(4) } }
network! { Useless(x: [5, 3], edges: [[u16; 2]; 8], w: [8]) -> [5, 4] { (x, edges, w) |> GraphSage(4) } }
network! { Flat(x: [5], edges: [[u16; 2]; 8]) -> [5] { (x, edges) |> Gin } }
network! { Pool: [5, 3] -> [3] { NodePool(mean) } }
network! { Sparse(e: [[u16; 2]; 8], v: [7]) -> [5, 4] { (e, v) |> SparseDense(4, rows = 5, columns = 9) } }

fn main() {}
