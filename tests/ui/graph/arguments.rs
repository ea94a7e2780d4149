use monomorph::prelude::*;

network! { Units(x: [5, 3], edges: [[u16; 2]; 8]) -> [5, 3] { (x, edges) |> GraphConv } }
network! { Weightless(x: [5, 3], edges: [[u16; 2]; 8]) -> [5, 4] { (x, edges) |> GraphConv(4, weight = false) } }
network! { Heads(x: [5, 3], edges: [[u16; 2]; 8]) -> [5, 4] { (x, edges) |> GraphAttention(4, heads = 3) } }
network! { Version(x: [5, 3], edges: [[u16; 2]; 8]) -> [5, 4] { (x, edges) |> GraphAttention(4, version = v3) } }
network! { Rate(x: [5, 3], edges: [[u16; 2]; 8]) -> [5, 4] { (x, edges) |> GraphAttention(4, dropout = 1.5) } }
network! { Aggregate(x: [5, 3], edges: [[u16; 2]; 8]) -> [5, 4] { (x, edges) |> GraphSage(4, aggregate = mx) } }
network! { Graph: [5, 3] -> [5, 4] { GraphConv(4, graph = 3) } }
network! { Rows(e: [[u16; 2]; 8], v: [8]) -> [5, 4] { (e, v) |> SparseDense(4, columns = 9) } }
network! { Named(x: [5, 3], edges: [[u16; 2]; 8]) -> [5, 4] { (x, edges) |> GCNConv(4) } }

fn main() {}
