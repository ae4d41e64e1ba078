//! The page "Ways in" of the runtime crate. Its examples of rig can't be compiled there.

/// The page, as its file has it.
const PAGE: &str = include_str!("../../../../async-tool-runtime/src/ways_in.rs");
/// The README of this crate, whose examples are compiled.
const README: &str = include_str!("../../README.md");

#[test]
fn its_examples_of_rig_are_those_of_the_readme() {
    let page: String = PAGE
        .lines()
        .map(|line| line.trim_start_matches("//!").trim_start_matches(' ').to_owned() + "\n")
        .collect();
    let unindented: String = README.lines().map(|line| line.trim_start().to_owned() + "\n").collect();
    let blocks: Vec<&str> = page
        .split("```ignore\n")
        .skip(1)
        .filter_map(|rest| rest.split("```").next())
        .collect();
    assert_eq!(blocks.len(), 3);
    for block in blocks {
        let block: String = block.lines().map(|line| line.trim_start().to_owned() + "\n").collect();
        assert!(unindented.contains(&block), "the README has no such example:\n{block}");
    }
}
