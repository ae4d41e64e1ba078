//! Requests for vectors, and their answers, in the formats of the providers. Pure.

use serde_json::{Value, json};

use crate::{
    Provider,
    request::{Sent, encoded},
};

/// Format of embedding calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// OpenAI's `embeddings`, which most servers speak.
    OpenAi,
    /// Google's `batchEmbedContents`.
    Gemini,
    /// Ollama's `api/embed`.
    Ollama,
    /// Amazon's Titan on Bedrock.
    Titan,
    /// Cohere's models on Bedrock.
    Cohere,
}

impl Format {
    /// The format of a model; `None` if the provider has no embedding models, or their format is unknown.
    pub(super) fn of(provider: Provider, model: &str) -> Option<Self> {
        match provider {
            Provider::Gemini => Some(Self::Gemini),
            Provider::Ollama => Some(Self::Ollama),
            Provider::Bedrock if model.contains("titan-embed") => Some(Self::Titan),
            Provider::Bedrock if model.contains("cohere.embed") => Some(Self::Cohere),
            Provider::Bedrock | Provider::Vertex | Provider::Anthropic | Provider::MiniMax => None,
            _ => Some(Self::OpenAi),
        }
    }

    /// Most texts of one request.
    pub(super) const fn most_texts(self) -> usize {
        match self {
            Self::Titan => 1,
            Self::Cohere => 96,
            Self::OpenAi | Self::Gemini | Self::Ollama => 100,
        }
    }

    pub(super) fn request(self, model: &str, texts: &[&str], dimensions: Option<u32>) -> Sent {
        let (path, mut body, name_of_dimensions) = match self {
            Self::OpenAi => (
                "embeddings".to_owned(),
                json!({"model": model, "input": texts}),
                "dimensions",
            ),
            Self::Gemini => {
                let model = model.strip_prefix("models/").unwrap_or(model);
                let requests = texts.iter().map(|text| {
                    let mut request =
                        json!({"model": format!("models/{model}"), "content": {"parts": [{"text": text}]}});
                    if let Some(dimensions) = dimensions {
                        request["outputDimensionality"] = json!(dimensions);
                    }
                    request
                });
                let body = json!({"requests": requests.collect::<Vec<_>>()});
                return Sent {
                    path: format!("models/{model}:batchEmbedContents"),
                    body,
                };
            }
            // Without the flag, the end of a long text would be ignored, and two texts with the same beginning be equal.
            Self::Ollama => (
                "api/embed".to_owned(),
                json!({"model": model, "input": texts, "truncate": false}),
                "dimensions",
            ),
            Self::Titan => (invoke(model), json!({"inputText": texts.concat()}), "dimensions"),
            Self::Cohere => (
                invoke(model),
                json!({"texts": texts, "input_type": "clustering", "truncate": "NONE"}),
                "output_dimension",
            ),
        };
        if let Some(dimensions) = dimensions {
            body[name_of_dimensions] = json!(dimensions);
        }
        Sent { path, body }
    }

    /// Vectors of an answer in the order of the texts, or what is wrong with it.
    pub(super) fn vectors(self, answer: &Value, texts: usize) -> Result<Vec<Vec<f32>>, String> {
        let list = match self {
            Self::OpenAi => &answer["data"],
            // Cohere's newer models tell the type of the numbers.
            Self::Cohere if answer["embeddings"].is_object() => &answer["embeddings"]["float"],
            Self::Gemini | Self::Ollama | Self::Cohere => &answer["embeddings"],
            Self::Titan => return one(&answer["embedding"]).map(|vector| vec![vector]),
        };
        let list = list.as_array().ok_or("it has no list of vectors")?;
        if list.len() != texts {
            return Err(format!("it has {} vectors for {texts} texts", list.len()));
        }
        let mut vectors = vec![Vec::new(); texts];
        for (place, entry) in list.iter().enumerate() {
            let (place, numbers) = match self {
                Self::OpenAi => (index(entry).unwrap_or(place), &entry["embedding"]),
                Self::Gemini => (place, &entry["values"]),
                Self::Ollama | Self::Titan | Self::Cohere => (place, entry),
            };
            let free = vectors.get_mut(place).filter(|vector| vector.is_empty());
            *free.ok_or_else(|| format!("it has no place for vector {place}"))? = one(numbers)?;
        }
        Ok(vectors)
    }
}

/// Position of the text, as OpenAI's format tells it.
fn index(entry: &Value) -> Option<usize> {
    entry["index"].as_u64().and_then(|index| index.try_into().ok())
}

fn one(numbers: &Value) -> Result<Vec<f32>, String> {
    let numbers = numbers.as_array().filter(|numbers| !numbers.is_empty());
    let numbers = numbers.ok_or("a vector is missing or empty")?;
    let vector: Option<Vec<f32>> = numbers
        .iter()
        .map(|number| number.as_f64().map(|number| number as f32))
        .collect();
    vector.ok_or_else(|| "a vector holds something else than numbers".to_owned())
}

fn invoke(model: &str) -> String {
    format!("model/{}/invoke", encoded(model))
}
