//! Amounts of money.

use std::{
    fmt,
    iter::Sum,
    ops::{Add, Sub},
};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Amount in cents, as an integer, so that sums are exact. Never negative.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub(crate) struct Cents(pub(crate) u64);

impl Cents {
    pub(crate) const fn times(self, count: u64) -> Self {
        Self(self.0.saturating_mul(count))
    }

    /// This percentage of the amount, rounded down.
    pub(crate) const fn percent(self, percent: u64) -> Self {
        Self(self.0.saturating_mul(percent) / 100)
    }
}

impl Add for Cents {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl Sub for Cents {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl Sum for Cents {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self::default(), Add::add)
    }
}

impl fmt::Display for Cents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:02}", self.0 / 100, self.0 % 100)
    }
}
