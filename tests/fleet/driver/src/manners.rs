//! How the fleet's misbehaving tests are asked to behave.

use std::str::FromStr;

/// Names the manners.
pub const VARIABLE: &str = "FLEET_MANNERS";

/// What a driver asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Manners {
    /// All tests are alike.
    #[default]
    Good,
    /// Some make a mess, but let the tests in the same process live.
    Bad,
    /// Some end their process, too.
    Worst,
}

impl Manners {
    /// As the variable's value.
    pub fn name(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Bad => "bad",
            Self::Worst => "worst",
        }
    }

    /// What this process was asked for.
    ///
    /// # Panics
    /// When the variable's value is none of the names.
    pub fn asked() -> Self {
        std::env::var(VARIABLE).map_or(Self::Good, |name| name.parse().expect("FLEET_MANNERS is known"))
    }
}

impl FromStr for Manners {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        [Self::Good, Self::Bad, Self::Worst]
            .into_iter()
            .find(|manners| manners.name() == name)
            .ok_or_else(|| format!("no manners are called `{name}`"))
    }
}
