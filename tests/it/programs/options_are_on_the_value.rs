//! Every key is a value of the tool, and can be overridden there.

use std::{sync::Arc, time::Duration};

use async_tool_runtime::{
    Effect, Tool, ToolDefinition, async_tool,
    policy::{Approval, BreakerPolicy, CachePolicy, Dedupe, Priority, RateLimit, ResourceArgument, RetryPolicy, Scope},
    tool::{Background, DeliveryPolicy, LostTask, McpTasks, Reconciled, ToolOptions},
};

/// Plain.
#[async_tool]
fn plain() {}

/// All that a model reads of `plain`, word for word: what is changed here changes how models behave.
const DESCRIPTION: &str = "Plain.\n\nRuns in the background if it takes long. Never guess its result.";

async fn look_up(lost: LostTask) -> Result<Reconciled<()>, String> {
    Err(format!("unknown: {}", lost.task()))
}

/// Set.
#[async_tool(
    name = "set-up",
    notice = "It takes a day.",
    background = "always",
    grace = "0.25s",
    timeout = "1.5m",
    effect = "read",
    retry(attempts = 3, backoff = "100ms..5s", total = "1min"),
    concurrency = 4,
    rate(limit = "100/min", key = "github"),
    breaker(failures = 5, cooldown = "30s"),
    priority = "high",
    cache(ttl = "1d", capacity = 1_000),
    dedupe = "share",
    scope = "shared",
    reads = "path",
    writes = "path:destination, label",
    futures,
    reconcile = look_up,
    external,
    sensitive = "result",
    approval = "always",
    delivery = "when_idle",
    result_limit = "16KiB",
    mcp = "required",
    hand_off(after = "45s")
)]
fn set(
    #[arg(sensitive)] path: String,
    destination: String,
    #[arg(default, rename = "label", sensitive)] label: Option<String>,
) {
    let _ = (path, destination, label);
}

/// As little as each key takes.
#[async_tool(
    effect = "idempotent",
    retry(attempts = 2,),
    rate = "10/500ms",
    priority = "low",
    dedupe = "reject",
    scope = "session",
    approval = "never",
    delivery = "silent",
    result_limit = "256B",
    mcp = "never",
    hand_off(after = "1ms")
)]
fn short() {}

/// A key means the same in a list that a macro makes.
macro_rules! limited {
    ($name:ident, $attempts:literal, $rate:expr) => {
        /// Limited.
        #[async_tool(effect = "read", retry(attempts = $attempts), rate = $rate, cache(ttl = "5m"))]
        fn $name() {}
    };
}

limited!(limited, 5, "1/h");

#[test]
fn compiles_and_runs() {
    let plain = plain::tool();
    assert_eq!(&*plain.definition().description, DESCRIPTION);
    assert!(DESCRIPTION.ends_with(ToolDefinition::NOTICE));
    assert_eq!(plain.options(), ToolOptions::DEFAULT);

    every_key_is_visible();
    every_key_can_be_overridden();

    // Built once.
    assert!(Arc::ptr_eq(
        &plain::tool().definition().input_schema,
        &plain.definition().input_schema
    ));
}

fn names(arguments: &[ResourceArgument]) -> Vec<String> {
    arguments.iter().map(ToString::to_string).collect()
}

fn every_key_is_visible() {
    let set = set::tool();
    assert_eq!(&*set.definition().name, "set-up");
    assert_eq!(
        &*set.definition().description,
        format!("Set.\n\n{}\n\nIt takes a day.", ToolDefinition::FUTURES)
    );
    let options = set.options();
    assert_eq!(options.background, Background::Always);
    assert_eq!(options.grace, Some(Duration::from_millis(250)));
    assert_eq!(options.timeout, Some(Duration::from_secs(90)));
    assert_eq!(options.effect, Effect::Read);
    let retry = RetryPolicy::new(3)
        .with_backoff(Duration::from_millis(100), Duration::from_secs(5))
        .with_total(Duration::from_secs(60));
    assert_eq!(options.retry, Some(retry));
    assert_eq!(options.concurrency, Some(4));
    let rate = RateLimit::new(100, Duration::from_secs(60)).shared("github");
    assert_eq!(options.rate, Some(rate));
    let breaker = BreakerPolicy::new(5, Duration::from_secs(30));
    assert_eq!(options.breaker, Some(breaker));
    assert_eq!(options.priority, Priority::High);
    let cache = CachePolicy::new(Duration::from_secs(86_400)).with_capacity(1000);
    assert_eq!(options.cache, Some(cache));
    assert_eq!(options.dedupe, Dedupe::Share);
    assert_eq!(options.scope, Scope::Shared);
    assert!(options.futures && !ToolOptions::DEFAULT.futures);
    assert_eq!(options.sensitive_arguments, ["path".into(), "label".into()]);
    assert!(options.external && !ToolOptions::DEFAULT.external);
    assert!(options.sensitive_result && !ToolOptions::DEFAULT.sensitive_result);
    assert_eq!(names(&options.reads), ["path"]);
    assert_eq!(names(&options.writes), ["path:destination", "label"]);
    assert_eq!(options.approval, Approval::Always);
    assert_eq!(options.delivery, Some(DeliveryPolicy::WhenIdle));
    assert_eq!(options.result_limit, Some(16 * 1024));
    assert_eq!(options.mcp, McpTasks::Required);
    assert_eq!(options.hand_off, Some(Duration::from_secs(45)));

    let short = short::tool();
    let options = short.options();
    assert_eq!(options.effect, Effect::Idempotent);
    assert_eq!(options.retry, Some(RetryPolicy::new(2)));
    let rate = RateLimit::new(10, Duration::from_millis(500));
    assert_eq!(options.rate, Some(rate));
    assert_eq!(options.priority, Priority::Low);
    assert_eq!(options.dedupe, Dedupe::Reject);
    assert_eq!(options.scope, Scope::Session);
    assert_eq!(options.approval, Approval::Never);
    assert_eq!(options.delivery, Some(DeliveryPolicy::Silent));
    assert_eq!(options.result_limit, Some(256));
    assert_eq!(options.mcp, McpTasks::Never);
    assert_eq!(options.hand_off, Some(Duration::from_millis(1)));

    let limited = limited::tool();
    let options = limited.options();
    assert_eq!(options.retry, Some(RetryPolicy::new(5)));
    assert_eq!(options.rate, Some(RateLimit::new(1, Duration::from_secs(3600))));
    assert_eq!(options.cache, Some(CachePolicy::new(Duration::from_secs(300))));
}

fn every_key_can_be_overridden() {
    let second = Duration::from_secs(1);
    let again = set::tool()
        .name("other")
        .description("Other.")
        .notice("It takes a week.")
        .grace(second)
        .timeout(second)
        .effect(Effect::Once)
        .retry(RetryPolicy::new(2))
        .concurrency(1)
        .rate(RateLimit::new(1, second))
        .breaker(BreakerPolicy::new(1, second))
        .priority(Priority::Low)
        .cache(CachePolicy::new(second))
        .dedupe(Dedupe::Replace)
        .scope(Scope::Session)
        .reads("label, path:destination")
        .writes("")
        .futures(false)
        .external(false)
        .sensitive_arguments(["destination"])
        .sensitive_result(false)
        .approval(Approval::Never)
        .delivery(DeliveryPolicy::Interrupt)
        .result_limit(512)
        .mcp(McpTasks::Optional)
        .hand_off(second);
    assert_eq!(&*again.definition().name, "other");
    assert_eq!(&*again.definition().description, "Other.\n\nIt takes a week.");
    let options = again.options();
    assert_eq!(options.grace, Some(second));
    assert_eq!(options.timeout, Some(second));
    assert_eq!(options.effect, Effect::Once);
    assert_eq!(options.retry, Some(RetryPolicy::new(2)));
    assert_eq!(options.concurrency, Some(1));
    assert_eq!(options.rate, Some(RateLimit::new(1, second)));
    assert_eq!(options.breaker, Some(BreakerPolicy::new(1, second)));
    assert_eq!(options.priority, Priority::Low);
    assert_eq!(options.cache, Some(CachePolicy::new(second)));
    assert_eq!(options.dedupe, Dedupe::Replace);
    assert_eq!(options.scope, Scope::Session);
    assert_eq!(names(&options.reads), ["label", "path:destination"]);
    assert!(!options.futures && !options.external && !options.sensitive_result);
    assert_eq!(options.sensitive_arguments, ["destination".into()]);
    assert_eq!(names(&options.writes), [""; 0]);
    assert_eq!(options.approval, Approval::Never);
    assert_eq!(options.delivery, Some(DeliveryPolicy::Interrupt));
    assert_eq!(options.result_limit, Some(512));
    assert_eq!((options.mcp, options.hand_off), (McpTasks::Optional, Some(second)));

    let quiet = again.background(Background::Never);
    assert_eq!(quiet.options().background, Background::Never);
    assert_eq!(&*quiet.definition().description, "Other.");
    assert_eq!(
        &*set::tool().without_notice().futures(false).definition().description,
        "Set."
    );
}
