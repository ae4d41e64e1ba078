//! Programs that compile: each module is a program of a user, and its test checks the tools in it.
//!
//! The modules are public: lints for public items would not look into them otherwise.

#![allow(
    dead_code,
    missing_debug_implementations,
    missing_docs,
    unreachable_pub,
    clippy::let_underscore_future,
    clippy::unused_self,
    clippy::use_self,
    reason = "users have other lints than this workspace; a program that needs a lint sets it"
)]

pub mod argument_attributes;
pub mod blanket_traits;
pub mod configurations;
pub mod docs_are_descriptions;
pub mod fixes_in_errors;
pub mod flattened_arguments;
pub mod function_is_unchanged;
pub mod futures_are_send;
pub mod in_a_macro;
pub mod injected_by_the_host;
pub mod methods;
pub mod names_never_collide;
pub mod names_of_the_users;
pub mod no_lint_is_raised;
pub mod options_are_on_the_value;
pub mod parameters_of_all_kinds;
pub mod readers_and_schemas_of_the_users;
pub mod references_are_lent;
pub mod return_types;
pub mod several_blocks;
pub mod tools_are_collected;
pub mod values_of_attributes;
pub mod visibility_is_the_functions;
