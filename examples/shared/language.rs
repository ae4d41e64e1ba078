//! Programming languages, by file name.

use std::path::Path;

/// Language of a file, from its extension; `other` if the extension is unknown.
pub(crate) fn language_of(path: &Path) -> &'static str {
    let extension = path.extension().and_then(|extension| extension.to_str());
    match extension.unwrap_or_default() {
        "rs" => "Rust",
        "md" | "markdown" => "Markdown",
        "toml" => "TOML",
        "json" => "JSON",
        "yml" | "yaml" => "YAML",
        "sh" | "bash" => "Shell",
        "py" | "pyi" => "Python",
        "js" | "mjs" | "cjs" | "jsx" => "JavaScript",
        "ts" | "tsx" => "TypeScript",
        "c" | "h" => "C",
        "cc" | "cpp" | "cxx" | "hpp" | "hh" => "C++",
        "go" => "Go",
        "java" => "Java",
        "kt" => "Kotlin",
        "rb" => "Ruby",
        "swift" => "Swift",
        "cs" => "C#",
        "html" | "htm" => "HTML",
        "css" | "scss" => "CSS",
        "sql" => "SQL",
        "lock" => "lock files",
        _ => "other",
    }
}
