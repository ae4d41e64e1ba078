//! Place for the struct of a tool: beside the function, unless that is in an `impl` block.

/// Makes the struct of a tool, and further items.
///
/// An `impl` block can't hold a struct, and a macro can't see that it is in one. rustc's error names this macro, so its name is the advice.
/// The further items come by an attribute of the struct: where rustc refuses the struct, they are gone too and give no error of their own.
#[doc(hidden)]
#[macro_export]
macro_rules! __tools_in_an_impl_need_async_tools_on_the_impl {
    ($more:tt $(#[$attribute:meta])* $visibility:vis $name:ident) => {
        #[$crate::__private::followed_by $more]
        $(#[$attribute])*
        $visibility struct $name {}
    };
}
