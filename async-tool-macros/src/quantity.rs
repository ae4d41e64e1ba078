//! Quantities: a number and its unit, as in `"1.5s"`.

/// Reason why a text isn't a quantity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wrong {
    /// The text isn't a number and a unit.
    Form,
    /// The number has too many digits or is too large.
    Size,
}

/// Parses a quantity into a number of the smallest unit, rounded down.
///
/// The calculation uses integers, because a float would make `"0.1s"` differ from `"100ms"`.
pub(crate) fn parse(text: &str, units: &[(&str, u64)]) -> Result<u64, Wrong> {
    let unit_at = text.find(|c: char| c.is_ascii_alphabetic()).ok_or(Wrong::Form)?;
    let (number, unit) = text.split_at(unit_at);
    let (_, factor) = units.iter().find(|(name, _)| *name == unit).ok_or(Wrong::Form)?;
    let (whole, fraction) = match number.split_once('.') {
        Some((_, "")) => return Err(Wrong::Form),
        Some(parts) => parts,
        None => (number, ""),
    };
    let is_number = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !is_number(whole) || !is_number(fraction) {
        return Err(Wrong::Form);
    }
    reckon(whole, fraction, *factor).ok_or(Wrong::Size)
}

fn reckon(whole: &str, fraction: &str, factor: u64) -> Option<u64> {
    let decimals = u32::try_from(fraction.len()).ok().filter(|decimals| *decimals <= 18)?;
    let digits: u128 = [whole, fraction].concat().parse().ok()?;
    u64::try_from(digits.checked_mul(factor.into())? / 10_u128.pow(decimals)).ok()
}
