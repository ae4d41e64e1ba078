//! Heads of sessions: the items that decide who may write, and where.

use aws_sdk_dynamodb::types::AttributeValue;

use crate::tables::{Item, number_of, text_of};

/// Names of a head's attributes in expressions. Some of them are words of DynamoDB's language.
pub(crate) const NAMES: [(&str, &str); 6] = [
    ("#last", "last"),
    ("#open", "open"),
    ("#by", "by"),
    ("#owner", "owner"),
    ("#pending", "pending"),
    ("#name", "name"),
];

/// Begins the name of an append that can't be finished any more, and whose parts are removed.
pub(crate) const GIVEN_UP: &str = "-";

/// Head of a session.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Head {
    /// Number of the last entry; 0 if there are none.
    pub(crate) last: u64,
    /// True once the last entry closed the session.
    pub(crate) is_closed: bool,
    /// Id of the last append.
    pub(crate) by: Option<String>,
    /// Id of the owner.
    pub(crate) owner: Option<String>,
    /// Id of an append whose parts are written before it, or, after [`GIVEN_UP`], are removed.
    pub(crate) pending: Option<String>,
}

impl Head {
    /// Reads an item. A session without one has no entries, and no owner.
    pub(crate) fn of(item: Option<&Item>) -> Self {
        let Some(item) = item else { return Self::default() };
        Self {
            last: number_of(item, "last").unwrap_or(0),
            is_closed: matches!(item.get("open"), Some(AttributeValue::Bool(false))),
            by: text_of(item, "by"),
            owner: text_of(item, "owner"),
            pending: text_of(item, "pending"),
        }
    }
}

/// Parts of an append that may be unaccounted for when a head is changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pending {
    /// None, or parts of `:by`.
    NoneOrBy,
    /// Parts of `:by`. A request that comes late, after they were removed, is refused.
    By,
}

/// Condition of an append after `:after`: it is the last entry, and the session is free, `:me`'s or `:prior`'s, an owner that is gone.
///
/// It also fails while another append's parts are unaccounted for.
pub(crate) fn condition(after: u64, has_prior: bool, pending: Pending) -> String {
    let prior = if has_prior { " OR #owner = :prior" } else { "" };
    let parts = match pending {
        Pending::NoneOrBy => "(attribute_not_exists(#pending) OR #pending = :by)",
        Pending::By => "#pending = :by",
    };
    let goes_on = format!("#last = :after AND (attribute_not_exists(#owner) OR #owner = :me{prior}) AND {parts}");
    match (after, pending) {
        (0, Pending::NoneOrBy) => format!("attribute_not_exists(pk) OR ({goes_on})"),
        _ => goes_on,
    }
}
