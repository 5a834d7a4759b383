//! `--max-memory 2GiB`.

/// A number of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ByteSize(pub u64);

const UNITS: [(&str, u64); 13] = [
    ("B", 1),
    ("K", 1 << 10),
    ("KiB", 1 << 10),
    ("KB", 1_000),
    ("M", 1 << 20),
    ("MiB", 1 << 20),
    ("MB", 1_000_000),
    ("G", 1 << 30),
    ("GiB", 1 << 30),
    ("GB", 1_000_000_000),
    ("T", 1 << 40),
    ("TiB", 1 << 40),
    ("TB", 1_000_000_000_000),
];

/// Reads `2GiB`, `1.5G`, `800 MB` or a plain number of bytes.
pub(crate) fn byte_size(text: &str) -> Result<ByteSize, String> {
    let refuse =
        || "a size is a number and a unit, such as 800MiB or 2GiB (MB and GB count in thousands)".to_owned();
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = (&text[..digits], text[digits..].trim());
    let number: f64 = number.parse().map_err(|_| refuse())?;
    let factor = match unit {
        "" => 1,
        _ => UNITS.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit)).ok_or_else(refuse)?.1,
    };
    let bytes = number * factor as f64;
    if bytes.is_finite() && bytes >= 1.0 { Ok(ByteSize(bytes as u64)) } else { Err(refuse()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_binary_unless_they_say_otherwise() {
        let bytes = |text| byte_size(text).unwrap().0;
        assert_eq!(bytes("2GiB"), 2 << 30);
        assert_eq!(bytes("1.5g"), 3 << 29);
        assert_eq!(bytes("800 MB"), 800_000_000);
        assert_eq!(bytes("4096"), 4096);
        assert_eq!((bytes("10TB"), bytes("2TiB")), (10_000_000_000_000, 2 << 40));
    }

    #[test]
    fn anything_else_is_told_what_is_allowed() {
        for wrong in ["", "GiB", "-1G", "0", "2 PiB", "1.2.3M", "2GiBs"] {
            assert!(byte_size(wrong).unwrap_err().contains("2GiB"), "{wrong}");
        }
    }
}
