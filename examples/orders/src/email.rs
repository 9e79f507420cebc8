//! E-mail addresses that look like some.

use serde::{Deserialize, Serialize};

/// An e-mail address: one `@`, something before it, a domain with a dot after it, no white space.
///
/// Whether mail arrives there only sending one can tell, so it asks for no more than that.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, sqlx::Type)]
#[serde(try_from = "String")]
#[sqlx(transparent)]
pub struct Email(String);

/// The text is no e-mail address.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an e-mail address")]
pub struct NotAnEmail(String);

impl TryFrom<String> for Email {
    type Error = NotAnEmail;

    fn try_from(text: String) -> Result<Self, NotAnEmail> {
        if looks_like_an_address(&text) {
            Ok(Self(text))
        } else {
            Err(NotAnEmail(text))
        }
    }
}

fn looks_like_an_address(text: &str) -> bool {
    let Some((local, domain)) = text.split_once('@') else {
        return false;
    };
    let domain_has_a_dot_inside = domain
        .split_once('.')
        .is_some_and(|(name, rest)| !name.is_empty() && !rest.is_empty());
    !local.is_empty() && domain_has_a_dot_inside && !domain.contains('@') && !text.contains(char::is_whitespace)
}

#[cfg(test)]
mod tests {
    use super::Email;

    #[test]
    fn an_address_is_kept_as_it_was_written() {
        assert_eq!(
            Email::try_from("Ada.L@example.co.uk".to_owned()).unwrap().0,
            "Ada.L@example.co.uk"
        );
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in [
            "",
            "ada",
            "@example.com",
            "ada@",
            "ada@localhost",
            "ada@.com",
            "ada@a@b.c",
            "ada @example.com",
        ] {
            assert!(
                Email::try_from(text.to_owned()).is_err(),
                "{text:?} was taken for an address"
            );
        }
    }
}
