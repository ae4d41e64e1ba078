//! Embeds the files of the page: a list of names and `include_str!`, made of the folder `assets`.

use std::{env, error::Error, fs, path::PathBuf};

/// Kinds of files that the page has, and their media types.
const KINDS: [(&str, &str); 4] = [
    ("html", "text/html; charset=utf-8"),
    ("css", "text/css; charset=utf-8"),
    ("js", "text/javascript; charset=utf-8"),
    ("svg", "image/svg+xml"),
];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=assets");
    let folder = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?).join("assets");
    let mut lines = Vec::new();
    for file in fs::read_dir(&folder)? {
        let path = file?.path();
        let kind = path.extension().and_then(|kind| kind.to_str()).unwrap_or_default();
        let Some((_, media)) = KINDS.iter().find(|(known, _)| *known == kind) else {
            continue;
        };
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        lines.push(format!("({name:?}, {media:?}, include_str!({path:?})),"));
    }
    lines.sort();
    let list = format!("&[\n{}\n]", lines.join("\n"));
    fs::write(PathBuf::from(env::var("OUT_DIR")?).join("assets.rs"), list)?;
    Ok(())
}
