//! The derives.

mod attributes;
pub(crate) mod parameters;
pub(crate) mod plain;
