//! The least work of any session: keeping its inputs.

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

/// Time to copy items into a list with enough capacity.
pub(crate) fn remember<T: Clone>(list: &mut Vec<T>, items: &[T]) -> Duration {
    list.clear();
    list.reserve(items.len());
    let begin = Instant::now();
    list.extend_from_slice(black_box(items));
    let took = begin.elapsed();
    black_box(&*list);
    took
}
