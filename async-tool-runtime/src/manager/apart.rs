//! Memory that one thread writes while others write what is beside it.

use std::ops::Deref;

/// A value with nothing beside it.
///
/// Processors pass memory to and fro in lines of 64 bytes, and fetch those in pairs: threads that write to different things in one pair
/// wait for each other.
#[derive(Default)]
#[repr(align(128))]
pub(super) struct Apart<T>(pub(super) T);

impl<T> Deref for Apart<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}
