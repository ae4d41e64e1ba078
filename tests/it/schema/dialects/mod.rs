//! Schemas of tools in the dialects of providers.

mod binding;
mod cache;
mod futures;
mod golden;
mod nulls;
mod refusals;
mod rendering;
