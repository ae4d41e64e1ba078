//! The page "Web service" of the documentation. Its program is a package of its own, and is tested there.

/// The page, as its file has it.
const PAGE: &str = include_str!("../../async-tool-runtime/src/web_service.rs");
const PROGRAM: &str = include_str!("../../examples/service/main.rs");

#[test]
fn the_page_has_the_program_to_the_letter() {
    let page: String = PAGE
        .lines()
        .map(|line| line.strip_prefix("//! ").unwrap_or_default().to_owned() + "\n")
        .collect();
    let (_, rest) = page.split_once("```ignore\n").unwrap();
    let (code, _) = rest.split_once("```\n").unwrap();
    let (_, program) = PROGRAM.split_once("\n\n").unwrap();
    assert!(code == program, "copy examples/service/main.rs to the page");
}
