//! Tools that the macro makes, and the binding of their arguments.

mod arguments;
mod binding;
mod functions;
mod futures;
mod methods;
mod numbers;
