//! What the carrier takes, and where to.

use anyhow::bail;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::money::Cents;

/// How far away a customer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Zone {
    /// In the shop's own city.
    City,
    /// Elsewhere on the mainland.
    Mainland,
    /// Over water.
    Island,
}

/// How fast a parcel goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Speed {
    /// By road and ferry.
    Standard,
    /// By courier, and to islands by air.
    Express,
}

/// What standard shipping costs: a base by the zone, and 80 cents for each kilogram begun.
pub(crate) fn standard_price(zone: Zone, grams: u64) -> Cents {
    let base = match zone {
        Zone::City => Cents(290),
        Zone::Mainland => Cents(490),
        Zone::Island => Cents(990),
    };
    base + Cents(80).times(grams.div_ceil(1000))
}

/// The heaviest parcel that flies, in grams.
const AIR_LIMIT: u64 = 5000;

/// Gives a parcel to the carrier, which knows best what it can carry; the number to follow it by.
pub(crate) fn book(order: u32, zone: Zone, speed: Speed, grams: u64) -> anyhow::Result<String> {
    if (zone, speed) == (Zone::Island, Speed::Express) && grams > AIR_LIMIT {
        bail!("the carrier flies no parcel over {AIR_LIMIT} g to an island, and this one has {grams} g");
    }
    let letter = match speed {
        Speed::Standard => 'S',
        Speed::Express => 'X',
    };
    Ok(format!("{letter}{order:03}-{grams}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kilogram_begun_is_paid_in_full() {
        assert_eq!(standard_price(Zone::City, 1000), Cents(370));
        assert_eq!(standard_price(Zone::City, 1001), Cents(450));
        assert_eq!(standard_price(Zone::Island, 0), Cents(990));
    }

    #[test]
    fn only_heavy_parcels_to_islands_do_not_fly() {
        assert!(book(1, Zone::Island, Speed::Express, 5001).is_err());
        assert!(book(1, Zone::Island, Speed::Express, 5000).is_ok());
        assert!(book(1, Zone::Island, Speed::Standard, 5001).is_ok());
        assert!(book(1, Zone::City, Speed::Express, 5001).is_ok());
    }
}
