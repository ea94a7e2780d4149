//! `add`, `multiply` and `concat` of values.

use proc_macro2::Span;
use quote::quote;
use syn::spanned::Spanned;
use syn::{Expr, Ident};

use crate::builder::Builder;
use crate::graph::{Capabilities, Dim, Op, Shape, ValueId};
use crate::shapes;
use crate::words::text as written;

impl Builder<'_> {
    /// Adds the nodes that combine the values; more than two are added or multiplied one after another.
    pub(crate) fn combine(
        &mut self,
        keyword: &Ident,
        name: Option<&Ident>,
        axis: Option<&Expr>,
        values: Vec<ValueId>,
    ) -> ValueId {
        let (kind, text) = match keyword.to_string().as_str() {
            "add" => ("add", "Add"),
            "multiply" => ("multiply", "Multiply"),
            _ => ("concat", "Concat"),
        };
        let name = written(&self.names.next(kind, name, keyword.span()));
        if values.len() < 2 {
            self.errors.at(keyword.span(), format!("{name}: takes at least two values"));
            return self.value(Shape::Unknown, name);
        }
        if values.iter().any(|value| self.numbers(keyword.span(), &name, *value).is_none()) {
            return self.value(Shape::Unknown, name);
        }
        if kind == "concat" {
            let (axis, shape) = self.joined(keyword.span(), &name, axis, &values);
            return self.fieldless_node(Op::Concat(axis), name, text, values, shape);
        }
        if let Some(axis) = axis {
            self.errors.at(axis.span(), format!("{name} works number by number and takes no axis"));
        }
        let op = if kind == "add" { Op::Add } else { Op::Multiply };
        let mut sum = values[0];
        for (index, &value) in values.iter().enumerate().skip(1) {
            let value = match self.broadcast(sum, value) {
                Some(common) => {
                    sum = self.expanded(keyword.span(), sum, &common);
                    self.expanded(keyword.span(), value, &common)
                }
                None => value,
            };
            let shape = self.equal(keyword.span(), &name, sum, value);
            let name = if index + 1 == values.len() { name.clone() } else { format!("{name}_{index}") };
            sum = self.fieldless_node(op.clone(), name, text, vec![sum, value], shape);
        }
        sum
    }

    /// The shape that two values have after each is copied along the axes that it lacks or that have size 1; `None` if
    /// there is no such shape.
    fn broadcast(&self, a: ValueId, b: ValueId) -> Option<Vec<Dim>> {
        let (Shape::Known(a), Shape::Known(b)) = (&self.values[a].shape, &self.values[b].shape) else { return None };
        let rank = a.len().max(b.len());
        let axis = |shape: &[Dim], axis: usize| {
            (axis + shape.len()).checked_sub(rank).map_or(Dim::Literal(1), |axis| shape[axis].clone())
        };
        let common = (0..rank).map(|at| match (axis(a, at), axis(b, at)) {
            (Dim::Literal(1), other) | (other, Dim::Literal(1)) => Some(other),
            (one, other) => (one.tokens().to_string() == other.tokens().to_string()).then_some(one),
        });
        if rank > 3 { None } else { common.collect() }
    }

    /// The value, copied to this shape if it has another.
    fn expanded(&mut self, span: Span, value: ValueId, shape: &[Dim]) -> ValueId {
        let (from, to) = (self.values[value].shape.clone(), Shape::Known(shape.to_vec()));
        let text = |shape: &Shape| shape.slice(&self.scalar).to_string();
        if text(&from) == text(&to) {
            return value;
        }
        let (x, y) = (self.ty(value), to.ty(&self.scalar));
        let name = self.names.next("expand", None, span);
        let field = Some((name.clone(), quote!(::monomorph::layers::Expand<#x, #y>)));
        let output = self.node(Op::Layer(Capabilities::NONE), field, (name.to_string(), "Expand"), value, to);
        self.locate(output, span);
        output
    }

    /// The common shape of two values; reports shapes that differ.
    fn equal(&mut self, span: Span, name: &str, a: ValueId, b: ValueId) -> Shape {
        let (a, b) = (&self.values[a], &self.values[b]);
        let (x, y) = (a.source.clone(), b.source.clone());
        let (first, second) = (a.shape.clone(), b.shape.clone());
        let now = |p: &[usize], q: &[usize]| shapes::alike(name, &x, p, &y, q).err();
        let later = |p, q| quote!(::monomorph::shapes::alike(#name, #x, #p, #y, #q));
        match self.compare(span, [&first, &second], now, later) {
            Some(false) => return Shape::Unknown,
            Some(true) => {}
            _ if matches!(first, Shape::Unknown) || matches!(second, Shape::Unknown) => return Shape::Unknown,
            // Only the compiler can compare the types.
            _ if matches!(first, Shape::Opaque(_)) || matches!(second, Shape::Opaque(_)) => {}
            _ => self.same_parameters(span, name, (&x, &first), (&y, &second)),
        }
        first
    }

    /// Reports shapes with const parameters that differ; a parameter is equal only to itself.
    fn same_parameters(&mut self, span: Span, name: &str, (x, first): (&str, &Shape), (y, second): (&str, &Shape)) {
        let (p, q) = (first.text(), second.text());
        if p != q {
            self.errors.at(span, format!("{name}: {x} gives {p}, but {y} gives {q}; they must be alike"));
        }
    }

    /// The axis and the shape of concatenated values; reports shapes that do not fit together.
    fn joined(&mut self, span: Span, name: &str, axis: Option<&Expr>, values: &[ValueId]) -> (usize, Shape) {
        const UNKNOWN: (usize, Shape) = (0, Shape::Unknown);
        let mut all = Vec::new();
        for &value in values {
            match &self.values[value].shape {
                Shape::Unknown => return UNKNOWN,
                shape => all.push((self.values[value].source.clone(), shape.clone())),
            }
        }
        // Only the type of a user-defined layer's output is known, so its rank is assumed to be that of the other
        // values; a const item checks it.
        let ranks = |(_, shape): &(String, Shape)| if let Shape::Known(dims) = shape { Some(dims.len()) } else { None };
        let rank = all.iter().find_map(ranks).unwrap_or(1);
        let axis = match axis.map(|axis| (axis.span(), self.number(name, "axis", axis))) {
            None => rank - 1,
            Some((_, Some(Dim::Literal(axis)))) if axis < rank => axis,
            Some((span, Some(_))) => {
                self.errors.at(span, format!("{name}: axis is 0 to {}", rank - 1));
                return UNKNOWN;
            }
            Some((_, None)) => return UNKNOWN,
        };
        for (source, shape) in &mut all {
            if let Shape::Opaque(ty) = &*shape {
                let takes = format!("values of rank {rank}");
                match self.opaque_sizes(span, name, &takes, rank, source, ty) {
                    Some(dims) => *shape = Shape::Known(dims),
                    None => return UNKNOWN,
                }
            }
        }
        let first = &all[0];
        let mut width: Option<Dim> = None;
        for (source, shape) in &all {
            if let (Some(p), Some(q)) = (first.1.literals(), shape.literals()) {
                if let Err(text) = shapes::beside(name, &first.0, &p, source, &q, axis) {
                    self.errors.at(span, text.as_str());
                    return UNKNOWN;
                }
            } else if self.is_constant(&first.1) && self.is_constant(shape) {
                let (x, p, q) = (&first.0, first.1.slice(&self.scalar), shape.slice(&self.scalar));
                self.check(span, quote!(::monomorph::shapes::beside(#name, #x, #p, #source, #q, #axis)));
            } else {
                let message =
                    format!("{name} adds up a parameter of the network, which stable Rust cannot; make it a constant");
                self.errors.at(span, message);
                return UNKNOWN;
            }
            let Shape::Known(dims) = shape else { continue };
            let own = dims[axis].clone();
            width = Some(match (width, own) {
                (None, own) => own,
                (Some(Dim::Literal(a)), Dim::Literal(b)) => Dim::Literal(a + b),
                (Some(a), b) => {
                    let (a, b) = (a.tokens(), b.tokens());
                    Dim::Constant(quote!((#a) + (#b)))
                }
            });
        }
        let Some(width) = width else { return UNKNOWN };
        let Shape::Known(mut dims) = first.1.clone() else { return UNKNOWN };
        dims[axis] = width;
        (axis, Shape::Known(dims))
    }
}
