//! The memory planner: which part of an arena each value of a network gets.
//!
//! Values are live during an interval of steps, and values whose intervals overlap must not share memory. The minimal
//! memory is NP-hard to find in general (*dynamic storage allocation*, problem SR2 of Garey and Johnson, *Computers and
//! Intractability*, 1979), and at least as large as the largest live set. Networks rarely need more than that, so
//! methods are tried from cheap to thorough until one reaches this bound:
//!
//! 1. [`two_ends`]: if at most two values are live at once, as in a chain. Always reaches it.
//! 2. [`first_fit`]: the largest value first, each at the lowest free offset; then again with the
//!    value that did not fit placed earlier.
//! 3. [`search`]: every order that can matter, up to a limit on the number of steps.
//!
//! It runs in the compiler's interpreter, which is slow and rejects a constant that takes more than two million loop
//! iterations (the lint `long_running_const_eval`). So values are sorted by their first step, loops run over values
//! that overlap in time instead of all pairs, and the expensive methods count their steps.

use super::arena::{ALIGNMENT, Slot};

/// The lifetime of a value of a network: written at step `from`, last read at step `to`.
#[derive(Clone, Copy, Debug)]
pub struct Life {
    /// Its length in numbers.
    pub len: usize,
    /// The step that writes it.
    pub from: usize,
    /// The last step that reads it.
    pub to: usize,
}

/// The positions of the values of a network in its arena.
#[derive(Clone, Copy, Debug)]
pub struct Plan<const V: usize> {
    /// The offset of each value, in numbers.
    pub offsets: [usize; V],
    /// The length of the arena, in numbers.
    pub total: usize,
}

impl<const V: usize> Plan<V> {
    /// The slot of a value of the shape of `X`.
    pub const fn slot<X>(&self, value: usize) -> Slot<X> {
        Slot::new(self.offsets[value])
    }
}

/// [`plan`] for values given by their lengths, first and last steps.
pub const fn plan_lives<const V: usize>(values: &[(usize, usize, usize); V]) -> Plan<V> {
    let (mut lives, mut index) = ([Life { len: 0, from: 0, to: 0 }; V], 0);
    while index < V {
        let (len, from, to) = values[index];
        lives[index] = Life { len, from, to };
        index += 1;
    }
    plan(&lives)
}

/// The largest sum of lengths that are live at one step: no plan can be smaller.
///
/// Lengths are rounded up to multiples of [`ALIGNMENT`].
pub const fn largest_live_set<const V: usize>(values: &[Life; V]) -> usize {
    Values::new(values).bound
}

/// Gives every value an offset so that values that are live at the same step never overlap.
///
/// If possible, the arena is as small as the largest live set, which nearly always succeeds for networks; for a few
/// values, and for chains of any length, the result is optimal.
///
/// ```
/// use monomorph::memory::{Life, Plan, plan};
///
/// // Two layers and a residual connection around them: the first value is read again at step 3.
/// const PLAN: Plan<3> = plan(&[
///     Life { len: 64, from: 0, to: 3 },
///     Life { len: 32, from: 1, to: 2 },
///     Life { len: 64, from: 2, to: 3 },
/// ]);
/// assert_eq!(PLAN.total, 64 + 32 + 64);
/// ```
pub const fn plan<const V: usize>(values: &[Life; V]) -> Plan<V> {
    let values = Values::new(values);
    if values.crowd <= 2 {
        return values.plan(&two_ends(&values), values.bound);
    }
    let (mut best, mut total) = ([0; V], usize::MAX);
    let (mut order, mut round, mut steps) = (values.by_size(), 0, 0);
    while total > values.bound && round < ROUNDS && steps < ROUND_STEPS {
        let offsets = first_fit(&values, &order, &mut steps);
        let now = values.total(&offsets);
        if now < total {
            (best, total) = (offsets, now);
        }
        bring_forward(&values, &offsets, &mut order, round);
        round += 1;
    }
    if total > values.bound {
        (best, total) = search(&values, best, total);
    }
    values.plan(&best, total)
}

/// How many orders are tried before the search.
const ROUNDS: usize = 40;

/// How many loop iterations those may take; a round that has begun is always finished.
const ROUND_STEPS: usize = 40_000;

/// How many loop iterations the search may take after them.
const SEARCH_STEPS: usize = 20_000;

/// The offset of a value that has none yet: beyond all others.
const NOWHERE: usize = usize::MAX;

/// No value.
const NOBODY: usize = usize::MAX;

/// Values sorted by their first step, and which of them overlap in time.
struct Values<const V: usize> {
    /// The index of each value in the caller's order.
    source: [usize; V],
    /// Lengths, rounded up to the alignment.
    sizes: [usize; V],
    /// The values that overlap each value in time, in the order of their first steps.
    neighbours: [[usize; V]; V],
    /// How many those are.
    degrees: [usize; V],
    /// How many of them are older.
    older: [usize; V],
    /// The largest live set.
    bound: usize,
    /// The largest number of values that are live at one step.
    crowd: usize,
}

impl<const V: usize> Values<V> {
    const fn new(values: &[Life; V]) -> Self {
        let mut source = [0; V];
        let mut index = 0;
        while index < V {
            // Values usually come in the order of their steps, so this hardly ever moves anything.
            let mut slot = index;
            while slot > 0 && values[source[slot - 1]].from > values[index].from {
                source[slot] = source[slot - 1];
                slot -= 1;
            }
            source[slot] = index;
            index += 1;
        }
        let mut sizes = [0; V];
        let mut index = 0;
        while index < V {
            sizes[index] = values[source[index]].len.next_multiple_of(ALIGNMENT);
            index += 1;
        }
        let (mut neighbours, mut degrees, mut older, mut live) = ([[0; V]; V], [0; V], [0; V], sizes);
        let (mut bound, mut crowd) = (0, 0);
        let mut index = 0;
        while index < V {
            // Live sets only grow when a value is born, and all older ones have been added by now.
            older[index] = degrees[index];
            if live[index] > bound {
                bound = live[index];
            }
            if older[index] + 1 > crowd {
                crowd = older[index] + 1;
            }
            let end = values[source[index]].to;
            let mut other = index + 1;
            while other < V && values[source[other]].from <= end {
                neighbours[index][degrees[index]] = other;
                neighbours[other][degrees[other]] = index;
                degrees[index] += 1;
                degrees[other] += 1;
                live[other] += sizes[index];
                other += 1;
            }
            index += 1;
        }
        Self { source, sizes, neighbours, degrees, older, bound, crowd }
    }

    /// The order of the values, largest first.
    const fn by_size(&self) -> [usize; V] {
        let mut order = [0; V];
        let mut index = 0;
        while index < V {
            let mut slot = index;
            while slot > 0 && self.sizes[order[slot - 1]] < self.sizes[index] {
                order[slot] = order[slot - 1];
                slot -= 1;
            }
            order[slot] = index;
            index += 1;
        }
        order
    }

    /// The size of the arena for these offsets.
    const fn total(&self, offsets: &[usize; V]) -> usize {
        let (mut total, mut index) = (0, 0);
        while index < V {
            let end = offsets[index] + self.sizes[index];
            if end > total {
                total = end;
            }
            index += 1;
        }
        total
    }

    /// The offsets in the caller's order.
    const fn plan(&self, offsets: &[usize; V], total: usize) -> Plan<V> {
        let mut plan = Plan { offsets: [0; V], total };
        let mut index = 0;
        while index < V {
            plan.offsets[self.source[index]] = offsets[index];
            index += 1;
        }
        plan
    }
}

/// At most two values are live at once: each takes the end of the arena that the older one does not.
///
/// At most one older value is live when a value is written, so no two that overlap in time get the same end; and they
/// are a live set, so the low and the high end do not overlap.
const fn two_ends<const V: usize>(values: &Values<V>) -> [usize; V] {
    let mut offsets = [0; V];
    let mut high = [false; V];
    let mut index = 0;
    while index < V {
        high[index] = values.older[index] > 0 && !high[values.neighbours[index][0]];
        if high[index] {
            offsets[index] = values.bound - values.sizes[index];
        }
        index += 1;
    }
    offsets
}

/// Places one value after the other, each at the lowest offset that is free for its whole lifetime.
const fn first_fit<const V: usize>(values: &Values<V>, order: &[usize; V], steps: &mut usize) -> [usize; V] {
    let mut offsets = [NOWHERE; V];
    // For each value, the neighbors that have been placed, lowest first, and how many there are.
    let (mut placed, mut count) = ([[0; V]; V], [0; V]);
    let mut place = 0;
    while place < V {
        let value = order[place];
        let (size, below) = (values.sizes[value], &placed[value]);
        let (mut offset, mut index) = (0, 0);
        while index < count[value] && offsets[below[index]] < offset + size {
            let end = offsets[below[index]] + values.sizes[below[index]];
            if offset < end {
                offset = end;
            }
            index += 1;
        }
        offsets[value] = offset;
        *steps += index;
        let mut index = 0;
        while index < values.degrees[value] {
            let other = values.neighbours[value][index];
            if offsets[other] == NOWHERE {
                let mut slot = count[other];
                while slot > 0 && offsets[placed[other][slot - 1]] > offset {
                    placed[other][slot] = placed[other][slot - 1];
                    slot -= 1;
                }
                *steps += count[other] - slot;
                placed[other][slot] = value;
                count[other] += 1;
            }
            index += 1;
        }
        *steps += index + 1;
        place += 1;
    }
    offsets
}

/// Moves the first value that did not fit to an earlier position in the order.
///
/// Alternately half of the way, three quarters of the way, and to the front: a single rule soon goes in circles.
const fn bring_forward<const V: usize>(values: &Values<V>, offsets: &[usize; V], order: &mut [usize; V], round: usize) {
    let mut place = 0;
    while place < V {
        let value = order[place];
        if offsets[value] + values.sizes[value] > values.bound {
            let to = [place / 2, place / 4, 0][round % 3];
            while place > to {
                order[place] = order[place - 1];
                place -= 1;
            }
            order[to] = value;
            return;
        }
        place += 1;
    }
}

/// Looks for offsets that need less than `total`. The search is exhaustive if the step limit allows it, which it does
/// for a handful of values.
///
/// Among the optimal plans, consider one with the smallest sum of offsets, and visit its values by offset, then by
/// index. Each lies directly on top of the highest of its neighbors so far, or at 0: if there were a gap below, the
/// value could sink into it. So it is enough to enumerate orders and to stack each value on its neighbors so far, with
/// offsets that never decrease. An order is abandoned if
///
/// - the remaining values of one live set do not fit above those that have been placed;
/// - another value would fit entirely below the offset of the next one: if placed later, it could sink, and the sum
///   would not be minimal.
const fn search<const V: usize>(values: &Values<V>, mut best: [usize; V], mut total: usize) -> ([usize; V], usize) {
    let mut offsets = [NOWHERE; V];
    // Indexed by the number of placed values: the offset that each other value would get, the value that is tried next,
    // and the offset it must be below.
    let (mut heights, mut tried, mut ceilings) = ([[0; V]; V], [NOBODY; V], [0; V]);
    let (mut depth, mut steps) = (0, 0);
    while steps < SEARCH_STEPS {
        let height = &heights[depth];
        // The next value comes after this offset and index.
        let mut after = (0, 0);
        if tried[depth] != NOBODY {
            after = (height[tried[depth]], tried[depth] + 1);
            offsets[tried[depth]] = NOWHERE;
        } else {
            if depth > 0 {
                after = (offsets[tried[depth - 1]], tried[depth - 1] + 1);
            }
            ceilings[depth] = ceiling(values, &offsets, height, after.0, total, &mut steps);
        }
        let (mut next, mut value) = (NOBODY, 0);
        while value < V {
            let at = height[value];
            if offsets[value] == NOWHERE
                && at < ceilings[depth]
                && (at > after.0 || at == after.0 && value >= after.1)
                && (next == NOBODY || at < height[next])
            {
                next = value;
            }
            value += 1;
        }
        steps += V;
        tried[depth] = next;
        if next == NOBODY {
            if depth == 0 {
                break;
            }
            depth -= 1;
            continue;
        }
        offsets[next] = height[next];
        if depth + 1 == V {
            let now = values.total(&offsets);
            if now < total {
                (best, total) = (offsets, now);
            }
            if total == values.bound {
                break;
            }
            continue;
        }
        let (top, mut above) = (height[next] + values.sizes[next], *height);
        let mut index = 0;
        while index < values.degrees[next] {
            let other = values.neighbours[next][index];
            if above[other] < top {
                above[other] = top;
            }
            index += 1;
        }
        steps += index;
        depth += 1;
        heights[depth] = above;
    }
    (best, total)
}

/// The lowest end that any of the remaining values can have, below which the next one has to begin; 0 if they cannot
/// all end below `total`. None of them begins below `floor`.
const fn ceiling<const V: usize>(
    values: &Values<V>,
    offsets: &[usize; V],
    height: &[usize; V],
    floor: usize,
    total: usize,
    steps: &mut usize,
) -> usize {
    let (mut lowest_end, mut value) = (NOWHERE, 0);
    while value < V {
        // For the live set at the first step of the value: the total size of its remaining values, and the lowest
        // offset for them.
        let (mut sum, mut low) = (0, NOWHERE);
        if offsets[value] == NOWHERE {
            (sum, low) = (values.sizes[value], height[value]);
            if low + sum < lowest_end {
                lowest_end = low + sum;
            }
        }
        let mut index = 0;
        while index < values.older[value] {
            let other = values.neighbours[value][index];
            if offsets[other] == NOWHERE {
                sum += values.sizes[other];
                if height[other] < low {
                    low = height[other];
                }
            }
            index += 1;
        }
        *steps += index + 1;
        if low < floor {
            low = floor;
        }
        if sum > 0 && low + sum >= total {
            return 0;
        }
        value += 1;
    }
    lowest_end
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::noise::Noise;

    fn below(noise: &mut Noise, bound: u64) -> usize {
        noise.below(bound) as usize
    }

    fn random<const V: usize>(noise: &mut Noise) -> [Life; V] {
        let longest = 1 + below(noise, 5) as u64;
        core::array::from_fn(|_| {
            let from = below(noise, V as u64);
            Life { len: ALIGNMENT * (1 + below(noise, 12)), from, to: from + below(noise, longest) }
        })
    }

    fn overlap_free<const V: usize>(values: &Values<V>, offsets: &[usize; V]) -> bool {
        (0..V).all(|value| {
            let span = |value: usize| (offsets[value], offsets[value] + values.sizes[value]);
            let (start, end) = span(value);
            let mut neighbours = values.neighbours[value][..values.degrees[value]].iter();
            neighbours.all(|other| span(*other).1 <= start || end <= span(*other).0)
        })
    }

    /// The smallest total over all stacking orders; [`search`] explains why that is the optimum.
    fn optimum<const V: usize>(values: &Values<V>) -> usize {
        fn go<const V: usize>(values: &Values<V>, ends: &mut [usize; V], total: usize, best: &mut usize) {
            if total >= *best {
                return;
            }
            if ends.iter().all(|end| *end > 0) {
                *best = total;
            }
            for value in 0..V {
                if ends[value] == 0 {
                    let below = values.neighbours[value][..values.degrees[value]].iter().map(|other| ends[*other]);
                    ends[value] = below.max().unwrap_or(0) + values.sizes[value];
                    go(values, ends, total.max(ends[value]), best);
                    ends[value] = 0;
                }
            }
        }
        let mut best = usize::MAX;
        go(values, &mut [0; V], 0, &mut best);
        best
    }

    #[test]
    fn values_are_sorted_by_birth_and_know_their_neighbours() {
        let life = |len, from, to| Life { len, from, to };
        let values = Values::new(&[life(20, 3, 4), life(1, 0, 3), life(16, 1, 2), life(64, 2, 2)]);
        assert_eq!((values.source, values.sizes), ([1, 2, 3, 0], [16, 16, 64, 32]));
        assert_eq!((values.older, values.degrees), ([0, 1, 2, 1], [3, 2, 2, 1]));
        assert_eq!((values.bound, values.crowd), (16 + 16 + 64, 3));
        assert_eq!(values.by_size(), [2, 3, 0, 1]);
    }

    #[test]
    fn first_fit_never_overlaps_and_uses_gaps() {
        let mut noise = Noise::new(1);
        for _ in 0..500 {
            let values = Values::new(&random::<7>(&mut noise));
            assert!(overlap_free(&values, &first_fit(&values, &values.by_size(), &mut 0)));
        }
        let life = |lines, from, to| Life { len: lines * ALIGNMENT, from, to };
        // The last value fits between the first and the third, where the second is gone.
        let values = Values::new(&[life(1, 0, 3), life(2, 0, 1), life(1, 1, 3), life(2, 2, 3)]);
        let offsets = first_fit(&values, &[0, 1, 2, 3], &mut 0);
        assert_eq!(offsets, [0, 1, 3, 1].map(|line| line * ALIGNMENT));
    }

    #[test]
    fn search_alone_finds_the_optimum() {
        fn check<const V: usize>(cases: usize) {
            let mut noise = Noise::new(V as u64);
            for _ in 0..cases {
                let values = Values::new(&random::<V>(&mut noise));
                let (offsets, total) = search(&values, [0; V], usize::MAX);
                assert!(overlap_free(&values, &offsets), "{:?}", values.sizes);
                assert_eq!((values.total(&offsets), total), (total, optimum(&values)));
                // A plan that is already optimal stays.
                assert_eq!(search(&values, offsets, total), (offsets, total));
            }
        }
        check::<1>(5);
        check::<3>(200);
        check::<5>(200);
        check::<6>(100);
    }

    #[test]
    fn some_optima_are_above_the_largest_live_set() {
        let lives = [(2, 0, 1), (3, 1, 3), (1, 2, 4), (1, 3, 5), (1, 4, 5), (3, 5, 6), (2, 6, 7)]
            .map(|(lines, from, to)| Life { len: lines * ALIGNMENT, from, to });
        let values = Values::new(&lives);
        assert_eq!((values.bound, optimum(&values), plan(&lives).total), (5 * ALIGNMENT, 6 * ALIGNMENT, 6 * ALIGNMENT));
    }
}
