//! Zachary's karate club: after a quarrel between the teacher and the president its 34 members split into two clubs.
//! From their friendships and the labels of these two alone, a graph convolutional network says who goes with whom.
//!
//! ```text
//! cargo run --release --example karate                       # writes out/karate/club.svg
//! cargo run --release --example karate -- --out elsewhere
//! ```
//!
//! The graph is part of the network's type: the compiler reads the file of friendships, and an edge of a member that
//! does not exist would not compile. Members have no features, so each is told apart by a number of its own. The only
//! targets of the loss are those of the teacher and of the president; all others are left out.

use std::error::Error;
use std::fmt::Write as _;
use std::path::PathBuf;

use clap::Parser;
use monomorph::layers::graph::{Topology, undirected};
use monomorph::loss::Weighted;
use monomorph::prelude::*;

/// The friendships: each line has two members and how many things they did together.
const FILE: &[u8] = include_bytes!("../data/karate/karate_club.txt");
const FRIENDSHIPS: [[u16; 2]; 78] = read(FILE);

/// Who goes with whom, both ways.
pub struct Club;

impl Topology for Club {
    const EDGES: &'static [[u16; 2]] = &undirected::<78, 156>(FRIENDSHIPS);
}

network! {
    /// Two convolutions over the club: what a member is depends on friends of friends.
    pub Members: [34, 34] -> [34, 2] { GraphConv(16, graph = self::Club), Tanh, GraphConv(2, graph = self::Club) }
}

/// Which club each member joined (Zachary 1977): 0 is the teacher's, 1 the president's.
const JOINED: [u8; 34] =
    [0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 1, 0, 0, 1, 0, 1, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1];

/// A target that the loss leaves out.
const UNKNOWN: u8 = 255;

/// Learns from two labels who joins which club.
#[derive(Parser)]
struct Options {
    /// The random seed.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The folder for the picture.
    #[arg(long, default_value = "out/karate")]
    out: PathBuf,
}

fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::parse();
    let mut net = Members::zeroed();
    net.initialize(Init::XavierUniform, &mut Noise::new(options.seed));
    let loss = Weighted::new(CrossEntropy, [1.0; 2]).ignoring(UNKNOWN.into());
    let optimizer = Adam { learning_rate: 0.01, ..Adam::default() };
    let mut trainer = Trainer::<Members, _, 1>::new(optimizer, loss);

    let mut members = [[0.0; 34]; 34];
    (0..34).for_each(|member| members[member][member] = 1.0);
    let mut known = [UNKNOWN; 34];
    (known[0], known[33]) = (0, 1);
    for step in 1..=200 {
        let result = trainer.step(&mut net, &[members], &[known])?;
        if step % 40 == 0 {
            let right = right(&net.evaluate(&members));
            println!("step {step}: loss of the two {:.4}, right {right} of 34", result.loss);
        }
    }

    let scores = net.evaluate(&members);
    let wrong: Vec<_> = (0..34).filter(|member| side(&scores[*member]) != JOINED[*member]).collect();
    println!("wrong: {wrong:?}");
    std::fs::create_dir_all(&options.out)?;
    let path = options.out.join("club.svg");
    std::fs::write(&path, picture(&scores))?;
    println!("wrote {}", path.display());
    println!("right: {} of 34 members, from 2 labels", right(&scores));
    Ok(())
}

/// The club that the scores say.
fn side(scores: &[f32; 2]) -> u8 {
    u8::from(scores[1] > scores[0])
}

fn right(scores: &[[f32; 2]; 34]) -> usize {
    scores.iter().zip(JOINED).filter(|(scores, joined)| side(scores) == *joined).count()
}

/// Reads the numbers of the file, two of three, while the program is compiled.
const fn read<const E: usize>(file: &[u8]) -> [[u16; 2]; E] {
    let (mut edges, mut place, mut at) = ([[0; 2]; E], 0, 0);
    while at < file.len() {
        let (mut number, begin) = (0, at);
        while at < file.len() && file[at].is_ascii_digit() {
            number = 10 * number + (file[at] - b'0') as u16;
            at += 1;
        }
        if at > begin {
            // Behind the friendships stands who joined which club.
            if place < 3 * E && place % 3 < 2 {
                edges[place / 3][place % 3] = number;
            }
            place += 1;
        }
        at += 1;
    }
    assert!(place == 3 * E + 34, "the file has another number of friendships");
    edges
}

/// The club as an SVG: friends pull each other, all push each other away; the colour is the probability of each side.
fn picture(scores: &[[f32; 2]; 34]) -> String {
    const SIZE: [f64; 2] = [760.0, 560.0];
    let mut noise = Noise::new(3);
    let mut places: [[f64; 2]; 34] = std::array::from_fn(|_| [noise.uniform() - 0.5, noise.uniform() - 0.5]);
    // Fruchterman and Reingold, Graph drawing by force-directed placement (1991).
    let near = (1.0 / 34.0_f64).sqrt();
    for turn in 0..500 {
        let mut forces = [[0.0; 2]; 34];
        let mut push = |a: usize, b: usize, places: &[[f64; 2]; 34], force: fn(f64, f64) -> f64| {
            let [dx, dy] = [places[a][0] - places[b][0], places[a][1] - places[b][1]];
            let distance = dx.hypot(dy).max(1e-6);
            let force = force(distance, near) / distance;
            (forces[a][0], forces[a][1]) = (forces[a][0] + dx * force, forces[a][1] + dy * force);
        };
        for a in 0..34 {
            (0..34).filter(|b| *b != a).for_each(|b| push(a, b, &places, |distance, near| near * near / distance));
        }
        for [a, b] in FRIENDSHIPS.map(|edge| edge.map(usize::from)) {
            push(a, b, &places, |distance, near| -distance * distance / near);
            push(b, a, &places, |distance, near| -distance * distance / near);
        }
        let most = 0.1 * (1.0 - f64::from(turn) / 500.0);
        for (place, [x, y]) in places.iter_mut().zip(forces) {
            let length = x.hypot(y).max(1e-9);
            (place[0], place[1]) = (place[0] + x / length * length.min(most), place[1] + y / length * length.min(most));
        }
    }
    let range = |axis: usize| {
        let of = places.iter().map(|place| place[axis]);
        (of.clone().fold(f64::INFINITY, f64::min), of.fold(f64::NEG_INFINITY, f64::max))
    };
    let ranges = [range(0), range(1)];
    let places = places.map(|place| {
        let at = |axis: usize| {
            30.0 + (place[axis] - ranges[axis].0) / (ranges[axis].1 - ranges[axis].0) * (SIZE[axis] - 60.0)
        };
        [at(0), at(1)]
    });

    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {} {}\" font-family=\"sans-serif\" font-size=\"11\">\n\
         <title>Zachary's karate club: blue goes with the teacher (0), orange with the president (33)</title>\n",
        SIZE[0], SIZE[1]
    );
    for [a, b] in FRIENDSHIPS.map(|edge| edge.map(usize::from)) {
        let ([x1, y1], [x2, y2]) = (places[a], places[b]);
        let _ = writeln!(svg, "<line x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\" stroke=\"#bbb\"/>");
    }
    for (member, ([x, y], scores)) in places.iter().zip(scores).enumerate() {
        let share = 1.0 / (1.0 + f64::from(scores[0] - scores[1]).exp());
        let mix = |from: f64, to: f64| (from + (to - from) * share) as u8;
        let color = format!("rgb({},{},{})", mix(0.0, 213.0), mix(114.0, 94.0), mix(178.0, 0.0));
        let told = if member == 0 || member == 33 { 3.0 } else { 1.0 };
        let mark = if side(scores) == JOINED[member] { "black" } else { "red" };
        let _ = writeln!(
            svg,
            "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"13\" fill=\"{color}\" stroke=\"{mark}\" stroke-width=\"{told}\"/>\
             <text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\" fill=\"white\">{member}</text>",
            y + 4.0
        );
    }
    svg + "</svg>\n"
}
