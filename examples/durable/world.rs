//! The effects of the errands, in files that outlive the process.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

/// Files with the effects of the errands: books with a line for each effect, and a shelf with a file for each box.
#[derive(Clone, Debug)]
pub(crate) struct World(PathBuf);

impl World {
    pub(crate) fn of(directory: &Path) -> io::Result<Self> {
        let world = directory.join("world");
        fs::create_dir_all(world.join("shelf"))?;
        Ok(Self(world))
    }

    /// Adds a line to the book of `place`: an effect that can't be undone.
    pub(crate) fn enter(&self, place: &str, key: &str, what: &str) -> io::Result<()> {
        let mut book = OpenOptions::new().append(true).create(true).open(self.book(place))?;
        book.write_all(format!("{key},{what}\n").as_bytes())?;
        book.sync_all()
    }

    /// Entries with a key in the book of `place`; one for each time it was entered.
    pub(crate) fn find(&self, place: &str, key: &str) -> io::Result<Vec<String>> {
        let book = match fs::read_to_string(self.book(place)) {
            Ok(book) => book,
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(error),
        };
        let lines = book.lines().filter_map(|line| line.split_once(','));
        let found = lines.filter(|(known, _)| *known == key);
        Ok(found.map(|(_, what)| what.to_owned()).collect())
    }

    /// Puts a box on the shelf, under its key. Doing so twice has the same effect as once.
    pub(crate) fn put(&self, key: &str, what: &str) -> io::Result<()> {
        fs::write(self.shelf(key), what)
    }

    pub(crate) fn holds(&self, key: &str) -> bool {
        self.shelf(key).exists()
    }

    fn book(&self, place: &str) -> PathBuf {
        self.0.join(format!("{place}.csv"))
    }

    fn shelf(&self, key: &str) -> PathBuf {
        self.0.join("shelf").join(format!("{key}.txt"))
    }
}
