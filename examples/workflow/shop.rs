//! The shop's books: stock, credit and payments.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Mutex, MutexGuard, PoisonError},
};

use anyhow::{anyhow, bail};

use crate::{
    catalogue::{Catalogue, Line},
    money::Cents,
};

/// Number of an order.
pub(crate) type OrderNo = u32;

/// State that the tools share.
#[derive(Debug)]
pub(crate) struct Shop {
    pub(crate) catalogue: Catalogue,
    books: Mutex<Books>,
}

#[derive(Debug)]
struct Books {
    stock: BTreeMap<String, u64>,
    reserved: HashMap<OrderNo, Vec<Line>>,
    /// Remaining credit of each customer.
    credit: HashMap<String, Cents>,
    payments: HashMap<OrderNo, (String, Cents)>,
}

impl Shop {
    pub(crate) fn open(catalogue: Catalogue, credit: impl IntoIterator<Item = (String, Cents)>) -> Self {
        let stock = catalogue.0.iter().map(|article| (article.sku.clone(), article.stock));
        let books = Books {
            stock: stock.collect(),
            reserved: HashMap::new(),
            credit: credit.into_iter().collect(),
            payments: HashMap::new(),
        };
        Self {
            catalogue,
            books: Mutex::new(books),
        }
    }

    /// Checks that all pieces are in stock now.
    pub(crate) fn check(&self, lines: &[Line]) -> anyhow::Result<()> {
        self.books().check(&self.catalogue, lines)
    }

    /// Takes all pieces out of stock, or none.
    pub(crate) fn reserve(&self, order: OrderNo, lines: &[Line]) -> anyhow::Result<()> {
        let mut books = self.books();
        if books.reserved.contains_key(&order) {
            bail!("the pieces of order {order} are already reserved");
        }
        books.check(&self.catalogue, lines)?;
        for line in lines {
            if let Some(stock) = books.stock.get_mut(&line.sku) {
                *stock -= line.count;
            }
        }
        books.reserved.insert(order, lines.to_vec());
        Ok(())
    }

    /// Puts the pieces of an order back into stock; returns their number. Idempotent: releases nothing for an order without pieces.
    pub(crate) fn release(&self, order: OrderNo) -> u64 {
        let mut books = self.books();
        let lines = books.reserved.remove(&order).unwrap_or_default();
        for line in &lines {
            *books.stock.entry(line.sku.clone()).or_default() += line.count;
        }
        lines.iter().map(|line| line.count).sum()
    }

    /// Takes money from the customer.
    pub(crate) fn charge(&self, order: OrderNo, customer: &str, amount: Cents) -> anyhow::Result<()> {
        let mut books = self.books();
        if books.payments.contains_key(&order) {
            bail!("order {order} is already paid");
        }
        let credit = books.credit.get_mut(customer);
        let credit = credit.ok_or_else(|| anyhow!("no bank has a customer {customer}"))?;
        if *credit < amount {
            bail!("the bank declined {amount}");
        }
        *credit = *credit - amount;
        books.payments.insert(order, (customer.to_owned(), amount));
        Ok(())
    }

    /// Refunds the payment of an order; returns the amount. Idempotent, like [`release`](Self::release).
    pub(crate) fn refund(&self, order: OrderNo) -> Cents {
        let mut books = self.books();
        let Some((customer, amount)) = books.payments.remove(&order) else {
            return Cents::default();
        };
        let credit = books.credit.entry(customer).or_default();
        *credit = *credit + amount;
        amount
    }

    /// Number of pieces that have left the stock, by article.
    pub(crate) fn sold(&self) -> BTreeMap<String, u64> {
        let books = self.books();
        let sold = |sku: &str, at_first: u64| at_first - books.stock.get(sku).copied().unwrap_or_default();
        let articles = self.catalogue.0.iter();
        articles
            .map(|article| (article.sku.clone(), sold(&article.sku, article.stock)))
            .filter(|(_, count)| *count > 0)
            .collect()
    }

    /// Sum of the payments of all orders.
    pub(crate) fn takings(&self) -> Cents {
        self.books().payments.values().map(|(_, amount)| *amount).sum()
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Books {
    fn check(&self, catalogue: &Catalogue, lines: &[Line]) -> anyhow::Result<()> {
        for line in lines {
            let name = &catalogue.find(&line.sku)?.name;
            match self.stock.get(&line.sku).copied().unwrap_or_default() {
                0 => bail!("{name}: out of stock"),
                left if left < line.count => bail!("{name}: {} wanted, {left} in stock", line.count),
                _ => {}
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shop() -> Shop {
        let catalogue = Catalogue::read("heading\nmug,Mug,950,420,3\nlamp,Lamp,4200,1800,1").unwrap();
        Shop::open(catalogue, [("Ada".to_owned(), Cents(1000))])
    }

    fn line(sku: &str, count: u64) -> Line {
        Line {
            sku: sku.to_owned(),
            count,
        }
    }

    #[test]
    fn a_reservation_takes_all_pieces_or_none() {
        let shop = shop();
        let error = shop.reserve(1, &[line("mug", 2), line("lamp", 2)]).unwrap_err();
        assert_eq!(error.to_string(), "Lamp: 2 wanted, 1 in stock");
        assert!(shop.sold().is_empty());
        shop.reserve(1, &[line("mug", 2), line("lamp", 1)]).unwrap();
        assert_eq!(
            shop.sold(),
            BTreeMap::from([("lamp".to_owned(), 1), ("mug".to_owned(), 2)])
        );
    }

    #[test]
    fn what_is_undone_twice_is_undone_once() {
        let shop = shop();
        shop.reserve(1, &[line("mug", 2)]).unwrap();
        assert_eq!([shop.release(1), shop.release(1)], [2, 0]);
        shop.charge(1, "Ada", Cents(900)).unwrap();
        assert_eq!([shop.refund(1), shop.refund(1)], [Cents(900), Cents(0)]);
        assert!(shop.sold().is_empty());
        assert_eq!(shop.takings(), Cents(0));
        shop.charge(2, "Ada", Cents(1000)).unwrap();
    }

    #[test]
    fn nobody_pays_more_than_they_have() {
        let shop = shop();
        let error = shop.charge(1, "Ada", Cents(1001)).unwrap_err();
        assert_eq!(error.to_string(), "the bank declined 10.01");
        assert_eq!(shop.takings(), Cents(0));
    }
}
