//! Weights that are downloaded.

mod cache;
mod download;

pub(crate) use cache::{cache_folder, file_name};
pub(crate) use download::{Download, Fetched, STAGE, download, look};
