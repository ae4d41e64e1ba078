//! All errors of one function.

use std::{cell::RefCell, fmt::Display, mem, thread};

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};

/// Collector of a function's errors, which are reported together.
///
/// In debug builds, dropping it unread panics, because an unreported error would let a wrong tool compile.
#[derive(Default)]
pub(crate) struct Errors(RefCell<Vec<syn::Error>>);

impl Errors {
    /// Adds an error at the tokens. The message gives the rule first, then the fix.
    pub(crate) fn push(&self, at: impl ToTokens, message: impl Display) {
        self.add(syn::Error::new_spanned(at, message));
    }

    pub(crate) fn add(&self, error: syn::Error) {
        self.0.borrow_mut().push(error);
    }

    /// Returns all errors as one, if there are any.
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

/// The errors as code, each under the conditions.
pub(crate) fn under(conditions: &TokenStream, error: &syn::Error) -> TokenStream {
    let errors = error.clone().into_iter().map(|error| {
        let error = error.into_compile_error();
        quote!(#conditions #error)
    });
    errors.collect()
}

impl Drop for Errors {
    fn drop(&mut self) {
        if !thread::panicking() {
            debug_assert!(self.0.borrow().is_empty(), "errors were collected and not reported");
        }
    }
}
