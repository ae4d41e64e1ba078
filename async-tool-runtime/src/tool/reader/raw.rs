//! Values that stay text: `serde_json::value::RawValue`.

use serde::de::{self, IntoDeserializer, MapAccess, value::BorrowedStrDeserializer};

use super::refusal::{Refusal, Result};

/// Name by which `serde_json::value::RawValue` asks for its text.
pub(super) const RAW: &str = "$serde_json::private::RawValue";

/// Text for a `RawValue`.
pub(super) struct Raw(pub(super) Option<String>);

impl<'de> MapAccess<'de> for Raw {
    type Error = Refusal;

    fn next_key_seed<K: de::DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>> {
        match &self.0 {
            Some(_) => seed.deserialize(BorrowedStrDeserializer::new(RAW)).map(Some),
            None => Ok(None),
        }
    }

    fn next_value_seed<T: de::DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value> {
        seed.deserialize(self.0.take().unwrap_or_default().into_deserializer())
    }
}
