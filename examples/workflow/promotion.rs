//! Promotions of the shop.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    catalogue::{Catalogue, Line},
    money::Cents,
};

/// Maximum price of articles of which every third piece is free.
const SMALL: Cents = Cents(1500);
/// Minimum sum for the rebate on the whole order.
const LARGE: Cents = Cents(15_000);
const REBATE_PERCENT: u64 = 5;

/// Price of the articles with all promotions.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Offer {
    /// The sum to pay for the articles.
    pub(crate) total: Cents,
    /// The promotions that were applied.
    pub(crate) promotions: Vec<String>,
}

pub(crate) fn offer(catalogue: &Catalogue, lines: &[Line]) -> anyhow::Result<Offer> {
    let mut total = Cents::default();
    let mut promotions = Vec::new();
    for line in lines {
        let article = catalogue.find(&line.sku)?;
        let free = if article.price <= SMALL { line.count / 3 } else { 0 };
        total = total + article.price.times(line.count - free);
        if free > 0 {
            promotions.push(format!("{free} × {} free, one in three", article.name));
        }
    }
    if total >= LARGE {
        total = total - total.percent(REBATE_PERCENT);
        promotions.push(format!("{REBATE_PERCENT} % off orders from {LARGE}"));
    }
    Ok(Offer { total, promotions })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_third_small_piece_is_free_and_a_large_sum_is_rebated() {
        let catalogue = Catalogue::read("heading\nmug,Mug,1000,420,9\nlamp,Lamp,10000,1800,9").unwrap();
        let offer = |mugs, lamps| {
            let line = |sku: &str, count| Line {
                sku: sku.to_owned(),
                count,
            };
            super::offer(&catalogue, &[line("mug", mugs), line("lamp", lamps)]).unwrap()
        };
        assert_eq!(offer(2, 0).total, Cents(2000));
        assert_eq!(offer(5, 0).total, Cents(4000));
        assert_eq!(offer(3, 1).total, Cents(12_000));
        assert_eq!(offer(3, 2).total, Cents(20_900));
        assert_eq!(offer(3, 2).promotions.len(), 2);
    }
}
