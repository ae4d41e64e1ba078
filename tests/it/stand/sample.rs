//! Sizes of explorations: complete, or a sample.

/// True if explorations are complete: `EXPLORE=all`, as before a release. Otherwise they are samples, the same in every run.
pub(crate) fn is_complete() -> bool {
    std::env::var_os("EXPLORE").is_some_and(|asked| asked == "all")
}

/// Number of cases to play of this many: all of them, or a sixth in a sample.
pub(crate) fn sample_of(cases: u64) -> u64 {
    if is_complete() { cases } else { cases.div_ceil(6) }
}
