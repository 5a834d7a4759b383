//! What is told of an exported network, for rs-seg, for QGIS plugins and for catalogs.

use std::path::Path;

use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::card::{ClassSpec, InputSpec, ModelCard, OutputKind};
use crate::checkpoint::Checkpoint;
use crate::complaint::Complaint;
use crate::config::{Config, DecoderConfig, FusionKind};
use crate::count::describe;
use crate::error::Error;
use crate::seen::SeenBand;

/// NET.toml, as it is read again.
#[derive(Serialize)]
struct Description<'a> {
    model: Model<'a>,
    input: &'a InputSpec,
    class: &'a [ClassSpec],
    #[serde(skip_serializing_if = "<[SeenBand]>::is_empty")]
    seen: &'a [SeenBand],
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Model<'a> {
    name: &'a str,
    output: OutputKind,
    stride: usize,
    tile_px: Option<usize>,
}

/// What plugins are told to overlap tiles by, in percent: 128 of 512 pixels, as `rs-seg infer` does.
const OVERLAP_PERCENT: u32 = 25;
/// The version of STAC's extension whose properties are written.
const MLM_SCHEMA: &str = "https://stac-extensions.github.io/mlm/v1.4.0/schema.json";

/// The description that `rs-seg infer --model M.pt` reads.
pub(super) fn toml(card: &ModelCard) -> Result<String, Error> {
    let description = Description {
        model: Model {
            name: &card.name,
            output: card.output,
            stride: card.input_multiple,
            tile_px: card.tile_px,
        },
        input: &card.input,
        class: &card.classes,
        seen: &card.seen,
    };
    let text = toml::to_string(&description).map_err(|error| {
        Error::from(Complaint::new("description", format!("cannot be written as TOML: {error}")))
    })?;
    Ok(format!(
        "# A network that rs-seg exported: pixels as they stand in the raster, (B, {}, H, W), sides multiples of {};\n\
         # probabilities, (B, {}, H, W). Normalization and soft-max are inside.\n{text}",
        card.input.bands,
        card.input_multiple,
        card.classes.len(),
    ))
}

/// The keys that Deepness and `GeoDeep` read from a network's metadata, with values that are JSON in texts, as there.
///
/// These programs divide pixels by 255 before they subtract the mean: dividing by 1/255 then gives pixels again.
pub(super) fn plugin_metadata(card: &ModelCard) -> String {
    let names: Map<String, Value> =
        card.classes.iter().enumerate().map(|(i, class)| (i.to_string(), json!(class.name))).collect();
    let bands = card.input.bands;
    let mut keys = vec![
        ("model_type", json!("Segmentor")),
        ("class_names", Value::Object(names)),
        ("tiles_size", json!(card.tile_side())),
        ("tiles_overlap", json!(OVERLAP_PERCENT)),
        ("standardization_mean", json!(vec![0.0; bands])),
        ("standardization_std", json!(vec![1.0 / 255.0; bands])),
    ];
    if let Some(meters) = card.input.gsd_m {
        // Centimeters a pixel.
        keys.push(("resolution", json!(100.0 * meters)));
    }
    let texts: Map<String, Value> =
        keys.into_iter().map(|(key, value)| (key.to_owned(), json!(value.to_string()))).collect();
    pretty(&Value::Object(texts))
}

/// The properties of STAC's machine learning model extension, as an item without place and time.
pub(super) fn mlm(card: &ModelCard, checkpoint: &Checkpoint, out: &Path) -> Result<String, Error> {
    let facts = describe(&checkpoint.config, card.tile_side())?;
    let name = out.file_name().unwrap_or_default().to_string_lossy();
    let tile = card.tile_side();
    let classes: Vec<_> = card
        .classes
        .iter()
        .map(|class| {
            let [r, g, b] = class.color;
            let color = format!("{r:02X}{g:02X}{b:02X}");
            json!({"value": class.id, "name": class.name, "color_hint": color})
        })
        .collect();
    let bands: Vec<_> = (1..=card.input.bands).map(|band| format!("band {band}")).collect();
    let mut properties = json!({
        "datetime": null,
        "description": format!(
            "{}: pixels as they stand in the raster to probabilities of {} classes; sides are multiples of {}",
            card.name, card.classes.len(), card.input_multiple
        ),
        "mlm:name": card.name,
        "mlm:architecture": architecture(&checkpoint.config),
        "mlm:tasks": ["semantic-segmentation"],
        "mlm:framework": "PyTorch",
        "mlm:framework_version": seg_torch::build_info().version,
        "mlm:total_parameters": facts.parameters,
        "mlm:batch_size_suggestion": 1,
        "mlm:input": [{
            "name": "pixels",
            "bands": bands,
            "input": {
                "shape": [-1, card.input.bands, tile, tile],
                "dim_order": ["batch", "bands", "height", "width"],
                "data_type": "float32",
            },
            "value_scaling": null,
            "resize_type": null,
        }],
        "mlm:output": [{
            "name": "probabilities",
            "tasks": ["semantic-segmentation"],
            "result": {
                "shape": [-1, card.classes.len(), tile, tile],
                "dim_order": ["batch", "class", "height", "width"],
                "data_type": "float32",
            },
            "classification:classes": classes,
            "post_processing_function": null,
        }],
    });
    if let (Some(meters), Value::Object(properties)) = (card.input.gsd_m, &mut properties) {
        properties.insert("gsd".to_owned(), json!(meters));
    }
    Ok(pretty(&json!({
        "type": "Feature",
        "stac_version": "1.0.0",
        "stac_extensions": [MLM_SCHEMA],
        "id": out.file_stem().unwrap_or_default().to_string_lossy(),
        "geometry": null,
        "properties": properties,
        "links": [],
        "assets": {
            "model": {
                "href": format!("./{name}"),
                "type": "application/octet-stream; framework=pytorch",
                "title": "TorchScript",
                "roles": ["mlm:model"],
                "mlm:artifact_type": "torch.jit.save",
            },
        },
    })))
}

/// What papers call networks of this structure.
fn architecture(config: &Config) -> &'static str {
    let model = &config.model;
    match (&model.decoder, &model.text, model.fusion.as_ref().map(|fusion| fusion.kind)) {
        (DecoderConfig::PyramidPooling(_), ..) => "PSPNet",
        (DecoderConfig::AtrousPooling(_), ..) => "DeepLabV3+",
        (DecoderConfig::SemanticFpn(_), None, _) => "Semantic FPN",
        (DecoderConfig::SemanticFpn(_), Some(_), Some(FusionKind::Both)) => "BEMSeg",
        (DecoderConfig::SemanticFpn(_), Some(_), Some(FusionKind::Text)) => "DenseCLIP",
        (DecoderConfig::SemanticFpn(_), Some(_), _) => "CLIP-FPN",
    }
}

fn pretty(value: &Value) -> String {
    // A value of JSON can be written.
    serde_json::to_string_pretty(value).unwrap_or_default() + "\n"
}
