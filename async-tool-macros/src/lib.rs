//! The macros of `async-tool-runtime`; use them through that crate, where examples of them are.

mod argument;
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
mod signature;
mod size;
#[cfg(test)]
mod tests;
mod tool;

use proc_macro2::TokenStream;

use syn::parse_quote;

use crate::{errors::Errors, function::Function, service::Service, signature::Place, tool::Tool};

/// Makes a tool of a function, which stays what it was.
///
/// Beside the function comes one item, a struct of the same name and visibility; its `tool()` gives the tool.
/// Functions and types have different namespaces, so the two don't meet. An async function runs on the async threads, any
/// other on tokio's blocking pool.
///
/// # The function
///
/// The model reads the doc comment as the description of the tool. Without one, `description` must be given.
///
/// The function must be free (for methods there is [`macro@async_tools`]), must not be generic, `const`, `unsafe` or `extern`, and must name every
/// parameter. It may return `()`, anything that serialises, or a `Result` of that with an error that displays itself.
/// `Result` is found through any alias, and an `Err` is always an error to the model.
///
/// # Keys of `#[async_tool(…)]`
///
/// | key | value | default | what it does |
/// |---|---|---|---|
/// | `name` | `"…"`: 1 to 64 ASCII letters, digits, `_` and `-` | the function's name | what the model calls the tool |
/// | `description` | `"…"`, or a macro that gives a string | the doc comment | what the model is told of the tool |
/// | `notice` | `"…"`, a macro that gives a string, or `off` | the library's notice | what is added to the description of a tool that can outlive the turn |
/// | `background` | `"auto"`, `"always"`, `"never"` | `"auto"` | whether a call may outlive the turn |
/// | `grace` | a duration | the agent's | how long the end of a turn waits for the result before the call is acknowledged |
/// | `timeout` | a duration longer than zero | the manager's | how long an attempt may run, from its start |
/// | `effect` | `"read"`, `"idempotent"`, `"once"` | `"once"` | what a call does to the world, and so whether it may be started early and repeated |
/// | `retry` | `(attempts = 3, backoff = "200ms..10s", total = "60s")` | no retry | whether and when a call that failed is tried again, see below |
/// | `concurrency` | an integer from 1 | as many as the manager runs | how many calls of the tool run at once |
/// | `rate` | a rate, or `(limit = "100/min", key = "…")` | no limit | how many calls may start in a span of time; tools that name the same `key` share the limit |
/// | `breaker` | `(failures = 5, cooldown = "30s")` | none | after so many failures in a row, calls fail at once for so long |
/// | `priority` | `"low"`, `"normal"`, `"high"` | `"normal"` | which calls start first when there are more than can run |
/// | `cache` | `(ttl = "5m", capacity = 1000)` | none | values are given again to calls with the same arguments, see below |
/// | `dedupe` | `"allow"`, `"share"`, `"reject"`, `"replace"` | `"allow"` | what happens to a call while the same one is still open |
/// | `scope` | `"session"`, `"shared"` | `"session"` | between whose calls values and running calls are shared |
/// | `reads` | arguments, `"path"`, `"path, kind:argument"` | none | what a call reads is named by the value of these arguments, see below |
/// | `writes` | as for `reads` | none | what a call writes |
/// | `futures` | none: it stands alone | no | the values of arguments may be futures, see below |
/// | `reconcile` | the path of an async function | none | how the tool finds out what became of a call that must not happen twice, if its process has ended |
/// | `sensitive` | `"result"` | not | what the tool gives is a secret, which the session's journal is not given; for arguments see below |
/// | `approval` | `"always"`, `"never"` | `"never"` | whether the host must approve a call before it runs |
/// | `delivery` | `"when_idle"`, `"interrupt"`, `"silent"` | the agent's | when a late result enters the conversation |
/// | `result_limit` | a size of at least 256 bytes | the manager's | how much of a result's JSON the model is given; of a larger one it gets a preview and a handle |
/// | `crate` | a path | `::async_tool_runtime` | where the runtime is, if it is renamed or re-exported |
///
/// A duration is an integer or a decimal with a unit, `ms`, `s`, `m` (or `min`), `h` or `d`: `"250ms"`, `"1.5s"`. A rate is a number of
/// calls and a unit or a duration: `"10/s"`, `"100/min"`, `"10/500ms"`. A size is an integer or a decimal with a unit,
/// `B`, `KB`, `KiB`, `MB` or `MiB`: `"16KiB"`. All are checked when the program is compiled. Each key can be overridden on the value
/// that `tool()` gives.
///
/// `retry` needs `attempts`, from 2 to 100, the first one included. Pauses are drawn at random, from zero to a bound that begins with the first of
/// the two durations of `backoff` and doubles up to the second; the default is `"200ms..10s"`. `total` is how long all attempts and pauses
/// may take; by default there is no limit. With the effect `"once"`, only errors that say that the work was not started are
/// tried again.
///
/// `reconcile` names a function that takes a [`LostTask`](https://docs.rs/async-tool-runtime/latest/async_tool_runtime/struct.LostTask.html) and gives a
/// `Result` of what it found out. It is called where a session is taken up again whose process has ended while the tool's function ran with
/// the effect `"once"`; without it, the model is told that nobody knows how the call ended.
///
/// `cache` needs `ttl`, which is how long a value is kept, `effect = "read"`, and the feature `cache` of the runtime. `capacity` is how
/// many values are kept; the default is 1,024.
///
/// `reads` and `writes` are for tools that must not run at the same time on the same thing. Each names arguments, as the model writes them, with
/// commas between them. The value of an argument, together with its kind, is the name of a resource; the kind is the argument's name unless it
/// is written before it, as in `writes = "path:destination"`, so that tools whose arguments have different names can mean the same. Of two
/// calls in one manager of which one writes what the other reads or writes, the one that was submitted later waits for the other's end,
/// without a slot. `FunctionTool::reads` has the details.
///
/// `futures` lets the model write `{"$task": "t3", "pointer": "/items/0/id"}` for any value inside of the arguments: what the task `t3` gives there,
/// once it has ended. The schema and the description say so. What is put in is checked as if the model had written it.
///
/// # Parameters
///
/// A parameter is an argument, which the model writes, unless it is marked `#[inject]`. The type of an argument must be
/// `Deserialize` and `JsonSchema`. `&str`, `&[T]`, `&T` and `Option` of these are owned by the call and lent to the
/// function. The doc comment of a parameter is the description of its property in the schema.
///
/// | attribute | what it does |
/// |---|---|
/// | `#[inject]` | the host supplies the value, by the trait `FromToolContext`; the model never sees the parameter |
/// | `#[arg(default)]` | an absent argument is `Default::default()` |
/// | `#[arg(default = …)]` | an absent argument is the value of this expression; a string literal is converted with `From` |
/// | `#[arg(rename = "…")]` | the name of the argument for the model |
/// | `#[arg(min = …, max = …)]` | the least and the greatest number, both included, of the number's own type |
/// | `#[arg(min_len = …, max_len = …)]` | how many characters a text has, or entries a list, set or map |
/// | `#[arg(pattern = "…")]` | a regular expression that is found in the text; `^` and `$` tie it to the ends |
/// | `#[arg(examples = […])]` | values for the model to see; string literals are converted with `From` |
/// | `#[arg(sensitive)]` | the value is a secret: the session's journal is given `"[redacted]"` in its place. Schema, model and function have it as ever; the trait `Redact` says what it covers |
/// | `#[serde(…)]`, `#[schemars(…)]` | go to the field of the arguments struct as they are |
///
/// With `#[serde(deserialize_with = "…")]` the type needs no `Deserialize`; the schema is still that of the type, unless
/// `#[schemars(with = "…")]` or `#[schemars(schema_with = "…")]` says another. `#[serde(with = "…")]` needs one of these two, since it reads a
/// form of its own. Where they stand, the type needs no `JsonSchema`.
///
/// What the schema says is also checked: a call with a value that the schema refuses is answered with an error, and the
/// function isn't called. That holds for `#[schemars(range(…))]` and the like too, here and inside of types.
#[proc_macro_attribute]
pub fn async_tool(arguments: proc_macro::TokenStream, item: proc_macro::TokenStream) -> proc_macro::TokenStream {
    pipeline(arguments.into(), item.into()).into()
}

/// Makes tools of the methods of an `impl` block that are marked with `#[async_tool]`.
///
/// The block gets one more method, `fn tools(self: &Arc<Self>) -> Vec<Arc<dyn Tool>>`, as visible as the most visible of
/// the tools. Each tool holds a clone of the `Arc`; calls run at the same time, so methods take `&self`. A marked function
/// without `self` is a tool too. All other items of the block stay what they are.
///
/// Keys and parameters are those of [`macro@async_tool`]. The one key of `#[async_tools(…)]` is `crate`, for all methods of
/// the block. A type has one such block, and the type must be `Send + Sync + 'static`.
///
/// With generics on the `impl`, definitions are made in each call of `tools`, not once.
#[proc_macro_attribute]
pub fn async_tools(arguments: proc_macro::TokenStream, item: proc_macro::TokenStream) -> proc_macro::TokenStream {
    service_pipeline(arguments.into(), item.into()).into()
}

/// From source to source. Only the first step can end it early: what comes after collects its errors, so that a user
/// sees all of them at once.
fn pipeline(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let function = match Function::parse(&item) {
        Ok(function) => function,
        Err(error) => return TokenStream::from_iter([error.into_compile_error(), item]),
    };
    let errors = Errors::default();
    let runtime = parse_quote!(::async_tool_runtime);
    let tool = Tool::read(function, arguments, runtime, Place::Free, &errors);
    match errors.finish() {
        Ok(()) => expand::function(&tool),
        Err(error) => expand::function_fallback(tool, &error),
    }
}

/// The same for an `impl` block: every method that is a tool is read as a function is.
fn service_pipeline(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let errors = Errors::default();
    let service = Service::read(arguments, &item, &errors);
    match (service, errors.finish()) {
        (Ok(service), Ok(())) => expand::service(&service),
        (Ok(service), Err(error)) => expand::service_fallback(&service, &error),
        // What is wrong with the block as a whole comes before what is wrong inside.
        (Err(error), _) => TokenStream::from_iter([error.into_compile_error(), item]),
    }
}
