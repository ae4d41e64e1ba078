//! All errors of one function.

use std::{cell::RefCell, fmt::Display, mem, thread};

use quote::ToTokens;

/// Collects the errors of one function, so that they are reported together.
///
/// Dropped unread it panics in debug builds: an error that nobody reports would let a wrong tool compile.
#[derive(Default)]
pub(crate) struct Errors(RefCell<Vec<syn::Error>>);

impl Errors {
    /// Adds an error at the tokens. The message says the rule first, then the fix.
    pub(crate) fn push(&self, at: impl ToTokens, message: impl Display) {
        self.add(syn::Error::new_spanned(at, message));
    }

    pub(crate) fn add(&self, error: syn::Error) {
        self.0.borrow_mut().push(error);
    }

    /// All errors as one, if there are any.
    pub(crate) fn finish(self) -> syn::Result<()> {
        let errors = mem::take(&mut *self.0.borrow_mut()).into_iter();
        match errors.reduce(|mut all, error| {
            all.combine(error);
            all
        }) {
            Some(all) => Err(all),
            None => Ok(()),
        }
    }
}

impl Drop for Errors {
    fn drop(&mut self) {
        if !thread::panicking() {
            debug_assert!(self.0.borrow().is_empty(), "errors were collected and not reported");
        }
    }
}
