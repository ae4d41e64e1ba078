//! Shipping: zones, speeds, prices and the carrier.

use anyhow::bail;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::money::Cents;

/// Distance of a customer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Zone {
    /// The city of the shop.
    City,
    /// The mainland outside the city.
    Mainland,
    /// An island.
    Island,
}

/// Speed of a parcel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Speed {
    /// By road and ferry.
    Standard,
    /// By courier, and to islands by air.
    Express,
}

/// Price of standard shipping: a base price by zone, and 80 cents for each kilogram or part of one.
pub(crate) fn standard_price(zone: Zone, grams: u64) -> Cents {
    let base = match zone {
        Zone::City => Cents(290),
        Zone::Mainland => Cents(490),
        Zone::Island => Cents(990),
    };
    base + Cents(80).times(grams.div_ceil(1000))
}

/// Weight limit of parcels by air, in grams.
const AIR_LIMIT: u64 = 5000;

/// Gives a parcel to the carrier; returns its tracking number. The carrier refuses a parcel that is too heavy to fly.
pub(crate) fn book(order: u32, zone: Zone, speed: Speed, grams: u64) -> anyhow::Result<String> {
    if (zone, speed) == (Zone::Island, Speed::Express) && grams > AIR_LIMIT {
        bail!("the carrier flies at most {AIR_LIMIT} g to an island; the parcel weighs {grams} g");
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
