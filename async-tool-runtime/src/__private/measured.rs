//! Types that can have `min_len`, `max_len` and `pattern`.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque},
    path::PathBuf,
    sync::Arc,
};

/// Type with a length, which can have `min_len` and `max_len`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't have `min_len` and `max_len`",
    label = "isn't a text, list, set or map, or an `Option` of one",
    note = "say the range of a number with `min` and `max`",
    note = "where the schema of a type of your own has a length, write `#[schemars(length(min = …, max = …))]`"
)]
pub trait Measured {
    /// Keyword of the minimum length.
    const MIN: &'static str;
    /// Keyword of the maximum length.
    const MAX: &'static str;
}

macro_rules! measured {
    ($min:literal, $max:literal: $([$($generics:tt)*] $ty:ty,)*) => {$(
        #[diagnostic::do_not_recommend]
        impl<$($generics)*> Measured for $ty {
            const MIN: &'static str = $min;
            const MAX: &'static str = $max;
        }
    )*};
}

measured!("minLength", "maxLength": [] String, [] Box<str>, [] Arc<str>, [] Cow<'_, str>, [] PathBuf,);
measured!("minItems", "maxItems": [T] Vec<T>, [T] Box<[T]>, [T] Arc<[T]>, [T] VecDeque<T>, [T, S] HashSet<T, S>, [T] BTreeSet<T>,);
measured!("minProperties", "maxProperties": [K, V, S] HashMap<K, V, S>, [K, V] BTreeMap<K, V>,);

#[diagnostic::do_not_recommend]
impl<T: Measured> Measured for Option<T> {
    const MIN: &'static str = T::MIN;
    const MAX: &'static str = T::MAX;
}

/// Text type, which can have a `pattern`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't have a `pattern`",
    label = "isn't a text, or an `Option` of one",
    note = "where the schema of a type of your own is a string, write `#[schemars(regex(pattern = \"…\"))]`"
)]
pub trait Text {}

#[diagnostic::do_not_recommend]
impl Text for String {}
#[diagnostic::do_not_recommend]
impl Text for Box<str> {}
#[diagnostic::do_not_recommend]
impl Text for Arc<str> {}
#[diagnostic::do_not_recommend]
impl Text for Cow<'_, str> {}
#[diagnostic::do_not_recommend]
impl Text for PathBuf {}
#[diagnostic::do_not_recommend]
impl<T: Text> Text for Option<T> {}
