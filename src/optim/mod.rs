//! To come.
mod adagrad;
mod adam;
mod rmsprop;
mod schedule;
mod sgd;

pub use adagrad::*;
pub use adam::*;
pub use rmsprop::*;
pub use schedule::*;
pub use sgd::*;
