//! Vectors of texts, without a model.

use std::{error::Error, future::ready};

use async_tool_runtime::{future::BoxFuture, policy::Embedder};

/// How long the vectors are. A short text has some dozens of features, so that few of them share a place.
const DIMENSIONS: usize = 512;
/// Words this short ("how", "do", "the") are in every question and say little of what it is about.
const SHORT: usize = 3;

/// Counts the words of a text and the groups of three letters in them, each in the place of the vector that its hash names.
///
/// No weights, no network, always the same. So it knows letters, not meaning: a rewording that keeps the words is near, and one
/// that keeps their stems half as near; "stop a job" is far from "cancel a running task", though it means the same; and "turn it on" is near "turn it off",
/// though it doesn't. For synonyms and opposites, put a model's embeddings behind the same trait.
#[derive(Clone, Copy, Debug, Default)]
pub struct WordHasher;

impl WordHasher {
    /// The vector of a text; all zero if it has no word.
    #[must_use]
    pub fn vector(self, text: &str) -> Vec<f32> {
        let mut vector = vec![0.0; DIMENSIONS];
        let mut add = |feature: &str, weight: f32| {
            let hash = fnv1a(feature);
            // A bit that the place doesn't depend on: features that fall together cancel each other as often as they add up.
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
                    // Weighed so that a long word is not worth more than a short one.
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

    /// How near two texts are: the cosine of the angle between their vectors; 0 if one has no word.
    #[must_use]
    pub fn similarity(self, one: &str, other: &str) -> f32 {
        let (one, other) = (self.vector(one), self.vector(other));
        let product = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(x, y)| x * y).sum::<f32>();
        let lengths = (product(&one, &one) * product(&other, &other)).sqrt();
        if lengths > 0.0 {
            product(&one, &other) / lengths
        } else {
            0.0
        }
    }
}

impl Embedder for WordHasher {
    fn embed<'a>(&'a self, text: &'a str) -> BoxFuture<'a, Result<Vec<f32>, Box<dyn Error + Send + Sync>>> {
        Box::pin(ready(Ok(self.vector(text))))
    }
}

/// FNV-1a in 64 bits (Fowler, Noll, Vo; RFC 9923): std's hashers may change from release to release.
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

    /// The test vectors of the algorithm's authors.
    #[test]
    fn the_hash_is_the_one_of_its_authors() {
        assert_eq!(fnv1a(""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv1a("foobar"), 0x8594_4171_f739_67e8);
    }
}
