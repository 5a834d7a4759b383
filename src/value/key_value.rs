//! `--co KEY=VALUE` and `--config KEY=VALUE`.

/// A setting that goes to GDAL as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KeyValue {
    pub key: String,
    pub value: String,
}

impl KeyValue {
    /// As GDAL takes them.
    pub(crate) fn texts(options: &[Self]) -> Vec<String> {
        options.iter().map(|Self { key, value }| format!("{key}={value}")).collect()
    }
}

/// Reads `KEY=VALUE`; the value can hold further equals signs and can be empty.
pub(crate) fn key_value(text: &str) -> Result<KeyValue, String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => {
            Ok(KeyValue { key: key.to_owned(), value: value.to_owned() })
        }
        _ => Err("a GDAL option is KEY=VALUE, such as COMPRESS=ZSTD".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_equals_sign_parts_key_and_value() {
        let pair = key_value("GDAL_HTTP_HEADERS=a=b").unwrap();
        assert_eq!((pair.key.as_str(), pair.value.as_str()), ("GDAL_HTTP_HEADERS", "a=b"));
        assert_eq!(key_value("X=").unwrap().value, "");
        for wrong in ["COMPRESS", "=ZSTD", ""] {
            assert!(key_value(wrong).unwrap_err().contains("KEY=VALUE"), "{wrong}");
        }
    }
}
