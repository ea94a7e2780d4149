//! A graph of 16 pressure sensors at the joints of a net of pipes: the device learns which of them is wrong, from what
//! its neighbors say.
//!
//! The pressures of joints that a pipe connects are alike; where they are depends on the load, which changes. The pipes
//! are part of the network's type, so they take flash and no RAM.
#![cfg_attr(target_os = "none", no_std, no_main)]

use core::hint::black_box;

use firmware::{exit, fail, measure, print, print_number};
use monomorph::layers::graph::{Topology, undirected};
use monomorph::memory::zeroed;
use monomorph::prelude::*;
use monomorph::train::TrainMemory;
use static_cell::ConstStaticCell;

/// The pipes: four rows of four joints, and a bypass.
pub struct Pipes;

impl Topology for Pipes {
    const EDGES: &'static [[u16; 2]] = &undirected::<25, 50>([
        [0, 1],
        [1, 2],
        [2, 3],
        [4, 5],
        [5, 6],
        [6, 7],
        [8, 9],
        [9, 10],
        [10, 11],
        [12, 13],
        [13, 14],
        [14, 15],
        [0, 4],
        [4, 8],
        [8, 12],
        [1, 5],
        [5, 9],
        [9, 13],
        [2, 6],
        [6, 10],
        [10, 14],
        [3, 7],
        [7, 11],
        [11, 15],
        [5, 10],
    ]);
}

network! {
    /// A score for each sensor: how wrong it is.
    #[budget(flash = "1 KiB", ram = "2 KiB")]
    pub Wrong: [16, 1] -> [16] {
        GraphSage(6, graph = self::Pipes), Relu, GraphSage(1, graph = self::Pipes), Flatten,
    }
}

static NET: ConstStaticCell<Wrong> = ConstStaticCell::new(zeroed());
static MEMORY: ConstStaticCell<TrainMemory<Wrong, Adam, 4>> = ConstStaticCell::new(zeroed());

/// Pressures that change slowly from joint to joint, of which one is wrong; and which one.
fn measured(noise: &mut Noise) -> ([[f32; 1]; 16], u8) {
    let mut draw = || (2.0 * noise.uniform() - 1.0) as f32;
    let (level, across, down) = (draw(), 0.1 * draw(), 0.1 * draw());
    let mut pressures = [[0.0]; 16];
    for (joint, pressure) in pressures.iter_mut().enumerate() {
        let (row, column) = ((joint / 4) as f32, (joint % 4) as f32);
        *pressure = [level + down * row + across * column + 0.02 * draw()];
    }
    let off = if draw() > 0.0 { 0.6 } else { -0.6 };
    let wrong = noise.below(16) as u8;
    if let Some([pressure]) = pressures.get_mut(usize::from(wrong)) {
        *pressure += off;
    }
    (pressures, wrong)
}

#[cfg_attr(target_os = "none", firmware::entry)]
fn main() -> ! {
    let (Some(net), Some(memory)) = (NET.try_take(), MEMORY.try_take()) else { fail() };
    let mut noise = Noise::new(7);
    net.initialize(Init::default(), &mut noise);
    print_number("# planned", (size_of::<Wrong>() + size_of::<TrainMemory<Wrong, Adam, 4>>()) as u32);

    let adam = Adam { learning_rate: 0.02, ..Adam::default() };
    let mut trainer = Trainer::<Wrong, _, 4, _>::in_memory(adam, CrossEntropy, memory);
    let (mut x, mut y) = ([[[0.0]; 16]; 4], [0; 4]);
    for step in 0..300 {
        for (x, y) in x.iter_mut().zip(&mut y) {
            (*x, *y) = measured(&mut noise);
        }
        match trainer.step(net, &x, &y) {
            Ok(now) if step == 0 => print("loss", &[now.loss]),
            Ok(_) => {}
            Err(_) => fail(),
        }
    }
    let mut found = 0;
    for _ in 0..50 {
        let (pressures, wrong) = measured(&mut noise);
        found += u32::from(monomorph::metrics::argmax(&net.evaluate(&pressures)) == usize::from(wrong));
    }
    print_number("found_of_50", found);
    let (pressures, _) = measured(&mut noise);
    print_number("wrong", monomorph::metrics::argmax(&net.evaluate(&pressures)) as u32);
    measure(8, || {
        black_box(black_box(&*net).evaluate(black_box(&pressures)));
    });
    exit()
}
