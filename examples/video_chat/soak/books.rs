//! The pools' counts against what can be measured from outside, at a moment when no client is present.
//!
//! Three parts count independently: the pools' statistics, the map of their slots, and the meter around them.
//! A number that is wrong in one of them breaks its equation with another.
//!
//! The slots in use and the live blocks of the whole program must then be what they were before the first
//! client. That state is the *base*, and it never changes. It contains what the server has without clients
//! (the inbox, the mixer's list of seats) and what this program has allocated once for the whole time.

use framepool::{Class, ClassStats};

use crate::meter::Requests;
use crate::spread::grouped;

/// All counts of one moment.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Books {
    pub(super) classes: [ClassBooks; 4],
    pub(super) misses: u64,
    pub(super) bypasses: u64,
    /// The requests that looked for a place, those that a slot served, and those that reached the fallback.
    pub(super) total: u64,
    pub(super) served: u64,
    pub(super) fallbacks: u64,
    /// The meter's counts since the pools serve.
    pub(super) requests: Requests,
}

/// The counts of one class.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ClassBooks {
    pub(super) counted: ClassStats,
    /// The slots that are live according to the slot map.
    pub(super) live: u64,
}

impl Books {
    /// Checks that the pools served requests.
    ///
    /// # Errors
    ///
    /// The pools served nothing: they may be switched off.
    pub(super) fn check_use(&self) -> Result<(), String> {
        if self.served > 0 { Ok(()) } else { Err("the pools served nothing".to_owned()) }
    }

    /// Checks that every equation holds. If there is a base, also checks that as much is in use as then.
    ///
    /// # Errors
    ///
    /// The first equation that does not hold, with its numbers.
    pub(super) fn check(&self, base: Option<&Self>) -> Result<(), String> {
        for (place, class) in Class::ALL.into_iter().enumerate() {
            let ClassBooks { counted, live } = self.classes[place];
            let ClassStats { hits, returns, in_use, peak, slots, .. } = counted;
            let same = |what: &str, is: u64, should: u64| same(&format!("{class}: {what}"), is, should);
            same("hits, and returns + in use", hits, returns + in_use)?;
            same("slots in use, and live by the map", in_use, live)?;
            same("in use or peak, and the most that may be", in_use.max(peak), peak.min(slots))?;
            if let Some(base) = base {
                same(
                    "slots in use, and before the first client",
                    in_use,
                    base.classes[place].counted.in_use,
                )?;
            }
        }
        let sum = |count: fn(&ClassStats) -> u64| -> u64 {
            self.classes.iter().map(|class| count(&class.counted)).sum()
        };
        let hits = sum(|class| class.hits);
        same("requests, and hits + misses + bypasses", self.total, hits + self.misses + self.bypasses)?;
        same("served, and hits + in place", self.served, hits + sum(|class| class.reallocs_in_place))?;
        same("served, and seen from outside", self.served, self.requests.served)?;
        same("fallbacks, and seen from outside", self.fallbacks, self.requests.unserved)?;
        if self.fallbacks < self.misses + self.bypasses {
            return Err(format!(
                "{} fallbacks, and {} misses + bypasses",
                self.fallbacks,
                self.misses + self.bypasses
            ));
        }
        match base {
            Some(base) => {
                same("blocks, and before the first client", self.requests.blocks, base.requests.blocks)
            }
            None => Ok(()),
        }
    }
}

fn same(what: &str, is: u64, should: u64) -> Result<(), String> {
    if is == should {
        return Ok(());
    }
    Err(format!("{what} differ: {} and {}", grouped(is, ','), grouped(should, ',')))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns books that are in order: 30 hits, 2 of them still live, 5 in place; 1 miss, 4 bypasses, and 1
    /// block that shrank in the fallback.
    fn books() -> Books {
        let mut books =
            Books { misses: 1, bypasses: 4, total: 35, served: 35, fallbacks: 6, ..Books::default() };
        let small = &mut books.classes[0];
        let counted = &mut small.counted;
        (counted.slots, counted.peak, counted.in_use) = (8, 3, 2);
        (counted.hits, counted.returns, counted.reallocs_in_place) = (30, 28, 5);
        small.live = 2;
        books.requests = Requests { served: 35, unserved: 6, blocks: 2 };
        books
    }

    #[test]
    fn books_in_order_pass() {
        books().check(None).expect("in order");
        books().check(Some(&books())).expect("as before");
        books().check_use().expect("used");
        Books::default().check_use().expect_err("unused");
    }

    #[test]
    fn each_number_that_is_wrong_is_told() {
        let wrong: [fn(&mut Books); 12] = [
            |books| books.classes[0].counted.hits += 1,
            |books| books.classes[0].counted.returns -= 1,
            |books| books.classes[0].counted.in_use -= 1,
            |books| books.classes[0].counted.peak = 1,
            |books| books.classes[0].counted.peak = 9,
            |books| books.classes[0].counted.reallocs_in_place += 1,
            |books| books.classes[0].live += 1,
            |books| books.misses += 1,
            |books| (books.bypasses, books.total) = (6, 37),
            |books| books.total += 1,
            |books| books.requests.served += 1,
            |books| books.requests.unserved -= 1,
        ];
        for (number, change) in wrong.into_iter().enumerate() {
            let mut books = books();
            change(&mut books);
            books.check(None).expect_err(&format!("change {number}"));
        }
    }

    #[test]
    fn whatever_is_still_there_is_told() {
        let (base, mut slot, mut block) = (books(), books(), books());
        let class = &mut slot.classes[0];
        (class.live, class.counted.in_use, class.counted.returns) = (3, 3, 27);
        assert_eq!(
            slot.check(Some(&base)),
            Err("Small: slots in use, and before the first client differ: 3 and 2".to_owned())
        );
        block.requests.blocks = 1_003;
        assert_eq!(
            block.check(Some(&base)),
            Err("blocks, and before the first client differ: 1,003 and 2".to_owned())
        );
    }
}
