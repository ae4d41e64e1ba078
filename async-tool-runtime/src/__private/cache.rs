//! The key `cache`, which needs a feature.

/// Sets the cache policy of a tool.
#[cfg(feature = "cache")]
#[doc(hidden)]
#[macro_export]
macro_rules! __cache {
    ($tool:ident, $policy:expr) => {
        $tool.cache($policy)
    };
}

/// Expands to an error without the feature `cache`, and still to the tool, so that no second error follows.
#[cfg(not(feature = "cache"))]
#[doc(hidden)]
#[macro_export]
macro_rules! __cache {
    ($tool:ident, $policy:expr) => {{
        ::core::compile_error!(
            "`cache` needs the feature `cache` of `async-tool-runtime`: add `features = [\"cache\"]` to the dependency in `Cargo.toml`"
        );
        $tool
    }};
}
