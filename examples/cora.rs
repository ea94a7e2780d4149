//! Cora: 2,708 papers about machine learning, of seven kinds, and who cites whom. From 140 labels, 20 of each kind, a
//! graph convolutional network (Kipf and Welling 2017) or graph attention (Veličković et al. 2018) says what the others
//! are about, on the split of Yang et al., *Revisiting semi-supervised learning with graph embeddings* (2016).
//!
//! ```text
//! cargo run --release --example cora -- folder                # the graph convolutional network
//! cargo run --release --example cora -- folder --model gat    # graph attention
//! cargo run --release --example cora -- folder --quick        # one seed, a few epochs
//! cargo run --release --example cora -- folder --time         # seconds of an epoch, for benches/peers/cora.py
//! ```
//!
//! The folder holds the data set in four files: `features_2708x1433_packbits.bin` (a bit for each word of each paper,
//! 180 bytes a paper, the most significant bit first), `labels_u8.bin`, `edges_u16_pairs.bin` (5,278 citations, little
//! endian) and `test_index_u16.bin`. The first 140 papers are learned from, the next 500 choose the epoch whose weights
//! are kept, and the 1,000 papers of the last file are the test, on which nothing depends.
//!
//! A paper has 18 of 1,433 words, so the first product is sparse, and words are dropped by dropping the values of its
//! entries. Everything large is made in place, on the heap.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::{Parser, ValueEnum};
use monomorph::loss::Weighted;
use monomorph::memory::boxed;
use monomorph::optim::{Penalty, Regularized, Rule};
use monomorph::prelude::*;

const PAPERS: usize = 2708;
const WORDS: usize = 1433;
const KINDS: usize = 7;
/// How many words all papers have.
const ENTRIES: usize = 49_216;
/// Citations, both ways.
const EDGES: usize = 10_556;
/// Papers that are learned from, and those behind them that choose the epoch.
const TRAIN: usize = 140;
const VALIDATE: usize = 500;

network! {
    /// Two graph convolutions with 16 features in between.
    pub Gcn(entries: [[u16; 2]; ENTRIES], values: [ENTRIES], edges: [[u16; 2]; EDGES]) -> [PAPERS, KINDS] {
        let kept = values |> Dropout(0.5);
        let words = (entries, kept) |> SparseDense(16, rows = PAPERS, columns = WORDS, bias = false);
        let hidden = (words, edges) |> GraphConv(weight = false) |> Relu |> Dropout(0.5);
        (hidden, edges) |> GraphConv(KINDS)
    }
}

network! {
    /// Two layers of attention: eight heads of eight features, then one head.
    pub Gat(entries: [[u16; 2]; ENTRIES], values: [ENTRIES], edges: [[u16; 2]; EDGES]) -> [PAPERS, KINDS] {
        let kept = values |> Dropout(0.6);
        let words = (entries, kept) |> SparseDense(64, rows = PAPERS, columns = WORDS, bias = false);
        let hidden = (words, edges) |> GraphAttention(heads = 8, dropout = 0.6, weight = false) |> Elu |> Dropout(0.6);
        (hidden, edges) |> GraphAttention(KINDS, dropout = 0.6)
    }
}

/// Classifies the papers of Cora from 140 labels.
#[derive(Parser)]
struct Options {
    /// The folder with the data set.
    folder: PathBuf,
    /// The network.
    #[arg(long, value_enum, default_value = "gcn")]
    model: Model,
    /// How many networks are trained, each with a seed of its own.
    #[arg(long, default_value_t = 10)]
    seeds: u64,
    /// The number of steps of each, all over the whole graph.
    #[arg(long)]
    epochs: Option<u64>,
    /// One seed and a few epochs.
    #[arg(long)]
    quick: bool,
    /// Print the seconds of an epoch and nothing else.
    #[arg(long)]
    time: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Model {
    Gcn,
    Gat,
}

/// The data set, on the heap.
struct Cora {
    entries: Box<[[u16; 2]; ENTRIES]>,
    values: Box<[f32; ENTRIES]>,
    edges: Box<[[u16; 2]; EDGES]>,
    labels: Vec<u8>,
    test: Vec<usize>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::parse();
    let cora = Cora::open(&options.folder)?;
    // Each input is a struct that the macro declares, filled in place.
    macro_rules! input {
        ($input:ty) => {{
            let mut input: Box<[$input; 1]> = boxed();
            input[0].entries.copy_from_slice(&cora.entries[..]);
            input[0].values.copy_from_slice(&cora.values[..]);
            input[0].edges.copy_from_slice(&cora.edges[..]);
            input
        }};
    }
    match options.model {
        Model::Gcn => {
            let optimizer = Adam { learning_rate: 0.01, ..Adam::default() };
            // As in the paper, only the first layer is regularized.
            let rules = [Penalty::L2(5e-4).on("sparse1.*")];
            let input = input!(GcnInput);
            run::<Gcn, _>(&options, &cora, &input, Regularized::new(optimizer, rules), 200)
        }
        Model::Gat => {
            let optimizer = Adam { learning_rate: 0.005, ..Adam::default() };
            let rules: [Rule; 1] = [Penalty::L2(5e-4).everywhere()];
            let input = input!(GatInput);
            run::<Gat, _>(&options, &cora, &input, Regularized::new(optimizer, rules), 300)
        }
    }
}

/// Trains a network for each seed, and reports.
fn run<N, O>(
    options: &Options,
    cora: &Cora,
    input: &[N::Input; 1],
    optimizer: O,
    epochs: u64,
) -> Result<(), Box<dyn Error>>
where
    N: Network<Scalar = f32, Output = [[f32; KINDS]; PAPERS]> + Trainable,
    O: Optimizer<f32> + Copy,
{
    let (seeds, epochs) = if options.quick { (1, 10) } else { (options.seeds, options.epochs.unwrap_or(epochs)) };
    let loss = Weighted::new(CrossEntropy, [1.0; KINDS]).ignoring(u8::MAX.into());
    let mut targets: Box<[[u8; PAPERS]; 1]> = boxed();
    targets[0].fill(u8::MAX);
    targets[0][..TRAIN].copy_from_slice(&cora.labels[..TRAIN]);

    let (mut sum, mut squares, start) = (0.0, 0.0, Instant::now());
    for seed in 1..=seeds {
        let mut net: Box<N> = boxed();
        monomorph::init::initialize(&mut *net, Init::XavierUniform, &mut Noise::new(seed));
        let mut best: Box<N> = boxed();
        let mut trainer = Trainer::<N, _, 1>::new(optimizer, loss).seed(seed);
        let mut evaluator = Evaluator::<N, 1>::new();
        if options.time {
            let mut least = f64::INFINITY;
            for _ in 0..epochs {
                let start = Instant::now();
                trainer.step(&mut net, input, &targets)?;
                least = least.min(start.elapsed().as_secs_f64());
            }
            println!("{least:.7}");
            return Ok(());
        }
        let (mut validated, mut tested) = (0.0, 0.0);
        for _ in 0..epochs {
            trainer.step(&mut net, input, &targets)?;
            evaluator.for_each(&net, input, |_, scores| {
                let accuracy = cora.accuracy(scores, TRAIN..TRAIN + VALIDATE);
                // Of epochs that are equally good, the last one counts.
                if accuracy >= validated {
                    (validated, tested) = (accuracy, cora.accuracy(scores, cora.test.iter().copied()));
                    best.as_mut_slice().copy_from_slice(net.as_slice());
                }
            });
        }
        println!("seed {seed}: validation {:.1} %, test {:.1} %", 100.0 * validated, 100.0 * tested);
        (sum, squares) = (sum + tested, squares + tested * tested);
    }
    let (mean, count) = (sum / seeds as f64, seeds as f64);
    let deviation = (squares / count - mean * mean).max(0.0).sqrt();
    println!("standard deviation {:.1} %", 100.0 * deviation);
    println!("{:.1} s for {seeds} networks of {epochs} epochs", start.elapsed().as_secs_f64());
    println!("mean test accuracy of {seeds} seeds: {:.1} %", 100.0 * mean);
    Ok(())
}

impl Cora {
    fn open(folder: &Path) -> Result<Self, Box<dyn Error>> {
        let read = |name: &str| {
            let path = folder.join(name);
            std::fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))
        };
        let features = read("features_2708x1433_packbits.bin")?;
        let (labels, edges, test) = (read("labels_u8.bin")?, read("edges_u16_pairs.bin")?, read("test_index_u16.bin")?);
        if features.len() != PAPERS * 180 || edges.len() != 2 * EDGES || labels.len() != PAPERS {
            return Err("a file has another length than that of Cora".into());
        }
        let mut cora = Self {
            entries: boxed(),
            values: boxed(),
            edges: boxed(),
            labels,
            test: numbers(&test).map(usize::from).collect(),
        };
        let mut next = 0;
        for (paper, bits) in features.chunks_exact(180).enumerate() {
            let words = (0..WORDS).filter(|word| bits[word / 8] >> (7 - word % 8) & 1 == 1);
            let count = words.clone().count();
            for word in words {
                let (Some(entry), Some(value)) = (cora.entries.get_mut(next), cora.values.get_mut(next)) else {
                    return Err("the papers have more words than those of Cora".into());
                };
                // Each row sums to 1, as in the papers.
                (*entry, *value) = ([paper as u16, word as u16], 1.0 / count as f32);
                next += 1;
            }
        }
        let pairs: Vec<u16> = numbers(&edges).collect();
        for (pair, both) in pairs.as_chunks::<2>().0.iter().zip(cora.edges.as_chunks_mut::<2>().0) {
            *both = [*pair, [pair[1], pair[0]]];
        }
        // In the order of the receivers, whose sums then stay in the nearest cache.
        cora.edges.sort_unstable_by_key(|[from, to]| (*to, *from));
        Ok(cora)
    }

    /// The share of papers that are classified correctly.
    fn accuracy(&self, scores: &[[f32; KINDS]; PAPERS], papers: impl Iterator<Item = usize>) -> f64 {
        let (mut right, mut all) = (0, 0);
        for paper in papers {
            let scores = &scores[paper];
            let best = (0..KINDS).max_by(|a, b| scores[*a].total_cmp(&scores[*b])).unwrap_or(0);
            (right, all) = (right + usize::from(best == usize::from(self.labels[paper])), all + 1);
        }
        f64::from(u32::try_from(right).unwrap_or(0)) / f64::from(all.max(1))
    }
}

/// Numbers of 16 bits, little endian.
fn numbers(bytes: &[u8]) -> impl Iterator<Item = u16> {
    bytes.as_chunks::<2>().0.iter().map(|bytes| u16::from_le_bytes(*bytes))
}
