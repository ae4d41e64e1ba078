//! Items with images and files in them.

use async_tool_runtime::{
    content::{Media, MediaKind},
    context::{Answer, SaidPart},
};
use serde_json::{Value, json};

use super::Rules;

/// A message of the user; `None` without any part.
pub(super) fn user(said: &[SaidPart<'_>]) -> Option<Value> {
    let content = match said {
        [] => return None,
        [SaidPart::Text(text)] => json!(text),
        parts => parts
            .iter()
            .filter_map(|part| match part {
                SaidPart::Text(text) => Some(json!({"type": "input_text", "text": text})),
                SaidPart::Media(media) => Some(part_of(media)),
                _ => None,
            })
            .collect(),
    };
    Some(json!({"type": "message", "role": "user", "content": content}))
}

/// The output of a call: a list of parts if the answer has images or files, otherwise its text
/// ([guide](https://platform.openai.com/docs/guides/function-calling)).
pub(super) fn output(call: &str, answer: &Answer, rules: &Rules) -> Value {
    let (media, note) = answer.shown_media(&rules.media);
    let mut output = super::output(call, &answer.to_model_json());
    if let (Some(note), Value::String(text)) = (note, &mut output["output"]) {
        text.push('\n');
        text.push_str(&note);
    }
    if !media.is_empty() {
        let text = json!({"type": "input_text", "text": output["output"].take()});
        output["output"] = [text].into_iter().chain(media.into_iter().map(part_of)).collect();
    }
    output
}

fn part_of(media: &Media) -> Value {
    let data = || {
        let data = media.to_base64().unwrap_or_default();
        format!("data:{};base64,{data}", media.essence())
    };
    match (media.kind(), media.as_url()) {
        (MediaKind::Image, url) => {
            json!({"type": "input_image", "detail": "auto", "image_url": url.map_or_else(data, str::to_owned)})
        }
        (_, Some(url)) => json!({"type": "input_file", "file_url": url}),
        (_, None) => {
            let ending = media.essence().rsplit('/').next().unwrap_or_default();
            let name = media.name().map_or_else(|| format!("file.{ending}"), str::to_owned);
            json!({"type": "input_file", "filename": name, "file_data": data()})
        }
    }
}
