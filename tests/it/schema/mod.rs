//! Schemas of tools: their dialects, and their agreement with the binding of arguments.

mod agreement;
mod dialects;
mod limits;
