//! Scope of the generated items, independent of the names in the user's module.
//!
//! Traits are imported without names, so that the glob import can't clash with a type of the user's.

// schemars's derive takes these from the prelude.
pub use ::core::{convert::Into as _, default::Default as _};

pub use super::{DescribedByType as _, ReadableArguments as _, Undescribed as _, UnreadableArguments as _};
pub use crate::tool::flattened::{OptionalGroup as _, RequiredGroup as _};
pub use crate::tool::output::{
    DisplayFailure as _, FutureOutput as _, NoSchema as _, OpaqueResultSchema as _, PlainOutput as _, PlainSchema as _,
    ResultSchema as _, SourceFailure as _, UnreadableFailure as _,
};

/// Replacement for the prelude's `Some`, which schemars's derive uses. It is a function, because the variant would also clash
/// with a type of that name.
#[allow(non_snake_case, reason = "it stands in for a variant")]
#[must_use]
pub const fn Some<T>(value: T) -> Option<T> {
    Option::Some(value)
}
