use crate::GdalMessage;
use gdal::config::set_error_handler;
use gdal::errors::CplErrType;
use std::cell::RefCell;
use std::sync::Once;

thread_local! {
    static LAST_FAILURE: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Routes GDAL's messages to the log, so that none is printed past it; later calls do nothing.
///
/// Failures that a call returns as an error anyway are logged at `debug`, and so are libtiff's remarks on
/// slightly odd files; what nobody else would tell is logged at `warn`.
pub fn install_log_handler() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| set_error_handler(log));
}

fn log(class: CplErrType, number: i32, message: &str) {
    match class {
        CplErrType::None | CplErrType::Debug => tracing::trace!(target: "gdal", "{message}"),
        CplErrType::Warning if is_libtiff(message) => tracing::debug!(target: "gdal", "{message}"),
        CplErrType::Warning => tracing::warn!(target: "gdal", "{message}"),
        CplErrType::Failure | CplErrType::Fatal => {
            if message.starts_with("PROJ") {
                // PROJ calls a CRS that it cannot put into one of its forms a failure.
                tracing::warn!(target: "gdal", "{message}");
            } else {
                LAST_FAILURE.with_borrow_mut(|last| *last = Some(message.to_owned()));
                tracing::debug!(target: "gdal", number, "{message}");
            }
        }
    }
}

/// Whether a message names one of libtiff's functions, such as `TIFFReadDirectory`.
fn is_libtiff(message: &str) -> bool {
    message.match_indices("TIFF").any(|(at, _)| {
        let before = message[..at].chars().next_back();
        let after = message[at + 4..].chars().next();
        !before.is_some_and(char::is_alphanumeric) && after.is_some_and(char::is_uppercase)
    }) || message.starts_with("RowsPerStrip")
}

/// Runs a step whose failures GDAL 3.6 only tells its handler, such as closing a file.
pub(crate) fn watched<T>(step: impl FnOnce() -> T) -> Result<T, GdalMessage> {
    install_log_handler();
    LAST_FAILURE.with_borrow_mut(Option::take);
    let value = step();
    match LAST_FAILURE.with_borrow_mut(Option::take) {
        Some(message) => Err(GdalMessage::new(message)),
        None => Ok(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libtiff_s_remarks_are_told_from_gdal_s() {
        assert!(is_libtiff("a.tif: TIFFReadDirectory:Unknown field"));
        assert!(is_libtiff("TIFFFetchNormalTag:IO error"));
        assert!(!is_libtiff("a.tif: GeoTIFF tags apparently corrupt, they are being ignored."));
        assert!(!is_libtiff("Cannot find proj.db"));
    }
}
