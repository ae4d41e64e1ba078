//! Columns of a chart: names, bars on a common axis, and remarks.

use std::fmt;

use crate::console::shorten;

/// Widths of a chart on a wide terminal.
pub(crate) struct Widths {
    /// Column of names.
    pub(crate) label: usize,
    /// Longest axis.
    pub(crate) axis: usize,
    /// Shortest axis that has remarks beside it.
    pub(crate) axis_beside: usize,
}

/// Widths of a chart on a terminal.
pub(crate) struct Layout {
    /// Column of names.
    pub(crate) label: usize,
    /// Length of the axis.
    pub(crate) axis: usize,
}

impl Layout {
    /// Layout for this many columns, and true if remarks of this length have room beside the bars.
    pub(crate) fn new(widths: &Widths, columns: usize, remark: usize) -> (Self, bool) {
        let label = widths.label.min(columns / 4).max(2);
        // A blank, and a border on each side.
        let axis = columns.saturating_sub(label + 3);
        // The remark, and a blank before it.
        let beside = axis.saturating_sub(remark + 1);
        let is_beside = beside >= widths.axis_beside;
        let axis = if is_beside { beside } else { axis };
        let axis = axis.min(widths.axis).max(1);
        (Self { label, axis }, is_beside)
    }

    /// Writes a row: the name, cut to its column, the cells between borders, and the remark.
    pub(crate) fn row(&self, f: &mut fmt::Formatter<'_>, label: &str, cells: &str, remark: &str) -> fmt::Result {
        let label = shorten(label, self.label);
        let line = format!("{label:<width$} │{cells}│ {remark}", width = self.label);
        writeln!(f, "{}", line.trim_end())
    }
}

#[cfg(test)]
pub(crate) fn width_of(row: &str) -> usize {
    console::measure_text_width(row)
}
