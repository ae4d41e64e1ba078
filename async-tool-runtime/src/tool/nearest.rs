//! Suggestions for misspelt names.

/// Candidate nearest to `word`, if at most a third of its letters differ.
pub(crate) fn nearest<'a>(word: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    // Names have at most 64 characters, and the comparison takes quadratic time.
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
