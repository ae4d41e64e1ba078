//! A search for the section of the library's guide that answers a question.

/// Source of the guide, whose documentation is its text.
const SOURCE: &str = include_str!("../../async-tool-runtime/src/guide.rs");
/// Minimum length of a word that counts; shorter words are in every question.
const SHORTEST: usize = 4;
/// Longer words that don't count, because they are in every question too.
const COMMON: [&str; 6] = ["does", "have", "that", "there", "what", "when"];
/// Weight of a word in a heading; its weight in the text is 1.
const HEADING: f64 = 3.0;

struct Section {
    heading: String,
    /// Heading in lower case; `words` is in lower case too.
    title: String,
    words: String,
}

/// Heading of the section that best matches the words of the question; `None` if no section has any of them. Rare words count more.
pub(crate) fn find_section(question: &str) -> Option<String> {
    best(&sections(SOURCE), question)
}

fn sections(source: &str) -> Vec<Section> {
    let mut is_code = false;
    let text: String = source
        .lines()
        .map_while(|line| line.strip_prefix("//!"))
        // Hidden lines of code begin like headings.
        .filter(|line| {
            is_code ^= line.trim_start().starts_with("```");
            !is_code
        })
        .map(|line| format!("{}\n", line.trim_start()))
        .collect();
    let parts = text.split("\n# ").skip(1);
    parts
        .map(|part| {
            let (heading, words) = part.split_once('\n').unwrap_or((part, ""));
            Section {
                heading: heading.to_owned(),
                title: heading.to_lowercase(),
                words: words.to_lowercase(),
            }
        })
        .collect()
}

fn best(sections: &[Section], question: &str) -> Option<String> {
    let question = question.to_lowercase();
    let words = question.split(|letter: char| !letter.is_alphanumeric());
    let words: Vec<(&str, f64)> = words
        .filter(|word| word.len() >= SHORTEST && !COMMON.contains(word))
        .map(|word| {
            let having = sections.iter().filter(|section| section.words.contains(word)).count();
            // Inverse document frequency, smoothed so that it is above 0.
            (word, (sections.len() as f64 / (having as f64 + 0.5)).ln_1p())
        })
        .collect();
    let score = |section: &Section| -> f64 {
        let part = |(word, weight): &(&str, f64)| {
            let in_title = if section.title.contains(word) { HEADING } else { 0.0 };
            let in_text = if section.words.contains(word) { 1.0 } else { 0.0 };
            weight * (in_title + in_text)
        };
        words.iter().map(part).sum()
    };
    let scored = sections.iter().map(|section| (score(section), section));
    let (score, section) = scored.max_by(|(one, _), (other, _)| one.total_cmp(other))?;
    (score > 0.0).then(|| section.heading.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    const GUIDE: &str = "//! Intro.\n//!\n//! # Stopping\n//!\n//! A task can be told to stop.\n//!\n//! ```\n//! # hidden\n//! ```\n//!\n//! # Errors\n//!\n//! Return an error of a task.\nfn f() {}\n";

    #[test]
    fn a_question_finds_the_section_that_has_its_words() {
        let sections = sections(GUIDE);
        assert_eq!(best(&sections, "How do I stop it?").as_deref(), Some("Stopping"));
        assert_eq!(best(&sections, "What if a task has errors?").as_deref(), Some("Errors"));
        assert_eq!(best(&sections, "Why?"), None);
    }

    #[test]
    fn the_real_guide_has_sections() {
        assert_eq!(
            find_section("How does a tool report progress?").as_deref(),
            Some("Report progress")
        );
    }
}
