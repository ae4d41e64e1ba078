//! Slips of the pen in names.

/// The candidate nearest to `word`, if at most a third of its letters differ.
pub(crate) fn nearest<'a>(word: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    // Names are at most 64 letters; the comparison takes the square of the length.
    if word.len() > 64 {
        return None;
    }
    let limit = word.chars().count().div_ceil(3);
    candidates
        .map(|candidate| (strsim::damerau_levenshtein(word, candidate), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min()
        .map(|(_, candidate)| candidate)
}
