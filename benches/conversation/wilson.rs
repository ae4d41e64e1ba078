//! Confidence intervals of shares.

use std::fmt;

/// Share of successes, with its 95 % interval after Wilson (*Probable inference*, 1927): it holds for small numbers and for
/// shares of 0 and 1, where the usual one has no width.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Share {
    pub(crate) hits: usize,
    pub(crate) of: usize,
}

impl Share {
    pub(crate) fn add(&mut self, is_hit: bool) {
        self.of += 1;
        self.hits += usize::from(is_hit);
    }

    pub(crate) const fn plus(self, other: Self) -> Self {
        Self {
            hits: self.hits + other.hits,
            of: self.of + other.of,
        }
    }

    /// Bounds of the interval, as shares.
    pub(crate) fn interval(self) -> (f64, f64) {
        const Z: f64 = 1.959_964;
        if self.of == 0 {
            return (0.0, 1.0);
        }
        let n = self.of as f64;
        let share = self.hits as f64 / n;
        let middle = share + Z * Z / (2.0 * n);
        let half = Z * (share * (1.0 - share) / n + Z * Z / (4.0 * n * n)).sqrt();
        let scale = 1.0 + Z * Z / n;
        (((middle - half) / scale).max(0.0), ((middle + half) / scale).min(1.0))
    }
}

/// `12/14 (60-96 %)`.
impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.of == 0 {
            return f.pad("-");
        }
        let (low, high) = self.interval();
        f.pad(&format!(
            "{}/{} ({:.0}-{:.0} %)",
            self.hits,
            self.of,
            low * 100.0,
            high * 100.0
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values of R's `binom::binom.wilson`.
    #[test]
    fn intervals_are_those_of_the_literature() {
        for (hits, of, low, high) in [
            (0, 10, 0.0, 0.277_5),
            (10, 10, 0.722_5, 1.0),
            (5, 10, 0.236_6, 0.763_4),
            (14, 14, 0.784_7, 1.0),
            (13, 14, 0.685_3, 0.987_3),
        ] {
            let (found_low, found_high) = Share { hits, of }.interval();
            assert!(
                (found_low - low).abs() < 2e-4 && (found_high - high).abs() < 2e-4,
                "{hits}/{of}: {found_low} {found_high}"
            );
        }
        assert_eq!(Share { hits: 13, of: 14 }.to_string(), "13/14 (69-99 %)");
        assert_eq!(Share::default().interval(), (0.0, 1.0));
    }
}
