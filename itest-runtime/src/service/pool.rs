//! Where slices live, what they are made of, and what becomes of them.

use std::time::SystemTime;

use super::TemplateId;

/// Where the slices of a spec live.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PoolSpec {
    /// The pool's name.
    pub name: String,
    /// The template that must be there first.
    pub template: Option<TemplateId>,
    /// Whether a slice serves one lease at a time.
    pub sharing: Sharing,
    /// How many slices are made ahead: see [`PoolSpec::spare`].
    pub spare: usize,
}

impl PoolSpec {
    /// Slices that need no template, and serve one lease at a time.
    pub fn exclusive(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            template: None,
            sharing: Sharing::Exclusive,
            spare: 1,
        }
    }

    /// Slices that start from this template, or blank ones; they serve one lease at a time.
    pub fn of(template: Option<TemplateId>) -> Self {
        let name = template.as_ref().map(|template| template.fingerprint.to_string());
        Self {
            template,
            ..Self::exclusive(name.unwrap_or_else(|| "blank".to_owned()))
        }
    }

    /// How many more slices there are to be than tests that run at once; without it, one: it takes the next test while the last
    /// one's slice is recycled. None for slices that cost more than a test's waiting, more for some that take long to recycle.
    pub fn spare(mut self, spare: usize) -> Self {
        self.spare = spare;
        self
    }

    /// One slice for everyone, at the same time.
    pub fn shared(mut self) -> Self {
        self.name = format!("shared {}", self.name);
        self.sharing = Sharing::Everyone;
        self
    }
}

/// A template that an earlier supervisor left.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeptTemplate {
    /// Which one it is.
    pub template: TemplateId,
    /// When it was built.
    pub built: SystemTime,
}

impl KeptTemplate {
    /// A template that was built at that time.
    pub fn new(template: TemplateId, built: SystemTime) -> Self {
        Self { template, built }
    }
}

/// How many leases a slice serves at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sharing {
    /// One: the usual case.
    Exclusive,
    /// Any number: there is one slice, which is never recycled.
    Everyone,
}

/// What recycling led to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recycled {
    /// The slice is as good as new.
    Ready,
    /// The slice can't be brought back: destroy it.
    Gone,
}
