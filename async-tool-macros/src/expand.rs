//! Generated code beside the function.
//!
//! Every generated token has the span of the definition, so that generated locals can't collide with the user's. Items
//! have no such hygiene, so generated items near the user's types begin with two underscores.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::{FnArg, Ident, Path, ReturnType, ext::IdentExt, spanned::Spanned};

use crate::{
    argument::Argument,
    doc, errors,
    function::Function,
    options::{Cache, Options},
    parameter::Parameter,
    service::Service,
    signature::{Place, opaque},
    tool::Tool,
};

/// The function, and the struct of its name that makes the tool.
pub(crate) fn function(tool: &Tool) -> TokenStream {
    let span = Span::mixed_site();
    let Tool { function, options, .. } = tool;
    let ident = &function.signature.ident;
    let body = body(tool, &Home::Free);
    let implementation = implementation(function, &quote_spanned!(span=> __private::FunctionTool), &body);
    let allowances = allowances(function);
    let runtime = &options.runtime;
    let rest = quote_spanned! {span=>
        #allowances
        const _: () = {
            use #runtime::__private;
            #implementation
            __private::collect!(#ident);
        };
    };
    let handle = handle(function, runtime, None, &rest);
    quote!(#function #handle)
}

/// The errors, and items of the expected types, so that the function's callers get no errors of their own.
pub(crate) fn function_fallback(tool: Tool, place: Place, error: &syn::Error) -> TokenStream {
    let span = Span::mixed_site();
    let Tool {
        mut function, options, ..
    } = tool;
    let conditions = function.conditions();
    let errors = errors::under(&conditions, error);
    // rustc reports the variadic itself.
    function.signature.variadic = None;
    if matches!(place, Place::Associated) {
        // Inside an `impl`, no item can stand beside the function.
        return quote!(#errors #function);
    }
    let runtime = &options.runtime;
    let tool = quote_spanned!(span=> #runtime::__private::FunctionTool);
    let implementation = implementation(&function, &tool, &quote_spanned!(span=> ::core::unimplemented!()));
    let rest = quote_spanned!(span=> const _: () = { #implementation };);
    let handle = handle(&function, runtime, Some(quote_spanned!(span=> , dead_code)), &rest);
    quote!(#errors #function #handle)
}

/// The block, with a method that returns its tools.
pub(crate) fn service(service: &Service) -> TokenStream {
    let span = Span::mixed_site();
    let runtime = &service.runtime;
    let ty = &service.ty;
    let home = Home::Service {
        is_generic: service.is_generic(),
    };
    let tools = service.tools().map(|tool| {
        let body = body(tool, &home);
        let conditions = tool.function.conditions();
        let allowances = allowances(&tool.function);
        let state = has_state(&tool.function, &home)
            .then(|| quote_spanned!(span=> let state = ::core::clone::Clone::clone(self);));
        quote_spanned! {span=>
            #conditions
            #allowances
            __private::Vec::<__private::Arc<dyn __private::Tool>>::push(&mut tools, __private::Arc::new({
                #state
                #body
            }));
        }
    });
    let body = quote_spanned! {span=>
        use #runtime::__private;
        __private::service::<#ty>();
        let mut tools = __private::Vec::<__private::Arc<dyn __private::Tool>>::new();
        #(#tools)*
        tools
    };
    service.with(&tools_method(service, &body, None))
}

/// The errors, and the block with a method of the expected type.
pub(crate) fn service_fallback(service: &Service, error: &syn::Error) -> TokenStream {
    let span = Span::mixed_site();
    let errors = error.to_compile_error();
    let body = quote_spanned!(span=> ::core::unimplemented!());
    let allow = quote_spanned!(span=> #[allow(dead_code)]);
    let service = service.with(&tools_method(service, &body, Some(allow)));
    quote!(#errors #service)
}

fn tools_method(service: &Service, body: &TokenStream, allow: Option<TokenStream>) -> TokenStream {
    let runtime = &service.runtime;
    let visibility = service.visibility();
    let method = &service.method;
    // rustc names both items in its errors about a second block with the method, and this name is the advice.
    let advice = format_ident!(
        "another_block_has_the_method_{}__write_tools_equals_name_in_async_tools",
        method.unraw(),
        span = Span::mixed_site()
    );
    quote_spanned! {Span::mixed_site()=>
        #[doc(hidden)]
        #[allow(dead_code, non_upper_case_globals)]
        const #advice: () = ();
        /// The tools of this value, each with a clone of the `Arc`.
        #allow
        #[must_use]
        #visibility fn #method(
            self: &#runtime::__private::Arc<Self>,
        ) -> #runtime::__private::Vec<#runtime::__private::Arc<dyn #runtime::__private::Tool>> {
            #body
        }
    }
}

/// Place in which a tool is made.
enum Home {
    /// `tool()` of the tool's own struct.
    Free,
    /// `tools()`, with the service as `state`.
    Service {
        /// True if the `impl` is generic. Then no static is possible, because a static can't depend on generics.
        is_generic: bool,
    },
}

/// The function's own allowances, and one for a deprecated function: the warning is for the user's callers, not for the
/// generated call.
fn allowances(function: &Function) -> TokenStream {
    let span = Span::mixed_site();
    let deprecated = function
        .is_deprecated()
        .then(|| quote_spanned!(span=> #[allow(deprecated)]));
    let own = function.allowances(true);
    quote!(#deprecated #own)
}

/// The struct with the function's name, and the rest: `tools![add]`, `add::tool()`. Inside an `impl`, all of it is one error.
fn handle(function: &Function, runtime: &Path, and_allow: Option<TokenStream>, rest: &TokenStream) -> TokenStream {
    let Function {
        visibility, signature, ..
    } = function;
    let ident = &signature.ident;
    let conditions = function.conditions();
    let allowances = function.allowances(false);
    let doc = format!(" The tool that calls the function `{}`; see there.", ident.unraw());
    quote_spanned! {Span::mixed_site()=>
        #conditions
        #runtime::__private::tools_in_an_impl_need_async_tools_on_the_impl! {
            { #rest }
            #[doc = #doc]
            #[allow(non_camel_case_types #and_allow)]
            #allowances
            #visibility #ident
        }
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

/// The struct that the arguments are read as.
fn arguments(parameters: &[Parameter]) -> TokenStream {
    let fields = parameters.iter().filter_map(Parameter::field);
    let schemas = parameters.iter().filter_map(Parameter::schema);
    let generics = parameters
        .iter()
        .filter_map(|parameter| Some(parameter.generic()?.0))
        .collect::<Vec<_>>();
    let generics = (!generics.is_empty()).then(|| quote!(<#(#generics),*>));
    let span = Span::mixed_site();
    let (unknown, rest) = if parameters.iter().any(Parameter::is_flattened) {
        (
            None,
            Some(quote_spanned!(span=> #[serde(flatten)] __rest: __private::Rest,)),
        )
    } else {
        (Some(quote_spanned!(span=> , deny_unknown_fields)), None)
    };
    quote_spanned! {span=>
        #[derive(__private::serde::Deserialize, __private::schemars::JsonSchema)]
        #[serde(crate = "__private::serde" #unknown)]
        #[schemars(crate = "__private::schemars")]
        #[allow(non_camel_case_types, non_snake_case)]
        struct __Arguments #generics {
            #(#fields)*
            #rest
        }
        #(#schemas)*
    }
}

/// The body that makes the tool: the arguments struct, the definition, and the binding of a call's arguments.
fn body(tool: &Tool, home: &Home) -> TokenStream {
    let span = Span::mixed_site();
    let Tool { parameters, .. } = tool;
    let arguments = arguments(parameters);
    let notes = parameters.iter().flat_map(Parameter::notes).collect::<Vec<_>>();
    let value = value(tool, home, !notes.is_empty());
    let inner = quote_spanned! {span=>
        #[allow(unused_imports)]
        use __private::scope::*;
        #arguments
        #value
    };
    if notes.is_empty() && parameters.iter().all(|parameter| parameter.default().is_none()) {
        return inner;
    }
    // Defaults stand one scope further out, where the user's expressions see only names of the user's module.
    let defaults = parameters.iter().filter_map(Parameter::default);
    let notes = (!notes.is_empty()).then(|| {
        quote_spanned! {span=>
            let notes = || {
                #[allow(unused_imports)]
                use __private::notes::*;
                [#(#notes),*]
            };
        }
    });
    quote_spanned! {span=>
        #(#defaults)*
        #notes
        { #inner }
    }
}

/// The expression that makes the tool.
fn value(tool: &Tool, home: &Home, has_notes: bool) -> TokenStream {
    let span = Span::mixed_site();
    let Tool {
        function,
        options,
        parameters,
    } = tool;
    let name = match &options.name {
        Some(name) => name.to_token_stream(),
        None => function.signature.ident.unraw().to_string().to_token_stream(),
    };
    let description = description(function, options);
    let output = output_schema(&function.signature.output);
    let Options { calls, .. } = options;
    let injected = parameters.iter().filter_map(Parameter::injected);
    let assertions = parameters.iter().filter_map(Parameter::assertion);
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
    let call = bound_call(tool, home);
    let with_notes = has_notes.then(|| quote_spanned!(span=> .with(&notes())));
    let flattened = parameters
        .iter()
        .filter(|parameter| parameter.is_flattened())
        .collect::<Vec<_>>();
    let groups = flattened.iter().map(|parameter| parameter.group());
    let groups = (!flattened.is_empty()).then(|| quote_spanned!(span=> .flattened([#(#groups),*])));
    let absences = flattened.iter().map(|parameter| parameter.absence());
    let absences = (!flattened.is_empty())
        .then(|| quote_spanned!(span=> definition.check_flattened(sent, &arguments.__rest, &[#(#absences),*])?;));
    let define = quote_spanned! {span=>
        (&probe).__async_tool_define(#name, #description, #output) #with_notes #groups
    };
    let (storage, definition) = match home {
        Home::Service { is_generic: true } => (None, define),
        _ => (
            Some(quote_spanned! {span=>
                static DEFINITION: __private::OnceLock<__private::Definition> = __private::OnceLock::new();
            }),
            quote_spanned!(span=> __private::once(&DEFINITION, || #define)),
        ),
    };
    // Each call of a method has its own clone of the service.
    let state =
        (has_state(function, home)).then(|| quote_spanned!(span=> let state = ::core::clone::Clone::clone(&state);));
    let secrets = parameters
        .iter()
        .filter(|parameter| parameter.argument().is_some_and(Argument::is_sensitive))
        .filter_map(Parameter::name)
        .collect::<Vec<_>>();
    let secrets = (!secrets.is_empty()).then(|| quote_spanned!(span=> .sensitive_arguments([#(#secrets),*])));
    let tool = quote_spanned! {span=>
        definition.tool(move |definition, sent| {
            let #pattern = (&probe).__async_tool_bind(definition, sent)?;
            #absences
            #state
            __private::Result::Ok(#call)
        })
        #calls
        #secrets
        #(.requires::<#injected>())*
    };
    let tool = match &options.cache {
        Some(Cache { key, policy }) => {
            // Without the feature, the error appears at the user's key.
            let span = key.span().resolved_at(span);
            quote_spanned! {span=>
                let tool = #tool;
                __private::cache!(tool, #policy)
            }
        }
        None => tool,
    };
    quote_spanned! {span=>
        #storage
        #(#assertions)*
        let probe = __private::probe_of::<__Arguments #generics>();
        let definition: __private::Definition = #definition;
        #tool
    }
}

fn has_state(function: &Function, home: &Home) -> bool {
    matches!(home, Home::Service { .. }) && matches!(function.signature.inputs.first(), Some(FnArg::Receiver(_)))
}

/// The call of the function, and the conversion of its outcome to the runtime's types.
fn bound_call(tool: &Tool, home: &Home) -> TokenStream {
    let Tool {
        function, parameters, ..
    } = tool;
    let ident = &function.signature.ident;
    // Errors of the whole call, such as a future that isn't `Send`, appear at the function's name.
    let span = ident.span().resolved_at(Span::mixed_site());
    let cx = parameters
        .iter()
        .any(|parameter| parameter.argument().is_none())
        .then(|| Ident::new("cx", span));
    let given = parameters.iter().filter_map(Parameter::given).collect::<TokenStream>();
    let state = has_state(function, home).then(|| quote_spanned!(span=> &state));
    let values = state.into_iter().chain(parameters.iter().map(Parameter::value));
    let path = match home {
        Home::Free => ident.to_token_stream(),
        Home::Service { .. } => quote_spanned!(span=> Self::#ident),
    };
    // Errors about the type appear at the type.
    let returned = match &function.signature.output {
        ReturnType::Type(_, ty) => ty.span(),
        ReturnType::Default => span,
    };
    let split = quote_spanned!(returned.resolved_at(span)=> __async_tool_split(output));
    let settle = quote_spanned! {span=>
        match (&__private::probe(&output)).#split {
            __private::Result::Ok(value) => value,
            __private::Result::Err(error) => __private::Result::Err(__private::probe(&error).__async_tool_failure(error)),
        }
    };
    let cx = cx.unwrap_or_else(|| Ident::new("_cx", span));
    if function.signature.asyncness.is_some() {
        quote_spanned! {span=>
            __private::BoundCall::future(move |#cx| async move {
                #given
                let output = #path(#(#values),*).await;
                #settle
            })
        }
    } else {
        quote_spanned! {span=>
            __private::BoundCall::blocking(move |#cx| {
                #given
                let output = #path(#(#values),*);
                #settle
            })
        }
    }
}

/// The doc comments as one string, or the user's `description`.
fn description(function: &Function, options: &Options) -> TokenStream {
    if let Some(description) = &options.description {
        return description.to_token_stream();
    }
    let docs = function.docs().map(doc::text).collect::<Vec<_>>();
    match &*docs {
        [doc] => doc.clone(),
        [first, rest @ ..] => quote_spanned!(Span::mixed_site()=> ::core::concat!(#first #(, "\n", #rest)*)),
        [] => unreachable!("the check asks for a description"),
    }
}

/// The schema of the return type, found by the compiler. An `impl Trait` can't be named outside a signature, so it has
/// no schema.
fn output_schema(output: &ReturnType) -> TokenStream {
    let span = Span::mixed_site();
    match output {
        ReturnType::Type(_, ty) if opaque(ty).is_some() => quote_spanned!(span=> ::core::option::Option::None),
        ReturnType::Type(_, ty) => {
            quote_spanned!(span=> (&&&__private::probe_of::<#ty>()).__async_tool_output_schema())
        }
        ReturnType::Default => quote_spanned!(span=> (&&&__private::probe_of::<()>()).__async_tool_output_schema()),
    }
}
