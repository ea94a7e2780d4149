//! What a network learns, as named tensors and as one flat slice.

use core::fmt;
use core::ops::Range;

pub use monomorph_macros::Parameters;

use crate::memory::Plain;
use crate::noise::Noise;
use crate::scalar::Scalar;

/// What the trainer does with a tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Role {
    /// Learned: the optimizer moves it along its gradient.
    Learned,
    /// A running statistic: `backward` leaves in the gradient by how much it is to fall, and
    /// every step subtracts just that. Optimizers, clipping and regularizers leave it alone.
    State,
}

/// The value a tensor has before training.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Start {
    /// Drawn by an [`Init`](crate::init::Init) from the tensor's fan-in and fan-out.
    Random,
    /// One value everywhere.
    Constant(f64),
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

    /// Whether it holds no number at all, as the bias of a layer without bias.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A line of the table of contents of a struct of parameters, in the order of memory.
#[derive(Clone, Copy, Debug)]
pub enum Entry {
    /// A tensor of this struct.
    Tensor(TensorInfo),
    /// A field that has a table of its own: a layer, a network.
    Layer(&'static str, &'static [Entry]),
    /// So many zeros that are nothing but room, up to the next cache line.
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

/// How many of these numbers end with a tensor: [`count`] without the padding behind the last.
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

/// A struct of tensors: the parameters of a layer or network; also its gradient, and the moments
/// an optimizer keeps, which have the same form.
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
/// assert_eq!(<Scale<f32, 8> as Parameters<f32>>::COUNT, 8);
/// ```
///
/// # Safety
/// The type begins with `COUNT` numbers of type `T` in the order of `ENTRIES` and is aligned at least as `T`, if there
/// are any. All other bytes belong to numbers, too, of type `T` or of a [`Storage<T>`](crate::storage::Storage), or
/// to no field at all.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no parameters of type `{T}`",
    note = "write `#[derive(Parameters)]` and `#[repr(C)]` on it"
)]
pub unsafe trait Parameters<T: Scalar>: Plain {
    /// The table of contents, in the order of memory.
    const ENTRIES: &'static [Entry];
    /// How many numbers there are, from the first tensor to the last; the [padding](Entry::Padding) between them counts.
    const COUNT: usize = end(Self::ENTRIES);

    /// All numbers in the order of `ENTRIES`.
    #[inline(always)]
    fn as_slice(&self) -> &[T] {
        // A layer without parameters has no alignment.
        if Self::COUNT == 0 {
            return &[];
        }
        // SAFETY: the type begins with `COUNT` numbers.
        unsafe { core::slice::from_raw_parts((&raw const *self).cast(), Self::COUNT) }
    }

    /// All numbers in the order of `ENTRIES`, to change.
    #[inline(always)]
    fn as_mut_slice(&mut self) -> &mut [T] {
        if Self::COUNT == 0 {
            return &mut [];
        }
        // SAFETY: the type begins with `COUNT` numbers.
        unsafe { core::slice::from_raw_parts_mut((&raw mut *self).cast(), Self::COUNT) }
    }
}

/// Calls `f` for every tensor that holds anything, with its name, and where it lies in the flat
/// slice.
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

/// Calls `f` with every stretch of the flat slice that has one [`Role`]; adjacent ones are joined, with
/// the padding between them.
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

/// Stops the compiler where the numbers of a stored network or layer are asked for: its table of contents is empty,
/// because nothing of it is drawn, trained or read from files of tensors.
pub(crate) const fn assert_tensors<T: Scalar, P: Parameters<T>>() {
    assert!(
        P::COUNT > 0 || size_of::<P>() == 0,
        "a stored network is not initialized, trained or kept in files of tensors: that is done to the network it is \
         stored from; `weights::blob` keeps it as it is"
    );
}

/// Gives every tensor its initial value: constants where the layer says so, `init` elsewhere.
pub fn initialize<T: Scalar, P: Parameters<T>>(parameters: &mut P, init: crate::init::Init, noise: &mut Noise) {
    const { assert_tensors::<T, P>() };
    let numbers = parameters.as_mut_slice();
    for_each_tensor(P::ENTRIES, &mut |_, tensor, range| {
        // It is always there; said so that firmware that trains has no panic linked into it.
        let Some(numbers) = numbers.get_mut(range) else { return };
        match tensor.start {
            Start::Constant(value) => numbers.fill(T::from_f64(value)),
            Start::Random => init.fill(numbers, tensor.shape, noise),
        }
    });
}
