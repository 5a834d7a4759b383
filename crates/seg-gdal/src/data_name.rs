use crate::raster::open_data_name;
use crate::{Error, RasterProfile};
use std::sync::atomic::{AtomicU64, Ordering};

/// Stands in a description for a number that no other handle has.
pub(crate) const HANDLE: &str = "@HANDLE@";

/// What a data set is called, and what GDAL is told to open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DataName {
    /// For messages.
    pub shown: String,
    opened: Opened,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Opened {
    /// The name itself.
    Name,
    /// A description in XML, in which [`HANDLE`] becomes a number.
    Described(String),
}

impl DataName {
    /// A name that GDAL opens untouched.
    pub(crate) fn plain(name: &str) -> Self {
        Self { shown: name.to_owned(), opened: Opened::Name }
    }

    /// A data set that a description makes of the one called `shown`.
    pub(crate) fn described(shown: &str, xml: String) -> Self {
        Self { shown: shown.to_owned(), opened: Opened::Described(xml) }
    }

    /// What GDAL tells about it without its pixels.
    pub(crate) fn profile(&self) -> Result<RasterProfile, Error> {
        RasterProfile::of(&open_data_name(self)?, &self.shown)
    }

    /// What GDAL opens, for one handle.
    pub(crate) fn for_gdal(&self) -> String {
        static HANDLES: AtomicU64 = AtomicU64::new(0);
        match &self.opened {
            Opened::Name => self.shown.clone(),
            Opened::Described(xml) => {
                xml.replace(HANDLE, &HANDLES.fetch_add(1, Ordering::Relaxed).to_string())
            }
        }
    }
}
