//! An embedder without a model.

use std::{error::Error, future::ready};

use async_tool_runtime::{future::BoxFuture, policy::Embedder};

/// Length of the vectors. A short text has some dozens of features, so few of them share an index.
const DIMENSIONS: usize = 512;
/// Words up to this length ("how", "do", "the") are in every question and say little about its topic.
const SHORT: usize = 3;

/// Embedder that counts words and groups of three letters, at indices of the vector that come from a hash.
///
/// It needs no weights and no network, and is deterministic. But it compares letters, not meaning:
///
/// - A rewording with the same words is near; a rewording with the same stems is half as near.
/// - "stop a job" is far from "cancel a running task", though both mean the same.
/// - "turn it on" is near "turn it off", though they are opposites.
///
/// For synonyms and opposites, take an embedding model, such as `GenaiEmbedder` of async-tool-genai.
#[derive(Clone, Copy, Debug, Default)]
pub struct WordHasher;

impl WordHasher {
    /// Vector of a text; all zero if the text has no word.
    #[must_use]
    pub fn vector(self, text: &str) -> Vec<f32> {
        let mut vector = vec![0.0; DIMENSIONS];
        let mut add = |feature: &str, weight: f32| {
            let hash = fnv1a(feature);
            // From a bit that doesn't affect the index: features at the same index cancel each other as often as they add up.
            let sign = if hash >> 63 == 0 { 1.0 } else { -1.0 };
            vector[hash as usize % DIMENSIONS] += sign * weight;
        };
        for word in text.to_lowercase().split(|letter: char| !letter.is_alphanumeric()) {
            let letters: Vec<char> = word.chars().collect();
            match letters.len() {
                0 => {}
                1..=SHORT => add(word, 0.2),
                count => {
                    add(word, 1.0);
                    // Without this weight, a long word would count more than a short one.
                    let weight = 1.5 / (count as f32).sqrt();
                    let padded: Vec<char> = [' '].into_iter().chain(letters).collect();
                    for three in padded.windows(3) {
                        add(&three.iter().collect::<String>(), weight);
                    }
                }
            }
        }
        vector
    }

    /// Similarity of two texts: the cosine of the angle between their vectors; 0 if one has no word.
    #[must_use]
    pub fn similarity(self, one: &str, other: &str) -> f32 {
        similarity(&self.vector(one), &self.vector(other))
    }
}

/// Similarity of two vectors of the same length: the cosine of the angle between them; 0 if one is all zero.
#[must_use]
pub fn similarity(one: &[f32], other: &[f32]) -> f32 {
    let product = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(x, y)| x * y).sum::<f32>();
    let lengths = (product(one, one) * product(other, other)).sqrt();
    if lengths > 0.0 {
        product(one, other) / lengths
    } else {
        0.0
    }
}

impl Embedder for WordHasher {
    fn embed<'a>(&'a self, text: &'a str) -> BoxFuture<'a, Result<Vec<f32>, Box<dyn Error + Send + Sync>>> {
        Box::pin(ready(Ok(self.vector(text))))
    }
}

/// FNV-1a with 64 bits (Fowler, Noll, Vo; RFC 9923). The hashers of std may change between releases.
fn fnv1a(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rewording_is_nearer_than_another_question_of_the_same_form() {
        let question = "How do I cancel a running task?";
        let near = |other| WordHasher.similarity(question, other);
        assert!((near(question) - 1.0).abs() < 1e-5);
        let reworded = near("How can I cancel a task that is running?");
        let other = near("How do I describe an argument?");
        assert!(reworded > 0.75 && other < 0.4, "{reworded} {other}");
        let stems = WordHasher.similarity("cancelled tasks", "cancelling a task");
        assert!((0.4..0.7).contains(&stems), "{stems}");
    }

    #[test]
    fn it_is_wrong_about_synonyms_and_opposites_as_documented() {
        let synonym = WordHasher.similarity("cancel a running task", "stop a job");
        assert!(synonym < 0.4, "{synonym}");
        let opposite = WordHasher.similarity("Please turn it on", "Please turn it off");
        assert!(opposite > 0.9, "{opposite}");
    }

    #[test]
    fn a_text_without_words_is_near_nothing() {
        assert_eq!(WordHasher.similarity("?!", "?!"), 0.0);
    }

    /// Test vectors of the algorithm's authors.
    #[test]
    fn the_hash_is_the_one_of_its_authors() {
        assert_eq!(fnv1a(""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv1a("foobar"), 0x8594_4171_f739_67e8);
    }
}
