//! Weights that are built into a program: the compiler reads the file.
//!
//! Everything is a `const fn`, so the number of steps matters: the lint `long_running_const_eval` stops evaluations of
//! more than two million loop iterations and calls. The header is read once, from beginning to end; names are looked up
//! by hash; numbers are copied in blocks.

#![expect(clippy::result_large_err, reason = "a text of const code cannot be boxed, and is made once a mistake")]

use core::marker::PhantomData;
use core::mem::MaybeUninit;

use super::header::{Header, Listed, same, starts_with};
use crate::bytes::{Bits, SEED, fnv};
use crate::network::Network;
use crate::noise::Noise;
use crate::parameters::{Entry, Parameters, TensorInfo};
use crate::scalar::Scalar;
use crate::shapes::Text;
use crate::storage::{Bf16, F16};

/// Builds a network from a `.safetensors` file at compile time.
///
/// The value is in the program's read-only data, or in flash; at run time there is no file system, nothing to parse and
/// nothing on the stack. It needs neither `std` nor `alloc`, and no feature.
///
/// ```
/// use monomorph::prelude::*;
///
/// network! { pub Small: [2] -> [2] { hidden: Dense(3), Tanh, head: Dense(2) } }
///
/// static NET: Small =
///     include_weights!(Small, concat!(env!("CARGO_MANIFEST_DIR"), "/tests/files/small.safetensors"));
///
/// assert_eq!(NET.head.bias, [0.5, -0.5]);
/// let scores: [f32; 2] = NET.evaluate(&[1.0, 2.0]);
/// ```
///
/// A path is relative to the source file in which it is written, as for [`include_bytes!`]. The file can come from
/// `weights::save`, or be any other safetensors file that holds exactly the tensors of the network, in any order.
///
/// # What the compiler checks
/// A file that does not fit is a compile error, even with `cargo check`:
///
/// ```text
/// error[E0080]: evaluation panicked: small.safetensors: hidden.weight is [2, 4] in the file, but [2, 3] in Small;
/// declare Small as it was trained, or save its weights again
/// ```
///
/// So are missing and unknown tensors, a number type that would have to be rounded, and a truncated file. Numbers are
/// widened: a network of `f32` reads `F16`, `BF16` and `F32`.
///
/// # Limits
/// Names of tensors that need escape sequences in JSON are rejected. Numbers that are widened, and all numbers on
/// big-endian targets, are read one by one, which the compiler takes for an endless loop beyond two million of them;
/// `#[allow(long_running_const_eval)]` on the item lets it continue.
#[macro_export]
macro_rules! include_weights {
    ($network:ty, $path:expr $(,)?) => {
        $crate::__weights!($network, ::core::include_bytes!($path), $path)
    };
}

/// [`include_weights!`] of the bytes of a file.
#[doc(hidden)]
#[macro_export]
macro_rules! __weights {
    ($network:ty, $bytes:expr, $path:expr) => {{
        // Items, because `cargo check` evaluates them wherever they stand. Their names must not
        // meet those in `$network`, which is named once, for one error if it is none.
        const __MONOMORPH_FILE: &[u8] = $bytes;
        const __MONOMORPH_CONTENTS: $crate::weights::include::Contents<$network> =
            $crate::weights::include::contents_of::<$network>();
        const __MONOMORPH_PLAN: ::core::result::Result<
            $crate::weights::include::Plan<
                '_,
                $network,
                { __MONOMORPH_CONTENTS.tensors() },
                { __MONOMORPH_CONTENTS.letters() },
            >,
            $crate::shapes::Text,
        > = $crate::weights::include::Plan::new(&__MONOMORPH_CONTENTS, __MONOMORPH_FILE, $path);
        const _: () = if let ::core::result::Result::Err(__text) = &__MONOMORPH_PLAN {
            ::core::panic!("{}", __text.as_str())
        };
        const { $crate::weights::include::build(&__MONOMORPH_PLAN) }
    }};
}

/// What a file of the network `N` holds. Created only by [`contents_of`].
pub struct Contents<N> {
    entries: &'static [Entry],
    network: &'static str,
    /// The number type, as named in files, and its size in bytes.
    dtype: &'static str,
    size: usize,
    of: PhantomData<N>,
}

/// A network of a number type that files can hold; a separate bound, so that there is only one error if it is not.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a network",
    label = "not a network of `f32` or `f64`",
    note = "networks are declared with `network! {{ .. }}`"
)]
pub trait Included: Network {}
impl<N: Network<Scalar: Bits>> Included for N {}

/// What a file of this network holds.
pub const fn contents_of<N: Included>() -> Contents<N> {
    let entries = <N as Parameters>::ENTRIES;
    let (dtype, size) = (<N::Scalar as Scalar>::NAME, size_of::<N::Scalar>());
    Contents { entries, network: N::NAME, dtype, size, of: PhantomData }
}

impl<N> Contents<N> {
    /// How many tensors are not empty.
    pub const fn tensors(&self) -> usize {
        sizes(self.entries, 0).0
    }

    /// The total length of their names.
    pub const fn letters(&self) -> usize {
        sizes(self.entries, 0).1
    }
}

/// The number of tensors and of letters, if this many letters come before each name.
const fn sizes(entries: &[Entry], outer: usize) -> (usize, usize) {
    let (mut tensors, mut letters, mut index) = (0, 0, 0);
    while index < entries.len() {
        let (more, longer) = match entries[index] {
            Entry::Tensor(tensor) if tensor.is_empty() => (0, 0),
            Entry::Tensor(tensor) => (1, outer + tensor.name.len()),
            Entry::Layer(name, inner) => sizes(inner, outer + name.len() + 1),
            Entry::Padding(_) => (0, 0),
        };
        (tensors, letters) = (tensors + more, letters + longer);
        index += 1;
    }
    (tensors, letters)
}

/// A tensor of the network.
#[derive(Clone, Copy)]
struct Wanted {
    /// The range of its name among the letters.
    name: (usize, usize),
    hash: u64,
    shape: &'static [usize],
    /// The index of its first number in the network, and of the one after its last.
    numbers: (usize, usize),
    /// The index of its first byte among those of the file, and the file's number type, once it is found.
    from: Option<(usize, Stored)>,
}

/// The number type of a tensor in a file.
#[derive(Clone, Copy)]
enum Stored {
    F16,
    Bf16,
    F32,
    F64,
}

impl Stored {
    /// That of this name, if it fits into numbers of `size` bytes.
    const fn named(name: &[u8], size: usize) -> Option<Self> {
        let stored = match name {
            b"F16" => Self::F16,
            b"BF16" => Self::Bf16,
            b"F32" => Self::F32,
            b"F64" => Self::F64,
            _ => return None,
        };
        if stored.size() <= size { Some(stored) } else { None }
    }

    /// In bytes.
    const fn size(self) -> usize {
        match self {
            Self::F16 | Self::Bf16 => 2,
            Self::F32 => 4,
            Self::F64 => 8,
        }
    }

    /// The number that begins at a byte, if it is no `F64`.
    const fn widened(self, bytes: &[u8], at: usize) -> f32 {
        let half = u16::from_le_bytes([bytes[at], bytes[at + 1]]);
        match self {
            Self::F16 => F16(half).to_f32(),
            Self::Bf16 => Bf16(half).to_f32(),
            _ => f32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]),
        }
    }
}

/// The layers that a name begins with, innermost first.
struct Outer<'a> {
    name: &'a str,
    outer: Option<&'a Outer<'a>>,
}

/// The tensors of a network, for lookup by name.
struct Table<const TENSORS: usize, const LETTERS: usize> {
    wanted: [Wanted; TENSORS],
    /// All names, one after the other.
    letters: [u8; LETTERS],
    /// Which tensor is in a slot. That is the slot given by its hash, or the next free one.
    places: [Option<usize>; TENSORS],
    /// How many of each there are so far.
    tensors: usize,
    letter: usize,
    number: usize,
}

impl<const TENSORS: usize, const LETTERS: usize> Table<TENSORS, LETTERS> {
    const fn new(entries: &'static [Entry]) -> Self {
        let none = Wanted { name: (0, 0), hash: 0, shape: &[], numbers: (0, 0), from: None };
        let (wanted, letters, places) = ([none; TENSORS], [0; LETTERS], [None; TENSORS]);
        let mut table = Self { wanted, letters, places, tensors: 0, letter: 0, number: 0 };
        table.add(entries, None);
        assert!(table.tensors == TENSORS && table.letter == LETTERS);
        table
    }

    const fn add(&mut self, entries: &'static [Entry], outer: Option<&Outer<'_>>) {
        let mut index = 0;
        while index < entries.len() {
            match &entries[index] {
                Entry::Tensor(tensor) if tensor.is_empty() => {}
                Entry::Tensor(tensor) => self.add_tensor(tensor, outer),
                Entry::Layer(name, inner) => self.add(inner, Some(&Outer { name, outer })),
                Entry::Padding(len) => self.number += *len,
            }
            index += 1;
        }
    }

    const fn add_tensor(&mut self, tensor: &'static TensorInfo, outer: Option<&Outer<'_>>) {
        let from = self.letter;
        if let Some(outer) = outer {
            self.write_outer(outer);
        }
        self.write(tensor.name);
        let (name, numbers) = ((from, self.letter), (self.number, self.number + tensor.len()));
        let hash = fnv(SEED, part(&self.letters, name));
        let mut place = hash as usize % TENSORS;
        while self.places[place].is_some() {
            place = (place + 1) % TENSORS;
        }
        self.places[place] = Some(self.tensors);
        self.wanted[self.tensors] = Wanted { name, hash, shape: tensor.shape, numbers, from: None };
        self.tensors += 1;
        self.number = numbers.1;
    }

    const fn write_outer(&mut self, layer: &Outer<'_>) {
        if let Some(outer) = layer.outer {
            self.write_outer(outer);
        }
        self.write(layer.name);
        self.write(".");
    }

    const fn write(&mut self, text: &str) {
        let (bytes, mut index) = (text.as_bytes(), 0);
        while index < bytes.len() {
            self.letters[self.letter] = bytes[index];
            (self.letter, index) = (self.letter + 1, index + 1);
        }
    }

    /// The index of the tensor of this name.
    const fn find(&self, name: &[u8]) -> Option<usize> {
        let (hash, mut probe) = (fnv(SEED, name), 0);
        while probe < TENSORS {
            if let Some(index) = self.places[(hash as usize % TENSORS + probe) % TENSORS] {
                let wanted = &self.wanted[index];
                if wanted.hash == hash && same(part(&self.letters, wanted.name), name) {
                    return Some(index);
                }
            }
            probe += 1;
        }
        None
    }

    const fn name(&self, index: usize) -> &str {
        text(part(&self.letters, self.wanted[index].name))
    }
}

const fn part(bytes: &[u8], (from, to): (usize, usize)) -> &[u8] {
    bytes.split_at(to).0.split_at(from).1
}

const fn text(bytes: &[u8]) -> &str {
    match core::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(_) => "(a name that is no UTF-8)",
    }
}

/// A file that holds exactly the tensors of `N`, and their positions in it.
pub struct Plan<'a, N, const TENSORS: usize, const LETTERS: usize> {
    table: Table<TENSORS, LETTERS>,
    data: &'a [u8],
    /// The size of a number in bytes.
    size: usize,
    network: PhantomData<N>,
}

impl<'a, N, const TENSORS: usize, const LETTERS: usize> Plan<'a, N, TENSORS, LETTERS> {
    /// Looks for the tensors of a network in a file; `path` is used only in the message.
    ///
    /// # Errors
    /// A message for the user, if the file is not a safetensors file or does not hold exactly these tensors.
    pub const fn new(contents: &Contents<N>, file: &'a [u8], path: &str) -> Result<Self, Text> {
        let start = Text::new().str(file_name(path)).str(": ");
        let mut table = Table::<TENSORS, LETTERS>::new(contents.entries);
        assert!(table.number * contents.size == size_of::<N>());
        let (mut header, data) = match Header::new(file) {
            Ok(parts) => parts,
            Err(problem) => return Err(start.str(problem)),
        };
        let mut unknown: Option<&[u8]> = None;
        let mut stretch = Stretch::new();
        loop {
            let tensor = match header.next() {
                Ok(Some(tensor)) => tensor,
                Ok(None) => break,
                Err(problem) => return Err(start.str(problem)),
            };
            stretch.add(tensor.bytes);
            match table.find(tensor.name) {
                Some(index) => match check(contents, start, &tensor, &mut table.wanted[index]) {
                    Ok(()) => {}
                    Err(problem) => return Err(problem),
                },
                None if unknown.is_none() => unknown = Some(tensor.name),
                None => {}
            }
        }
        let mut index = 0;
        while index < TENSORS {
            if table.wanted[index].from.is_none() {
                return Err(missing(contents.network, start, table.name(index), table.wanted[index].shape, unknown));
            }
            index += 1;
        }
        if let Some(name) = unknown {
            let problem = start.str(text(name)).str(" is in the file, but not in ").str(contents.network);
            return Err(if starts_with(name, b"optimizer.") {
                problem.str("; the file is a checkpoint of training: save the weights alone with `weights::save`")
            } else {
                remedy(contents.network, problem)
            });
        }
        if !stretch.fills(data.len()) {
            let problem = if data.len() < stretch.end { "the file is cut short" } else { "the file is damaged" };
            let problem = start
                .str(problem)
                .str(": it has ")
                .number(data.len())
                .str(" bytes of numbers, but its header tells of ");
            return Err(problem.number(stretch.end).str("; copy or save it again"));
        }
        Ok(Self { table, data, size: contents.size, network: PhantomData })
    }

    /// The network, with the numbers of the file.
    const fn build(&self) -> N {
        let (mut network, mut index) = (MaybeUninit::<N>::zeroed(), 0);
        // SAFETY: `N` is a network, because `contents_of` created its contents; a network is just numbers without
        // padding, as `Parameters` promises, and all its bytes are zeros now.
        let bytes = unsafe { core::slice::from_raw_parts_mut(network.as_mut_ptr().cast::<u8>(), size_of::<N>()) };
        while index < TENSORS {
            let Wanted { numbers: (first, end), from, .. } = self.table.wanted[index];
            let Some((from, stored)) = from else { panic!("a plan has all tensors") };
            let to = bytes.split_at_mut(first * self.size).1.split_at_mut((end - first) * self.size).0;
            let from = part(self.data, (from, from + (end - first) * stored.size()));
            if stored.size() == self.size {
                copy(from, to, self.size, cfg!(target_endian = "big"));
            } else {
                widen(from, stored, to, self.size);
            }
            index += 1;
        }
        // SAFETY: every byte pattern is a valid number, as `Bits` promises.
        unsafe { network.assume_init() }
    }
}

/// The network that a plan describes. If there is an error, which is reported elsewhere, it is an arbitrary network, so
/// that the error is reported only once.
pub const fn build<N, const TENSORS: usize, const LETTERS: usize>(
    plan: &Result<Plan<'_, N, TENSORS, LETTERS>, Text>,
) -> N {
    match plan {
        Ok(plan) => plan.build(),
        // SAFETY: `N` is a network, because `contents_of` created its contents, and zeros are a valid network.
        Err(_) => unsafe { MaybeUninit::zeroed().assume_init() },
    }
}

/// Copies numbers of `size` bytes, and swaps the bytes of each if `turn`.
const fn copy(from: &[u8], to: &mut [u8], size: usize, turn: bool) {
    let mut index = 0;
    match size {
        4 if turn => {
            let (from, to) = (from.as_chunks().0, to.as_chunks_mut().0);
            while index < from.len() {
                let [a, b, c, d] = from[index];
                to[index] = [d, c, b, a];
                index += 1;
            }
        }
        8 if turn => {
            let (from, to) = (from.as_chunks().0, to.as_chunks_mut().0);
            while index < from.len() {
                let [a, b, c, d, e, f, g, h] = from[index];
                to[index] = [h, g, f, e, d, c, b, a];
                index += 1;
            }
        }
        4 | 8 => to.copy_from_slice(from),
        _ => panic!("numbers have 4 or 8 bytes"),
    }
}

/// Writes narrower numbers as numbers of `size` bytes.
const fn widen(from: &[u8], stored: Stored, to: &mut [u8], size: usize) {
    let mut index = 0;
    while index * size < to.len() {
        let number = stored.widened(from, index * stored.size());
        let to = to.split_at_mut(index * size).1;
        match size {
            4 => *to.first_chunk_mut().unwrap() = number.to_ne_bytes(),
            _ => *to.first_chunk_mut().unwrap() = (number as f64).to_ne_bytes(),
        }
        index += 1;
    }
}

/// Compares a tensor of the file with the network's tensor of that name, and records its position.
const fn check<N>(contents: &Contents<N>, start: Text, tensor: &Listed<'_>, wanted: &mut Wanted) -> Result<(), Text> {
    let Contents { network, dtype, .. } = *contents;
    let problem = start.str(text(tensor.name)).str(" is ");
    if wanted.from.is_some() {
        return Err(problem.str("in the file twice; save it again"));
    }
    if !same_shape(tensor.shape(), wanted.shape) {
        let problem =
            problem.shape(tensor.shape()).str(" in the file, but ").shape(wanted.shape).str(" in ").str(network);
        return Err(if is_permuted(tensor.shape(), wanted.shape) {
            problem.str("; its axes have another order: dense weights are [in, out], those of convolutions [height, width, in, out]")
        } else {
            remedy(network, problem)
        });
    }
    let Some(stored) = Stored::named(tensor.dtype, contents.size) else {
        let problem = problem.str(text(tensor.dtype)).str(" in the file, but ").str(dtype).str(" in ").str(network);
        let problem = problem.str("; write the file as ").str(dtype);
        return Err(match tensor.dtype {
            b"F64" => problem.str(", or declare the network of f64: `").str(network).str("<f64>: ..`"),
            _ => problem,
        });
    };
    let len = (wanted.numbers.1 - wanted.numbers.0) * stored.size();
    if !matches!(tensor.bytes.0.checked_add(len), Some(end) if end == tensor.bytes.1) {
        return Err(problem.str("said to have more or fewer bytes than its shape; the file is damaged"));
    }
    wanted.from = Some((tensor.bytes.0, stored));
    Ok(())
}

const fn missing(network: &str, start: Text, name: &str, shape: &[usize], unknown: Option<&[u8]>) -> Text {
    let problem = start.str(name).str(" is ").shape(shape).str(" in ").str(network).str(", but not in the file");
    match unknown {
        Some(other) => problem
            .str(", which has ")
            .str(text(other))
            .str(" instead; give the layers of ")
            .str(network)
            .str(" the names they were saved by, or save its weights again"),
        None => remedy(network, problem),
    }
}

const fn remedy(network: &str, problem: Text) -> Text {
    problem.str("; declare ").str(network).str(" as it was trained, or save its weights again")
}

/// The part after the last `/` or `\` of a path.
const fn file_name(path: &str) -> &str {
    let mut from = path.len();
    while from > 0 && !matches!(path.as_bytes()[from - 1], b'/' | b'\\') {
        from -= 1;
    }
    path.split_at(from).1
}

const fn same_shape(a: &[usize], b: &[usize]) -> bool {
    let mut axis = 0;
    while axis < a.len() && axis < b.len() {
        if a[axis] != b[axis] {
            return false;
        }
        axis += 1;
    }
    a.len() == b.len()
}

/// Whether two shapes have the same sizes in another order, each equally often.
const fn is_permuted(a: &[usize], b: &[usize]) -> bool {
    let mut axis = 0;
    while axis < a.len() {
        if times(a, a[axis]) != times(b, a[axis]) {
            return false;
        }
        axis += 1;
    }
    a.len() == b.len()
}

const fn times(shape: &[usize], size: usize) -> usize {
    let (mut times, mut axis) = (0, 0);
    while axis < shape.len() {
        times += (shape[axis] == size) as usize;
        axis += 1;
    }
    times
}

/// The union of the byte ranges of the tensors.
struct Stretch {
    /// Where the last of them ends.
    end: usize,
    /// The sum of a random number for every beginning, minus one for every end.
    balance: u64,
}

impl Stretch {
    const fn new() -> Self {
        Self { end: 0, balance: 0 }
    }

    const fn add(&mut self, (from, to): (usize, usize)) {
        if to > self.end {
            self.end = to;
        }
        self.balance = self.balance.wrapping_add(random(from)).wrapping_sub(random(to));
    }

    /// Whether the tensors are contiguous, without gap or overlap, from 0 to `len`.
    ///
    /// They are if every end but the last is also a beginning: then everything but the very first and last cancels.
    const fn fills(&self, len: usize) -> bool {
        self.end == len && self.balance == random(0).wrapping_sub(random(len))
    }
}

const fn random(seed: usize) -> u64 {
    Noise::new(seed as u64).next_u64()
}

#[cfg(all(test, feature = "safetensors"))]
mod tests;
