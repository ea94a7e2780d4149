//! Criterion's settings.

use std::time::Duration;

use criterion::Criterion;

/// Short enough for all layers, or all networks, to take a few minutes.
pub fn settings() -> Criterion {
    Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_millis(800))
        .nresamples(10_000)
}
