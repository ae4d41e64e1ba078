//! Errors for tools that must not compile. See `../README.md` for the rule that each case shows.

// No case may pass: trybuild then checks all cases in one run of cargo, and builds nothing.
#[test]
fn mistakes_are_explained() {
    trybuild::TestCases::new().compile_fail("fail/*/*.rs");
}
