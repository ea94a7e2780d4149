//! Measures one library on the networks of `benches/workloads.rs`; `run.sh` calls it for each.

use monomorph::simd::levels;
use peers::bench::{self, Bench, Outcome};
use peers::graph::Work;
use peers::sequences::{self, Sequence};
#[cfg(feature = "libraries")]
use peers::{burn, candle, dfdx, export, nalgebra, tract};
use peers::{ours, plain};

/// A library: a function that runs a workload if it can.
type Peer = fn(&Work, &Bench) -> Outcome;

const PEERS: &[(&str, Peer)] = &[
    ("monomorph", ours::run),
    ("plain arrays", plain::run),
    #[cfg(feature = "libraries")]
    ("candle", candle::run),
    #[cfg(feature = "libraries")]
    ("burn", burn::run),
    #[cfg(feature = "libraries")]
    ("tract", tract::run),
    #[cfg(feature = "libraries")]
    ("dfdx", dfdx::run),
    #[cfg(feature = "libraries")]
    ("nalgebra", nalgebra::run),
];

/// The same for a sequence.
type SequencePeer = fn(&Sequence, &Bench) -> Outcome;

const SEQUENCE_PEERS: &[(&str, SequencePeer)] = &[
    ("monomorph", sequences::run),
    #[cfg(feature = "libraries")]
    ("candle", sequences::candle),
    #[cfg(feature = "libraries")]
    ("burn", sequences::burn),
];

const USAGE: &str = "\
usage: peers NAME [OPTIONS]    measures a library, lines of JSON to the output
       peers limits [OPTIONS]  measures what the core can do at most
       peers export FOLDER     writes the networks for programs in other languages
options: --quick               shorter measurements
         --level=LEVEL         of monomorph: Avx512, Avx2, Sse2";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut bench = Bench { quick: false, level: None };
    let mut words = vec![];
    for argument in std::env::args().skip(1) {
        if argument == "--quick" {
            bench.quick = true;
        } else if let Some(name) = argument.strip_prefix("--level=") {
            let level = levels().find(|level| format!("{level:?}").starts_with(&format!("{name}(")));
            bench.level = Some(level.ok_or_else(|| format!("this processor has no level {name}"))?);
        } else {
            words.push(argument);
        }
    }
    match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["limits"] => println!("{}", bench.limits()),
        #[cfg(feature = "libraries")]
        ["export", folder] => export::write(&ours::works(), &sequences::works(), folder.as_ref())?,
        [name] => {
            let (_, run) = PEERS.iter().find(|&&(peer, _)| peer == name).ok_or(USAGE)?;
            for work in ours::works() {
                bench::print(name, &work.name(), None, run(&work, &bench));
            }
            let of_sequences = SEQUENCE_PEERS.iter().find(|&&(peer, _)| peer == name);
            for work in sequences::works() {
                let outcome =
                    of_sequences.map_or(Err("sequences were not written for it".into()), |(_, run)| run(&work, &bench));
                bench::print(name, &work.name(), None, outcome);
            }
            if name == "monomorph" && bench.level.is_none() {
                for (work, format, outcome) in ours::packed(&bench) {
                    bench::print(name, work, Some(format), outcome);
                }
            }
        }
        _ => return Err(USAGE.into()),
    }
    Ok(())
}
