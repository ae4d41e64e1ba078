//! The catalogue of the shop.

use anyhow::{Context as _, anyhow};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::money::Cents;

/// Article of the catalogue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Article {
    pub(crate) sku: String,
    pub(crate) name: String,
    pub(crate) price: Cents,
    pub(crate) grams: u64,
    /// Number of pieces when the shop opens.
    pub(crate) stock: u64,
}

/// Line of an order: an article and a number of pieces.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Line {
    /// The article's `sku` in the catalogue.
    pub(crate) sku: String,
    /// The number of pieces.
    pub(crate) count: u64,
}

/// All articles.
#[derive(Debug)]
pub(crate) struct Catalogue(pub(crate) Vec<Article>);

impl Catalogue {
    /// Reads a table with a heading: `sku,name,price_cents,weight_g,stock`, without quotes.
    pub(crate) fn read(text: &str) -> anyhow::Result<Self> {
        let rows = text
            .lines()
            .enumerate()
            .skip(1)
            .filter(|(_, row)| !row.trim().is_empty());
        let articles = rows.map(|(index, row)| {
            let article = article(row);
            article.with_context(|| format!("can't read line {} of the catalogue: `{row}`", index + 1))
        });
        articles.collect::<anyhow::Result<_>>().map(Self)
    }

    pub(crate) fn find(&self, sku: &str) -> anyhow::Result<&Article> {
        let found = self.0.iter().find(|article| article.sku == sku);
        found.ok_or_else(|| anyhow!("the catalogue has no `{sku}`"))
    }

    /// Weight of all pieces, in grams.
    pub(crate) fn weight(&self, lines: &[Line]) -> anyhow::Result<u64> {
        lines
            .iter()
            .map(|line| Ok(self.find(&line.sku)?.grams.saturating_mul(line.count)))
            .sum()
    }
}

fn article(row: &str) -> anyhow::Result<Article> {
    let cells: Vec<&str> = row.split(',').map(str::trim).collect();
    let [sku, name, price, grams, stock] = cells[..] else {
        return Err(anyhow!("expected 5 cells, got {}", cells.len()));
    };
    Ok(Article {
        sku: sku.to_owned(),
        name: name.to_owned(),
        price: Cents(price.parse().context("the price is not a number")?),
        grams: grams.parse().context("the weight is not a number")?,
        stock: stock.parse().context("the stock is not a number")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_an_article() {
        let catalogue =
            Catalogue::read("sku,name,price_cents,weight_g,stock\nmug, Stoneware mug,950,420,25\n\n").unwrap();
        let mug = catalogue.find("mug").unwrap();
        assert_eq!((&*mug.name, mug.price, mug.stock), ("Stoneware mug", Cents(950), 25));
        let lines = [Line {
            sku: "mug".to_owned(),
            count: 3,
        }];
        assert_eq!(catalogue.weight(&lines).unwrap(), 1260);
        assert_eq!(
            catalogue.find("jug").unwrap_err().to_string(),
            "the catalogue has no `jug`"
        );
    }

    #[test]
    fn a_row_that_can_not_be_read_is_named() {
        let error = Catalogue::read("heading\nmug,Mug,cheap,420,25").unwrap_err();
        assert_eq!(
            error.to_string(),
            "can't read line 2 of the catalogue: `mug,Mug,cheap,420,25`"
        );
    }
}
