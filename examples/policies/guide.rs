//! The guide of the library, and which of its sections answers a question.

/// The text of the guide: the documentation in its source.
const SOURCE: &str = include_str!("../../async-tool-runtime/src/guide.rs");
/// Words shorter than this are in every question, and so are these.
const SHORTEST: usize = 4;
const COMMON: [&str; 6] = ["does", "have", "that", "there", "what", "when"];
/// How much more a word counts in a heading than in the text.
const HEADING: f64 = 3.0;

struct Section {
    heading: String,
    /// In lower case, as is `words`.
    title: String,
    words: String,
}

/// The heading of the section that has most of the question's words, of which rare ones count more; `None` if it has none of them.
pub(crate) fn find_section(question: &str) -> Option<String> {
    best(&sections(SOURCE), question)
}

fn sections(source: &str) -> Vec<Section> {
    let text: String = source
        .lines()
        .map_while(|line| line.strip_prefix("//!"))
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
            // The inverse document frequency, smoothed so that it is above 0.
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
            Some("Progress")
        );
    }
}
