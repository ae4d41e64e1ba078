//! Costs: the model calls and tokens of work in the background, and the settings that save them.
//!
//! A call that ends within the grace time at the end of its turn costs what a call of any library costs. A call that takes longer is acknowledged, and
//! its result comes in a message of its own. What that costs depends on one setting:
//!
//! - [`AckPolicy::WhileCalling`](crate::agent::AckPolicy::WhileCalling), the default: the model is called after acknowledgements, so that the user has
//!   an answer at once. This repeats as long as the model makes slow calls in such turns. It costs one more model call for each turn with slow calls.
//! - [`AckPolicy::Eager`](crate::agent::AckPolicy::Eager): the model is called after all acknowledgements, also if it only said that it waits.
//! - [`AckPolicy::Deferred`](crate::agent::AckPolicy::Deferred): the model is called when there is something new: a result, or a message.
//! - [`run_to_completion`](crate::AsyncAgent::run_to_completion), for work without a reader: the model is called when all is done, as if it had
//!   waited for its tools.
//!
//! # Numbers
//!
//! | work | schedule | model calls | tokens read | written | first word | done |
//! |---|---|---|---|---|---|---|
//! | five calls of 0.5 s and one of 60 s | waits for all | 2 | 620 | 233 | 63.3 s | 63.3 s |
//! | | default | 4 | 2,515 | 275 | 2.9 s | 62.6 s |
//! | | default, learned | 4 | 2,530 | 275 | 2.7 s | 62.6 s |
//! | | deferred | 4 | 2,515 | 275 | 2.9 s | 62.6 s |
//! | | batch | 2 | 620 | 233 | 62.6 s | 62.6 s |
//! | twenty calls that end within 0.2 s of each other | waits for all | 2 | 1,582 | 579 | 10.0 s | 10.0 s |
//! | | default | 3 | 3,443 | 600 | 6.4 s | 10.0 s |
//! | | default, learned | 3 | 3,446 | 600 | 6.1 s | 10.0 s |
//! | | deferred | 2 | 1,822 | 579 | 10.0 s | 10.0 s |
//! | | batch | 2 | 1,582 | 579 | 10.0 s | 10.0 s |
//! | a chain of three calls of 2 s | waits for all | 4 | 847 | 171 | 9.7 s | 9.7 s |
//! | | default | 5 | 2,108 | 192 | 1.7 s | 9.7 s |
//! | | deferred | 4 | 1,327 | 171 | 9.7 s | 9.7 s |
//! | | batch | 4 | 847 | 171 | 9.7 s | 9.7 s |
//! | | batch, results as arguments | 2 | 436 | 181 | 8.8 s | 8.8 s |
//!
//! *Waits for all* is a library without a background: all calls of a turn run at once, and the model waits. *Learned* is the default after six
//! calls of the tool. *Batch* is `run_to_completion`. `tokens read` counts what all model calls read, cached or not. Where no user waits for an answer, take batch: it
//! costs no more than waiting. Deferred saves the calls for acknowledgements alone, as in the chain, and still tells results as they come. The
//! default buys the early first word, here after 3 s instead of 63 s, with one or two more model calls.
//!
//! The program `cargo run --example schedules` plays this work, and more, and prints the numbers of this version. Its scripted model takes 0.5 s
//! to its first token and 10 ms for each token; a token is four bytes.
//!
//! # What each part costs
//!
//! | part | when |
//! |---|---|
//! | the `task` tool's definition | each request, cached by most providers; [`task_tool(false)`](crate::agent::AsyncAgentBuilder::task_tool) leaves it out, until a result is shown only in part |
//! | the notice about tools in the background, once in the system prompt | each request, if a tool may be acknowledged; `run_to_completion` has none |
//! | an acknowledgement | once for each slow call, and in each later request |
//! | a late result with its frame | once, in place of the result |
//!
//! Definitions and all earlier messages stay the same from request to request, so that a provider's prompt cache holds. Pruning changes them in
//! large steps for the same reason.
//!
//! # Saving
//!
//! - Fast tools need no setting: after five calls of a tool, the manager has [learned](crate::agent::LearnedGrace) how long to wait for it.
//! - Results that are of use only together: a [group](crate::AsyncAgent::group) wakes the model once.
//! - A chain of calls: arguments that are [results of other calls](crate::guide) take one turn instead of one for each link.
//! - Large results: [`result_limit`](crate::FunctionTool::result_limit). The model reads the rest with the `task` tool if it needs it.
//! - Limits: [`RunLimits`](crate::agent::RunLimits) bounds model calls, tool calls and tokens for each message.
