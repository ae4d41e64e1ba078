//! Names for generated code. Not part of the public API: any item here can change in any release.
//!
//! # Invariants
//!
//! 1. Generated code names nothing of the library but what is listed here, so that a user needs no other dependency.
//! 2. A wrong type gives one error, in our words: [`argument`](argument()) and its like refuse it, and everything else has a fallback for it.
//!
//! There are no operations here that a tool's call needs: those are in [`tool`](crate::tool).

mod argument;
mod bounded;
mod cache;
mod collect;
mod definition;
mod given;
mod lent;
mod measured;
mod note;
mod place;
pub mod scope;
mod service;

pub use ::async_tool_macros::followed_by;
pub use ::core::{result::Result, time::Duration};
pub use ::schemars;
pub use ::serde;
pub use ::serde_json::Value;
pub use ::std::{
    sync::{Arc, OnceLock},
    vec::Vec,
};

#[cfg(feature = "inventory")]
pub use crate::tool::Collected;
pub use crate::{
    __cache as cache, __collect as collect,
    __tools_in_an_impl_need_async_tools_on_the_impl as tools_in_an_impl_need_async_tools_on_the_impl,
    policy::{Approval, BreakerPolicy, CachePolicy, Dedupe, Priority, RateLimit, RetryPolicy, Scope},
    tool::{
        Background, BoundCall, DeliveryPolicy, Effect, FromToolContext, FunctionTool, McpTasks, Tool, ToolDefinition,
        ToolError, ToolErrorKind,
        flattened::Rest,
        output::{OutputSchema, Probe, probe, probe_of},
        written::{flag, written},
    },
};
#[cfg(feature = "inventory")]
pub use ::inventory;
pub use argument::{
    DescribedArgument, DescribedByType, ReadArgument, ToolArgument, Undescribed, argument, described, readable,
};
pub use bounded::{Bounded, bounded};
pub use definition::{Definition, ReadableArguments, UnreadableArguments, once};
pub use given::{Given, absent};
pub use lent::{LendInside, Lent, LentInside};
pub use measured::{Measured, Text};
pub use note::{HiddenDefault, Note, Range, RangeOfNone, ShownDefault, alias, examples, max_len, min_len, pattern};
pub use service::{ToolService, service};

/// Traits for notes, imported without names.
pub mod notes {
    pub use super::{HiddenDefault as _, Range as _, RangeOfNone as _, ShownDefault as _};
}

/// Traits for values that attributes write, imported without names.
pub mod values {
    pub use crate::tool::written::{
        Converted as _, ConvertedInside as _, ConvertedOption as _, Inside as _, Same as _, Unfit as _,
    };
}
