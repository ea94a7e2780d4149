//! The parameters of a network, as named tensors and as one flat slice.

mod pattern;

use core::fmt;
use core::ops::Range;

pub use monomorph_macros::Parameters;
pub use pattern::{assert_matches, matches_any};

use crate::bytes::{Bits, bytes_of};
use crate::plain::Plain;
use crate::scalar::Scalar;

/// What the trainer does with a tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Role {
    /// Learned: the optimizer moves it along its gradient.
    Learned,
    /// A running statistic: `backward` writes the decrease into the gradient, and every step subtracts exactly that.
    /// Optimizers, clipping and regularization do not affect it.
    State,
}

/// The value a tensor has before training.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Start {
    /// Drawn by an [`Init`](crate::init::Init) from the tensor's fan-in and fan-out.
    Random,
    /// The same value everywhere.
    Constant(f64),
    /// Drawn from a normal distribution with mean 0 and this standard deviation.
    Normal(f64),
    /// Drawn from a uniform distribution between minus and plus this bound.
    Uniform(f64),
    /// A random matrix with orthonormal rows, or columns if it has fewer of these.
    Orthogonal,
    /// 1 from one index to before another, 0 elsewhere.
    Ones {
        /// The first 1.
        from: usize,
        /// The number after the last 1.
        to: usize,
    },
}

/// A tensor of a layer.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct TensorInfo {
    /// Its name within the layer.
    pub name: &'static str,
    /// Its sizes, outermost axis first.
    pub shape: &'static [usize],
    /// Learned or state.
    pub role: Role,
    /// Its initial value.
    pub start: Start,
}

impl TensorInfo {
    /// How many numbers it holds.
    pub const fn len(&self) -> usize {
        let (mut len, mut axis) = (1, 0);
        while axis < self.shape.len() {
            len *= self.shape[axis];
            axis += 1;
        }
        len
    }

    /// Whether it is empty, like the bias of a layer without bias.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// An entry in the table of contents of a struct of parameters, in memory order.
#[derive(Clone, Copy, Debug)]
pub enum Entry {
    /// A tensor of this struct.
    Tensor(TensorInfo),
    /// A field that has a table of its own: a layer, a network.
    Layer(&'static str, &'static [Entry]),
    /// This many zeros of padding, up to the next cache line.
    Padding(usize),
}

// Not derived, because entries hold entries.
#[cfg(feature = "defmt")]
impl defmt::Format for Entry {
    fn format(&self, f: defmt::Formatter<'_>) {
        match self {
            Self::Tensor(tensor) => defmt::write!(f, "Tensor({})", tensor),
            Self::Layer(name, entries) => defmt::write!(f, "Layer({=str}, {})", name, entries),
            Self::Padding(len) => defmt::write!(f, "Padding({=usize})", len),
        }
    }
}

/// How many numbers the entries take, [padding](Entry::Padding) included.
pub const fn count(entries: &[Entry]) -> usize {
    let (mut sum, mut index) = (0, 0);
    while index < entries.len() {
        sum += match entries[index] {
            Entry::Tensor(tensor) => tensor.len(),
            Entry::Layer(_, inner) => count(inner),
            Entry::Padding(len) => len,
        };
        index += 1;
    }
    sum
}

/// The number of these up to the end of the last tensor: [`count`] without the padding after it.
pub const fn end(entries: &[Entry]) -> usize {
    let (mut end, mut position, mut index) = (0, 0, 0);
    while index < entries.len() {
        let (inner, len) = match entries[index] {
            Entry::Tensor(tensor) => (tensor.len(), tensor.len()),
            Entry::Layer(_, inner) => (self::end(inner), count(inner)),
            Entry::Padding(len) => (0, len),
        };
        if inner > 0 {
            end = position + inner;
        }
        position += len;
        index += 1;
    }
    end
}

/// How many numbers the tensors hold.
pub const fn tensor_count(entries: &[Entry]) -> usize {
    let (mut sum, mut index) = (0, 0);
    while index < entries.len() {
        sum += match entries[index] {
            Entry::Tensor(tensor) => tensor.len(),
            Entry::Layer(_, inner) => tensor_count(inner),
            Entry::Padding(_) => 0,
        };
        index += 1;
    }
    sum
}

/// Whether any of the entries is state.
pub const fn has_state(entries: &[Entry]) -> bool {
    let mut index = 0;
    while index < entries.len() {
        let found = match entries[index] {
            Entry::Tensor(tensor) => matches!(tensor.role, Role::State),
            Entry::Layer(_, inner) => has_state(inner),
            Entry::Padding(_) => false,
        };
        if found {
            return true;
        }
        index += 1;
    }
    false
}

/// Whether any of the entries is initialized with normally distributed numbers of its own.
pub(crate) const fn has_normal(entries: &[Entry]) -> bool {
    let mut index = 0;
    while index < entries.len() {
        let found = match entries[index] {
            Entry::Tensor(tensor) => matches!(tensor.start, Start::Normal(_) | Start::Orthogonal),
            Entry::Layer(_, inner) => has_normal(inner),
            Entry::Padding(_) => false,
        };
        if found {
            return true;
        }
        index += 1;
    }
    false
}

/// The name of a tensor in its network, such as `conv1.weight`; printed with dots.
#[derive(Clone, Copy, Debug)]
pub struct Path<'a> {
    outer: Option<&'a Path<'a>>,
    name: &'a str,
}

#[cfg(feature = "defmt")]
impl defmt::Format for Path<'_> {
    fn format(&self, f: defmt::Formatter<'_>) {
        match self.outer {
            Some(outer) => defmt::write!(f, "{}.{=str}", outer, self.name),
            None => defmt::write!(f, "{=str}", self.name),
        }
    }
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(outer) = self.outer {
            write!(f, "{outer}.")?;
        }
        f.write_str(self.name)
    }
}

/// A struct of tensors: the parameters of a layer or network; also its gradient and the optimizer's moments, which have
/// the same form.
///
/// Derive it, on a `#[repr(C)]` struct whose fields are tensors or layers:
///
/// ```
/// use monomorph::{Parameters, Scalar};
///
/// #[derive(Parameters)]
/// #[repr(C)]
/// struct Scale<T: Scalar, const N: usize> {
///     #[parameters(start = 1.0)]
///     weight: [T; N],
/// }
/// assert_eq!(<Scale<f32, 8> as Parameters>::COUNT, 8);
/// ```
///
/// # Safety
/// The type begins with `COUNT` numbers of type `Scalar` in the order of `ENTRIES`, and has at least the alignment of
/// one if there are any. All other bytes also belong to numbers of that type or of a
/// [`Storage`](crate::scalar::Storage) of it, or to no field at all.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no parameters",
    note = "write `#[derive(Parameters)]` and `#[repr(C)]` on it"
)]
pub unsafe trait Parameters: Plain {
    /// The number type.
    type Scalar: Scalar;
    /// The table of contents, in memory order.
    const ENTRIES: &'static [Entry];
    /// How many numbers there are, from the first tensor to the last; the [padding](Entry::Padding) between them
    /// counts.
    const COUNT: usize = end(Self::ENTRIES);

    /// All numbers in the order of `ENTRIES`.
    #[inline(always)]
    fn as_slice(&self) -> &[Self::Scalar] {
        // A layer without parameters has no alignment.
        if Self::COUNT == 0 {
            return &[];
        }
        // SAFETY: the type begins with `COUNT` numbers.
        unsafe { core::slice::from_raw_parts((&raw const *self).cast(), Self::COUNT) }
    }

    /// All numbers in the order of `ENTRIES`, mutably.
    #[inline(always)]
    fn as_mut_slice(&mut self) -> &mut [Self::Scalar] {
        if Self::COUNT == 0 {
            return &mut [];
        }
        // SAFETY: the type begins with `COUNT` numbers.
        unsafe { core::slice::from_raw_parts_mut((&raw mut *self).cast(), Self::COUNT) }
    }

    /// The numbers of the tensor of this name, or nothing if there is none.
    ///
    /// ```
    /// use monomorph::prelude::*;
    /// network! { Net: [2] -> [1] { hidden: Dense(3), Tanh, Dense(1) } }
    ///
    /// let mut net = Net::zeroed();
    /// net.tensor_mut("hidden.bias").expect("the bias").fill(0.5);
    /// assert_eq!(net.hidden.bias, [0.5; 3]);
    /// assert_eq!(net.tensor("dense1.weight"), Some(&[0.0; 3][..]));
    /// assert_eq!(net.tensor("hidden"), None);
    /// ```
    fn tensor(&self, name: &str) -> Option<&[Self::Scalar]> {
        find_tensor(Self::ENTRIES, name).map(|range| &self.as_slice()[range])
    }

    /// The numbers of the tensor of this name, mutably, or nothing if there is none.
    fn tensor_mut(&mut self, name: &str) -> Option<&mut [Self::Scalar]> {
        find_tensor(Self::ENTRIES, name).map(|range| &mut self.as_mut_slice()[range])
    }

    /// Calls `f` for every tensor that is not empty, with its name, what is known of it, and its numbers.
    ///
    /// ```
    /// use monomorph::prelude::*;
    /// network! { Net: [2] -> [1] { hidden: Dense(3), Tanh, Dense(1) } }
    ///
    /// let mut sizes = String::new();
    /// Net::zeroed().for_each_tensor(|name, tensor, numbers| {
    ///     assert_eq!(numbers.len(), tensor.len());
    ///     sizes += &format!("{name} {:?} ", tensor.shape);
    /// });
    /// assert_eq!(sizes, "hidden.weight [2, 3] hidden.bias [3] dense1.weight [3, 1] dense1.bias [1] ");
    /// ```
    fn for_each_tensor(&self, mut f: impl FnMut(Path<'_>, &'static TensorInfo, &[Self::Scalar])) {
        let numbers = self.as_slice();
        for_each_tensor(Self::ENTRIES, &mut |name, tensor, range| f(name, tensor, &numbers[range]));
    }

    /// Calls `f` with the bytes of all numbers, in place.
    #[doc(hidden)]
    fn pieces(&self, f: &mut dyn FnMut(&[u8]))
    where
        Self::Scalar: Bits,
    {
        f(bytes_of(self.as_slice()));
    }
}

/// Parameters whose number is known as a type, a `typenum` number, so that generic code can hold that many numbers
/// without allocating.
///
/// Stable Rust refuses `[T; N::COUNT]` in generic code. `GenericArray<T, N::ParamCount>` is the same array.
/// [`network!`](crate::network!) implements it for every network whose sizes are all numbers or constants. Padding
/// does not count.
///
/// ```
/// use generic_array::GenericArray;
/// use monomorph::parameters::CountedParameters;
/// use monomorph::prelude::*;
///
/// network! { pub Digits: [64] -> [10] { Dense(32), Relu, Dense(10) } }
///
/// /// The mean of the networks seen so far, on the stack or in a static.
/// struct Mean<N: CountedParameters> {
///     sum: GenericArray<N::Scalar, N::ParamCount>,
///     networks: usize,
/// }
/// let mean = Mean::<Digits> { sum: GenericArray::default(), networks: 0 };
/// assert_eq!(mean.sum.len(), 64 * 32 + 32 + 32 * 10 + 10);
/// ```
#[cfg(feature = "generic-array")]
pub trait CountedParameters: Parameters {
    /// How many numbers the tensors hold.
    type ParamCount: generic_array::ArrayLength;
}

/// Parameters that can be packed in the format `F`; derived with [`Parameters`].
///
/// Fields with `#[parameters(packed)]` become [`Packed`](crate::weight::Packed); their type is a type parameter, so
/// that the same struct can hold packed weights:
///
/// ```
/// use monomorph::parameters::Pack;
/// use monomorph::weight::{Packed, Weight};
/// use monomorph::Parameters;
///
/// #[derive(Parameters)]
/// #[repr(C)]
/// struct Bilinear<W> {
///     #[parameters(packed)]
///     left: W,
///     #[parameters(packed)]
///     right: W,
/// }
///
/// let bilinear = Bilinear { left: [[1.0, 2.0]], right: [[3.0, -4.0]] };
/// let mut packed: Bilinear<Packed<[[f64; 2]; 1], i8>> = monomorph::memory::zeroed();
/// bilinear.pack(&mut packed);
/// assert_eq!(packed.right.packed(), [127, -127]);
/// ```
///
/// A struct without such fields is copied unchanged.
pub trait Pack<F>: Parameters {
    /// The packed parameters.
    type Packed: Parameters<Scalar = Self::Scalar>;

    /// Packs them, in place.
    fn pack(&self, to: &mut Self::Packed);
}

/// Calls `f` for every tensor that is not empty, with its name and its range in the flat slice.
pub fn for_each_tensor(entries: &'static [Entry], f: &mut dyn FnMut(Path<'_>, &'static TensorInfo, Range<usize>)) {
    fn walk(
        entries: &'static [Entry],
        outer: Option<&Path<'_>>,
        offset: &mut usize,
        f: &mut dyn FnMut(Path<'_>, &'static TensorInfo, Range<usize>),
    ) {
        for entry in entries {
            match entry {
                Entry::Tensor(tensor) => {
                    let range = *offset..*offset + tensor.len();
                    *offset = range.end;
                    if !range.is_empty() {
                        f(Path { outer, name: tensor.name }, tensor, range);
                    }
                }
                Entry::Layer(name, inner) => walk(inner, Some(&Path { outer, name }), offset, f),
                Entry::Padding(len) => *offset += len,
            }
        }
    }
    walk(entries, None, &mut 0, f);
}

/// What [`for_each_layer`] calls.
type EachLayer<'a> = dyn FnMut(Path<'_>, &'static [Entry], Range<usize>) + 'a;

/// Calls `f` for every struct that has tensors of its own, with its name, its table of contents and its range in the flat
/// slice: for each layer of a network.
pub fn for_each_layer(entries: &'static [Entry], f: &mut EachLayer<'_>) {
    fn walk(entries: &'static [Entry], outer: Option<&Path<'_>>, mut offset: usize, f: &mut EachLayer<'_>) {
        for entry in entries {
            if let Entry::Layer(name, inner) = entry {
                let layer = Path { outer, name };
                if inner.iter().any(|entry| matches!(entry, Entry::Tensor(_))) {
                    f(layer, inner, offset..offset + end(inner));
                }
                walk(inner, Some(&layer), offset, f);
            }
            offset += count(core::slice::from_ref(entry));
        }
    }
    walk(entries, None, 0, f);
}

/// Where the tensor of this name is in the flat slice.
fn find_tensor(entries: &'static [Entry], name: &str) -> Option<Range<usize>> {
    let mut offset = 0;
    for entry in entries {
        let len = match entry {
            Entry::Tensor(tensor) if tensor.name == name && !tensor.is_empty() => {
                return Some(offset..offset + tensor.len());
            }
            Entry::Tensor(tensor) => tensor.len(),
            Entry::Layer(layer, inner) => {
                let rest = name.strip_prefix(layer).and_then(|rest| rest.strip_prefix('.'));
                if let Some(found) = rest.and_then(|rest| find_tensor(inner, rest)) {
                    return Some(offset + found.start..offset + found.end);
                }
                count(inner)
            }
            Entry::Padding(len) => *len,
        };
        offset += len;
    }
    None
}

/// Calls `f` with every range of the flat slice that has a single [`Role`]; adjacent ranges are merged, including the
/// padding between them.
pub fn for_each_role(entries: &'static [Entry], f: &mut dyn FnMut(Role, Range<usize>)) {
    if !has_state(entries) {
        return f(Role::Learned, 0..end(entries));
    }
    let mut open: Option<(Role, Range<usize>)> = None;
    for_each_tensor(entries, &mut |_, tensor, range| match &mut open {
        Some((role, stretch)) if *role == tensor.role => stretch.end = range.end,
        _ => {
            if let Some((role, stretch)) = open.replace((tensor.role, range)) {
                f(role, stretch);
            }
        }
    });
    if let Some((role, stretch)) = open {
        f(role, stretch);
    }
}

/// Fails to compile if the numbers of a packed network or layer are requested: its table of contents is empty, because
/// nothing in it is randomly initialized, trained or read from tensor files.
pub(crate) const fn assert_tensors<P: Parameters>() {
    assert!(
        P::COUNT > 0 || size_of::<P>() == 0,
        "a packed network is not initialized, trained or kept in files of tensors: that is done to the network it is \
         packed from; `weights::blob` keeps it as it is"
    );
}

#[cfg(all(test, feature = "std"))]
mod tests;
