//! Progress as MCP counts it.

/// Values of a call's progress notifications, which must increase strictly.
///
/// A tool may report no fraction, the same one twice, or one after silence. So a heartbeat counts one step, and fractions are per cent above the
/// steps that came before the first of them.
#[derive(Debug, Default)]
pub(super) struct Meter {
    last: Option<f64>,
    /// Value of the fraction zero, once a fraction is known.
    base: Option<f64>,
}

impl Meter {
    const WHOLE: f64 = 100.0;
    /// Step of a heartbeat between fractions: thousands of them are less than one per cent.
    const SMALL: f64 = 0.000_1;

    /// Next value, and the value of the whole if it is known.
    pub(super) fn next(&mut self, fraction: Option<f64>) -> (f64, Option<f64>) {
        if fraction.is_some() && self.base.is_none() {
            self.base = Some(self.last.map_or(0.0, |last| last + 1.0));
        }
        let wanted = fraction
            .zip(self.base)
            .map(|(fraction, base)| fraction.mul_add(Self::WHOLE, base));
        let step = if self.base.is_some() { Self::SMALL } else { 1.0 };
        let least = self.last.map_or(0.0, |last| last + step);
        let value = wanted.map_or(least, |wanted| wanted.max(least));
        self.last = Some(value);
        let total = self.base.map(|base| base + Self::WHOLE).filter(|total| value <= *total);
        (value, total)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_increase_strictly_whatever_a_tool_reports() {
        let reports = [
            None,
            None,
            Some(0.0),
            None,
            Some(0.0),
            Some(0.5),
            Some(0.2),
            None,
            Some(1.0),
            Some(1.0),
            None,
        ];
        let mut meter = Meter::default();
        let values: Vec<_> = reports.map(|fraction| meter.next(fraction)).to_vec();
        assert!(values.windows(2).all(|pair| pair[0].0 < pair[1].0), "{values:?}");
        assert_eq!(values[0], (0.0, None));
        assert_eq!(values[2], (2.0, Some(102.0)));
        assert_eq!(values[5], (52.0, Some(102.0)));
        assert_eq!(values[8], (102.0, Some(102.0)));
        assert_eq!(values[10].1, None, "a value above the whole must not name it");
    }
}
