use crate::Error;
use gdal::config::{get_config_option, set_config_option};
use std::sync::Once;

/// How much memory GDAL keeps decoded blocks in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BlockCache {
    /// This many bytes, as asked.
    Bytes(u64),
    /// What the user set by `GDAL_CACHEMAX`, which stays; bytes if it says so many.
    User {
        /// The value as written, such as `512`, `2GB` or `5%`.
        value: String,
        /// What that is, unless it is a share of the machine's memory.
        bytes: Option<u64>,
    },
}

impl BlockCache {
    /// How many bytes that is on a machine with so much memory, of which GDAL takes 5 % where the user set a share.
    pub const fn bytes(&self, machine: u64) -> u64 {
        match self {
            Self::Bytes(bytes) | Self::User { bytes: Some(bytes), .. } => *bytes,
            Self::User { bytes: None, .. } => machine / 20,
        }
    }
}

/// Sets one of GDAL's configuration options, as `--config KEY=VALUE` does.
///
/// # Errors
/// If the key or the value holds a zero byte.
pub fn set_config(key: &str, value: &str) -> Result<(), Error> {
    set_config_option(key, value).map_err(|error| Error::Config { key: key.to_owned(), source: error.into() })
}

/// Limits GDAL's block cache unless the user did; GDAL looks at it once, before the first read.
///
/// # Errors
/// If GDAL does not take it.
pub fn set_cache_bytes(bytes: u64) -> Result<BlockCache, Error> {
    let set = get_config_option("GDAL_CACHEMAX", "").unwrap_or_default();
    if !set.is_empty() {
        return Ok(BlockCache::User { bytes: cache_bytes(&set), value: set });
    }
    // GDAL takes numbers below 100,000 for megabytes.
    let bytes = bytes.max(1 << 20);
    set_config("GDAL_CACHEMAX", &bytes.to_string())?;
    Ok(BlockCache::Bytes(bytes))
}

/// Lets no two VRTs share the handles of their sources, unless the user says otherwise.
///
/// GDAL shares them among all VRTs that one thread opens, also where other threads read from them at once.
pub(crate) fn keep_handles_apart() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let key = "VRT_SHARED_SOURCE";
        if get_config_option(key, "").unwrap_or_default().is_empty() {
            // A key and a value without zero bytes cannot fail.
            let _ = set_config_option(key, "0");
        }
    });
}

/// What a value of `GDAL_CACHEMAX` is in bytes; `None` for a share of the memory.
fn cache_bytes(value: &str) -> Option<u64> {
    let value = value.trim();
    let digits = value.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(value.len());
    let number: f64 = value[..digits].parse().ok()?;
    let factor = match value[digits..].trim().to_ascii_uppercase().as_str() {
        "" if number < 100_000.0 => 1 << 20,
        "" | "B" => 1,
        "K" | "KB" => 1 << 10,
        "M" | "MB" => 1 << 20,
        "G" | "GB" => 1 << 30,
        _ => return None,
    };
    Some((number * f64::from(factor)) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_user_s_cache_in_bytes() {
        assert_eq!(cache_bytes("64"), Some(64 << 20));
        assert_eq!(cache_bytes("200000"), Some(200_000));
        assert_eq!(cache_bytes("1.5GB"), Some(3 << 29));
        assert_eq!(cache_bytes("5%"), None);
        assert_eq!(cache_bytes("lots"), None);
    }
}
