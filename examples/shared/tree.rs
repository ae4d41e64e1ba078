//! The directory tree that the tools may read.

use std::{
    ffi::OsStr,
    fs,
    path::{Component, Path, PathBuf},
};

use anyhow::{Context as _, bail};
use clap::{
    Args,
    builder::{PathBufValueParser, TypedValueParser as _},
};
use ignore::{DirEntry, WalkBuilder};

/// Directories without source code, skipped even if no `.gitignore` lists them.
const LEFT_OUT: [&str; 2] = [".git", "target"];

/// A directory tree. A model can name any path, so paths that lead out of the tree are refused.
#[derive(Debug)]
pub struct Tree {
    root: PathBuf,
}

/// Files found in a tree.
#[derive(Debug)]
pub struct Files {
    /// Directory that file names are relative to.
    pub root: PathBuf,
    /// Paths in the order of their names, so that two walks of a tree give the same list.
    pub paths: Vec<PathBuf>,
    /// Number of entries that could not be read.
    pub unreadable: u64,
}

impl Tree {
    /// Maximum number of files, so that a walk over a whole disk does not exhaust the memory.
    pub const FILES_AT_MOST: usize = 50_000;

    /// The tree below `root`. If `root` doesn't exist, reading from the tree fails.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// Resolves a path that is relative to the tree.
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

    /// Regular files below `path`, without those that git ignores.
    ///
    /// # Errors
    ///
    /// If `path` can't be read or leads out of the tree, or if there are more than [`FILES_AT_MOST`](Self::FILES_AT_MOST) files.
    pub fn files(&self, path: &str) -> anyhow::Result<Files> {
        let start = self.resolve(path)?;
        let walk = WalkBuilder::new(start)
            .hidden(false)
            // Ignore files above the tree don't apply.
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
                bail!(
                    "`{path}` has more than {} files; name a directory below it",
                    Self::FILES_AT_MOST
                );
            }
        }
        Ok(files)
    }

    fn real_root(&self) -> anyhow::Result<PathBuf> {
        let root = self.root.canonicalize();
        // One message instead of a chain of causes, because a model is shown only the first.
        root.map_err(|error| anyhow::anyhow!("can't read `{}`: {error}", self.root.display()))
    }
}

fn is_wanted(entry: &DirEntry) -> bool {
    entry.depth() == 0 || !LEFT_OUT.iter().any(|name| entry.file_name() == *name)
}

/// Directory on a command line, or the [default](default_root).
#[derive(Args, Clone, Debug, Default)]
pub struct TreeArguments {
    /// The directory tree to work on. Default: the repository of this program.
    #[arg(value_parser = PathBufValueParser::new().try_map(directory))]
    pub path: Option<PathBuf>,
}

impl TreeArguments {
    /// Directory to work on.
    ///
    /// # Errors
    ///
    /// If none was given and there is no default.
    pub fn root(self) -> anyhow::Result<PathBuf> {
        self.path.map_or_else(default_root, Ok)
    }
}

/// Refuses a path without a directory while the command line is read, before anything is started.
fn directory(path: PathBuf) -> Result<PathBuf, String> {
    match fs::read_dir(&path) {
        Ok(_) => Ok(path),
        Err(error) => Err(format!("can't read the directory: {error}")),
    }
}

/// Default tree of the programs: their repository, or the current directory if the repository is gone.
///
/// # Errors
///
/// If there is no current directory either.
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
    fn a_command_line_takes_only_a_directory_that_can_be_read() {
        let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
        assert_eq!(directory(here.clone()), Ok(here.clone()));
        for path in [
            PathBuf::from("no/such/tree"),
            here.join("shared/tree.rs"),
            PathBuf::new(),
        ] {
            assert!(directory(path.clone()).is_err(), "{path:?}");
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
