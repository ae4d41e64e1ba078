//! Other names of arguments: `#[serde(alias = "…")]` on a parameter.
//!
//! No schema shows them. A value that serde read under one would go past the limits in the schema, and past `reads` and `writes`. So the
//! derive doesn't know them, and an argument gets its own name before anything reads it.

use std::{borrow::Cow, sync::Arc};

use serde_json::{Map, Value};

use super::arguments::Arguments;

/// Pairs of another name and the argument's own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Aliases(Vec<(Arc<str>, Arc<str>)>);

impl Aliases {
    pub(crate) const NONE: Self = Self(Vec::new());

    pub(crate) fn add(&mut self, alias: &str, name: &str) {
        self.0.push((alias.into(), name.into()));
    }

    /// Removes those that are the own name of another argument.
    pub(crate) fn exclude(&mut self, is_own_name: impl Fn(&str) -> bool) {
        self.0.retain(|(alias, _)| !is_own_name(alias));
    }

    /// The arguments under their own names. An alias beside the argument itself stays, and is an unknown argument.
    pub(crate) fn resolve<'a>(&self, arguments: &'a Arguments) -> Cow<'a, Arguments> {
        let applies = |fields: &Map<String, Value>, (alias, name): &(Arc<str>, Arc<str>)| {
            fields.contains_key(&**alias) && !fields.contains_key(&**name)
        };
        if self.0.is_empty() {
            return Cow::Borrowed(arguments);
        }
        match arguments.as_object() {
            Some(fields) if self.0.iter().any(|pair| applies(fields, pair)) => {
                let mut fields = fields.clone();
                for pair @ (alias, name) in &self.0 {
                    if applies(&fields, pair)
                        && let Some(value) = fields.remove(&**alias)
                    {
                        fields.insert((**name).to_owned(), value);
                    }
                }
                Cow::Owned(Value::Object(fields).into())
            }
            _ => Cow::Borrowed(arguments),
        }
    }
}
