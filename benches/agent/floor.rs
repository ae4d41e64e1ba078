//! The least that any session must do: remember what happened.

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

/// How long it takes to put copies of these into a list that has room for them.
pub(crate) fn remember<T: Clone>(list: &mut Vec<T>, items: &[T]) -> Duration {
    list.clear();
    list.reserve(items.len());
    let begin = Instant::now();
    list.extend_from_slice(black_box(items));
    let took = begin.elapsed();
    black_box(&*list);
    took
}
