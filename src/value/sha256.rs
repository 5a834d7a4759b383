//! Checksums.

use std::fmt;

/// A sha256 in small hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sha256(pub(crate) String);

/// Reads 64 hexadecimal digits.
pub(crate) fn sha256(text: &str) -> Result<Sha256, String> {
    if text.len() == 64 && text.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        Ok(Sha256(text.to_ascii_lowercase()))
    } else {
        Err("a sha256 is 64 hexadecimal digits, as `sha256sum FILE` prints them".to_owned())
    }
}

impl fmt::Display for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::sha256;

    #[test]
    fn a_checksum_is_64_digits() {
        assert_eq!(sha256(&"aF".repeat(32)).unwrap().0, "af".repeat(32));
        assert!(sha256(&"a".repeat(63)).is_err() && sha256(&"g".repeat(64)).is_err());
    }
}
