//! DynamoDB's values as JSON.

use std::collections::HashMap;

use aws_sdk_dynamodb::{primitives::Blob, types::AttributeValue};
use serde_json::{Map, Number, Value};

/// JSON of an item.
///
/// A number that JSON's readers would round stays a string: DynamoDB has 38 digits. `serde_dynamo` rounds it, so it isn't used here. Binary
/// values are in hexadecimal.
#[must_use]
pub fn json_of(item: &HashMap<String, AttributeValue>) -> Value {
    Value::Object(
        item.iter()
            .map(|(name, value)| (name.clone(), json(value)))
            .collect::<Map<_, _>>(),
    )
}

fn json(value: &AttributeValue) -> Value {
    match value {
        AttributeValue::S(text) => Value::String(text.clone()),
        AttributeValue::N(digits) => number(digits),
        AttributeValue::Bool(is) => Value::Bool(*is),
        AttributeValue::L(values) => values.iter().map(json).collect(),
        AttributeValue::M(values) => json_of(values),
        AttributeValue::Ss(texts) => texts.iter().cloned().collect(),
        AttributeValue::Ns(numbers) => numbers.iter().map(|digits| number(digits)).collect(),
        AttributeValue::B(bytes) => hexadecimal(bytes),
        AttributeValue::Bs(values) => values.iter().map(hexadecimal).collect(),
        // `Null`, and the kinds of later versions, of which nothing can be said.
        _ => Value::Null,
    }
}

fn number(digits: &str) -> Value {
    let whole = digits.parse::<i64>().map(Number::from);
    let whole = whole.or_else(|_| digits.parse::<u64>().map(Number::from)).ok();
    let exact = || {
        let number = digits.parse::<f64>().ok()?;
        // As many digits as every such number keeps.
        let is_exact = digits.bytes().filter(u8::is_ascii_digit).count() <= 15;
        is_exact.then(|| Number::from_f64(number)).flatten()
    };
    whole.or_else(exact).map_or_else(|| digits.into(), Value::Number)
}

fn hexadecimal(bytes: &Blob) -> Value {
    Value::String(bytes.as_ref().iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_kind_of_value_has_its_json_and_no_number_is_rounded() {
        let n = |digits: &str| AttributeValue::N(digits.to_owned());
        let cases = [
            (AttributeValue::S("tea".into()), json!("tea")),
            (n("42"), json!(42)),
            (n("18446744073709551615"), json!(18_446_744_073_709_551_615_u64)),
            (n("3.25"), json!(3.25)),
            (n("0.1"), json!(0.1)),
            (n("12345678901234567890.12345"), json!("12345678901234567890.12345")),
            (
                n("99999999999999999999999999999999999999"),
                json!("99999999999999999999999999999999999999"),
            ),
            (AttributeValue::Bool(true), json!(true)),
            (AttributeValue::Null(true), json!(null)),
            (
                AttributeValue::L(vec![n("1"), AttributeValue::S("two".into())]),
                json!([1, "two"]),
            ),
            (
                AttributeValue::M(HashMap::from([("a".into(), n("1"))])),
                json!({"a": 1}),
            ),
            (AttributeValue::Ss(vec!["a".into()]), json!(["a"])),
            (AttributeValue::Ns(vec!["1".into(), "2.5".into()]), json!([1, 2.5])),
            (AttributeValue::B(Blob::new([0, 255])), json!("00ff")),
            (AttributeValue::Bs(vec![Blob::new([1])]), json!(["01"])),
        ];
        for (value, expected) in cases {
            assert_eq!(json(&value), expected, "{value:?}");
        }
    }
}
