//! Media in JSON values.

use serde_json::{Map, Value};

use super::{Media, MediaSource, stored::MARK};

/// Takes the media out of a value, and leaves a description of each: its place in the list, its type, its name and its size.
///
/// Input: `{"chart": {"$media": {"type": "image/png", "data": "…"}}}`.
/// Output: `{"chart": {"media": 1, "type": "image/png", "bytes": 12345}}`.
pub(crate) fn take_media(value: &mut Value) -> Vec<Media> {
    let mut taken = Vec::new();
    take(value, &mut taken);
    taken
}

fn take(value: &mut Value, taken: &mut Vec<Media>) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| take(item, taken)),
        Value::Object(fields) => {
            let marked = fields.get(MARK).filter(|_| fields.len() == 1);
            // A value that only looks like media stays what it is.
            if let Some(media) = marked.and_then(|marked| Media::of_stored(marked).ok()) {
                // The names of a journal are not for tools: a value of others could ask for bytes of the session.
                let media = match media.source() {
                    MediaSource::Blob { .. } => media.withheld(),
                    _ => media,
                };
                *value = described(&media, taken.len() + 1);
                taken.push(media);
            } else {
                fields.values_mut().for_each(|field| take(field, taken));
            }
        }
        _ => {}
    }
}

/// Puts media back in the places of their descriptions.
pub(crate) fn restore_media(value: &mut Value, media: &[Media]) {
    replace(value, media, &|media| {
        serde_json::to_value(media.unkept()).unwrap_or_default()
    });
}

/// The value without the descriptions of its media.
pub(crate) fn without_media(value: &Value, media: &[Media]) -> Value {
    let mut value = value.clone();
    replace(&mut value, media, &|_| Value::Null);
    value
}

fn replace(value: &mut Value, media: &[Media], with: &dyn Fn(&Media) -> Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| replace(item, media, with)),
        Value::Object(fields) => {
            let number = fields.get("media").and_then(Value::as_u64);
            let number = number.and_then(|number| usize::try_from(number).ok());
            let found = number.and_then(|number| Some((number, media.get(number.checked_sub(1)?)?)));
            match found {
                Some((number, found)) if described(found, number).as_object() == Some(fields) => *value = with(found),
                _ => fields.values_mut().for_each(|field| replace(field, media, with)),
            }
        }
        _ => {}
    }
}

fn described(media: &Media, number: usize) -> Value {
    let mut fields = Map::new();
    fields.insert("media".into(), number.into());
    fields.insert("type".into(), media.mime_type().into());
    if let Some(name) = media.name() {
        fields.insert("name".into(), name.into());
    }
    if let Some(bytes) = media.size() {
        fields.insert("bytes".into(), bytes.into());
    }
    if let Some(url) = media.as_url() {
        fields.insert("url".into(), url.into());
    }
    Value::Object(fields)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn media_are_taken_out_wherever_they_are_and_only_they() {
        let png = Media::bytes("image/png", [1, 2, 3]).with_name("a.png");
        let link = Media::url("application/pdf", "https://example.org/a.pdf");
        let mut value = json!({"a": [&png, 5], "b": {"c": &link}, "d": {"$media": 7}, "e": {"$media": {"type": "x"}}});
        assert_eq!(take_media(&mut value), [png.clone(), link.clone()]);
        assert_eq!(
            value,
            json!({
                "a": [{"media": 1, "type": "image/png", "name": "a.png", "bytes": 3}, 5],
                "b": {"c": {"media": 2, "type": "application/pdf", "url": "https://example.org/a.pdf"}},
                "d": {"$media": 7},
                "e": {"$media": {"type": "x"}},
            })
        );
        let mut restored = value.clone();
        restore_media(&mut restored, &[png.clone(), link.clone()]);
        assert_eq!(restored["a"][0], json!(png));
        assert_eq!(restored["b"]["c"], json!(link));
        assert_eq!(take_media(&mut value), []);
    }

    #[test]
    fn a_value_can_not_name_bytes_of_a_journal() {
        let mut value = json!({"$media": {"type": "image/png", "blob": "abc", "bytes": 7}});
        assert_eq!(take_media(&mut value), [Media::bytes("image/png", [0; 7]).withheld()]);
    }
}
