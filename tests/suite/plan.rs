//! The memory plan of an evaluation: plans are as small as possible, and evaluation uses exactly the
//! planned memory.

use monomorph::layer::Pass;
use monomorph::memory::{self, ALIGNMENT, Life, Plain, Plan, largest_live_set, plan};
use monomorph::network::{Workspace, evaluate_in};
use monomorph::prelude::*;
use monomorph::simd::{Simd, Task, dispatch, level};
use monomorph::tensor::{batch_slice, batch_slice_mut};
use monomorph::{Layer, Tensor};

use super::real_networks::{Dueling, Inception, Siamese, UNet};

/// Values that are live at the same step do not overlap; offsets are aligned; all values are in bounds.
fn check<const V: usize>(lives: &[Life; V]) -> Plan<V> {
    let plan = plan(lives);
    let end = |value: usize| plan.offsets[value] + lives[value].len;
    for (a, life) in lives.iter().enumerate() {
        assert!(plan.offsets[a].is_multiple_of(ALIGNMENT) && end(a) <= plan.total, "{lives:?}: {plan:?}");
        for (b, other) in lives.iter().enumerate().take(a) {
            let together = life.from <= other.to && other.from <= life.to;
            let apart = end(a) <= plan.offsets[b] || end(b) <= plan.offsets[a];
            assert!(apart || !together, "values {a} and {b} of {lives:?}: {plan:?}");
        }
    }
    // By the definition; the library takes a shortcut.
    let steps = 0..=lives.iter().map(|life| life.to).max().unwrap_or(0);
    let live = |step| lives.iter().filter(move |life| life.from <= step && step <= life.to);
    let bound = steps.map(|step| live(step).map(|life| life.len.next_multiple_of(ALIGNMENT)).sum()).max();
    assert_eq!(Some(largest_live_set(lives)), bound);
    assert!(Some(plan.total) >= bound);
    plan
}

/// The least memory that the values fit in.
///
/// In a minimal plan, every value can be moved down until it lies on a neighbour or at 0. Stacking the
/// values in order of their offsets, each on the highest of its neighbours so far, gives that same plan.
/// So it is enough to try all orders, and to abandon an order once it needs no less than a previous one.
fn optimum(lives: &[Life]) -> usize {
    fn go(lives: &[Life], ends: &mut [usize], total: usize, best: &mut usize) {
        if total >= *best {
            return;
        }
        if ends.iter().all(|end| *end > 0) {
            *best = total;
        }
        for value in 0..lives.len() {
            if ends[value] == 0 {
                let meets = |other: &Life| other.from <= lives[value].to && lives[value].from <= other.to;
                let below = lives.iter().zip(&*ends).filter(|(other, _)| meets(other)).map(|(_, end)| *end);
                let end = below.max().unwrap_or(0) + lives[value].len.next_multiple_of(ALIGNMENT);
                ends[value] = end;
                go(lives, ends, total.max(end), best);
                ends[value] = 0;
            }
        }
    }
    let mut best = usize::MAX;
    go(lives, &mut vec![0; lives.len()], 0, &mut best);
    best
}

fn random<const V: usize>(noise: &mut Noise) -> [Life; V] {
    // Few sizes and short lifetimes are the hardest cases.
    let (sizes, longest) = ([40, 100, 200, 1600][noise.below(4) as usize], 2 + noise.below(5));
    let in_turn = noise.below(2) == 0;
    core::array::from_fn(|step| {
        let from = if in_turn { step } else { noise.below(V as u64) as usize };
        let life = usize::from(in_turn) + noise.below(longest) as usize;
        Life { len: 1 + noise.below(sizes) as usize, from, to: from + life }
    })
}

#[test]
fn plans_of_few_values_are_the_smallest() {
    fn families<const V: usize>(cases: usize) {
        let mut noise = Noise::new(V as u64);
        for case in 0..cases {
            let lives = random::<V>(&mut noise);
            let total = check(&lives).total;
            // A plan as small as the largest live set is optimal; occasionally that is checked too.
            if total > largest_live_set(&lives) || case.is_multiple_of(50) {
                assert_eq!(total, optimum(&lives), "{lives:?}");
            }
        }
    }
    families::<1>(50);
    families::<2>(500);
    families::<3>(1000);
    families::<4>(2000);
    families::<5>(5000);
    families::<6>(10_000);
    families::<7>(20_000);
}

#[test]
fn an_optimum_above_the_largest_live_set_is_found() {
    let lives = [(11, 0, 1), (6, 1, 3), (3, 2, 4), (6, 3, 5), (5, 4, 5), (8, 5, 7), (8, 6, 7)]
        .map(|(lines, from, to)| Life { len: lines * ALIGNMENT, from, to });
    assert_eq!((largest_live_set(&lives), optimum(&lives)), (19 * ALIGNMENT, 20 * ALIGNMENT));
    assert_eq!(check(&lives).total, 20 * ALIGNMENT);
}

/// A rectangle of steps and memory, cut into pieces: the smallest plan leaves no gaps.
#[test]
fn jigsaws_are_put_together() {
    fn jigsaws<const V: usize>(cases: usize, steps: usize, lines: usize) {
        let mut noise = Noise::new(V as u64);
        for _ in 0..cases {
            let mut pieces = vec![(0, steps, lines)];
            while pieces.len() < V {
                let index = noise.below(pieces.len() as u64) as usize;
                let (from, to, height) = pieces[index];
                let mut cut = |length: usize| 1 + noise.below(length as u64 - 1) as usize;
                if to - from > 1 && height % 2 == pieces.len() % 2 {
                    let middle = from + cut(to - from);
                    (pieces[index].1, _) = (middle, pieces.push((middle, to, height)));
                } else if height > 1 {
                    let below = cut(height);
                    (pieces[index].2, _) = (below, pieces.push((from, to, height - below)));
                } else if to - from > 1 {
                    let middle = from + cut(to - from);
                    (pieces[index].1, _) = (middle, pieces.push((middle, to, height)));
                }
            }
            noise.shuffle(&mut pieces);
            let lives: [Life; V] = core::array::from_fn(|piece| {
                let (from, to, height) = pieces[piece];
                Life { len: height * ALIGNMENT, from, to: to - 1 }
            });
            assert_eq!(check(&lives).total, lines * ALIGNMENT, "{lives:?}");
        }
    }
    jigsaws::<6>(1000, 4, 8);
    jigsaws::<8>(1000, 8, 20);
    jigsaws::<12>(500, 12, 40);
    jigsaws::<16>(100, 12, 40);
}

/// Records lifetimes as a network does: a layer writes one value at its step and reads others.
#[derive(Default)]
struct Tape {
    lives: Vec<Life>,
    step: usize,
}

impl Tape {
    fn layer(&mut self, reads: &[usize], len: usize) -> usize {
        for read in reads {
            self.lives[*read].to = self.step;
        }
        self.lives.push(Life { len, from: self.step, to: self.step });
        self.step += 1;
        self.lives.len() - 1
    }

    /// A chain of layers with these lengths.
    fn chain(&mut self, mut from: usize, lens: &[usize]) -> usize {
        for len in lens {
            from = self.layer(&[from], *len);
        }
        from
    }

    /// A layer that writes the network's output, which is in the caller's memory.
    fn output(&mut self, reads: &[usize]) {
        self.layer(reads, 0);
        self.lives.pop();
    }

    /// The plan is no larger than the largest live set, for one sample and for odd lengths.
    fn check<const V: usize>(&self, what: &str) {
        assert_eq!(self.lives.len(), V, "{what}");
        let lives: [Life; V] = core::array::from_fn(|value| self.lives[value]);
        for odd in [0, 5] {
            let lives = lives.map(|life| Life { len: life.len + odd, ..life });
            assert_eq!(check(&lives).total, largest_live_set(&lives), "{what}");
        }
    }
}

#[test]
fn chains_need_their_largest_pair() {
    let mut noise = Noise::new(1);
    for _ in 0..20 {
        let mut tape = Tape::default();
        let first = tape.layer(&[], 100);
        let lens: [usize; 59] = core::array::from_fn(|_| 1 + noise.below(5000) as usize);
        tape.chain(first, &lens);
        tape.check::<60>("a chain");
        let pairs = tape.lives.windows(2).map(|pair| pair.iter().map(|life| life.len.next_multiple_of(16)).sum());
        let lives: &[Life; 60] = tape.lives.as_slice().try_into().expect("60 values");
        assert_eq!(Some(check(lives).total), pairs.max());
    }
}

/// Blocks of two convolutions, with a projection in parallel where the image shrinks.
#[test]
fn residual_networks_need_their_largest_live_set() {
    for (image, width) in [(32 * 32, 16), (56 * 56, 64), (28 * 28, 24)] {
        let (mut tape, mut image, mut width) = (Tape::default(), image, width);
        let mut x = tape.layer(&[], image * width);
        for block in 0..9 {
            let shrinks = block % 3 == 0 && block > 0;
            if shrinks {
                (image, width) = (image / 4, width * 2);
            }
            let shortcut = if shrinks { tape.layer(&[x], image * width) } else { x };
            let body = tape.chain(x, &[image * width, image * width]);
            // The sum overwrites the body's result.
            tape.lives[shortcut].to = tape.step;
            tape.lives[body].to = tape.step;
            tape.step += 1;
            x = body;
        }
        tape.output(&[x]);
        tape.check::<21>("a residual network");
    }
}

#[test]
fn bottlenecks_need_their_largest_live_set() {
    let mut tape = Tape::default();
    let (mut image, mut width) = (112 * 112, 16);
    let mut x = tape.layer(&[], image * width);
    // Inverted residuals, as in MobileNetV2: expand by six, filter, project, and add if shapes agree.
    for (block, (to, stride)) in
        [(24, 4), (24, 1), (32, 4), (32, 1), (32, 1), (64, 4), (64, 1), (64, 1), (96, 1), (96, 1)].iter().enumerate()
    {
        let wide = tape.layer(&[x], image * width * 6);
        image /= stride;
        let filtered = tape.layer(&[wide], image * width * 6);
        let narrow = tape.layer(&[filtered], image * to);
        if *stride == 1 && width == *to && block > 0 {
            tape.lives[x].to = tape.step;
            tape.lives[narrow].to = tape.step;
            tape.step += 1;
        }
        (x, width) = (narrow, *to);
    }
    tape.output(&[x]);
    tape.check::<31>("inverted residuals");
}

#[test]
fn u_nets_need_their_largest_live_set() {
    for (size, width) in [(64, 8), (128, 16), (96, 12)] {
        let mut tape = Tape::default();
        let mut skips = Vec::new();
        let (mut image, mut channels) = (size * size, width);
        let mut x = tape.layer(&[], image * channels);
        for _ in 0..4 {
            x = tape.chain(x, &[image * channels]);
            skips.push((x, image, channels));
            (image, channels) = (image / 4, channels * 2);
            x = tape.chain(x, &[image * channels / 2, image * channels]);
        }
        x = tape.chain(x, &[image * channels, image * channels]);
        for (skip, image, channels) in skips.into_iter().rev() {
            let up = tape.chain(x, &[image * channels * 2, image * channels]);
            let joined = tape.layer(&[skip, up], image * channels * 2);
            x = tape.chain(joined, &[image * channels, image * channels]);
        }
        tape.output(&[x]);
        tape.check::<35>("a U-Net");
    }
}

/// Four branches and their concatenation, five times.
#[test]
fn inceptions_need_their_largest_live_set() {
    let mut tape = Tape::default();
    let image = 28 * 28;
    let mut x = tape.layer(&[], image * 192);
    for widths in [[64, 128, 32, 32], [128, 192, 96, 64], [192, 208, 48, 64], [160, 224, 64, 64], [256, 320, 128, 128]]
    {
        let one = tape.chain(x, &[image * widths[0]]);
        let three = tape.chain(x, &[image * widths[1] / 2, image * widths[1]]);
        let five = tape.chain(x, &[image * widths[2] / 4, image * widths[2]]);
        let pool = tape.layer(&[x], tape.lives[x].len);
        let pool = tape.chain(pool, &[image * widths[3]]);
        x = tape.layer(&[one, three, five, pool], image * widths.iter().sum::<usize>());
    }
    tape.output(&[x]);
    tape.check::<41>("an inception network");
}

/// Every layer reads all layers before it in its block, through concatenations or directly.
#[test]
fn dense_nets_need_their_largest_live_set() {
    let (mut joined, mut straight) = (Tape::default(), Tape::default());
    let (mut image, mut width) = (32 * 32, 24);
    let (mut x, mut y) = (joined.layer(&[], image * width), straight.layer(&[], image * width));
    for _ in 0..3 {
        let mut all = vec![y];
        for _ in 0..6 {
            let grown = joined.chain(x, &[image * 48, image * 12]);
            x = joined.layer(&[x, grown], image * (width + 12));
            let narrow = straight.layer(&all, image * 48);
            all.push(straight.layer(&[narrow], image * 12));
            width += 12;
        }
        x = joined.chain(x, &[image * width / 2, image / 4 * width / 2]);
        y = straight.layer(&all, image * width / 2);
        y = straight.chain(y, &[image / 4 * width / 2]);
        (image, width) = (image / 4, width / 2);
    }
    joined.output(&[x]);
    straight.output(&[y]);
    joined.check::<61>("a dense net with concatenations");
    straight.check::<43>("a dense net");
}

#[test]
fn two_heads_need_their_largest_live_set() {
    let mut tape = Tape::default();
    let first = tape.layer(&[], 28 * 28 * 6);
    let trunk = tape.chain(first, &[14 * 14 * 6, 10 * 10 * 16, 400]);
    let policy = tape.chain(trunk, &[640, 64, 320]);
    tape.output(&[policy]);
    let value = tape.chain(trunk, &[256, 320]);
    tape.output(&[value]);
    tape.check::<9>("two heads");
}

/// The compiler plans 120 values with skip connections in a constant.
#[test]
fn the_compiler_plans_many_values() {
    const LIVES: [Life; 120] = {
        let mut lives = [Life { len: 0, from: 0, to: 0 }; 120];
        let mut step = 0;
        while step < 120 {
            let skip = if step % 5 == 0 { 1 + step % 4 } else { 0 };
            lives[step] = Life { len: 4096 >> (step / 30) << (step % 3), from: step, to: step + 1 + skip };
            step += 1;
        }
        lives
    };
    const PLAN: Plan<120> = plan(&LIVES);
    const { assert!(PLAN.total == largest_live_set(&LIVES)) };
    assert_eq!(check(&LIVES).offsets, PLAN.offsets);
}

// ---- Evaluation uses exactly the planned memory ----

/// A workspace with guard words before and after it that nobody may touch.
#[derive(Plain)]
#[repr(C)]
struct Guarded<W> {
    before: [u32; 128],
    workspace: W,
    after: [u32; 128],
}

impl<W: Plain> Guarded<W> {
    /// All words of the value, for a workspace that consists of `f32`, as those of these networks do.
    fn words(&mut self) -> &mut [u32] {
        assert!(size_of::<Self>().is_multiple_of(4) && align_of::<Self>() >= 4);
        // SAFETY: the words are inside the value and aligned. All of them were zeroed, including the
        // padding between fields, and any bits are a valid number.
        unsafe { core::slice::from_raw_parts_mut((&raw mut *self).cast(), size_of::<Self>() / 4) }
    }
}

/// Evaluates in memory filled with a different value each time. The value must not affect the result,
/// nothing may be written outside the workspace, and no more than `padding` numbers per sample of the
/// workspace may stay unused; these round lengths up to whole cache lines.
fn poison<N: Network<Scalar = f32, Input: Tensor<Element = f32>>, const B: usize>(padding: usize) {
    let mut noise = Noise::new(5);
    let mut net = memory::boxed::<N>();
    net.initialize(Init::KaimingUniform, &mut noise);
    let mut input = memory::boxed::<[N::Input; B]>();
    batch_slice_mut(&mut *input).fill_with(|| noise.uniform() as f32 - 0.3);
    let mut guarded = memory::boxed::<Guarded<Workspace<N, B>>>();
    // A layer's workspace outside the arena may be shared by all samples in turn.
    let bytes = size_of_val(&guarded.workspace);
    assert!(bytes == N::EVALUATE_BYTES || B > 1 && bytes <= B * N::EVALUATE_BYTES, "{}: {bytes}", N::NAME);
    let workspace = 128..128 + bytes / 4;
    let mut untouched = vec![true; guarded.words().len()];
    let mut expected = None;
    // Zero, a quiet and a negative signalling NaN, the largest number, −∞.
    for poison in [0, 0x7FC0_BEEF, 0xFF80_0001, f32::MAX.to_bits(), f32::NEG_INFINITY.to_bits()] {
        guarded.words().fill(poison);
        let mut output = memory::boxed::<[N::Output; B]>();
        batch_slice_mut(&mut *output).fill(f32::from_bits(poison));
        evaluate_in::<N, B>(&net, &input, &mut output, &mut guarded.workspace);
        for guard in [guarded.before, guarded.after] {
            assert!(guard == [poison; 128], "{}: {poison:08x} was overwritten", N::NAME);
        }
        for (word, untouched) in guarded.words().iter().zip(&mut untouched) {
            *untouched &= *word == poison;
        }
        let output: Vec<u32> = batch_slice(&*output).iter().map(|number| number.to_bits()).collect();
        assert!(output.iter().all(|bits| f32::from_bits(*bits).is_finite()), "{}: {poison:08x}", N::NAME);
        assert_eq!(*expected.get_or_insert_with(|| output.clone()), output, "{}: {poison:08x} was read", N::NAME);
    }
    let left = untouched[workspace].iter().filter(|untouched| **untouched).count();
    assert!(left <= padding * B, "{}: {left} numbers of the workspace were not used", N::NAME);
}

network! {
    pub Chain: [40] -> [5] { Dense(64), Relu, Dense(48), Gelu, Dropout(0.5), Dense(96), LayerNorm, Tanh, Dense(5), Softmax }
}

network! {
    pub Lenet: [28, 28, 1] -> [10] {
        Conv2d(6, kernel = 5, padding = 2), Relu, MaxPool2d(2),
        Conv2d(16, kernel = 5), Relu, MaxPool2d(2),
        Flatten, Dense(120), Relu, Dense(84), Relu, Dense(10),
    }
}

network! {
    pub Normed: [12, 12, 4] -> [6] {
        Conv2d(16, kernel = 3), BatchNorm, Relu, MaxPool2d(2, padding = 1),
        DepthwiseConv2d(3, padding = same), BatchNorm, Silu, AvgPool2d(2, stride = 1),
        Conv2d(32, kernel = 1, groups = 2), GroupNorm(4), Relu6,
        residual { Conv2d(32, kernel = 3, padding = same), BatchNorm }, GlobalAvgPool2d, Dense(6),
    }
}

network! {
    pub Residual: [8, 8, 3] -> [7] {
        Conv2d(16, kernel = 3, padding = same), Relu,
        residual { Conv2d(16, kernel = 3, padding = same), Relu, Conv2d(16, kernel = 3, padding = same) }, Relu,
        residual(shortcut = Conv2d(32, kernel = 1, stride = 2)) {
            Conv2d(32, kernel = 3, stride = 2, padding = same), Relu, Conv2d(32, kernel = 3, padding = same), Gelu,
        }, Relu,
        Flatten, Dense(64), residual { Dense(64), Tanh, residual { Dense(16), Tanh, Dense(64) } }, Dense(7),
    }
}

network! { pub Inner: [16] -> [32] { Dense(48), Relu, residual { Dense(48) }, Dense(32) } }
network! { pub Nested: [16] -> [4] { inner: Inner, Tanh, Dense(64), Relu, Dense(4) } }

#[test]
fn nothing_reads_what_it_did_not_write() {
    poison::<Chain, 1>(0);
    poison::<Chain, 3>(0);
    poison::<Lenet, 1>(8);
    poison::<Lenet, 3>(8);
    poison::<Normed, 1>(0);
    poison::<Normed, 3>(0);
    poison::<Residual, 1>(0);
    poison::<Residual, 3>(0);
    poison::<Nested, 1>(0);
    poison::<Nested, 3>(0);
    poison::<Keywords, 1>(0);
    poison::<UNet, 1>(0);
    poison::<UNet, 3>(0);
    poison::<Inception, 3>(0);
    poison::<Dueling, 3>(0);
    // Vectors of 8 and 24 end within a cache line.
    poison::<Siamese, 3>(20);
}

/// `forward` gives every value its own memory.
struct Kept<'a, N: Network<Scalar = f32>, const B: usize> {
    net: &'a N,
    input: &'a [N::Input; B],
    output: &'a mut [N::Output; B],
}

impl<N: Network<Scalar = f32>, const B: usize> Task for Kept<'_, N, B> {
    type Output = ();

    fn run<S: Simd>(&mut self, simd: S) {
        let mut saved = memory::boxed::<<N as Layer>::Saved<B>>();
        let mut pass = Pass::new(Noise::new(1), 0.0);
        self.net.forward(simd, N::batch(self.input), self.output, &mut saved, &mut pass);
    }
}

/// Sharing memory does not change the results, except for rounding.
#[test]
fn values_in_shared_memory_are_those_in_memory_of_their_own() {
    fn check<N: Network<Scalar = f32, Input: Tensor<Element = f32>>, const B: usize>() {
        let mut noise = Noise::new(6);
        let mut net = memory::boxed::<N>();
        net.initialize(Init::KaimingUniform, &mut noise);
        let (mut input, mut workspace) = (memory::boxed::<[N::Input; B]>(), memory::boxed());
        let (mut shared, mut kept) = (memory::boxed(), memory::boxed::<[N::Output; B]>());
        batch_slice_mut(&mut *input).fill_with(|| noise.uniform() as f32 - 0.3);
        evaluate_in::<N, B>(&net, &input, &mut shared, &mut workspace);
        dispatch(level(), Kept { net: &*net, input: &input, output: &mut kept });
        for (shared, kept) in batch_slice(&*shared).iter().zip(batch_slice(&*kept)) {
            assert!((shared - kept).abs() <= 1e-4 * (1.0 + kept.abs()), "{}: {shared} is not {kept}", N::NAME);
        }
    }
    check::<Residual, 1>();
    check::<Residual, 3>();
    check::<Nested, 1>();
    check::<Nested, 3>();
    check::<Lenet, 3>();
    check::<UNet, 1>();
    check::<UNet, 3>();
    check::<Inception, 3>();
    check::<Dueling, 3>();
    check::<Siamese, 3>();
}

// ---- The networks of MLPerf Tiny ----

network! {
    /// Anomaly detection: an autoencoder.
    pub Anomaly: [640] -> [640] {
        Dense(128), Relu, Dense(128), Relu, Dense(128), Relu, Dense(128), Relu, Dense(8), Relu,
        Dense(128), Relu, Dense(128), Relu, Dense(128), Relu, Dense(128), Relu, Dense(640),
    }
}

network! {
    /// Keyword spotting: depthwise separable convolutions over a spectrogram.
    pub Keywords: [49, 10, 1] -> [12] {
        Conv2d(64, kernel = (10, 4), stride = 2, padding = same), Relu,
        DepthwiseConv2d(3, padding = same), Relu, Conv2d(64, kernel = 1), Relu,
        DepthwiseConv2d(3, padding = same), Relu, Conv2d(64, kernel = 1), Relu,
        DepthwiseConv2d(3, padding = same), Relu, Conv2d(64, kernel = 1), Relu,
        DepthwiseConv2d(3, padding = same), Relu, Conv2d(64, kernel = 1), Relu,
        AvgPool2d((25, 5)), Flatten, Dense(12), Softmax,
    }
}

network! {
    /// Image classification: ResNet-8 with folded batch normalization.
    pub ResNet8: [32, 32, 3] -> [10] {
        Conv2d(16, kernel = 3, padding = same), Relu,
        residual { Conv2d(16, kernel = 3, padding = same), Relu, Conv2d(16, kernel = 3, padding = same) }, Relu,
        residual(shortcut = Conv2d(32, kernel = 1, stride = 2)) {
            Conv2d(32, kernel = 3, stride = 2, padding = same), Relu, Conv2d(32, kernel = 3, padding = same),
        }, Relu,
        residual(shortcut = Conv2d(64, kernel = 1, stride = 2)) {
            Conv2d(64, kernel = 3, stride = 2, padding = same), Relu, Conv2d(64, kernel = 3, padding = same),
        }, Relu,
        GlobalAvgPool2d, Dense(10), Softmax,
    }
}

network! {
    /// Visual wake words: MobileNetV1 at a quarter of its width.
    pub WakeWords: [96, 96, 3] -> [2] {
        Conv2d(8, kernel = 3, stride = 2, padding = same), Relu,
        DepthwiseConv2d(3, padding = same), Relu, Conv2d(16, kernel = 1), Relu,
        DepthwiseConv2d(3, stride = 2, padding = same), Relu, Conv2d(32, kernel = 1), Relu,
        DepthwiseConv2d(3, padding = same), Relu, Conv2d(32, kernel = 1), Relu,
        DepthwiseConv2d(3, stride = 2, padding = same), Relu, Conv2d(64, kernel = 1), Relu,
        DepthwiseConv2d(3, padding = same), Relu, Conv2d(64, kernel = 1), Relu,
        DepthwiseConv2d(3, stride = 2, padding = same), Relu, Conv2d(128, kernel = 1), Relu,
        DepthwiseConv2d(3, padding = same), Relu, Conv2d(128, kernel = 1), Relu,
        DepthwiseConv2d(3, padding = same), Relu, Conv2d(128, kernel = 1), Relu,
        DepthwiseConv2d(3, padding = same), Relu, Conv2d(128, kernel = 1), Relu,
        DepthwiseConv2d(3, padding = same), Relu, Conv2d(128, kernel = 1), Relu,
        DepthwiseConv2d(3, padding = same), Relu, Conv2d(128, kernel = 1), Relu,
        DepthwiseConv2d(3, stride = 2, padding = same), Relu, Conv2d(256, kernel = 1), Relu,
        DepthwiseConv2d(3, padding = same), Relu, Conv2d(256, kernel = 1), Relu,
        AvgPool2d(3), Flatten, Dense(2), Softmax,
    }
}

/// Each workspace is the largest pair, or triple, of activations.
#[test]
fn mlperf_tiny_needs_its_largest_live_set() {
    const { assert!(Anomaly::EVALUATE_BYTES <= 3072) };
    const { assert!(Keywords::EVALUATE_BYTES <= 64_000) };
    const { assert!(ResNet8::EVALUATE_BYTES <= 196_608) };
    const { assert!(WakeWords::EVALUATE_BYTES <= 221_184) };
    assert_eq!(Anomaly::EVALUATE_BYTES, 4 * (128 + 128));
    assert_eq!(Keywords::EVALUATE_BYTES, 4 * 2 * 25 * 5 * 64);
    assert_eq!(ResNet8::EVALUATE_BYTES, 4 * 3 * 32 * 32 * 16);
    assert_eq!(WakeWords::EVALUATE_BYTES, 4 * (48 * 48 * 8 + 48 * 48 * 16));
    for (name, bytes) in [
        (Anomaly::NAME, Anomaly::EVALUATE_BYTES),
        (Keywords::NAME, Keywords::EVALUATE_BYTES),
        (ResNet8::NAME, ResNet8::EVALUATE_BYTES),
        (WakeWords::NAME, WakeWords::EVALUATE_BYTES),
    ] {
        println!("{name}: {bytes} bytes for evaluation");
    }
}
