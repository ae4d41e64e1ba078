//! Values that the call owns and lends to the function.

use std::{
    borrow::Borrow,
    path::{Path, PathBuf},
};

/// Type behind the reference of a parameter: the call owns a value and lends it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be lent to a tool",
    label = "has no owned form",
    note = "the call owns its arguments and lends `&T`, `&str`, `&[T]` and `&Path`: take this one by value"
)]
pub trait Lent {
    /// Owned form of the type.
    type Owned: Borrow<Self>;
}

impl<T> Lent for T {
    type Owned = T;
}

impl Lent for str {
    type Owned = String;
}

impl Lent for Path {
    type Owned = PathBuf;
}

impl<T> Lent for [T] {
    type Owned = Vec<T>;
}

/// Type with references inside, each written with `'static`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be lent to a tool",
    label = "has a reference inside",
    note = "the call owns its arguments and lends `&T` and `Option<&T>`: take this one by value"
)]
pub trait LentInside {
    /// Owned form of the type.
    type Owned;
}

#[diagnostic::do_not_recommend]
impl<T: Lent + ?Sized + 'static> LentInside for Option<&'static T> {
    type Owned = Option<T::Owned>;
}

/// Lends the inner value of the owned form.
///
/// Not a method of [`LentInside`]: the compiler would require that trait a second time, and report a type without it twice.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be lent to a tool",
    label = "has a reference inside",
    note = "the call owns its arguments and lends `&T` and `Option<&T>`: take this one by value"
)]
pub trait LendInside<'a, L> {
    /// Returns the argument of the function.
    fn lend_inside(&'a self) -> L;
}

#[diagnostic::do_not_recommend]
impl<'a, T: ?Sized + 'a, O: Borrow<T>> LendInside<'a, Option<&'a T>> for Option<O> {
    fn lend_inside(&'a self) -> Option<&'a T> {
        self.as_ref().map(Borrow::borrow)
    }
}
