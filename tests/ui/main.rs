//! What compiles, and how what doesn't is refused. See `../README.md` for what each case shows.

#[test]
fn tools_compile_and_mistakes_are_explained() {
    let cases = trybuild::TestCases::new();
    cases.pass("ui/pass/*.rs");
    cases.compile_fail("ui/fail/*/*.rs");
}
