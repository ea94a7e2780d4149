//! The triangular factor of a least-squares problem, to which rows are added in blocks.

/// `x²`.
pub(super) fn squared(x: f64) -> f64 {
    x * x
}

/// The rows of a block.
const ROWS: usize = 32;
/// As many numbers as are computed with together.
const LANES: usize = 8;

/// A column of a block, in parts of `LANES` numbers.
type Column = [[f64; LANES]; ROWS / LANES];

/// `min ‖R h − b‖²` with an upper triangle `R`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Triangle<const P: usize> {
    /// `R`, by rows.
    factor: [[f64; P]; P],
    /// `b`.
    right: [f64; P],
}

/// A triangle and the rows that are still to be added to it.
pub(super) struct Growing<const P: usize> {
    triangle: Triangle<P>,
    columns: [Column; P],
    right: Column,
    /// How many rows there are.
    rows: usize,
}

impl<const P: usize> Growing<P> {
    /// A problem without rows.
    pub(super) fn new() -> Self {
        let column = [[0.0; LANES]; ROWS / LANES];
        Self { triangle: Triangle::new(), columns: [column; P], right: column, rows: 0 }
    }

    /// Adds the row `row · h = right`.
    #[inline]
    pub(super) fn add(&mut self, row: &[f64; P], right: f64) {
        if self.rows == ROWS {
            self.reflect();
        }
        let (part, lane) = (self.rows / LANES, self.rows % LANES);
        for (column, entry) in self.columns.iter_mut().zip(row) {
            column[part][lane] = *entry;
        }
        self.right[part][lane] = right;
        self.rows += 1;
    }

    /// The triangle of all rows.
    pub(super) fn finish(mut self) -> Triangle<P> {
        self.reflect();
        self.triangle
    }

    /// Adds the rows of the block to the triangle, by reflections of Householder.
    fn reflect(&mut self) {
        let Self { triangle: Triangle { factor, right: top_right }, columns, right, rows } = self;
        // Of a part that is not full, what is left is 0.
        let parts = rows.div_ceil(LANES);
        for row in *rows..parts * LANES {
            let (part, lane) = (row / LANES, row % LANES);
            columns.iter_mut().for_each(|column| column[part][lane] = 0.0);
            right[part][lane] = 0.0;
        }
        *rows = 0;
        for index in 0..P {
            let Some((mirror, rest)) = columns.get_mut(index..).and_then(<[Column]>::split_first_mut) else { return };
            let mirror = &*mirror;
            let below = dot(mirror, mirror, parts);
            if below == 0.0 {
                continue;
            }
            let (row, b) = (&mut factor[index], &mut top_right[index]);
            let pivot = row[index];
            let norm = libm::sqrt(pivot * pivot + below);
            // The sign that loses no digits.
            let reflected = if pivot > 0.0 { -norm } else { norm };
            let top = pivot - reflected;
            // 2/‖v‖² for v = (top, mirror).
            let scale = 1.0 / (norm * (norm + pivot.abs()));
            row[index] = reflected;
            let apply = |above: &mut f64, column: &mut Column| {
                let along = scale * (top * *above + dot(mirror, column, parts));
                *above -= along * top;
                for (part, mirror) in column.iter_mut().zip(mirror).take(parts) {
                    for (entry, mirror) in part.iter_mut().zip(mirror) {
                        *entry -= along * mirror;
                    }
                }
            };
            for (above, column) in row.iter_mut().skip(index + 1).zip(rest) {
                apply(above, column);
            }
            apply(b, right);
        }
    }
}

/// `a · b` over the first parts.
#[inline]
fn dot(a: &Column, b: &Column, parts: usize) -> f64 {
    let mut sums = [0.0; LANES];
    for (a, b) in a.iter().zip(b).take(parts) {
        for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
            *sum += a * b;
        }
    }
    sums.iter().sum()
}

impl<const P: usize> Triangle<P> {
    /// A problem without rows.
    fn new() -> Self {
        Self { factor: [[0.0; P]; P], right: [0.0; P] }
    }

    /// Adds a row `row · h = 0`, which is 0 before `from`, by rotations of Givens.
    fn add(&mut self, mut row: [f64; P], from: usize) {
        let mut right = 0.0;
        for (index, (factor, b)) in self.factor.iter_mut().zip(&mut self.right).enumerate().skip(from) {
            if row[index] == 0.0 {
                continue;
            }
            let length = libm::sqrt(squared(factor[index]) + squared(row[index]));
            let (c, s) = (factor[index] / length, row[index] / length);
            for (upper, lower) in factor.iter_mut().zip(&mut row).skip(index) {
                (*upper, *lower) = (c * *upper + s * *lower, c * *lower - s * *upper);
            }
            (*b, right) = (c * *b + s * right, c * right - s * *b);
        }
    }

    /// The same problem with a row `diagonal[i] · h[i] = 0` for each unknown.
    pub(super) fn damped(&self, diagonal: &[f64; P]) -> Self {
        let mut damped = *self;
        for (index, entry) in diagonal.iter().enumerate() {
            let mut row = [0.0; P];
            row[index] = *entry;
            damped.add(row, index);
        }
        damped
    }

    /// The solution; unknowns that no row determines are 0.
    pub(super) fn solve(&self) -> [f64; P] {
        self.back(&self.right)
    }

    /// The solution of `R h = b`.
    fn back(&self, b: &[f64; P]) -> [f64; P] {
        let mut h = [0.0; P];
        for index in (0..P).rev() {
            let known: f64 = (index + 1..P).map(|other| self.factor[index][other] * h[other]).sum();
            let pivot = self.factor[index][index];
            h[index] = if pivot == 0.0 { 0.0 } else { (b[index] - known) / pivot };
        }
        h
    }

    /// The solution of `RᵀR h = g`.
    pub(super) fn solve_normal(&self, g: &[f64; P]) -> [f64; P] {
        let mut b = [0.0; P];
        for index in 0..P {
            let known: f64 = (0..index).map(|other| self.factor[other][index] * b[other]).sum();
            let pivot = self.factor[index][index];
            b[index] = if pivot == 0.0 { 0.0 } else { (g[index] - known) / pivot };
        }
        self.back(&b)
    }

    /// `R h`.
    pub(super) fn times(&self, h: &[f64; P]) -> [f64; P] {
        core::array::from_fn(|row| (row..P).map(|column| self.factor[row][column] * h[column]).sum())
    }

    /// The norms of the columns, which are those of all rows that were added.
    pub(super) fn columns(&self) -> [f64; P] {
        core::array::from_fn(|column| libm::sqrt((0..=column).map(|row| squared(self.factor[row][column])).sum()))
    }

    /// `R⁻¹`; infinite where there is none.
    pub(super) fn inverse(&self) -> [[f64; P]; P] {
        let mut inverse = [[0.0; P]; P];
        for column in 0..P {
            let mut unit = Self { right: [0.0; P], ..*self };
            unit.right[column] = 1.0;
            for row in (0..P).rev() {
                let known: f64 = (row + 1..P).map(|other| self.factor[row][other] * inverse[other][column]).sum();
                inverse[row][column] = (unit.right[row] - known) / self.factor[row][row];
            }
        }
        inverse
    }
}
