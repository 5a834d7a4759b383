use gdal::DriverManager;
use gdal::spatial_ref::SpatialRef;
use gdal::version::VersionInfo;
use proj::ProjBuilder;

/// Drivers that reading and writing needs.
const DRIVERS: [&str; 6] = ["GTiff", "COG", "VRT", "MEM", "PNG", "GPKG"];

/// Which GDAL and PROJ run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Versions {
    /// Such as `3.6.2`.
    pub gdal: String,
    /// Such as `9.1.1`.
    pub proj: String,
    /// Where PROJ looks for its data.
    pub proj_data: String,
}

/// Something that the installation of GDAL or PROJ lacks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// What is wrong.
    pub what: String,
    /// What cures it.
    pub hint: String,
}

/// The versions of the libraries that this program runs with.
pub fn versions() -> Versions {
    let info = ProjBuilder::new().lib_info().ok();
    Versions {
        gdal: VersionInfo::release_name(),
        proj: info.as_ref().map_or_else(|| "unknown".to_owned(), |info| info.version.clone()),
        proj_data: info.map(|info| info.searchpath).unwrap_or_default(),
    }
}

/// What is missing, none on a sound installation.
pub fn problems() -> Vec<Problem> {
    crate::install_log_handler();
    let mut problems = Vec::new();
    if SpatialRef::from_epsg(32633).is_err() {
        problems.push(Problem {
            what: "PROJ does not find its data base, proj.db".to_owned(),
            hint: format!(
                "install `proj-data` or let PROJ_DATA name the folder; it looked in {}",
                versions().proj_data
            ),
        });
    }
    for driver in DRIVERS.into_iter().filter(|name| DriverManager::get_driver_by_name(name).is_err()) {
        problems.push(Problem {
            what: format!("GDAL was built without its {driver} driver"),
            hint: "install Debian's `libgdal-dev`, or unset GDAL_SKIP".to_owned(),
        });
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_installation_is_sound() {
        assert_eq!(problems(), []);
        assert!(versions().gdal.starts_with('3'), "{:?}", versions());
        assert!(versions().proj.starts_with('9'), "{:?}", versions());
    }
}
