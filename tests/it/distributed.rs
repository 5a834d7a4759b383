//! `rs-seg train` in several processes, as a launcher starts them.

mod crew;
mod equal;
mod lost;
mod namespaces;
mod together;
