//! Measures one library on the networks of `benches/workloads.rs`; `run.sh` calls it for each.

mod bench;
mod burn;
mod by_hand;
mod candle;
mod dfdx;
mod export;
mod graph;
mod limits;
mod nalgebra;
mod onnx;
mod ours;
mod plain;
mod tract;
#[path = "../../workloads.rs"]
mod workloads;

use bench::{Bench, Outcome};
use graph::Work;

/// What every library is: a function that runs a work if it can.
type Peer = fn(&Work, &Bench) -> Outcome;

const PEERS: [(&str, Peer); 7] = [
    ("monomorph", ours::run),
    ("candle", candle::run),
    ("burn", burn::run),
    ("tract", tract::run),
    ("dfdx", dfdx::run),
    ("nalgebra", nalgebra::run),
    ("plain arrays", plain::run),
];

const USAGE: &str = "\
usage: peers NAME [--quick]  measures a library, lines of JSON to the output
       peers limits [--quick]  measures what the core can do at most
       peers export FOLDER   writes the networks for programs in other languages";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let bench = Bench { quick: arguments.iter().any(|argument| argument == "--quick") };
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).filter(|&argument| argument != "--quick").collect();
    match arguments[..] {
        ["limits"] => println!("{}", serde_json::json!({ "limits": limits::measure(&bench) })),
        ["export", folder] => export::write(&ours::works(), folder.as_ref())?,
        [name] => {
            let (_, run) = PEERS.into_iter().find(|&(peer, _)| peer == name).ok_or(USAGE)?;
            for work in ours::works() {
                bench::print(name, &work.name(), run(&work, &bench));
            }
        }
        _ => return Err(USAGE.into()),
    }
    Ok(())
}
