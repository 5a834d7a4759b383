//! Types of values, by the types that clap parses them into.

use crate::network::NetworkName;
use crate::segment::{OverlapChoice, PixelSize};
use crate::value::{
    BandList, ByteSize, DeviceArg, GroundArea, GroundLength, KeyValue, Sample, ScaleList, Seconds, Setting,
    Sha256, ShardArg,
};
use clap::{Arg, ArgAction};
use seg_data::{Shares, SplitBy};
use seg_gdal::Bounds;
use seg_run::{Batch, Scaling};
use serde::Serialize;
use std::any::TypeId;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

/// What a parameter's value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Kind {
    /// It is there or not.
    Flag,
    /// How often it is there counts.
    Count,
    /// One of its choices.
    Choice,
    /// Text.
    String,
    /// A file or folder, or another name that GDAL opens.
    Path,
    /// A whole number from 0.
    Integer,
    /// A number.
    Number,
    /// Bytes, with a unit.
    Size,
    /// Band numbers with commas between.
    Bands,
    /// Pixels, percent, or `auto`.
    Overlap,
    /// `auto` or a whole number.
    Batch,
    /// `XMIN,YMIN,XMAX,YMAX`.
    Bounds,
    /// `native`, `model` or a length in meters.
    PixelSize,
    /// How values meet the model.
    Scaling,
    /// `KEY=VALUE`.
    KeyValue,
    /// `auto`, `cpu` or `cuda:N`.
    Device,
    /// `NAME=SHARE` with commas between.
    Shares,
    /// Ratios with commas between.
    Scales,
    /// `all` or a whole number.
    Sample,
    /// `I/N`, `auto` or `auto/N`.
    Shard,
    /// A number of pixels or square meters, with its unit.
    Area,
    /// A number of pixels or meters, with its unit.
    Length,
    /// A time, with its unit.
    Duration,
    /// A type that this list lacks; a test keeps it away.
    Unknown,
}

impl Kind {
    /// Of a parameter.
    pub(crate) fn of(arg: &Arg) -> Self {
        match arg.get_action() {
            ArgAction::SetTrue | ArgAction::SetFalse => return Self::Flag,
            ArgAction::Count => return Self::Count,
            _ => {}
        }
        if !arg.get_possible_values().is_empty() {
            return Self::Choice;
        }
        let of_value = arg.get_value_parser().type_id();
        let known = [
            (TypeId::of::<String>(), Self::String),
            (TypeId::of::<SplitBy>(), Self::String),
            (TypeId::of::<Sha256>(), Self::String),
            (TypeId::of::<Duration>(), Self::Duration),
            (TypeId::of::<PathBuf>(), Self::Path),
            (TypeId::of::<NetworkName>(), Self::Path),
            (TypeId::of::<usize>(), Self::Integer),
            (TypeId::of::<u64>(), Self::Integer),
            (TypeId::of::<NonZeroUsize>(), Self::Integer),
            (TypeId::of::<f64>(), Self::Number),
            (TypeId::of::<ByteSize>(), Self::Size),
            (TypeId::of::<BandList>(), Self::Bands),
            (TypeId::of::<OverlapChoice>(), Self::Overlap),
            (TypeId::of::<Batch>(), Self::Batch),
            (TypeId::of::<Bounds>(), Self::Bounds),
            (TypeId::of::<PixelSize>(), Self::PixelSize),
            (TypeId::of::<Scaling>(), Self::Scaling),
            (TypeId::of::<KeyValue>(), Self::KeyValue),
            (TypeId::of::<Setting>(), Self::KeyValue),
            (TypeId::of::<DeviceArg>(), Self::Device),
            (TypeId::of::<Shares>(), Self::Shares),
            (TypeId::of::<ScaleList>(), Self::Scales),
            (TypeId::of::<Sample>(), Self::Sample),
            (TypeId::of::<ShardArg>(), Self::Shard),
            (TypeId::of::<GroundArea>(), Self::Area),
            (TypeId::of::<GroundLength>(), Self::Length),
            (TypeId::of::<Seconds>(), Self::Duration),
        ];
        known.into_iter().find(|(known, _)| of_value == *known).map_or(Self::Unknown, |(_, kind)| kind)
    }
}
