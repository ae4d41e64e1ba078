//! Types of other crates, whose schemas come with features of the same names.

use async_tool_runtime::{Tool, async_tool, schema::Dialect};
use bytes::Bytes;
use chrono::{DateTime, NaiveDate, Utc};
use rust_decimal::Decimal;
use serde_json::{Value, json};
use uuid::Uuid;

use super::call;

/// Gives back what it was called with.
#[async_tool]
fn book(
    at: DateTime<Utc>,
    day: Option<NaiveDate>,
    id: Uuid,
    price: Option<Decimal>,
    #[arg(default)] body: Bytes,
    #[arg(default)] others: Vec<Uuid>,
) -> Value {
    json!([at, day, id, price, body.len(), others])
}

#[test]
fn types_of_other_crates_are_arguments() {
    let id = "67e55044-10b1-426f-9247-bb680e5fe0c8";
    let bound = call(
        book::tool(),
        json!({
            "at": "2026-11-30T10:00:00Z", "day": "2026-12-01", "id": id, "price": 12.5,
            "body": [1, 2], "others": id,
        }),
    );
    let expected = json!(["2026-11-30T10:00:00Z", "2026-12-01", id, "12.5", 2, [id]]);
    assert_eq!(bound, Ok(expected));
    let bound = call(
        book::tool(),
        json!({"at": "2026-11-30T10:00:00+01:00", "id": id, "price": "12.50"}),
    );
    assert_eq!(bound, Ok(json!(["2026-11-30T09:00:00Z", null, id, "12.50", 0, []])));

    let schema = &book::tool().definition().input_schema.clone();
    for (name, format) in [("at", "date-time"), ("day", "date"), ("id", "uuid")] {
        assert_eq!(schema["properties"][name]["format"], format, "{name}");
    }
    for dialect in Dialect::ALL {
        assert!(book::tool().definition().for_dialect(*dialect).is_ok(), "{dialect}");
    }
}

#[test]
fn a_wrong_text_for_a_type_of_another_crate_is_refused_with_its_place() {
    let id = "67e55044-10b1-426f-9247-bb680e5fe0c8";
    for (sent, place) in [
        (json!({"at": "tomorrow", "id": id}), "$.at"),
        (json!({"at": 5, "id": id}), "$.at"),
        (json!({"at": "2026-11-30T10:00:00Z", "id": "x"}), "$.id"),
        (
            json!({"at": "2026-11-30T10:00:00Z", "id": id, "price": "much"}),
            "$.price",
        ),
    ] {
        let error = call(book::tool(), sent.clone()).unwrap_err();
        assert!(
            error.starts_with(&format!("invalid arguments at `{place}`: ")),
            "{sent}: {error}"
        );
        assert_eq!(
            error.matches("tomorrow").count() + error.matches("much").count(),
            usize::from(place == "$.price" || error.contains("tomorrow"))
        );
    }
}
