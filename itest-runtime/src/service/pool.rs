//! Where slices live, what they are made of, and what becomes of them.

use std::time::SystemTime;

use crate::spec::Fingerprint;

/// Where the slices of a spec live.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PoolSpec {
    /// The pool's name.
    pub name: String,
    /// The template that must be there first.
    pub template: Option<Fingerprint>,
    /// What the template is made of, by name and not by content: once one is made of the same that says something else now,
    /// the older one goes.
    pub source: Option<Fingerprint>,
    /// Whether a slice serves one lease at a time.
    pub sharing: Sharing,
}

impl PoolSpec {
    /// Slices that need no template, and serve one lease at a time.
    pub fn exclusive(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            template: None,
            source: None,
            sharing: Sharing::Exclusive,
        }
    }

    /// Slices that start from this template, made of that source.
    pub fn template(mut self, template: Option<Fingerprint>, source: Option<Fingerprint>) -> Self {
        self.template = template;
        self.source = source;
        self
    }

    /// One slice for everyone, at the same time.
    pub fn shared(mut self) -> Self {
        self.sharing = Sharing::Everyone;
        self
    }
}

/// A template that an earlier supervisor left.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeptTemplate {
    /// As in [`PoolSpec::template`].
    pub template: Fingerprint,
    /// As in [`PoolSpec::source`].
    pub source: Option<Fingerprint>,
    /// When it was built.
    pub built: SystemTime,
}

impl KeptTemplate {
    /// A template that was built at that time.
    pub fn new(template: Fingerprint, source: Option<Fingerprint>, built: SystemTime) -> Self {
        Self {
            template,
            source,
            built,
        }
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
