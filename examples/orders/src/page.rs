//! Long lists, one page at a time.

use serde::{Deserialize, Serialize};

const DEFAULT_PER_PAGE: u32 = 20;
const MAX_PER_PAGE: u32 = 100;

/// Which part of a list is wanted: `?page=1&per_page=20`. Pages count from one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "PageArgs")]
pub struct PageRequest {
    number: u32,
    per_page: u32,
}

/// One page of a list, and how much there is in all.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Page<T> {
    items: Vec<T>,
    #[serde(rename = "page")]
    number: u32,
    pages: i64,
    total: i64,
}

impl PageRequest {
    pub(crate) fn limit(self) -> i64 {
        self.per_page.into()
    }

    pub(crate) fn offset(self) -> i64 {
        i64::from(self.number - 1) * self.limit()
    }

    /// The page that was asked for, which holds `items` out of a list of `total`.
    pub(crate) fn of<T>(self, items: Vec<T>, total: i64) -> Page<T> {
        let full_pages = total / self.limit();
        let has_a_rest = total % self.limit() != 0;
        Page {
            items,
            number: self.number,
            pages: full_pages + i64::from(has_a_rest),
            total,
        }
    }
}

/// What the caller wrote.
#[derive(Deserialize)]
struct PageArgs {
    page: Option<u32>,
    per_page: Option<u32>,
}

impl TryFrom<PageArgs> for PageRequest {
    type Error = String;

    fn try_from(args: PageArgs) -> Result<Self, String> {
        let page = args.page.unwrap_or(1);
        let per_page = args.per_page.unwrap_or(DEFAULT_PER_PAGE);
        if page == 0 {
            return Err("`page` counts from 1".to_owned());
        }
        if !(1..=MAX_PER_PAGE).contains(&per_page) {
            return Err(format!("`per_page` must be from 1 to {MAX_PER_PAGE}"));
        }
        Ok(Self { number: page, per_page })
    }
}

#[cfg(test)]
mod tests {
    use super::PageRequest;

    #[test]
    fn the_last_page_may_be_short_and_no_page_is_empty() {
        let request = PageRequest {
            number: 3,
            per_page: 10,
        };
        assert_eq!(request.offset(), 20);
        for (total, pages) in [(0, 0), (1, 1), (10, 1), (11, 2), (25, 3), (30, 3)] {
            assert_eq!(request.of::<()>(vec![], total).pages, pages, "{total} items");
        }
    }
}
