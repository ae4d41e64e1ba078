//! The directory tree that the tools may read.

use std::{
    ffi::OsStr,
    path::{Component, Path, PathBuf},
};

use anyhow::{Context as _, bail};
use ignore::{DirEntry, WalkBuilder};

/// Directories without sources in them, left out also where no `.gitignore` says so.
const LEFT_OUT: [&str; 2] = [".git", "target"];

/// A directory tree, and nothing outside it: a model may name any path, and must not get anywhere by it.
#[derive(Debug)]
pub struct Tree {
    root: PathBuf,
}

/// Files found in a tree.
#[derive(Debug)]
pub(crate) struct Files {
    /// What the names of the files are relative to.
    pub(crate) root: PathBuf,
    /// In the order of their names, so that two walks of one tree give the same.
    pub(crate) paths: Vec<PathBuf>,
    /// Entries that could not be looked at.
    pub(crate) unreadable: u64,
}

impl Tree {
    /// Keeps a walk over somebody's whole disk from taking all of the memory.
    pub const FILES_AT_MOST: usize = 50_000;

    /// The tree below `root`, which need not exist: whoever reads from it is told.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The path in this tree that `path` names.
    pub(crate) fn resolve(&self, path: &str) -> anyhow::Result<PathBuf> {
        let is_inside = |component| matches!(component, Component::Normal(_) | Component::CurDir);
        if !Path::new(path).components().all(is_inside) {
            bail!("`{path}` must be relative to the tree, without `..`");
        }
        let root = self.real_root()?;
        let found = root.join(path);
        let real = found
            .canonicalize()
            .map_err(|error| anyhow::anyhow!("can't read `{path}` in `{}`: {error}", self.root.display()))?;
        // A symbolic link can lead anywhere.
        if !real.starts_with(&root) {
            bail!("`{path}` leads out of the tree");
        }
        Ok(real)
    }

    /// The regular files below `path`, without what git ignores.
    pub(crate) fn files(&self, path: &str) -> anyhow::Result<Files> {
        let start = self.resolve(path)?;
        let walk = WalkBuilder::new(start)
            .hidden(false)
            // What is above was not asked for, and does not decide.
            .parents(false)
            .require_git(false)
            .filter_entry(is_wanted)
            .sort_by_file_name(OsStr::cmp)
            .build();
        let mut files = Files {
            root: self.real_root()?,
            paths: Vec::new(),
            unreadable: 0,
        };
        for entry in walk {
            match entry {
                Ok(entry) if entry.file_type().is_some_and(|kind| kind.is_file()) => {
                    files.paths.push(entry.into_path())
                }
                Ok(_) => {}
                Err(_) => files.unreadable += 1,
            }
            if files.paths.len() > Self::FILES_AT_MOST {
                bail!("more than {} files; name a directory below", Self::FILES_AT_MOST);
            }
        }
        Ok(files)
    }

    fn real_root(&self) -> anyhow::Result<PathBuf> {
        let root = self.root.canonicalize();
        // In one text, because a model is shown no chain of causes.
        root.map_err(|error| anyhow::anyhow!("can't read `{}`: {error}", self.root.display()))
    }
}

fn is_wanted(entry: &DirEntry) -> bool {
    entry.depth() == 0 || !LEFT_OUT.iter().any(|name| entry.file_name() == *name)
}

/// The default of the programs: the repository they are from, or the current directory where that is gone.
///
/// # Errors
///
/// There is no current directory either.
pub fn default_root() -> anyhow::Result<PathBuf> {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).parent();
    match repository.filter(|path| path.is_dir()) {
        Some(path) => Ok(path.to_owned()),
        None => std::env::current_dir().context("there is no current directory; give a path"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_does_not_lead_out_of_the_tree() {
        let tree = Tree::new(env!("CARGO_MANIFEST_DIR"));
        assert!(tree.resolve("shared/tree.rs").is_ok());
        for path in ["..", "shared/../..", "/"] {
            let error = tree.resolve(path).unwrap_err().to_string();
            assert!(error.contains("relative to the tree"), "{error}");
        }
    }

    #[test]
    fn what_does_not_exist_is_named() {
        let missing = Tree::new("/no/such/tree").files(".").unwrap_err().to_string();
        assert!(missing.contains("`/no/such/tree`"), "{missing}");
        let tree = Tree::new(env!("CARGO_MANIFEST_DIR"));
        let missing = tree.resolve("no-such-file").unwrap_err().to_string();
        assert!(missing.contains("`no-such-file`"), "{missing}");
    }
}
