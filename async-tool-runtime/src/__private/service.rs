//! Types whose methods are tools.

/// Refuses a type that can't hold tools.
pub const fn service<T: ToolService>() {}

/// Type whose methods can be tools.
#[diagnostic::on_unimplemented(
    message = "the methods of `{Self}` can't be tools",
    label = "can't be shared between threads",
    note = "calls run on several threads: the type must be `Send + Sync + 'static`",
    note = "for generics of the `impl`, write `where T: Send + Sync + 'static`"
)]
pub trait ToolService {}

#[diagnostic::do_not_recommend]
impl<T: Send + Sync + 'static> ToolService for T {}
