//! Registration of tools for the whole program.

/// Registers a tool for [`collected_tools`](crate::tool::collected_tools).
#[cfg(feature = "inventory")]
#[doc(hidden)]
#[macro_export]
macro_rules! __collect {
    ($tool:ident) => {
        $crate::__private::inventory::submit! {
            $crate::__private::Collected(|| $crate::__private::Arc::new(<$tool>::tool()))
        }
    };
}

/// Expands to nothing without the feature `inventory`.
#[cfg(not(feature = "inventory"))]
#[doc(hidden)]
#[macro_export]
macro_rules! __collect {
    ($tool:ident) => {};
}
