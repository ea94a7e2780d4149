//! What optimizers keep between steps, as named parts.

use core::fmt;

use super::Optimizer;
use crate::parameters::Parameters;
use crate::plain::Plain;
use crate::tensor::Tensor;

/// What an optimizer keeps between steps for a network `N`; initially all zeros.
///
/// `[N; K]`, whose names are the optimizer's ([`Optimizer::MEMORY`]), or a struct that lists its parts with
/// [`memory_parts!`](crate::memory_parts). Checkpoints contain these parts. A field that is not listed is scratch
/// memory: it is not saved, and its content is arbitrary when training resumes.
///
/// ```
/// use monomorph::Parameters;
/// use monomorph::memory::Plain;
/// use monomorph::optim::{Memory, Part, memory_parts};
///
/// /// The last five steps and changes of the gradient, as L-BFGS keeps them.
/// #[derive(Plain)]
/// struct History<N: Parameters> {
///     gradient: N,
///     steps: [N; 5],
///     changes: [N; 5],
///     rho: [N::Scalar; 5],
///     pairs: u64,
///     direction: N, // scratch
/// }
///
/// impl<N: Parameters> Memory<N> for History<N> {
///     const PARTS: &'static [Part<Self, N>] = memory_parts! {
///         gradient: network, steps: networks, changes: networks, rho: numbers, pairs: counter,
///     };
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not what an optimizer can keep for `{N}`",
    label = "not the memory of an optimizer",
    note = "it is `[N; K]`, or a struct with `#[derive(Plain)]` that implements `monomorph::optim::Memory` by `memory_parts!`"
)]
pub trait Memory<N: Parameters>: Plain {
    /// Its parts, always in the same order; [`memory_parts!`](crate::memory_parts) makes the list.
    const PARTS: &'static [Part<Self, N>];
}

impl<N: Parameters, const K: usize> Memory<N> for [N; K] {
    const PARTS: &'static [Part<Self, N>] = &[Part { name: "", access: Access::Moments(K, |all| all, |all| all) }];
}

/// A part of a memory of type `M`: its name, and how to access it. Made by [`memory_parts!`](crate::memory_parts).
pub struct Part<M, N: Parameters> {
    name: &'static str,
    access: Access<M, N>,
}

enum Access<M, N: Parameters> {
    /// This many values, which the optimizer names.
    Moments(usize, fn(&M) -> &[N], fn(&mut M) -> &mut [N]),
    One(fn(&M) -> &N, fn(&mut M) -> &mut N),
    Several(fn(&M) -> &[N], fn(&mut M) -> &mut [N]),
    Numbers(&'static [usize], fn(&M) -> &[N::Scalar], fn(&mut M) -> &mut [N::Scalar]),
    Counter(fn(&M) -> &u64, fn(&mut M) -> &mut u64),
    /// What another optimizer keeps, under its own names.
    Inner(Visit<M, N>, VisitMut<M, N>),
}

type Visit<M, N> = for<'a> fn(&'a M, &mut dyn FnMut(PartName, PartRef<'a, N>));
type VisitMut<M, N> = fn(&mut M, &mut dyn FnMut(PartName, PartMut<'_, N>));

#[doc(hidden)]
impl<M, N: Parameters> Part<M, N> {
    pub const fn network(name: &'static str, get: fn(&M) -> &N, get_mut: fn(&mut M) -> &mut N) -> Self {
        Self { name, access: Access::One(get, get_mut) }
    }

    pub const fn networks(name: &'static str, get: fn(&M) -> &[N], get_mut: fn(&mut M) -> &mut [N]) -> Self {
        Self { name, access: Access::Several(get, get_mut) }
    }

    /// The first function is there for its type, because the others do not carry the shape.
    pub const fn numbers<X: Tensor<Element = N::Scalar>>(
        name: &'static str,
        _: fn(&M) -> &X,
        get: fn(&M) -> &[N::Scalar],
        get_mut: fn(&mut M) -> &mut [N::Scalar],
    ) -> Self {
        Self { name, access: Access::Numbers(X::SHAPE, get, get_mut) }
    }

    pub const fn inner(visit: Visit<M, N>, visit_mut: VisitMut<M, N>) -> Self {
        Self { name: "", access: Access::Inner(visit, visit_mut) }
    }

    pub const fn counter(name: &'static str, get: fn(&M) -> &u64, get_mut: fn(&mut M) -> &mut u64) -> Self {
        Self { name, access: Access::Counter(get, get_mut) }
    }
}

/// The parts of an optimizer's [memory](crate::optim::Memory): `field: kind` for each, in braces or brackets.
///
/// | kind | type of the field | in a checkpoint |
/// | --- | --- | --- |
/// | `network` | `N` | tensors `optimizer.<field>.<tensor>` |
/// | `networks` | `[N; K]` | tensors `optimizer.<field>.<index>.<tensor>` |
/// | `numbers` | `N::Scalar`, or a tensor of these such as `[N::Scalar; 8]` | a tensor `optimizer.<field>` |
/// | `counter` | `u64` | a number `optimizer.<field>` |
/// | `inner(N, O)` | `O::Memory<N>` of an optimizer `O` that is wrapped | what `O` saves, under its own names |
#[macro_export]
macro_rules! memory_parts {
    ($($field:ident: $kind:ident $(($network:ty, $optimizer:ty))?),* $(,)?) => {
        &[$($crate::__memory_part!($kind $(($network, $optimizer))? $field)),*]
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __memory_part {
    (inner($network:ty, $optimizer:ty) $field:ident) => {
        $crate::optim::Part::inner(
            |__memory, __f| $crate::optim::for_each_part::<$network, $optimizer>(&__memory.$field, __f),
            |__memory, __f| $crate::optim::for_each_part_mut::<$network, $optimizer>(&mut __memory.$field, __f),
        )
    };
    (numbers $field:ident) => {
        $crate::optim::Part::numbers(
            ::core::stringify!($field),
            |__memory| &__memory.$field,
            |__memory| $crate::Tensor::numbers(&__memory.$field),
            |__memory| $crate::Tensor::numbers_mut(&mut __memory.$field),
        )
    };
    ($kind:ident $field:ident) => {
        $crate::optim::Part::$kind(
            ::core::stringify!($field),
            |__memory| &__memory.$field,
            |__memory| &mut __memory.$field,
        )
    };
}

/// The name of a part: that of its field, followed by the index if it is one of several; printed with dots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartName {
    name: &'static str,
    index: Option<usize>,
}

impl fmt::Display for PartName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)?;
        self.index.map_or(Ok(()), |index| write!(f, ".{index}"))
    }
}

/// A part, for reading.
pub enum PartRef<'a, N: Parameters> {
    /// The tensors of a value of the form of the network.
    Tensors(&'a N),
    /// Numbers, and their shape.
    Numbers(&'static [usize], &'a [N::Scalar]),
    /// A counter.
    Counter(&'a u64),
}

/// A part, for writing.
pub enum PartMut<'a, N: Parameters> {
    /// The tensors of a value of the form of the network.
    Tensors(&'a mut N),
    /// Numbers, and their shape.
    Numbers(&'static [usize], &'a mut [N::Scalar]),
    /// A counter.
    Counter(&'a mut u64),
}

/// Calls `f` with every part of the memory of the optimizer `O`, always in the same order; a part of several values
/// gives one call for each.
pub fn for_each_part<'a, N: Parameters, O: Optimizer<N::Scalar>>(
    memory: &'a O::Memory<N>,
    f: &mut dyn FnMut(PartName, PartRef<'a, N>),
) {
    const { assert_parts::<N, O>() };
    for &Part { name, ref access } in O::Memory::<N>::PARTS {
        let alone = PartName { name, index: None };
        match access {
            Access::Moments(_, get, _) => {
                for (name, value) in O::MEMORY.iter().zip(get(memory)) {
                    f(PartName { name, index: None }, PartRef::Tensors(value));
                }
            }
            Access::One(get, _) => f(alone, PartRef::Tensors(get(memory))),
            Access::Several(get, _) => {
                for (index, value) in get(memory).iter().enumerate() {
                    f(PartName { name, index: Some(index) }, PartRef::Tensors(value));
                }
            }
            Access::Numbers(shape, get, _) => f(alone, PartRef::Numbers(shape, get(memory))),
            Access::Counter(get, _) => f(alone, PartRef::Counter(get(memory))),
            Access::Inner(visit, _) => visit(memory, f),
        }
    }
}

/// Like [`for_each_part`], but mutable.
pub fn for_each_part_mut<N: Parameters, O: Optimizer<N::Scalar>>(
    memory: &mut O::Memory<N>,
    f: &mut dyn FnMut(PartName, PartMut<'_, N>),
) {
    const { assert_parts::<N, O>() };
    for &Part { name, ref access } in O::Memory::<N>::PARTS {
        let alone = PartName { name, index: None };
        match access {
            Access::Moments(_, _, get) => {
                for (name, value) in O::MEMORY.iter().zip(get(memory)) {
                    f(PartName { name, index: None }, PartMut::Tensors(value));
                }
            }
            Access::One(_, get) => f(alone, PartMut::Tensors(get(memory))),
            Access::Several(_, get) => {
                for (index, value) in get(memory).iter_mut().enumerate() {
                    f(PartName { name, index: Some(index) }, PartMut::Tensors(value));
                }
            }
            Access::Numbers(shape, _, get) => f(alone, PartMut::Numbers(shape, get(memory))),
            Access::Counter(_, get) => f(alone, PartMut::Counter(get(memory))),
            Access::Inner(_, visit) => visit(memory, f),
        }
    }
}

/// Fails to compile if the names of an optimizer do not fit its memory.
pub(crate) const fn assert_parts<N: Parameters, O: Optimizer<N::Scalar>>() {
    let parts = <O::Memory<N> as Memory<N>>::PARTS;
    let (mut moments, mut part) = (0, 0);
    while part < parts.len() {
        match parts[part].access {
            Access::Moments(count, ..) => moments += count,
            _ => {
                let mut before = 0;
                while before < part {
                    assert!(
                        !equal(parts[before].name, parts[part].name),
                        "two parts of the optimizer's memory have the same name"
                    );
                    before += 1;
                }
            }
        }
        part += 1;
    }
    assert!(
        moments == O::MEMORY.len(),
        "the optimizer's `MEMORY` must name each of the `K` values in its memory `[N; K]`, and nothing if its memory is a \
         struct, which names its parts itself"
    );
    let mut name = 0;
    while name < O::MEMORY.len() {
        let mut before = 0;
        while before < name {
            assert!(!equal(O::MEMORY[before], O::MEMORY[name]), "two names in the optimizer's `MEMORY` are the same");
            before += 1;
        }
        name += 1;
    }
}

const fn equal(a: &str, b: &str) -> bool {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    let mut index = 0;
    while index < a.len() && index < b.len() && a[index] == b[index] {
        index += 1;
    }
    index == a.len() && index == b.len()
}

#[cfg(all(test, feature = "alloc"))]
mod tests {
    use super::*;
    use crate::memory::zeroed;
    use crate::optim::{Adam, Sgd, update};
    use crate::scalar::Scalar;
    use crate::simd::Simd;
    use alloc::string::{String, ToString};
    use alloc::vec::Vec;
    use alloc::{format, vec};

    #[derive(Parameters)]
    #[repr(C)]
    struct Two {
        a: [f32; 2],
    }

    #[derive(Plain)]
    struct Everything<N: Parameters> {
        count: u64,
        m: N,
        history: [N; 2],
        #[expect(dead_code, reason = "not in the list of parts, so not in checkpoints")]
        scratch: N,
        one: N::Scalar,
        several: [[N::Scalar; 3]; 2],
    }

    impl<N: Parameters> Memory<N> for Everything<N> {
        const PARTS: &'static [Part<Self, N>] =
            memory_parts! { count: counter, m: network, history: networks, one: numbers, several: numbers };
    }

    struct Own;

    impl<T: Scalar> Optimizer<T> for Own {
        type Memory<N: Parameters<Scalar = T>> = Everything<N>;

        fn update<N: Parameters<Scalar = T>, S: Simd>(
            &self,
            simd: S,
            _: u64,
            _: f64,
            gradient_scale: T,
            parameters: &mut N,
            gradient: &N,
            _: &mut Everything<N>,
        ) {
            update(simd, gradient_scale, parameters, gradient, &mut [], |p, g, []| (p - g, []));
        }
    }

    /// A line for every part, after everything was set to consecutive numbers.
    fn parts<O: Optimizer<f32>>() -> Vec<String> {
        let mut memory: O::Memory<Two> = zeroed();
        let mut next = 0;
        let mut draw = || {
            next += 1;
            next
        };
        for_each_part_mut::<Two, O>(&mut memory, &mut |_, part| match part {
            PartMut::Tensors(network) => network.a.fill_with(|| draw() as f32),
            PartMut::Numbers(_, numbers) => numbers.fill_with(|| draw() as f32),
            PartMut::Counter(counter) => *counter = draw(),
        });
        let mut lines = vec![];
        for_each_part::<Two, O>(&memory, &mut |name, part| {
            lines.push(match part {
                PartRef::Tensors(network) => format!("{name} {:?}", network.a),
                PartRef::Numbers(shape, numbers) => format!("{name} {shape:?} {numbers:?}"),
                PartRef::Counter(counter) => format!("{name} {counter}"),
            });
        });
        lines
    }

    #[test]
    fn parts_have_names_and_an_order() {
        assert_eq!(parts::<Sgd>(), Vec::<String>::new());
        assert_eq!(parts::<Adam>(), ["m [1.0, 2.0]", "v [3.0, 4.0]"]);
        let expected = [
            "count 1",
            "m [2.0, 3.0]",
            "history.0 [4.0, 5.0]",
            "history.1 [6.0, 7.0]",
            "one [] [8.0]",
            "several [2, 3] [9.0, 10.0, 11.0, 12.0, 13.0, 14.0]",
        ];
        assert_eq!(parts::<Own>(), expected.map(|line| line.to_string()));
    }

    #[test]
    fn names_are_compared() {
        for (a, b) in [("", ""), ("m", "m"), ("", "m"), ("m", "mm"), ("mm", "m"), ("mv", "mm")] {
            assert_eq!(equal(a, b), a == b, "{a} {b}");
        }
    }
}
