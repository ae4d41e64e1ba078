//! What is written beside the function.
//!
//! Every token that isn't the user's has the span of the definition, so that our locals and theirs can't meet. Items
//! have no such hygiene: those that the user's types are resolved beside begin with two underscores.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::{Expr, FnArg, Ident, LitStr, ReturnType, ext::IdentExt, spanned::Spanned};

use crate::{entry::string_literal, function::Function, options::Options, parameter::Parameter, signature::opaque};

/// The function, the struct of its name, and what makes a tool of it.
pub(crate) fn expand(function: &Function, options: &Options, parameters: &[Parameter]) -> TokenStream {
    let span = Span::mixed_site();
    let arguments = arguments(parameters);
    let tool = tool(function, options, parameters);
    let implementation = implementation(function, &quote_spanned!(span=> __private::FunctionTool), &tool);
    let handle = handle(function, None);
    let conditions = function.conditions();
    // It is the user's callers who are warned, not the call in here.
    let allowance = function
        .is_deprecated()
        .then(|| quote_spanned!(span=> #[allow(deprecated)]));
    let runtime = &options.runtime;
    let mut hidden = quote_spanned! {span=>
        #[allow(unused_imports)]
        use __private::scope::*;
        #arguments
        #implementation
    };
    // One scope further out, where the user's expressions see what they see in the user's module.
    let defaults = parameters
        .iter()
        .filter_map(Parameter::default_function)
        .collect::<TokenStream>();
    if !defaults.is_empty() {
        hidden = quote_spanned!(span=> #defaults const _: () = { #hidden };);
    }
    quote_spanned! {span=>
        #function
        #handle
        #conditions
        #allowance
        const _: () = {
            use #runtime::__private;
            #hidden
        };
    }
}

/// The errors, and items of the types that the tool would have had, so that its callers have no errors of their own.
pub(crate) fn fallback(mut function: Function, options: &Options, error: &syn::Error) -> TokenStream {
    let span = Span::mixed_site();
    let errors = error.to_compile_error();
    // rustc has an error of its own for it.
    function.signature.variadic = None;
    if let Some(FnArg::Receiver(_)) = function.signature.inputs.first() {
        // Inside an `impl`, where nothing can stand beside the function.
        return quote!(#errors #function);
    }
    let runtime = &options.runtime;
    let tool = quote_spanned!(span=> #runtime::__private::FunctionTool);
    let implementation = implementation(&function, &tool, &quote_spanned!(span=> ::core::unimplemented!()));
    let handle = handle(&function, Some(quote_spanned!(span=> , dead_code)));
    let conditions = function.conditions();
    quote_spanned! {span=>
        #errors
        #function
        #handle
        #conditions
        const _: () = { #implementation };
    }
}

/// The struct that the user names: `tools![add]`, `add::tool()`.
fn handle(function: &Function, and_allow: Option<TokenStream>) -> TokenStream {
    let Function {
        visibility, signature, ..
    } = function;
    let ident = &signature.ident;
    let conditions = function.conditions();
    let doc = format!(" The tool that calls the function `{}`; see there.", ident.unraw());
    quote_spanned! {Span::mixed_site()=>
        #conditions
        #[doc = #doc]
        #[allow(non_camel_case_types #and_allow)]
        #visibility struct #ident {}
    }
}

fn implementation(function: &Function, tool: &TokenStream, body: &TokenStream) -> TokenStream {
    let Function {
        visibility, signature, ..
    } = function;
    let ident = &signature.ident;
    quote_spanned! {Span::mixed_site()=>
        impl #ident {
            /// Makes the tool.
            #visibility fn tool() -> #tool {
                #body
            }
        }
    }
}

/// What the arguments are read as.
fn arguments(parameters: &[Parameter]) -> TokenStream {
    let fields = parameters.iter().filter_map(Parameter::field);
    let generics = parameters
        .iter()
        .filter_map(|parameter| Some(parameter.generic()?.0))
        .collect::<Vec<_>>();
    let generics = (!generics.is_empty()).then(|| quote!(<#(#generics),*>));
    quote_spanned! {Span::mixed_site()=>
        #[derive(__private::serde::Deserialize, __private::schemars::JsonSchema)]
        #[serde(crate = "__private::serde", deny_unknown_fields)]
        #[schemars(crate = "__private::schemars")]
        #[allow(non_camel_case_types)]
        struct __Arguments #generics {
            #(#fields)*
        }
    }
}

/// The body of `tool()`.
fn tool(function: &Function, options: &Options, parameters: &[Parameter]) -> TokenStream {
    let span = Span::mixed_site();
    let name = match &options.name {
        Some(name) => name.to_token_stream(),
        None => function.signature.ident.unraw().to_string().to_token_stream(),
    };
    let description = description(function, options);
    let output = output_schema(&function.signature.output);
    let calls = options.calls();
    let injected = parameters.iter().filter_map(Parameter::injected);
    let asserted = parameters.iter().filter_map(Parameter::asserted);
    let types = parameters
        .iter()
        .filter_map(|parameter| Some(parameter.generic()?.1))
        .collect::<Vec<_>>();
    let generics = (!types.is_empty()).then(|| quote_spanned!(span=> <#(#types),*>));
    let pattern = if parameters.iter().any(|parameter| parameter.argument().is_some()) {
        quote_spanned!(span=> arguments)
    } else {
        quote_spanned!(span=> __Arguments {})
    };
    let call = bound_call(function, parameters);
    quote_spanned! {span=>
        static DEFINITION: __private::OnceLock<__private::ToolDefinition> = __private::OnceLock::new();
        #(__private::argument::<#asserted>();)*
        let probe = __private::Probe::<__Arguments #generics>::new();
        let definition = DEFINITION.get_or_init(|| (&probe).define(#name, #description, #output));
        __private::FunctionTool::from_parts(::core::clone::Clone::clone(definition), move |arguments| {
            let #pattern = (&probe).bind(definition, arguments)?;
            __private::Result::Ok(#call)
        })
        #calls
        #(.requires::<#injected>())*
    }
}

/// The call of the function, and its outcome in the runtime's types.
fn bound_call(function: &Function, parameters: &[Parameter]) -> TokenStream {
    let ident = &function.signature.ident;
    // What is wrong with the call as a whole, such as a future that isn't `Send`, is shown at the function's name.
    let span = ident.span().resolved_at(Span::mixed_site());
    let cx = if parameters.iter().any(|parameter| parameter.argument().is_none()) {
        Ident::new("cx", span)
    } else {
        Ident::new("_cx", span)
    };
    let values = parameters.iter().map(Parameter::value);
    // What the type can't do is shown at the type.
    let returned = match &function.signature.output {
        ReturnType::Type(_, ty) => ty.span(),
        ReturnType::Default => span,
    };
    let split = quote_spanned!(returned.resolved_at(span)=> split(output));
    let settle = quote_spanned! {span=>
        match __private::probe(&output).#split {
            __private::Result::Ok(value) => value,
            __private::Result::Err(error) => __private::Result::Err(__private::probe(&error).failure(error)),
        }
    };
    if function.signature.asyncness.is_some() {
        quote_spanned! {span=>
            __private::BoundCall::future(move |#cx| async move {
                let output = #ident(#(#values),*).await;
                #settle
            })
        }
    } else {
        quote_spanned! {span=>
            __private::BoundCall::blocking(move |#cx| {
                let output = #ident(#(#values),*);
                #settle
            })
        }
    }
}

/// The doc comments as one string, or what the user wrote in their place.
fn description(function: &Function, options: &Options) -> TokenStream {
    if let Some(description) = &options.description {
        return description.to_token_stream();
    }
    let docs = function.docs().map(without_margin).collect::<Vec<_>>();
    match &*docs {
        [doc] => doc.clone(),
        [first, rest @ ..] => quote_spanned!(Span::mixed_site()=> ::core::concat!(#first #(, "\n", #rest)*)),
        [] => unreachable!("the check asks for a description"),
    }
}

/// Takes away the space after `///`, which would be an indentation in the middle of a text.
///
/// Input: `" Adds."`.
/// Output: `"Adds."`.
fn without_margin(doc: &Expr) -> TokenStream {
    match string_literal(doc) {
        Some(text) => {
            let value = text.value();
            LitStr::new(value.strip_prefix(' ').unwrap_or(&value), text.span()).to_token_stream()
        }
        None => doc.to_token_stream(),
    }
}

/// The schema of what the function returns, found by the compiler. An `impl Trait` can't be named outside a signature, so
/// it has none.
fn output_schema(output: &ReturnType) -> TokenStream {
    let span = Span::mixed_site();
    match output {
        ReturnType::Type(_, ty) if opaque(ty).is_some() => quote_spanned!(span=> ::core::option::Option::None),
        ReturnType::Type(_, ty) => quote_spanned!(span=> (&&&__private::Probe::<#ty>::new()).output_schema()),
        ReturnType::Default => quote_spanned!(span=> (&&&__private::Probe::<()>::new()).output_schema()),
    }
}
