//! A function with all its options and parameters.

use proc_macro2::TokenStream;
use syn::Path;

use crate::{
    errors::Errors,
    function::Function,
    options::Options,
    parameter::{self, Parameter},
    signature::{self, Place},
};

/// A function with all its options and parameters.
pub(crate) struct Tool {
    /// The function, without the macro's attributes.
    pub(crate) function: Function,
    pub(crate) options: Options,
    pub(crate) parameters: Vec<Parameter>,
}

impl Tool {
    /// Reads and checks everything, and collects the errors. `runtime` is the runtime's default path; the key `crate`
    /// overrides it.
    pub(crate) fn read(
        mut function: Function,
        arguments: TokenStream,
        runtime: Path,
        place: Place,
        errors: &Errors,
    ) -> Self {
        let options = Options::parse(arguments, runtime, errors);
        let parameters = Parameter::take_all(&mut function.signature, errors);
        signature::check(&function, place, errors);
        options.check(&function, &parameters, errors);
        parameter::check(&parameters, errors);
        Self {
            function,
            options,
            parameters,
        }
    }
}
