//! One test for each invariant.
