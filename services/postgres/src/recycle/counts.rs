//! What counters of one relation say: how many rows came, changed and went.

/// The state of one relation's counters, or by how much they went on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) inserted: u64,
    pub(super) updated: u64,
    pub(super) deleted: u64,
    /// Of sequences alone.
    pub(super) blocks: u64,
    /// The rows that are there, in the server's opinion: it counts what is committed, from any number on. None where that isn't
    /// known.
    pub(super) live: Option<i64>,
    /// How much of what was inserted, updated and deleted was committed. None where that isn't known.
    pub(super) committed: Option<u64>,
    /// How often VACUUM or ANALYZE gave the two another number.
    pub(super) estimated: u64,
}

/// Of a relation in a new database.
impl Default for Counts {
    fn default() -> Self {
        Self {
            inserted: 0,
            updated: 0,
            deleted: 0,
            blocks: 0,
            live: Some(0),
            committed: Some(0),
            estimated: 0,
        }
    }
}

/// What stayed of all that was done to a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stayed {
    Nothing,
    /// New rows, and how many, if that is known.
    NewRows(Option<u64>),
    Changes,
}

impl Counts {
    pub(super) fn rows(&self) -> u64 {
        self.inserted + self.updated + self.deleted
    }

    /// Whether anything in it changed.
    pub(super) fn is_change(&self) -> bool {
        self.rows() + self.blocks > 0
    }

    /// What of it was committed.
    ///
    /// Each row that is inserted makes one live row more, each that is updated none, each that is deleted one less. So if there
    /// are as many more live rows as changes that were committed, all of these were inserted rows.
    pub(super) fn stayed(&self) -> Stayed {
        let known = self.committed.filter(|_| self.estimated == 0);
        let live = self.live.and_then(|live| u64::try_from(live).ok());
        match known {
            Some(0) => Stayed::Nothing,
            Some(committed) if live == known && committed <= self.inserted => Stayed::NewRows(known),
            _ if self.updated + self.deleted == 0 => Stayed::NewRows(None),
            _ => Stayed::Changes,
        }
    }

    /// How far they went since; none if they went back.
    pub(super) fn since(self, before: Self) -> Option<Self> {
        Some(Self {
            inserted: self.inserted.checked_sub(before.inserted)?,
            updated: self.updated.checked_sub(before.updated)?,
            deleted: self.deleted.checked_sub(before.deleted)?,
            blocks: self.blocks.checked_sub(before.blocks)?,
            live: self.live.zip(before.live).map(|(now, before)| now - before),
            // ANALYZE starts over.
            committed: self
                .committed
                .zip(before.committed)
                .and_then(|(now, before)| now.checked_sub(before)),
            estimated: self.estimated.checked_sub(before.estimated)?,
        })
    }

    /// Adds rows that were inserted and deleted, and committed.
    pub(super) fn add(&mut self, inserted: u64, deleted: u64) {
        self.inserted += inserted;
        self.deleted += deleted;
        self.committed = self.committed.map(|committed| committed + inserted + deleted);
        // The server's own number never goes below zero. What that makes of both at once is not for us to guess.
        let left = self.live.map(|live| (live - deleted.cast_signed()).max(0));
        self.live = left.filter(|_| inserted == 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(rows: [u64; 3], live: Option<i64>, committed: Option<u64>, estimated: u64) -> Counts {
        let [inserted, updated, deleted] = rows;
        Counts {
            inserted,
            updated,
            deleted,
            blocks: 0,
            live,
            committed,
            estimated,
        }
    }

    #[test]
    fn what_stayed_is_told_by_what_was_committed() {
        for (of, stayed) in [
            (counts([5, 4, 3], Some(0), Some(0), 0), Stayed::Nothing),
            (counts([5, 4, 0], Some(2), Some(2), 0), Stayed::NewRows(Some(2))),
            // Five came, and three others went.
            (counts([5, 0, 3], Some(2), Some(8), 0), Stayed::Changes),
            (counts([5, 1, 0], Some(5), Some(6), 0), Stayed::Changes),
            // More live rows than came can't be.
            (counts([1, 2, 0], Some(2), Some(2), 0), Stayed::Changes),
            (counts([5, 1, 0], None, Some(5), 0), Stayed::Changes),
            (counts([5, 0, 0], None, Some(5), 0), Stayed::NewRows(None)),
            // ANALYZE sets to zero what was committed, and either makes live rows a guess.
            (counts([5, 1, 0], Some(0), Some(0), 1), Stayed::Changes),
            (counts([5, 0, 0], Some(0), Some(0), 1), Stayed::NewRows(None)),
            (counts([5, 1, 0], Some(5), None, 0), Stayed::Changes),
        ] {
            assert_eq!(of.stayed(), stayed, "{of:?}");
        }
    }

    #[test]
    fn what_we_did_ourselves_is_no_change_the_next_time() {
        let mut own = counts([7, 0, 0], Some(7), Some(7), 0);
        own.add(0, 7);
        let after = counts([9, 0, 7], Some(2), Some(16), 0);
        assert_eq!(
            after.since(own).map(|since| since.stayed()),
            Some(Stayed::NewRows(Some(2)))
        );
        // It has fewer live rows, in the server's opinion, than were there: what we make of them is not known.
        own.add(30, 30);
        let after = counts([39, 3, 37], Some(5), Some(79), 0);
        assert_eq!(after.since(own).map(|since| since.stayed()), Some(Stayed::Changes));
        assert_eq!(Counts::default().since(own), None, "they went back");
    }
}
