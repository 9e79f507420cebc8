//! The secret that allows writing.

use std::{fmt, sync::Arc};

use subtle::ConstantTimeEq;

/// What a caller must send as `Authorization: Bearer …` in order to write.
#[derive(Clone)]
pub struct ApiToken(Arc<str>);

impl ApiToken {
    /// Takes the secret; `None` if it is empty, which would let everybody in.
    pub fn new(secret: &str) -> Option<Self> {
        (!secret.is_empty()).then(|| Self(secret.into()))
    }

    /// Whether `presented` is this token, in a time that doesn't tell how much of it is right.
    pub fn matches(&self, presented: &str) -> bool {
        self.0.as_bytes().ct_eq(presented.as_bytes()).into()
    }
}

/// Hides the secret.
impl fmt::Debug for ApiToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiToken(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::ApiToken;

    #[test]
    fn only_the_whole_secret_matches() {
        let token = ApiToken::new("secret").unwrap();
        assert!(token.matches("secret"));
        for wrong in ["", "secre", "secret ", "SECRET"] {
            assert!(!token.matches(wrong), "{wrong:?} was let in");
        }
    }

    #[test]
    fn an_empty_secret_is_none() {
        assert!(ApiToken::new("").is_none());
    }
}
