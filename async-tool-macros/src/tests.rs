//! Golden expansions, and tests that need no compiler.

use std::time::Duration;

use expect_test::{ExpectFile, expect_file};
use proc_macro2::{Group, TokenStream};
use quote::quote;
use syn::{
    File, Item,
    parse::{ParseStream, Parser},
};

use crate::{duration, pipeline, rate, size};

fn expansion(arguments: TokenStream, item: TokenStream) -> String {
    let mut file = syn::parse2::<File>(pipeline(arguments, item)).expect("the expansion is Rust");
    file.items = file.items.into_iter().flat_map(placed).collect();
    prettyplease::unparse(&file)
}

/// The struct and its followers, as the runtime's macro places them.
fn placed(item: Item) -> Vec<Item> {
    match item {
        Item::Macro(call) if call.mac.path.segments.len() > 2 => {
            let conditions = call.attrs;
            let parser = |input: ParseStream| {
                let rest = input.parse::<Group>()?.stream();
                let head = input.parse::<TokenStream>()?;
                // The struct's keyword comes before its name, which is the last token.
                let mut head = head.into_iter().collect::<Vec<_>>();
                let name = head.pop();
                Ok(quote!(#(#conditions)* #(#head)* struct #name {} #rest))
            };
            let items = parser.parse2(call.mac.tokens).expect("the call is the runtime macro's");
            syn::parse2::<File>(items).expect("the items are Rust").items
        }
        item => vec![item],
    }
}

#[track_caller]
fn check(arguments: TokenStream, item: TokenStream, expected: &ExpectFile) {
    expected.assert_eq(&expansion(arguments, item));
}

fn one_argument() -> TokenStream {
    quote! {
        /// Greets a person.
        pub fn greet(name: String) -> String {
            format!("Hello, {name}!")
        }
    }
}

#[test]
fn one_argument_takes_at_most_60_lines() {
    let expansion = expansion(TokenStream::new(), one_argument());
    assert!(expansion.lines().count() <= 60, "{expansion}");
    check(
        TokenStream::new(),
        one_argument(),
        &expect_file!["../../tests/expand/one_argument.rs"],
    );
}

/// A tool that is expected to be unused may use nothing, or the function's own expectation isn't fulfilled.
#[test]
fn lints_of_the_function_are_allowed_beside_it() {
    let expansion = expansion(
        TokenStream::new(),
        quote! {
            /// Works.
            #[allow(deprecated)]
            #[expect(dead_code, clippy::pedantic, reason = "a feature uses it")]
            fn work() {}
        },
    );
    let (function, rest) = expansion.split_once("fn work() {}").unwrap();
    let (handle, tool) = rest.split_once("struct work {}").unwrap();
    assert!(function.contains("#[expect(dead_code, clippy::pedantic, reason = \"a feature uses it\")]"));
    assert!(handle.contains("#[allow(deprecated)]"), "{expansion}");
    assert!(handle.contains("#[allow(dead_code, clippy::pedantic, reason = \"a feature uses it\")]"));
    assert!(tool.contains("#[allow(deprecated)]"), "{expansion}");
    assert!(
        tool.contains("#[allow(clippy::pedantic, reason = \"a feature uses it\")]"),
        "{expansion}"
    );
    assert!(!tool.contains("dead_code"), "{expansion}");
}

#[test]
fn everything_at_once() {
    check(
        quote!(
            name = "research",
            notice = off,
            background = "never",
            grace = "0.25s",
            timeout = "1m",
            effect = "read",
            retry(attempts = 3, backoff = "100ms..5s", total = "1m"),
            concurrency = 4,
            rate(limit = "100/min", key = "sources"),
            breaker(failures = 5, cooldown = "30s"),
            priority = "low",
            cache(ttl = "1d", capacity = 1_000),
            dedupe = "share",
            scope = "shared",
            reads = "languages, topic:max",
            writes = "path:within",
            futures,
            reconcile = research::find_out,
            external = true,
            sensitive = "result",
            approval = "always",
            delivery = "when_idle",
            result_limit = "16KiB",
            mcp = "required",
            hand_off(after = "45s"),
            crate = crate::tools
        ),
        quote! {
            /// Researches a topic,
            /// thoroughly.
            #[doc = include_str!("more.md")]
            #[cfg(feature = "research")]
            pub(crate) async fn research_topic(
                /// The topic.
                topic: &str,
                #[arg(default = 5, rename = "max", sensitive)] mut sources: u32,
                #[arg(default, sensitive)] languages: &[String],
                #[serde(with = "hex")]
                #[schemars(with = "String")]
                key: Vec<u8>,
                #[serde(deserialize_with = "lenient")] depth: u8,
                #[allow(unused)] within: Option<&Path>,
                #[inject] cx: ToolContext,
                #[inject] db: &State<Db>,
            ) -> Result<Findings, ResearchError> {
                search(&cx, db, topic).await
            }
        },
        &expect_file!["../../tests/expand/everything.rs"],
    );
}

#[test]
fn no_argument_and_no_result() {
    check(
        quote!(description = "Rings."),
        quote!(
            fn ring() {}
        ),
        &expect_file!["../../tests/expand/no_argument.rs"],
    );
}

#[test]
fn errors_come_together_and_the_items_are_there() {
    check(
        quote!(timeuot = "5s", effect = "write"),
        quote! {
            fn first<T>(_: T, #[arg(mni = 1)] /** Some. */ number: &mut u8) {}
        },
        &expect_file!["../../tests/expand/errors.rs"],
    );
}

#[test]
fn the_body_is_not_read() {
    let item = quote! {
        /// Broken.
        fn broken() { let = ; }
    };
    let expansion = pipeline(TokenStream::new(), item).to_string();
    assert!(expansion.contains("fn broken () { let = ; }"), "{expansion}");
    assert!(!expansion.contains("compile_error"), "{expansion}");
}

#[test]
fn durations_are_exact() {
    assert_eq!(duration::parse("250ms"), Ok(Duration::from_millis(250)));
    assert_eq!(duration::parse("0.1s"), Ok(Duration::from_millis(100)));
    assert_eq!(duration::parse("1.5m"), Ok(Duration::from_secs(90)));
    assert_eq!(duration::parse("1h"), Ok(Duration::from_secs(3600)));
    assert_eq!(duration::parse("2min"), duration::parse("2m"));
    assert_eq!(duration::parse("7d"), duration::parse("168h"));
    assert_eq!(duration::parse("0.5ms"), Ok(Duration::from_micros(500)));
    for wrong in [
        "",
        "5",
        "s",
        "5 s",
        "-5s",
        "5sec",
        ".5s",
        "5.s",
        "1.2.3s",
        "1e3s",
        "５s",
        "99999999999h",
    ] {
        assert!(duration::parse(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn rates_are_calls_over_a_time() {
    let second = Duration::from_secs(1);
    assert_eq!(rate::parse("10/s"), Ok((10, second)));
    assert_eq!(rate::parse("100/min"), rate::parse("100/m"));
    assert_eq!(rate::parse("100/m"), Ok((100, 60 * second)));
    assert_eq!(rate::parse("1/h"), Ok((1, 3600 * second)));
    assert_eq!(rate::parse("1/d"), rate::parse("1/24h"));
    assert_eq!(rate::parse("10/500ms"), Ok((10, second / 2)));
    assert_eq!(rate::parse("3/1.5s"), Ok((3, second * 3 / 2)));
    assert_eq!(rate::parse("1/ms"), Ok((1, second / 1000)));
    for wrong in [
        "",
        "10",
        "/s",
        "10/",
        "10/10",
        "10 / s",
        "-1/s",
        "1.5/s",
        "10/sec",
        "10/s/s",
        "0/s",
        "00/s",
        "10/0s",
        "10/0.0000001ms",
        "4294967296/s",
        "1/99999999999h",
    ] {
        assert!(rate::parse(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn sizes_are_in_bytes() {
    assert_eq!(size::parse("512B"), Ok(512));
    assert_eq!(size::parse("16KiB"), Ok(16 * 1024));
    assert_eq!(size::parse("16KB"), Ok(16_000));
    assert_eq!(size::parse("1.5MB"), Ok(1_500_000));
    assert_eq!(size::parse("2MiB"), Ok(2 * 1024 * 1024));
    for wrong in ["", "16", "KiB", "16 KiB", "16kb", "16GiB", "-1B", "4096MiB", "1e3B"] {
        assert!(size::parse(wrong).is_err(), "{wrong}");
    }
}
