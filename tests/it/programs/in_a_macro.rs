//! Tools are written by `macro_rules!` too, which may name the runtime by `$crate`.

pub use async_tool_runtime as reexported;

macro_rules! adders {
    ($($visibility:vis fn $name:ident($($parameter:ident: $ty:ty),*) -> $output:ty $body:block)*) => {
        $(
            #[doc = concat!("Adds ", stringify!($name), ".")]
            #[$crate::programs::in_a_macro::reexported::async_tool(
                name = "wrapped",
                timeout = "5s",
                crate = $crate::programs::in_a_macro::reexported
            )]
            $visibility fn $name($($parameter: $ty, #[arg(default = 1)] step: u8),*) -> $output {
                let _ = step;
                $body
            }
        )*
    };
}

adders! {
    fn one(number: u8) -> u8 { number + 1 }
    pub fn length(text: &str) -> Option<usize> { Some(text.len()) }
}

#[test]
fn compiles_and_runs() {
    use async_tool_runtime::Tool;
    assert_eq!(&*one::tool().definition().name, "wrapped");
    assert_eq!(length("abc", 0), Some(3));
    length::tool().bind(&serde_json::json!({"text": "x"}).into()).unwrap();
}
