//! Sizes in attributes.

use crate::quantity::{self, Wrong};

const UNITS: &[(&str, u64)] = &[
    ("B", 1),
    ("KB", 1000),
    ("KiB", 1024),
    ("MB", 1_000_000),
    ("MiB", 1024 * 1024),
];

/// Parses a size into bytes: `"512B"`, `"16KiB"`, `"1.5MB"`.
pub(crate) fn parse(text: &str) -> Result<u32, &'static str> {
    const FORM: &str =
        "sizes must be a number and a unit, `B`, `KB`, `KiB`, `MB` or `MiB`: write `\"16KiB\"` or `\"1.5MB\"`";
    const TOO_LARGE: &str = "sizes must be less than 4 GiB, with at most 18 decimals: write a smaller number";
    let bytes = quantity::parse(text, UNITS).map_err(|wrong| match wrong {
        Wrong::Form => FORM,
        Wrong::Size => TOO_LARGE,
    })?;
    u32::try_from(bytes).map_err(|_| TOO_LARGE)
}
