//! Contents of entries.

use serde_json::{Value, json};

use super::{
    super::wrong::Checked,
    samples::{accepted, one_of_each, settled},
    stage::Stage,
    store::JournalStore,
};
use crate::{clock::Timestamp, journal::Entry, session::SessionId, testing::dice::Dice};

pub(super) async fn all_kept<S: JournalStore>(stage: Stage<S>, entries: Vec<Entry>) -> Checked {
    let session = SessionId::new("s");
    // One by one first, so that a failure names the entry.
    for (after, entry) in entries.iter().enumerate() {
        stage
            .appended(&session, after as u64, std::slice::from_ref(entry))
            .await?;
    }
    stage.holds(&session, &entries).await?;
    let together = SessionId::new("together");
    stage.appended(&together, 0, &entries).await?;
    stage.holds(&together, &entries).await
}

pub(super) async fn every_entry<S: JournalStore>(stage: Stage<S>) -> Checked {
    all_kept(stage, one_of_each()).await
}

pub(super) async fn texts<S: JournalStore>(stage: Stage<S>) -> Checked {
    let controls: String = ('\0'..='\u{9f}').collect();
    let texts = [
        String::new(),
        " ".into(),
        " \t\n".into(),
        "a\nb\r\nc\rd".into(),
        "ends with a line break\n".into(),
        controls,
        "\0".into(),
        "a\0b".into(),
        "\u{1b}[2J\u{1b}[31mred".into(),
        "\u{feff}a mark at the beginning".into(),
        "\u{2028}\u{2029}\u{85}".into(),
        "e\u{301} is not é".into(),
        "\u{202e}backwards".into(),
        "\u{fffd}\u{fffe}\u{ffff}\u{10000}\u{10ffff}".into(),
        "🦀👩‍👩‍👧🇩🇪".into(),
        r#""quoted" \back\slash\ \u0000 \n"#.into(),
        "'; drop table entries; --".into(),
        r#"{"entry":"closed","at":1}"#.into(),
        "null".into(),
        "<![CDATA[ ]]> &amp; %00 ${a} $1 ?1".into(),
    ];
    let entries = texts.iter().enumerate().flat_map(|(number, text)| {
        let said = Entry::UserMessage {
            text: text.clone(),
            media: Vec::new(),
            traceparent: None,
            at: Timestamp::from_millis(number as u64),
        };
        // The text as a message, and inside a value as key and element.
        [said, settled(json!({ text.as_str(): [text] }))]
    });
    all_kept(stage, entries.collect()).await
}

pub(super) async fn numbers<S: JournalStore>(stage: Stage<S>) -> Checked {
    let mut numbers = vec![
        json!(0),
        json!(-0.0),
        json!(0.0),
        json!(1),
        json!(1.0),
        json!(-1.0),
        json!(100.0),
        json!(1e15),
        json!(1e16),
        json!(1e300),
        json!(0.1 + 0.2),
        json!(1.0 / 3.0),
        json!(u64::MAX),
        json!(u64::MAX as f64),
        json!(i64::MAX),
        json!(i64::MIN),
        json!((1_u64 << 53) + 1),
        json!((1_u64 << 63) + 1),
        json!(f64::MAX),
        json!(f64::MIN),
        json!(f64::MIN_POSITIVE),
        json!(f64::MIN_POSITIVE / 3.0),
        json!(f64::EPSILON),
        json!(5e-324),
        json!(9_007_199_254_740_994.0),
    ];
    // Random bits: a fast but inexact JSON parser is off by one bit for some floats.
    let dice = Dice::new(1);
    let any = std::iter::repeat_with(|| f64::from_bits(dice.roll())).filter(|float| float.is_finite());
    numbers.extend(any.take(2_000).map(Value::from));
    let near = std::iter::repeat_with(|| dice.fraction() * 1_000.0);
    numbers.extend(near.take(2_000).map(Value::from));
    let entries = numbers
        .chunks(64)
        .flat_map(|some| [settled(json!(some)), accepted(json!({ "a": some }))]);
    let mut entries: Vec<_> = entries.collect();
    entries.extend(
        [0, 1, (1 << 53) + 1, i64::MAX as u64, i64::MAX as u64 + 1, u64::MAX].map(|millis| Entry::Closing {
            at: Timestamp::from_millis(millis),
        }),
    );
    all_kept(stage, entries).await
}

pub(super) async fn deep_values<S: JournalStore>(stage: Stage<S>) -> Checked {
    // The default recursion limit of `serde_json`, which holds for arguments. Inside an entry the value is nested deeper still.
    const DEEPEST: usize = 127;
    let arrays = |depth| (1..depth).fold(json!([]), |value, _| json!([value]));
    let objects = |depth| (1..depth).fold(json!({}), |value, _| json!({ "a": value }));
    let values = [10, 64, 100, DEEPEST]
        .into_iter()
        .flat_map(|depth| [arrays(depth), objects(depth)]);
    let entries = values.flat_map(|value| [settled(value.clone()), accepted(value)]);
    all_kept(stage, entries.collect()).await
}
