//! Macros of `async-tool-runtime`; use them through that crate, which has examples.

mod argument;
mod configuration;
mod doc;
mod duration;
mod entry;
mod errors;
mod expand;
mod function;
mod limit;
mod options;
mod parameter;
mod policy;
mod quantity;
mod rate;
mod resource;
mod service;
mod shape;
mod signature;
mod size;
#[cfg(test)]
mod tests;
mod tool;

use proc_macro2::{TokenStream, TokenTree};

use syn::parse_quote;

use crate::{errors::Errors, function::Function, service::Service, signature::Place, tool::Tool};

/// Makes a tool of a function; the function itself stays unchanged.
///
/// The macro adds one item, a struct with the function's name and visibility; its `tool()` returns the tool. An async
/// function runs on the async threads, any other function on tokio's blocking pool.
///
/// The name of the struct is in the namespace of types, which modules and crates are in too. For a tool `glob` that uses
/// the crate of this name, write `::glob::glob`, or give the function another name and keep `name = "glob"`.
///
/// # The function
///
/// The doc comment is the tool's description for the model. Without a doc comment, `description` is required.
///
/// The function must be free and must name every parameter. It must not be generic, `const`, `unsafe` or `extern`. It may
/// return `()`, any serialisable value, or a `Result` of such a value and an error with `Display`. An alias of `Result`
/// works too, and an `Err` is always an error to the model.
///
/// In an `impl` block, use [`macro@async_tools`]. Without it, rustc says that a struct is not supported there.
///
/// # Keys of `#[async_tool(…)]`
///
/// | key | value | default | effect |
/// |---|---|---|---|
/// | `name` | `"…"`: 1 to 64 ASCII letters, digits, `_` and `-`, the first a letter or `_` | the function's name | the tool's name for the model |
/// | `description` | `"…"`, or a macro that gives a string | the doc comment | the tool's description for the model |
/// | `notice` | `"…"`, a macro that gives a string, or `off` | the library's notice | text added to the description of a tool that can outlive the turn; an agent says the library's once for all tools |
/// | `background` | `"auto"`, `"always"`, `"never"` | `"auto"` | whether a call may outlive the turn |
/// | `grace` | a duration | the agent's | how long the turn's end waits for the result before the call is acknowledged |
/// | `timeout` | a duration longer than zero | the manager's | longest run of an attempt, from its start |
/// | `effect` | `"read"`, `"idempotent"`, `"once"` | `"once"` | the call's effect on the world, which decides whether a call may start early and be repeated |
/// | `retry` | `(attempts = 3, backoff = "200ms..10s", total = "60s")` | no retry | retries of a failed call, see below |
/// | `concurrency` | an integer from 1 | the manager's limit | how many calls of the tool run at once |
/// | `rate` | a rate, or `(limit = "100/min", key = "…")` | no limit | how many calls may start in a span of time; tools with the same `key` share the limit |
/// | `breaker` | `(failures = 5, cooldown = "30s")` | none | circuit breaker: after this many failures in a row, calls fail at once for the cooldown |
/// | `priority` | `"low"`, `"normal"`, `"high"` | `"normal"` | order in which queued calls start |
/// | `cache` | `(ttl = "5m", capacity = 1000)` | none | reuse of values for calls with the same arguments, see below |
/// | `dedupe` | `"auto"`, `"allow"`, `"share"`, `"reject"`, `"replace"` | `"auto"` | treatment of a call that repeats another one: `"auto"` keeps a model from repeating itself |
/// | `scope` | `"session"`, `"shared"` | `"session"` | whether cached values and running calls are shared within a session or by all sessions |
/// | `reads` | arguments, `"path"`, `"path, kind:argument"` | none | arguments whose values name the resources that a call reads, see below |
/// | `writes` | as for `reads` | none | the same for resources that a call writes |
/// | `futures` | none: it stands alone | no | allows futures as values of arguments, see below |
/// | `reconcile` | the path of an async function | none | finds out how a call with the effect `"once"` ended, if its process died, see below |
/// | `external` | `true`, `false`; alone it is `true` | `false` | calls are completed from outside: if the process dies, a call goes on waiting for its completion, see below |
/// | `sensitive` | `"result"` | not sensitive | marks the result as a secret, which the session's journal doesn't get; for arguments see below |
/// | `approval` | `"always"`, `"never"` | `"never"` | whether the host must approve a call before it runs |
/// | `delivery` | `"when_idle"`, `"interrupt"`, `"silent"` | the agent's | when a late result enters the conversation |
/// | `result_limit` | a size of at least 256 bytes | the manager's, or else the agent's | largest result in JSON that the model gets; of a larger result it gets a preview and a handle |
/// | `mcp` | `"never"`, `"optional"`, `"required"` | `"optional"`, or `"never"` with `background = "never"` | whether an MCP server may, or must, answer a call with a task |
/// | `hand_off` | `(after = "45s")` | none | when an MCP server ends a call of a host that knows no tasks; a further tool then gives the result |
/// | `crate` | a path | `::async_tool_runtime` | path of the runtime, if it is renamed or re-exported |
///
/// A duration is an integer or a decimal with a unit, `ms`, `s`, `m` (or `min`), `h` or `d`: `"250ms"`, `"1.5s"`. A
/// rate is a number of calls and a unit or a duration: `"10/s"`, `"100/min"`, `"10/500ms"`. A size is an integer or a
/// decimal with a unit, `B`, `KB`, `KiB`, `MB` or `MiB`: `"16KiB"`. All are checked at compile time. Each key can be
/// overridden on the value that `tool()` returns.
///
/// `retry` needs `attempts`, from 2 to 100, the first attempt included. Each pause is random, between zero and a bound.
/// The bound starts at the first duration of `backoff` and doubles up to the second. The default is `"200ms..10s"`.
/// `total` limits all attempts and pauses together; by default there is no limit. With the effect `"once"`, only errors
/// that say that the work was not started are retried.
///
/// `reconcile` names a function that takes a
/// [`LostTask`](https://docs.rs/async-tool-runtime/latest/async_tool_runtime/tool/struct.LostTask.html) and returns a
/// `Result` of its finding. It runs when a session is resumed whose process died while the tool's function ran with the
/// effect `"once"`. Without it, the model is told that the outcome is unknown.
///
/// `external = true` is for a function that passes its task's id on and defers the task, so that a webhook completes it.
/// The process may die before the journal has the deferral. With the effect `"once"` the call then waits for its
/// completion, also if the id was not passed on yet; `reconcile` can tell them apart. With other effects it runs again
/// under the same id, and a completion that comes meanwhile counts.
///
/// `cache` needs `ttl` (how long a value is kept), `effect = "read"`, and the runtime's feature `cache`. `capacity` is
/// the number of values kept; the default is 1,024.
///
/// `reads` and `writes` keep tools from using the same resource at the same time. Each lists arguments, by their names
/// for the model, separated by commas. A resource's name is the argument's value together with its kind. The kind is
/// the argument's name, unless written before it, as in `writes = "path:destination"`. So tools with different argument
/// names can name the same resource. A call that writes a resource excludes other calls in the manager that read or
/// write it: the later call waits, without a slot, until the earlier has ended. `FunctionTool::reads` has the details.
///
/// `futures` lets the model write `{"$task": "t3", "pointer": "/items/0/id"}` for any value inside the arguments. The
/// call waits until the task `t3` has ended, and gets that part of its result. A sentence in the description says
/// so; an agent says it once for all tools. The inserted value is checked as if the model had written it.
///
/// # Parameters
///
/// A parameter is an argument, which the model writes, unless it is marked `#[inject]`. The type of an argument must be
/// `Deserialize` and `JsonSchema`. For `&str`, `&[T]`, `&T` and `Option` of these, the call owns the value and lends it
/// to the function. The doc comment of a parameter is the description of its property in the schema.
///
/// | attribute | effect |
/// |---|---|
/// | `#[inject]` | the host supplies the value, by the trait `FromToolContext`; the model never sees the parameter |
/// | `#[arg(default)]` | an absent argument is `Default::default()` |
/// | `#[arg(default = …)]` | an absent argument is the value of this expression, see below |
/// | `#[arg(rename = "…")]` | the name of the argument for the model |
/// | `#[arg(min = …, max = …)]` | the smallest and the largest number, both included, of the number's own type |
/// | `#[arg(min_len = …, max_len = …)]` | limits of the characters of a text, or of the entries of a list, set or map |
/// | `#[arg(pattern = "…")]` | a regular expression that must match part of the text; `^` and `$` anchor it |
/// | `#[arg(examples = […])]` | example values for the model, see below |
/// | `#[arg(sensitive)]` | the value is a secret: the session's journal gets `"[redacted]"` instead. Schema, model and function are unaffected; the trait `Redact` says what it covers |
/// | `#[serde(alias = "…")]` | another name under which the argument is taken; limits, `reads` and `writes` hold under it too |
/// | `#[serde(flatten)]` | the fields of the type are arguments, see below |
/// | `#[serde(…)]`, `#[schemars(…)]` | go to the field of the arguments struct; keys that only say how a value is written, such as `skip_serializing_if`, are dropped |
///
/// A default or an example is converted to the type of its argument with `From`, and put into `Some` for an `Option`. So
/// `"en"`, or a constant of that text, fits a `String` and an `Option<&str>`. Each must keep the argument's own limits.
/// Literals are checked at compile time, all other values when the manager is built.
///
/// A default is evaluated for each call that needs it, and the schema shows it if it is constant: if two evaluations give
/// the same value. For one that changes more slowly, such as the date of today, take an `Option`.
///
/// `#[serde(flatten)]` takes a struct, an enum, a map, or an `Option` of one. With an `Option`, the fields are given
/// together or not at all. Fields that the schema doesn't have are refused as usual. Nothing else can be said of such a
/// parameter, since it is no argument itself. Some providers take no enum in this place.
///
/// `Cow<'static, str>` and `Cow<'_, str>` are fine; the call owns the text. Attributes may stand in `#[cfg_attr(…)]`.
///
/// With `#[serde(deserialize_with = "…")]` the type needs no `Deserialize`. The schema is still the type's, unless
/// `#[schemars(with = "…")]` or `#[schemars(schema_with = "…")]` gives another. `#[serde(with = "…")]` requires one of
/// these two attributes, because it reads its own format. With either of them, the type needs no `JsonSchema`.
///
/// The schema is also enforced: a call with a value that the schema refuses is answered with an error, and the function
/// doesn't run. This includes `#[schemars(range(…))]` and similar limits, on parameters and inside types. Only a value
/// under the `#[serde(alias)]` of a field inside a type isn't checked for limits, since no schema shows such names.
#[proc_macro_attribute]
pub fn async_tool(arguments: proc_macro::TokenStream, item: proc_macro::TokenStream) -> proc_macro::TokenStream {
    pipeline(arguments.into(), item.into()).into()
}

/// Makes tools of the methods of an `impl` block that are marked with `#[async_tool]`.
///
/// The block gets one more method, `fn tools(self: &Arc<Self>) -> Vec<Arc<dyn Tool>>`, as visible as the most visible
/// tool. Each tool holds a clone of the `Arc`. Calls run concurrently, so methods take `&self`. A marked function without
/// `self` is a tool too. All other items of the block stay unchanged.
///
/// Keys and parameters are those of [`macro@async_tool`]. The type must be `Send + Sync + 'static`. The block knows its
/// tools by `#[async_tool]` or `#[tool]`; no other alias of the macro works inside of it.
///
/// # Keys of `#[async_tools(…)]`
///
/// | key | value | default | effect |
/// |---|---|---|---|
/// | `tools` | a name | `tools` | name of the method; each block of a type needs another |
/// | `crate` | a path | `::async_tool_runtime` | path of the runtime, for all methods of the block |
///
/// With generics on the `impl`, each call of `tools` makes the definitions anew.
#[proc_macro_attribute]
pub fn async_tools(arguments: proc_macro::TokenStream, item: proc_macro::TokenStream) -> proc_macro::TokenStream {
    service_pipeline(arguments.into(), item.into()).into()
}

/// Puts items after an item: `#[followed_by { … }]`. For generated code only.
#[doc(hidden)]
#[proc_macro_attribute]
pub fn followed_by(more: proc_macro::TokenStream, item: proc_macro::TokenStream) -> proc_macro::TokenStream {
    [item, more].into_iter().collect()
}

/// Expands a function. Only the first step can end the pipeline early: the later steps collect their errors, so that a
/// user sees all of them at once.
fn pipeline(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let function = match Function::parse(&item) {
        Ok(function) => function,
        Err(error) => match function::impl_keyword(&item) {
            Some(keyword) => return block_pipeline(&keyword, item),
            None => return TokenStream::from_iter([error.into_compile_error(), item]),
        },
    };
    let expand = |function| {
        let errors = Errors::default();
        let runtime = parse_quote!(::async_tool_runtime);
        let place = Place::of(&function);
        let tool = Tool::read(function, arguments.clone(), runtime, place, &errors);
        match errors.finish() {
            Ok(()) => expand::function(&tool),
            Err(error) => expand::function_fallback(tool, place, &error),
        }
    };
    configuration::variants(function).into_iter().map(expand).collect()
}

/// Expands an `impl` block with the attribute for functions: its methods are read, so that they give no errors of their own.
fn block_pipeline(keyword: &TokenTree, item: TokenStream) -> TokenStream {
    let errors = Errors::default();
    errors.push(
        keyword,
        "tools must be functions: write `#[async_tools]` on an `impl` block, and `#[async_tool]` on its methods",
    );
    match (Service::read(TokenStream::new(), &item, &errors), errors.finish()) {
        (Ok(service), Err(error)) => expand::service_fallback(&service, &error),
        (_, Err(error)) => TokenStream::from_iter([error.into_compile_error(), item]),
        (_, Ok(())) => item,
    }
}

/// Expands an `impl` block. Every method that is a tool is read like a function.
fn service_pipeline(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let errors = Errors::default();
    let service = Service::read(arguments, &item, &errors);
    match (service, errors.finish()) {
        (Ok(service), Ok(())) => expand::service(&service),
        (Ok(service), Err(error)) => expand::service_fallback(&service, &error),
        // Errors of the whole block come before errors inside it.
        (Err(error), _) => TokenStream::from_iter([error.into_compile_error(), item]),
    }
}
