//! Standard output: fitted to the width of a terminal, and tolerant of a closed pipe, such as a pipe into `head`.

use std::{
    fmt::Display,
    io::{IsTerminal as _, Write as _, stdout},
    sync::OnceLock,
};

use console::{Term, measure_text_width};

/// Width of a terminal that doesn't tell its own.
const COMMON: usize = 80;
/// Width below which nothing is fitted.
const NARROWEST: usize = 8;

/// Function that prints a text in place of standard output.
pub type Printer = Box<dyn Fn(String) + Send + Sync>;

static PRINTER: OnceLock<Printer> = OnceLock::new();

/// Prints lines. Unlike `println!`, it does not panic if the pipe is closed, so the session still ends properly.
///
/// On a terminal, lines that are too long are broken between words.
pub fn say(lines: impl Display) {
    say_hanging(lines, 0);
}

/// Prints lines, as [`say`] does; the rest of a broken line is indented by `indent` columns, or less on a narrow terminal.
pub fn say_hanging(lines: impl Display, indent: usize) {
    let lines = lines.to_string();
    let text = match columns() {
        Some(columns) => fit(&lines, columns, indent),
        None => lines,
    };
    match PRINTER.get() {
        Some(printer) => printer(text),
        None => {
            let _closed_pipe = writeln!(stdout(), "{text}");
        }
    }
}

/// Prints all further lines with this function, for a program that draws a line of its own. Only the first call counts.
pub fn divert(printer: Printer) {
    let _is_diverted = PRINTER.set(printer);
}

/// Width of the terminal at this moment; `None` if the output isn't a terminal.
#[must_use]
pub fn columns() -> Option<usize> {
    if !stdout().is_terminal() {
        return None;
    }
    let size = Term::stdout().size_checked();
    Some(match size {
        // A terminal without a window, such as one that a script has opened.
        None | Some((_, 0)) => COMMON,
        Some((_, columns)) => usize::from(columns).max(NARROWEST),
    })
}

/// Columns that a text takes on a terminal.
#[must_use]
pub fn width(text: &str) -> usize {
    measure_text_width(text)
}

/// Breaks lines that are wider than `columns`.
fn fit(lines: &str, columns: usize, indent: usize) -> String {
    let mut text = String::with_capacity(lines.len());
    for (index, line) in lines.split('\n').enumerate() {
        if index > 0 {
            text.push('\n');
        }
        if measure_text_width(line) <= columns {
            text.push_str(line);
        } else {
            break_line(&mut text, line, columns, indent.min(columns / 4));
        }
    }
    text
}

fn break_line(text: &mut String, line: &str, columns: usize, indent: usize) {
    let mut used = 0;
    let mut rest = line;
    while !rest.is_empty() {
        let spaces = rest.len() - rest.trim_start_matches(' ').len();
        let end = rest[spaces..].find(' ').map_or(rest.len(), |end| spaces + end);
        let (piece, behind) = rest.split_at(end);
        rest = behind;
        let word = &piece[spaces..];
        let width = measure_text_width(word);
        if used == 0 || used + spaces + width <= columns {
            // The indent of the line itself.
            let spaces = if used == 0 { spaces.min(columns / 4) } else { spaces };
            text.push_str(&piece[piece.len() - word.len() - spaces..piece.len() - word.len()]);
            used += spaces;
        } else if !word.is_empty() {
            next_row(text, &mut used, indent);
        }
        // A word that is wider than a row is broken.
        for letter in word.chars() {
            let width = measure_text_width(letter.encode_utf8(&mut [0; 4]));
            if used + width > columns {
                next_row(text, &mut used, indent);
            }
            text.push(letter);
            used += width;
        }
    }
}

fn next_row(text: &mut String, used: &mut usize, indent: usize) {
    text.push('\n');
    text.push_str(&" ".repeat(indent));
    *used = indent;
}

/// Cuts a text to this many columns; a mark stands for the part that is cut.
pub(crate) fn shorten(text: &str, columns: usize) -> String {
    if measure_text_width(text) <= columns {
        return text.to_owned();
    }
    let mut short = String::new();
    for letter in text.chars() {
        if measure_text_width(&short) + measure_text_width(letter.encode_utf8(&mut [0; 4])) >= columns {
            break;
        }
        short.push(letter);
    }
    short + "…"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_broken_between_words_and_no_row_is_too_wide() {
        let line = "   0.00 s  user  Hash every file over 5 seconds; read 日本語の長い文書.md and averyveryverylongnameofafile.rs";
        for columns in [8, 20, 40, 80, 200] {
            let fitted = fit(line, columns, 17);
            for row in fitted.split('\n') {
                assert!(measure_text_width(row) <= columns, "{columns}: {row:?}");
            }
            let letters = |text: &str| text.replace([' ', '\n'], "");
            assert_eq!(letters(&fitted), letters(line), "{columns}");
        }
        let expected = "   0.00 s  user  Hash every file over 5\n          seconds";
        assert_eq!(fit("   0.00 s  user  Hash every file over 5 seconds", 40, 17), expected);
    }

    #[test]
    fn lines_that_fit_stay_as_they_are() {
        let lines = "a  table\n\n  with   columns  \n";
        assert_eq!(fit(lines, 20, 4), lines);
    }

    #[test]
    fn a_long_name_is_cut_with_a_mark() {
        assert_eq!(shorten("t1 hash_tree", 20), "t1 hash_tree");
        assert_eq!(shorten("t1 hash_tree", 8), "t1 hash…");
        assert_eq!(shorten("日本語", 4), "日…");
    }
}
