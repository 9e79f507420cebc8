//! Ed25519 keys in the form that NATS gives them: a letter for what they are, and a checksum.
//!
//! The crate `nkeys` has them, too, and takes 10 ms for each in a build without optimisation, as tests have; ring takes 0.2.

use crc::{CRC_16_XMODEM, Crc};
use data_encoding::BASE32_NOPAD;
use itest_runtime::{Context, Error, Result};
use ring::rand::{SecureRandom, SystemRandom};
use ring::signature::{Ed25519KeyPair, KeyPair};

/// Whose key it is: the first five bits, which make the first letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Kind {
    Account = 0,
    Operator = 14 << 3,
    User = 20 << 3,
}

/// What a seed begins with.
const SEED: u8 = 18 << 3;

pub(super) struct Key {
    kind: Kind,
    seed: [u8; 32],
    pair: Ed25519KeyPair,
    public: String,
}

impl Key {
    pub(super) fn new(kind: Kind) -> Result<Self> {
        let mut seed = [0; 32];
        let filled = SystemRandom::new().fill(&mut seed);
        filled.map_err(|_| Error::new("the system has no random numbers"))?;
        Self::of(kind, seed)
    }

    pub(super) fn of(kind: Kind, seed: [u8; 32]) -> Result<Self> {
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed);
        let pair = pair.map_err(|refused| Error::new(format!("failed to make a key: {refused}")))?;
        let public = encoded(&[kind as u8], pair.public_key().as_ref());
        Ok(Self {
            kind,
            seed,
            pair,
            public,
        })
    }

    /// The key out of what [`Self::seed`] says.
    pub(super) fn read(kind: Kind, seed: &str) -> Result<Self> {
        let bytes = BASE32_NOPAD.decode(seed.as_bytes()).context(|| "a key can't be read")?;
        let key = bytes.get(2..34).and_then(|seed| seed.try_into().ok());
        let key = Self::of(kind, key.ok_or_else(|| Error::new("a key is too short"))?)?;
        if key.seed() != seed {
            return Err(Error::new("a key is another kind's, or has a typing mistake"));
        }
        Ok(key)
    }

    /// What others know it by.
    pub(super) fn public(&self) -> &str {
        &self.public
    }

    /// The secret that it is made of.
    pub(super) fn seed(&self) -> String {
        let kind = self.kind as u8;
        encoded(&[SEED | (kind >> 5), (kind & 31) << 3], &self.seed)
    }

    pub(super) fn sign(&self, said: &[u8]) -> Vec<u8> {
        self.pair.sign(said).as_ref().to_vec()
    }
}

/// Never shows the secret.
impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Key").field(&self.public).finish()
    }
}

fn encoded(prefix: &[u8], key: &[u8]) -> String {
    let mut bytes = [prefix, key].concat();
    let checksum = Crc::<u16>::new(&CRC_16_XMODEM).checksum(&bytes);
    bytes.extend(checksum.to_le_bytes());
    BASE32_NOPAD.encode(&bytes)
}

#[cfg(test)]
mod tests {
    use nkeys::KeyPair;

    use super::*;

    #[test]
    fn keys_are_what_the_nkeys_crate_makes_of_the_same_seed() {
        for kind in [Kind::Account, Kind::Operator, Kind::User] {
            let ours = Key::of(kind, [7; 32]).expect("a key");
            let theirs = KeyPair::from_seed(&ours.seed()).expect("a seed");
            assert_eq!(ours.public(), theirs.public_key());
            assert_eq!(ours.seed(), theirs.seed().expect("it was made of one"));
            assert_eq!(ours.sign(b"said"), theirs.sign(b"said").expect("signed"));
        }
        let user = Key::new(Kind::User).expect("a key");
        assert_eq!(
            Key::read(Kind::User, &user.seed()).expect("read").public(),
            user.public()
        );
        assert!(Key::read(Kind::User, "SU").is_err());
        assert!(Key::read(Kind::Operator, &user.seed()).is_err(), "a user's");
    }
}
