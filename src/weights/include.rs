//! Weights that are built into a program: a file is read by the compiler.
//!
//! All of it is `const fn`, so it is written with care for the compiler's patience: the lint
//! `long_running_const_eval` stops what takes more than two million loop turns and calls. The header
//! is read once, from its beginning to its end; names are found by hash; numbers are copied as blocks.

#![expect(clippy::result_large_err, reason = "a text of const code cannot be boxed, and is made once a mistake")]

use core::marker::PhantomData;
use core::mem::MaybeUninit;

use super::header::{Header, Listed, same, starts_with};
use crate::network::Network;
use crate::noise::Noise;
use crate::parameters::{Entry, Parameters, TensorInfo};
use crate::scalar::Scalar;
use crate::shapes::Text;

/// Builds a network from a `.safetensors` file while compiling.
///
/// The value has its place in the program's read-only data, or in flash; there is no file system,
/// nothing to parse and nothing on the stack when the program runs. It needs neither `std` nor
/// `alloc`, and no feature.
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
/// A path is relative to the source file in which it is written, as for [`include_bytes!`]. The file is one
/// that `weights::save` writes, or any other safetensors file that holds exactly the tensors
/// of the network, in any order.
///
/// # What the compiler checks
/// A file that does not fit is a compile error under plain `cargo check`:
///
/// ```text
/// error[E0080]: evaluation panicked: small.safetensors: hidden.weight is [2, 4] in the file, but [2, 3] in Small;
/// declare Small as it was trained, or save its weights again
/// ```
///
/// So are missing and unknown tensors, another number type, and a file that is cut short.
///
/// # Limits
/// Names of tensors that need escape sequences in JSON are refused. On big-endian targets numbers
/// are turned around one by one, which the compiler takes for an endless loop beyond two
/// million of them; `#[allow(long_running_const_eval)]` on the item lets it go on.
#[macro_export]
macro_rules! include_weights {
    ($network:ty, $path:expr $(,)?) => {{
        // Items, because `cargo check` evaluates them wherever they stand. Their names must not
        // meet those in `$network`, which is named once, for one error if it is none.
        const __MONOMORPH_FILE: &[u8] = ::core::include_bytes!($path);
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
        const _: () = if let ::core::result::Result::Err(text) = &__MONOMORPH_PLAN {
            ::core::panic!("{}", text.as_str())
        };
        const { $crate::weights::include::build(&__MONOMORPH_PLAN) }
    }};
}

/// A number whose bytes stand in files as they are in memory, the lowest first.
///
/// # Safety
/// All patterns of `size_of::<Self>()` bytes are values of the type, and `Scalar::NAME` is the
/// format's name for numbers of that size and encoding.
#[diagnostic::on_unimplemented(
    message = "weights of type `{Self}` cannot be included from a file",
    note = "files hold numbers of type `f32` and `f64`"
)]
pub unsafe trait Stored: Scalar {}
// SAFETY: all patterns are values; `F32` is the format's name for them.
unsafe impl Stored for f32 {}
// SAFETY: all patterns are values; `F64` is the format's name for them.
unsafe impl Stored for f64 {}

/// What a file of the network `N` holds. Only [`contents_of`] makes one.
pub struct Contents<N> {
    entries: &'static [Entry],
    network: &'static str,
    /// The number type, as files call it, and how many bytes it has.
    dtype: &'static str,
    size: usize,
    of: PhantomData<N>,
}

/// What a file of this network holds.
pub const fn contents_of<N: Network<Scalar: Stored>>() -> Contents<N> {
    let entries = <N as Parameters<N::Scalar>>::ENTRIES;
    let (dtype, size) = (<N::Scalar as Scalar>::NAME, size_of::<N::Scalar>());
    Contents { entries, network: N::NAME, dtype, size, of: PhantomData }
}

impl<N> Contents<N> {
    /// How many tensors hold anything.
    pub const fn tensors(&self) -> usize {
        sizes(self.entries, 0).0
    }

    /// How many letters their names have together.
    pub const fn letters(&self) -> usize {
        sizes(self.entries, 0).1
    }
}

/// The number of tensors and of letters, if so many letters come before each name.
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
    /// Where its name begins and ends among the letters.
    name: (usize, usize),
    hash: u64,
    shape: &'static [usize],
    /// The index of its first number in the network, and of the one after its last.
    numbers: (usize, usize),
    /// The index of its first byte among those of the file, once it is found.
    from: Option<usize>,
}

/// The layers that a name begins with, from the inside.
struct Outer<'a> {
    name: &'a str,
    outer: Option<&'a Outer<'a>>,
}

/// The tensors of a network, to be found by name.
struct Table<const TENSORS: usize, const LETTERS: usize> {
    wanted: [Wanted; TENSORS],
    /// All names, one after the other.
    letters: [u8; LETTERS],
    /// Which tensor is at a place. It is the place that its hash tells, or the next that was free.
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
        let hash = hash(part(&self.letters, name));
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
        let (hash, mut probe) = (hash(name), 0);
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

/// FNV-1a, of Fowler, Noll and Vo.
const fn hash(name: &[u8]) -> u64 {
    let (mut hash, mut index) = (0xCBF2_9CE4_8422_2325_u64, 0);
    while index < name.len() {
        hash = (hash ^ name[index] as u64).wrapping_mul(0x0000_0100_0000_01B3);
        index += 1;
    }
    hash
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

/// A file that holds just the tensors of `N`, and where they are in it.
pub struct Plan<'a, N, const TENSORS: usize, const LETTERS: usize> {
    table: Table<TENSORS, LETTERS>,
    data: &'a [u8],
    /// The bytes of a number.
    size: usize,
    network: PhantomData<N>,
}

impl<'a, N, const TENSORS: usize, const LETTERS: usize> Plan<'a, N, TENSORS, LETTERS> {
    /// Looks for the tensors of a network in a file; `path` is for the sentence alone.
    ///
    /// # Errors
    /// A sentence for the user, if the file is no safetensors file or does not hold just these tensors.
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
        // SAFETY: `N` is a network, for `contents_of` made its contents; a network is just numbers without
        // padding, as `Parameters` promises, and all its bytes are zeros now.
        let bytes = unsafe { core::slice::from_raw_parts_mut(network.as_mut_ptr().cast::<u8>(), size_of::<N>()) };
        while index < TENSORS {
            let Wanted { numbers: (first, end), from, .. } = self.table.wanted[index];
            let Some(from) = from else { panic!("a plan has all tensors") };
            let len = (end - first) * self.size;
            let to = bytes.split_at_mut(first * self.size).1.split_at_mut(len).0;
            copy(part(self.data, (from, from + len)), to, self.size, cfg!(target_endian = "big"));
            index += 1;
        }
        // SAFETY: every pattern of bytes is a number, as `Stored` promises.
        unsafe { network.assume_init() }
    }
}

/// The network that a plan tells of. For a mistake, which is reported elsewhere, some network: what is
/// reported twice is read twice.
pub const fn build<N, const TENSORS: usize, const LETTERS: usize>(
    plan: &Result<Plan<'_, N, TENSORS, LETTERS>, Text>,
) -> N {
    match plan {
        Ok(plan) => plan.build(),
        // SAFETY: `N` is a network, for `contents_of` made its contents, and zeros are one.
        Err(_) => unsafe { MaybeUninit::zeroed().assume_init() },
    }
}

/// Copies numbers of `size` bytes, and turns each around if `turn`.
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

/// Compares a tensor of the file with that of its name, and notes where it is.
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
    if !same(tensor.dtype, dtype.as_bytes()) {
        let problem = problem.str(text(tensor.dtype)).str(" in the file, but ").str(dtype).str(" in ").str(network);
        let problem = problem.str("; write the file as ").str(dtype);
        return Err(match tensor.dtype {
            b"F32" => problem.str(", or declare the network of f32: `").str(network).str("<f32>: ..`"),
            b"F64" => problem.str(", or declare the network of f64: `").str(network).str("<f64>: ..`"),
            _ => problem,
        });
    }
    let len = (wanted.numbers.1 - wanted.numbers.0) * contents.size;
    if !matches!(tensor.bytes.0.checked_add(len), Some(end) if end == tensor.bytes.1) {
        return Err(problem.str("said to have more or fewer bytes than its shape; the file is damaged"));
    }
    wanted.from = Some(tensor.bytes.0);
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

/// What follows the last `/` or `\` of a path.
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

/// Whether two shapes have the same sizes in another order: each as often in one as in the other.
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

/// The bytes of the tensors, put together.
struct Stretch {
    /// Where the last of them ends.
    end: usize,
    /// The sum of a random number for every beginning less one for every end.
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

    /// Whether the tensors lie one after the other, without gap or overlap, from 0 to `len`.
    ///
    /// They do if every end but the last is a beginning as well: then all but the very first and
    /// last cancel out.
    const fn fills(&self, len: usize) -> bool {
        self.end == len && self.balance == random(0).wrapping_sub(random(len))
    }
}

const fn random(seed: usize) -> u64 {
    Noise::new(seed as u64).next_u64()
}

#[cfg(all(test, feature = "safetensors"))]
mod tests {
    extern crate std;

    use super::*;
    use crate::parameters::for_each_tensor;
    use crate::weights::{load_bytes, to_bytes};
    use std::format;
    use std::string::{String, ToString};
    use std::vec::Vec;

    crate::network! { Inner: [3] -> [4] { Dense(4), LayerNorm } }
    crate::network! { Net: [2] -> [2] { stem: Dense(3), inner: Inner, Tanh, out: Dense(2, bias = false) } }
    crate::network! { Double<f64>: [2] -> [2] { stem: Dense(3), Tanh, out: Dense(2) } }

    const NET: Contents<Net> = contents_of();
    const DOUBLE: Contents<Double> = contents_of();

    fn include<N: Network<Scalar: Stored>, const TENSORS: usize, const LETTERS: usize>(
        file: &[u8],
    ) -> Result<N, String> {
        let plan = Plan::<N, TENSORS, LETTERS>::new(&contents_of(), file, "a folder/net.safetensors");
        if plan.is_err() {
            assert!(build(&plan).as_slice().iter().all(|number| *number == N::Scalar::ZERO));
        }
        plan.map(|plan| plan.build()).map_err(|text| text.as_str().to_string())
    }

    fn included(file: &[u8]) -> Result<Net, String> {
        include::<Net, { NET.tensors() }, { NET.letters() }>(file)
    }

    fn net() -> Net {
        let (mut net, mut noise) = (Net::zeroed(), Noise::new(3));
        let numbers = net.as_mut_slice();
        for_each_tensor(Net::ENTRIES, &mut |_, _, range| numbers[range].fill_with(|| noise.normal() as f32));
        net
    }

    const NAMES: [(&str, &[usize]); 6] = [
        ("out.weight", &[4, 2]),
        ("stem.weight", &[2, 3]),
        ("inner.dense1.weight", &[3, 4]),
        ("inner.dense1.bias", &[4]),
        ("inner.norm1.bias", &[4]),
        ("stem.bias", &[3]),
    ];

    /// A file with zeros for numbers.
    fn file(tensors: &[(&str, &str, &[usize])]) -> Vec<u8> {
        let (mut lines, mut end) = (Vec::new(), 0);
        for (name, dtype, shape) in tensors {
            let from = end;
            end += shape.iter().product::<usize>() * if *dtype == "F64" { 8 } else { 4 };
            lines.push(format!(r#""{name}":{{"dtype":"{dtype}","shape":{shape:?},"data_offsets":[{from},{end}]}}"#));
        }
        let header = format!("{{{}}}", lines.join(","));
        let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
        bytes.extend(header.as_bytes());
        bytes.resize(bytes.len() + end, 0);
        bytes
    }

    /// The tensors of the network in another order, with one changed.
    fn changed(name: &str, by: (&str, &str, &[usize])) -> Vec<u8> {
        let mut tensors: Vec<_> = NAMES.map(|(name, shape)| (name, "F32", shape)).to_vec();
        tensors.push(("inner.norm1.weight", "F32", &[4]));
        for tensor in &mut tensors {
            if tensor.0 == name {
                *tensor = by;
            }
        }
        file(&tensors)
    }

    fn refused(file: &[u8]) -> String {
        included(file).map(|_| ()).expect_err("it does not fit")
    }

    #[test]
    fn it_is_what_loading_gives() {
        let bytes = to_bytes(&net());
        let included = included(&bytes).expect("it fits");
        assert_eq!(included.as_slice(), net().as_slice());

        let sorted = included_in_order_of_names(&bytes);
        assert_eq!(sorted.as_slice(), net().as_slice());
    }

    /// As other programs write files: the header sorted by name, and the numbers as well.
    fn included_in_order_of_names(bytes: &[u8]) -> Net {
        let parsed = ::safetensors::SafeTensors::deserialize(bytes).expect("a file");
        let bytes = ::safetensors::serialize(parsed.tensors(), None).expect("a file");
        let (mut loaded, first) = (Net::zeroed(), included(&bytes).expect("it fits"));
        load_bytes(&bytes, &mut loaded).expect("loaded");
        assert_eq!(first.as_slice(), loaded.as_slice());
        first
    }

    #[test]
    fn what_does_not_fit_is_named() {
        assert!(included(&changed("", ("", "", &[]))).is_ok());
        for (name, by, expected) in [
            (
                "inner.dense1.bias",
                ("inner.dense1.bias", "F32", &[5][..]),
                "inner.dense1.bias is [5] in the file, but [4] in Net; declare Net as it was trained, or save its weights again",
            ),
            (
                "stem.weight",
                ("stem.weight", "F32", &[3, 2]),
                "stem.weight is [3, 2] in the file, but [2, 3] in Net; its axes have another order: dense weights are \
                 [in, out], those of convolutions [height, width, in, out]",
            ),
            (
                "stem.bias",
                ("stem.bias", "F64", &[3]),
                "stem.bias is F64 in the file, but F32 in Net; write the file as F32, or declare the network of f64: \
                 `Net<f64>: ..`",
            ),
            (
                "stem.bias",
                ("stem.bias", "BF16", &[3]),
                "stem.bias is BF16 in the file, but F32 in Net; write the file as F32",
            ),
            (
                "stem.bias",
                ("trunk.bias", "F32", &[3]),
                "stem.bias is [3] in Net, but not in the file, which has trunk.bias instead; give the layers of Net the \
                 names they were saved by, or save its weights again",
            ),
            ("stem.bias", ("out.weight", "F32", &[4, 2]), "out.weight is in the file twice; save it again"),
        ] {
            assert_eq!(refused(&changed(name, by)), format!("net.safetensors: {expected}"));
        }
    }

    #[test]
    fn what_is_missing_or_too_much_is_named() {
        let mut tensors: Vec<_> = NAMES.map(|(name, shape)| (name, "F32", shape)).to_vec();
        assert_eq!(
            refused(&file(&tensors)),
            "net.safetensors: inner.norm1.weight is [4] in Net, but not in the file; declare Net as it was trained, or \
             save its weights again"
        );
        tensors.push(("inner.norm1.weight", "F32", &[4]));
        tensors.push(("scale", "F32", &[1]));
        assert_eq!(
            refused(&file(&tensors)),
            "net.safetensors: scale is in the file, but not in Net; declare Net as it was trained, or save its weights again"
        );
        tensors[7].0 = "optimizer.m.stem.bias";
        assert!(refused(&file(&tensors)).ends_with("save the weights alone with `weights::save`"));
    }

    #[test]
    fn networks_of_f64() {
        let (mut net, mut noise) = (Double::zeroed(), Noise::new(3));
        net.as_mut_slice().fill_with(|| noise.normal());
        let include = include::<Double, { DOUBLE.tensors() }, { DOUBLE.letters() }>;
        assert_eq!(include(&to_bytes(&net)).expect("it fits").as_slice(), net.as_slice());
        let problem = include(&file(&[("stem.weight", "F32", &[2, 3])])).map(|_| ()).expect_err("another type");
        assert!(
            problem.ends_with("write the file as F64, or declare the network of f32: `Double<f32>: ..`"),
            "{problem}"
        );
    }

    /// Where loading refuses a damaged file, this does as well.
    #[test]
    fn damaged_files_are_refused() {
        let bytes = to_bytes(&net());
        for len in 0..bytes.len() {
            assert!(included(&bytes[..len]).is_err(), "{len} bytes");
        }
        assert_eq!(
            refused(&bytes[..bytes.len() - 4]),
            "net.safetensors: the file is cut short: it has 160 bytes of numbers, but its header tells of 164; copy or \
             save it again"
        );
        let mut longer = bytes.clone();
        longer.push(0);
        assert!(refused(&longer).contains("is damaged"));

        let header = bytes.len() - size_of::<Net>();
        for bit in 0..header * 8 {
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            if let Ok(included) = included(&damaged) {
                assert_eq!(included.as_slice(), net().as_slice(), "bit {bit}");
            }
        }
        // Two tensors in one place, and a gap where one of them was.
        let mut overlapping = changed("", ("", "", &[]));
        assert!(included(&overlapping).is_ok());
        let place = overlapping.windows(9).position(|window| window == b"[120,136]").expect("the offsets");
        overlapping[place..place + 9].copy_from_slice(b"[104,120]");
        assert!(refused(&overlapping).contains("the file is damaged"));
    }

    #[test]
    fn numbers_are_turned_around_where_the_machine_has_the_highest_byte_first() {
        let turned = |size| {
            let mut to = [0; 8];
            copy(&[1, 2, 3, 4, 5, 6, 7, 8], &mut to, size, true);
            to
        };
        assert_eq!(turned(4), [4, 3, 2, 1, 8, 7, 6, 5]);
        assert_eq!(turned(8), [8, 7, 6, 5, 4, 3, 2, 1]);
    }
}
