//! An index of the packages in this repository's `Cargo.lock`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Entry of the index for a package.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Package {
    pub(crate) name: String,
    /// Versions in use.
    pub(crate) versions: Vec<String>,
    /// Number of packages that depend on it.
    pub(crate) needed_by: usize,
}

/// All packages by name.
#[derive(Debug)]
pub(crate) struct Index(BTreeMap<String, Package>);

impl Index {
    /// Reads the names, versions and dependencies in the tables `[[package]]` of a lock file.
    pub(crate) fn read(lock: &str) -> Self {
        let mut packages = BTreeMap::<String, Package>::new();
        let mut name = "";
        for line in lock.lines() {
            if let Some(named) = quoted(line, "name = ") {
                name = named;
            } else if let Some(version) = quoted(line, "version = ") {
                let package = entry(&mut packages, name);
                package.versions.push(version.to_owned());
            } else if let Some(dependency) = quoted(line.trim_end_matches(','), " ") {
                // If the lock file has several versions of a package, the version follows the name.
                let dependency = dependency.split(' ').next().unwrap_or(dependency);
                entry(&mut packages, dependency).needed_by += 1;
            }
        }
        Self(packages)
    }

    pub(crate) fn find(&self, name: &str) -> Option<&Package> {
        self.0.get(name)
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

fn entry<'a>(packages: &'a mut BTreeMap<String, Package>, name: &str) -> &'a mut Package {
    packages.entry(name.to_owned()).or_insert_with(|| Package {
        name: name.to_owned(),
        ..Package::default()
    })
}

/// Text in quotes that makes up the rest of the line after `before`.
fn quoted<'a>(line: &'a str, before: &str) -> Option<&'a str> {
    line.strip_prefix(before)?.strip_prefix('"')?.strip_suffix('"')
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOCK: &str = r#"
version = 4

[[package]]
name = "one"
version = "1.0.0"
source = "registry+https://example.org"
dependencies = [
 "two 2.0.0",
 "three",
]

[[package]]
name = "two"
version = "1.0.0"
dependencies = [
 "three",
]

[[package]]
name = "two"
version = "2.0.0"
"#;

    #[test]
    fn versions_and_dependents_are_counted() {
        let index = Index::read(LOCK);
        let two = index.find("two").unwrap();
        assert_eq!((two.versions.join(" "), two.needed_by), ("1.0.0 2.0.0".to_owned(), 1));
        assert_eq!(index.find("three").map(|package| package.needed_by), Some(2));
        assert_eq!(index.find("four"), None);
        assert_eq!(index.len(), 3);
    }
}
