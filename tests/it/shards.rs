//! Parts computed apart and merged, and many rasters at once.

use crate::program::{Run, command, rs_seg_in};
use crate::scene::{Scene, write_probe};
use serde_json::{Value, json};
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

const FLAGS: [&str; 8] =
    ["--model", "probe.pt", "--tile", "128", "--overlap", "16", "--probability-type", "float32"];
const LAYERS: [&str; 4] = ["--probabilities", "p.tif", "--confidence", "c.tif"];

fn shard_arguments<'a>(shard: &'a str, out: &'a str) -> Vec<&'a str> {
    [&["infer", "scene.vrt", "--out", out, "--shard", shard, "--json"][..], &FLAGS, &LAYERS].concat()
}

fn shard(folder: &Path, shard: &str, more: &[&str]) -> Run {
    rs_seg_in(folder, &[&shard_arguments(shard, "classes.tif"), more].concat())
}

fn merge(folder: &Path, more: &[&str]) -> Run {
    rs_seg_in(folder, &[&["merge", "--out", "classes.tif"][..], more].concat())
}

/// Starts a shard and kills it, once a strip of it is stored.
fn kill(folder: &Path, shard: &str, part: &str) {
    let arguments = [&shard_arguments(shard, "classes.tif")[..], &["--progress", "json"]].concat();
    let mut job = command(&arguments)
        .current_dir(folder)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("starts");
    let mut lines = BufReader::new(job.stderr.take().expect("piped")).lines().map_while(Result::ok);
    let strips = || {
        fs::read_dir(folder.join(part)).map_or(0, |entries| {
            entries
                .filter(|e| e.as_ref().is_ok_and(|e| e.path().extension().is_some_and(|x| x == "strip")))
                .count()
        })
    };
    assert!(
        lines.any(|line| line.contains("\"progress\"") && strips() > 0),
        "it ended before a strip was stored"
    );
    let id = job.id().to_string();
    assert!(Command::new("kill").args(["-KILL", &id]).status().expect("kill runs").success());
    job.wait().expect("ends");
    assert!(!folder.join(part).join("part.json").exists(), "it was killed on the way");
}

#[test]
fn shards_in_any_order_with_two_killed_make_what_one_run_makes() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    Scene::write(folder, 600, 2900);
    write_probe(folder);
    let names =
        ["classes.tif", "classes.tif.aux.xml", "classes.qml", "p.tif", "c.tif", "classes.tif.json", "v.fgb"];
    let read =
        || names.map(|name| fs::read(folder.join(name)).unwrap_or_else(|error| panic!("{name}: {error}")));
    let whole = rs_seg_in(
        folder,
        &[
            &["infer", "scene.vrt", "--out", "classes.tif", "--vector", "v.fgb", "--json"][..],
            &FLAGS,
            &LAYERS,
        ]
        .concat(),
    );
    assert_eq!(whole.code, Some(0), "{whole:?}");
    let (expected, tiles) = (read(), whole.json()["tiles_computed"].as_u64().unwrap());
    for name in names {
        fs::remove_file(folder.join(name)).unwrap();
    }

    kill(folder, "2/3", "classes.tif.rs-seg-parts/2-of-3");
    kill(folder, "0/3", "classes.tif.rs-seg-parts/0-of-3");
    let mut computed = 0;
    // Counted from 1, as some schedulers do; each with what its machine has.
    for (number, more) in
        [("3/3", &["--threads", "1"][..]), ("1/3", &["--max-memory", "1GiB"]), ("2/3", &["--batch", "5"])]
    {
        let made = shard(folder, number, more);
        assert_eq!(made.code, Some(0), "{made:?}");
        let told = made.json();
        let (done, all) = (told["tiles_computed"].as_u64().unwrap(), told["tiles"].as_u64().unwrap());
        assert_eq!(told["state"], "made");
        if number != "1/3" {
            assert!(done < all, "what was stored before the kill is not computed again: {told}");
        }
        computed += all;
        let again = shard(folder, number, more).json();
        assert_eq!((&again["state"], again["tiles_computed"].as_u64()), (&Value::from("found"), Some(0)));
    }
    assert!(computed as f64 <= 1.15 * tiles as f64, "{computed} tiles instead of {tiles}");
    assert!(!folder.join("classes.tif").exists());

    let merged = merge(
        folder,
        &[
            "classes.tif.rs-seg-parts",
            "--probabilities",
            "p.tif",
            "--confidence",
            "c.tif",
            "--vector",
            "v.fgb",
            "--json",
            "--remove-parts",
        ],
    );
    assert_eq!(merged.code, Some(0), "{merged:?}");
    assert_eq!(merged.json()["classes"], whole.json()["classes"]);
    for (name, (made, expected)) in names.iter().zip(read().iter().zip(&expected)) {
        assert!(made == expected, "{name} differs from that of one run");
    }
    assert!(!folder.join("classes.tif.rs-seg-parts").exists());
    let verified = rs_seg_in(folder, &["verify", "classes.tif", "--sample", "4"]);
    assert_eq!(verified.code, Some(0), "{verified:?}");
}

#[test]
fn an_area_and_other_pixels_are_cut_into_shards_too() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    Scene::write(folder, 700, 1300);
    write_probe(folder);
    // A sheared raster cannot be resampled.
    let vrt = fs::read_to_string(folder.join("scene.vrt")).unwrap();
    let upright = vrt.replace("0.08, 0.04, 5400000, 0.04, -0.08", "0.08, 0, 5400000, 0, -0.08");
    fs::write(folder.join("scene.vrt"), upright).unwrap();
    for more in [&["--bbox", "500010,5399920,500040,5399980"][..], &["--gsd", "0.13"]] {
        let flags = [&["--model", "probe.pt", "--tile", "128", "--overlap", "32"][..], more].concat();
        let whole = rs_seg_in(folder, &[&["infer", "scene.vrt", "--out", "whole.tif"][..], &flags].concat());
        assert_eq!(whole.code, Some(0), "{whole:?}");
        for number in ["1/4", "0/4", "3/4", "2/4"] {
            let arguments = ["infer", "scene.vrt", "--out", "classes.tif", "--shard", number];
            let made = rs_seg_in(folder, &[&arguments[..], &flags].concat());
            assert_eq!(made.code, Some(0), "{made:?}");
        }
        let merged = merge(folder, &["classes.tif.rs-seg-parts", "--overwrite", "--remove-parts"]);
        assert_eq!(merged.code, Some(0), "{merged:?}");
        for ending in ["tif", "tif.aux.xml", "qml"] {
            let read = |name: &str| fs::read(folder.join(format!("{name}.{ending}"))).unwrap();
            assert!(read("whole") == read("classes"), "{more:?}: {ending}");
            fs::remove_file(folder.join(format!("whole.{ending}"))).unwrap();
        }
        let manifest = |name: &str| -> Value {
            let text = fs::read_to_string(folder.join(name)).unwrap().replace("whole.", "classes.");
            serde_json::from_str(&text).unwrap()
        };
        assert_eq!(manifest("whole.tif.json"), manifest("classes.tif.json"), "{more:?}");
        fs::remove_file(folder.join("whole.tif.json")).unwrap();
    }
}

#[test]
fn the_tiles_of_an_area_are_dealt_out_and_parts_of_another_area_do_not_fit() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    Scene::write(folder, 1100, 3600);
    write_probe(folder);
    // Two pieces in the lower third, on the raster's own turned grid, in pixels: left, top, right, bottom.
    let ring = |[left, top, right, bottom]: [f64; 4]| {
        let world = |c: f64, r: f64| [500_000.0 + 0.08 * c + 0.04 * r, 5_400_000.0 + 0.04 * c - 0.08 * r];
        [(left, top), (right, top), (right, bottom), (left, bottom), (left, top)].map(|(c, r)| world(c, r))
    };
    let pieces = [ring([20.0, 2500.0, 1050.0, 2900.0]), ring([500.0, 3300.0, 1080.0, 3590.0])];
    let write_area = |pieces: &[[[f64; 2]; 5]]| {
        let rings: Vec<_> = pieces.iter().map(|ring| [ring]).collect();
        let geometry = json!({"type": "MultiPolygon", "coordinates": rings});
        let feature = json!({"type": "Feature", "properties": {}, "geometry": geometry});
        let crs = json!({"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::25832"}});
        let collection = json!({"type": "FeatureCollection", "crs": crs, "features": [feature]});
        fs::write(folder.join("area.geojson"), collection.to_string()).unwrap();
    };
    write_area(&pieces);
    let flags = ["--model", "probe.pt", "--tile", "64", "--overlap", "16", "--aoi", "area.geojson", "--json"];
    let infer = |more: &[&str]| rs_seg_in(folder, &[&["infer", "scene.vrt"][..], &flags, more].concat());
    let whole = infer(&["--out", "whole.tif"]);
    let all = whole.json()["tiles_computed"].as_u64().expect("a number");
    let mut computed = Vec::new();
    for number in ["0/3", "1/3", "2/3"] {
        let made = infer(&["--out", "classes.tif", "--shard", number]);
        assert_eq!(made.code, Some(0), "{made:?}");
        computed.push(made.json()["tiles_computed"].as_u64().expect("a number"));
    }
    let (sum, most) = (computed.iter().sum::<u64>(), *computed.iter().max().expect("three"));
    assert!(sum < all * 5 / 4 && most * 3 < sum * 3 / 2, "{computed:?} of {all}");
    let merged = merge(folder, &["classes.tif.rs-seg-parts"]);
    assert_eq!(merged.code, Some(0), "{merged:?}");
    for ending in ["tif", "qml"] {
        let read = |name: &str| fs::read(folder.join(format!("{name}.{ending}"))).unwrap();
        assert!(read("whole") == read("classes"), "{ending}");
    }

    // One of another area in the place of the last.
    write_area(&pieces[..1]);
    let last = infer(&["--out", "classes.tif", "--shard", "2/3"]);
    assert!(last.code == Some(1) && last.stderr.contains("area differ"), "{last:?}");
    assert_eq!(infer(&["--out", "classes.tif", "--shard", "2/3", "--discard"]).code, Some(0));
    let mixed = merge(folder, &["classes.tif.rs-seg-parts", "--overwrite"]);
    assert!(mixed.code == Some(1) && mixed.stderr.contains("not of one run: area differ"), "{mixed:?}");
    // More parts than there is work: the last is there, and has nothing.
    let idle = infer(&["--out", "other.tif", "--shard", "29/30"]);
    assert_eq!(
        (idle.code, &idle.json()["window"], &idle.json()["tiles"]),
        (Some(0), &Value::Null, &json!(0))
    );
    let again = infer(&["--out", "other.tif", "--shard", "29/30"]).json();
    assert_eq!(again["state"], "found");
}

#[test]
fn what_is_finished_is_found_before_a_network_is_tried() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    Scene::write(folder, 300, 1100);
    write_probe(folder);
    fs::create_dir(folder.join("out")).unwrap();
    // No network can be run with that, and none is.
    let little = ["--max-memory", "64MiB"];
    let fixed = ["infer", "scene.vrt", "--model", "probe.pt", "--json"];
    for (what, more) in
        [("part", &["--out", "classes.tif", "--shard", "1/2"][..]), ("outputs", &["--each", "--out", "out"])]
    {
        let run = |last: &[&str]| rs_seg_in(folder, &[&fixed[..], more, last].concat());
        let refused = run(&little);
        assert!(refused.code == Some(1) && refused.stderr.contains("--max-memory"), "{what}: {refused:?}");
        let made = run(&[]);
        assert_eq!(made.code, Some(0), "{what}: {made:?}");
        let found = run(&little);
        assert_eq!(found.code, Some(0), "{what}: {found:?}");
        let told = |run: &Run, key: &str| {
            let told = run.json();
            told.pointer(&format!("/rasters/0/{key}")).unwrap_or(&told[key]).clone()
        };
        assert_eq!((told(&made, "state"), told(&found, "state")), (json!("made"), json!("found")), "{what}");
        for same in ["window", "tiles", "device", "outputs"] {
            assert_eq!(told(&made, same), told(&found, same), "{what}: {same}");
        }
        let anew = run(&[if what == "part" { "--discard" } else { "--overwrite" }]);
        assert_eq!(told(&anew, "state"), json!("made"), "{what}: {anew:?}");
    }
}

#[test]
fn copies_of_a_geotiff_are_one_input_and_side_cars_are_those_of_one_run() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    Scene::write(folder, 300, 1100);
    write_probe(folder);
    let vrt = fs::read_to_string(folder.join("scene.vrt")).unwrap();
    // GDAL tells the datum of WGS 84 in one way or another, by what it has read before.
    fs::write(folder.join("scene.vrt"), vrt.replace("EPSG:25832", "EPSG:32633")).unwrap();
    let made = rs_seg_in(
        folder,
        &["infer", "scene.vrt", "--model", "probe.pt", "--out", "input.tif", "--no-manifest"],
    );
    assert_eq!(made.code, Some(0), "{made:?}");
    let flags = ["--model", "probe.pt", "--bands", "1,1,1", "--confidence", "sure.tif", "--no-manifest"];
    let outputs = || {
        let mut names: Vec<_> =
            fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.retain(|name| name.starts_with("out.") || name.starts_with("sure."));
        names.sort();
        names
            .into_iter()
            .filter(|name| !name.ends_with("parts"))
            .map(|name| (fs::read(folder.join(&name)).unwrap(), name))
            .collect::<Vec<_>>()
    };
    let whole = rs_seg_in(
        folder,
        &[&["infer", "input.tif", "--out", "out.tif", "--vector", "out.fgb"][..], &flags].concat(),
    );
    assert_eq!(whole.code, Some(0), "{whole:?}");
    let expected = outputs();
    for (_, name) in &expected {
        fs::remove_file(folder.join(name)).unwrap();
    }
    fs::create_dir(folder.join("copy")).unwrap();
    fs::copy(folder.join("input.tif"), folder.join("copy/other name.tif")).unwrap();
    for (input, number) in [("input.tif", "0/2"), ("copy/other name.tif", "1/2")] {
        let part = rs_seg_in(
            folder,
            &[&["infer", input, "--out", "out.tif", "--shard", number][..], &flags[..6]].concat(),
        );
        assert_eq!(part.code, Some(0), "{part:?}");
    }
    let own = rs_seg_in(
        folder,
        &[&["infer", "input.tif", "--out", "input.tif", "--shard", "0/2"][..], &flags[..6]].concat(),
    );
    assert!(own.code == Some(1) && own.stderr.contains("would replace the input"), "{own:?}");
    let arguments = [
        "merge",
        "out.tif.rs-seg-parts",
        "--out",
        "out.tif",
        "--confidence",
        "sure.tif",
        "--no-manifest",
        "--vector",
        "out.fgb",
    ];
    let merged = rs_seg_in(folder, &arguments);
    assert_eq!(merged.code, Some(0), "{merged:?}");
    assert!(
        outputs() == expected,
        "{:?}",
        outputs().iter().map(|(_, name)| name.clone()).collect::<Vec<_>>()
    );
}

#[test]
fn parts_that_make_no_whole_are_refused_with_their_names() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    Scene::write(folder, 300, 1100);
    write_probe(folder);
    let refused = |more: &[&str], words: &[&str]| {
        let run = merge(folder, more);
        assert_eq!(run.code, Some(1), "{run:?}");
        for word in words {
            assert!(run.stderr.contains(word), "{word}: {}", run.stderr);
        }
        assert!(!folder.join("classes.tif").exists());
    };
    fs::create_dir(folder.join("nothing")).unwrap();
    refused(&["nothing"], &["nothing holds no part", "--shard"]);
    refused(&["absent"], &["absent"]);
    assert_eq!(shard(folder, "1/3", &[]).code, Some(0));
    refused(&["classes.tif.rs-seg-parts"], &["2 of 3 parts", "0/3, 2/3", "--shard 0/3"]);
    assert_eq!(shard(folder, "0/3", &[]).code, Some(0));
    // More shards than blocks: the last has nothing to do, and is there.
    assert_eq!(shard(folder, "0/9", &[]).code, Some(0));
    refused(&["classes.tif.rs-seg-parts"], &["of 3", "of 9"]);
    fs::remove_dir_all(folder.join("classes.tif.rs-seg-parts/0-of-9")).unwrap();
    // A part of a run with other flags, in the place of the last one.
    let other = rs_seg_in(
        folder,
        &[
            "infer",
            "scene.vrt",
            "--model",
            "probe.pt",
            "--out",
            "classes.tif",
            "--shard",
            "2/3",
            "--tile",
            "64",
        ],
    );
    assert_eq!(other.code, Some(0), "{other:?}");
    refused(&["classes.tif.rs-seg-parts"], &["not of one run", "tile"]);
    let resumed = shard(folder, "2/3", &[]);
    assert_eq!(resumed.code, Some(1));
    assert!(resumed.stderr.contains("tile") && resumed.stderr.contains("--discard"), "{}", resumed.stderr);
    let started_over = shard(folder, "2/3", &["--discard"]);
    assert_eq!(started_over.code, Some(0), "{started_over:?}");
    // A strip that was altered.
    let part = folder.join("classes.tif.rs-seg-parts/2-of-3");
    let strip = |layer: &str| {
        let mut names = fs::read_dir(&part).unwrap().map(|entry| entry.unwrap().path());
        names.find(|path| path.file_name().unwrap().to_string_lossy().starts_with(layer)).unwrap()
    };
    let bytes = fs::read(strip("classes")).unwrap();
    let mut altered = bytes.clone();
    *altered.last_mut().unwrap() ^= 0x55;
    fs::write(strip("classes"), altered).unwrap();
    refused(&["classes.tif.rs-seg-parts"], &["damaged"]);
    fs::write(strip("classes"), bytes).unwrap();
    // One that is gone: what says that the part is whole is not believed.
    fs::remove_file(strip("classes")).unwrap();
    refused(&["classes.tif.rs-seg-parts"], &["part 2/3 is damaged", "--shard 2/3 --discard"]);
    assert_eq!(shard(folder, "2/3", &[]).json()["state"], "made");
    // Strips of nobody knows which run.
    fs::remove_file(part.join("run.json")).unwrap();
    fs::remove_file(part.join("part.json")).unwrap();
    let again = shard(folder, "2/3", &[]).json();
    assert_eq!(again["tiles_computed"], again["tiles"], "none of them is used");
    // One that was copied.
    fs::create_dir(folder.join("copy")).unwrap();
    for entry in fs::read_dir(&part).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, folder.join("copy").join(path.file_name().unwrap())).unwrap();
    }
    refused(&["classes.tif.rs-seg-parts", "copy"], &["2/3 is there twice", "copy", "2-of-3"]);
    // Nothing is written into a part, and nothing of somebody else's removed with it.
    let inside = rs_seg_in(
        folder,
        &["merge", "classes.tif.rs-seg-parts", "--out", "classes.tif.rs-seg-parts/2-of-3/c.tif"],
    );
    assert!(inside.code == Some(1) && inside.stderr.contains("into the part"), "{}", inside.stderr);
    let input =
        rs_seg_in(folder, &["merge", "classes.tif.rs-seg-parts", "--out", "scene.vrt", "--overwrite"]);
    assert!(input.code == Some(1) && input.stderr.contains("would replace"), "{}", input.stderr);
    fs::write(part.join("notes.txt"), "mine").unwrap();
    let merged = merge(folder, &["classes.tif.rs-seg-parts", "classes.tif.rs-seg-parts/2-of-3"]);
    assert_eq!(merged.code, Some(0), "{merged:?}");
    assert!(merged.stderr.contains("--probabilities FILE would write"), "{}", merged.stderr);
    let removed =
        merge(folder, &["classes.tif.rs-seg-parts", "--overwrite", "--remove-parts", "--of", "COG"]);
    assert!(removed.code == Some(0) && removed.stderr.contains("2-of-3"), "{removed:?}");
    assert_eq!(fs::read_dir(folder.join("classes.tif.rs-seg-parts")).unwrap().count(), 1);
    assert_eq!(fs::read_dir(&part).unwrap().count(), 1, "the user's own file alone is left");
}

#[test]
fn a_part_takes_no_flags_of_the_whole_and_shards_are_told_by_schedulers() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    Scene::write(folder, 300, 200);
    write_probe(folder);
    for more in [&["--vector", "v.gpkg"][..], &["--preview", "p.png"], &["--of", "COG"], &["--check-seams"]] {
        let run = shard(folder, "0/2", more);
        assert_eq!(run.code, Some(1), "{run:?}");
        assert!(run.stderr.contains(more[0]) && run.stderr.contains("rs-seg merge"), "{}", run.stderr);
    }
    let run = shard(folder, "3/2", &[]);
    assert_eq!(run.code, Some(2));
    let run = command(&shard_arguments("auto/2", "classes.tif"))
        .current_dir(folder)
        .env("JOB_COMPLETION_INDEX", "1")
        .output()
        .expect("starts");
    assert!(run.status.success());
    let told: Value = serde_json::from_slice(&run.stdout).unwrap();
    assert_eq!((told["shard"]["index"].as_u64(), told["shard"]["of"].as_u64()), (Some(1), Some(2)));
    assert!(folder.join("classes.tif.rs-seg-parts/1-of-2/part.json").exists());
}

#[test]
fn many_rasters_are_dealt_out_and_one_that_fails_stops_no_other() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    write_probe(folder);
    for name in ["a", "b", "c"] {
        let own = folder.join(name);
        fs::create_dir(&own).unwrap();
        Scene::write(&own, 150, 120);
        fs::rename(own.join("scene.vrt"), own.join(format!("scene {name}.vrt"))).unwrap();
    }
    fs::write(folder.join("list.txt"), "a/scene a.vrt\nno such raster.tif\nb/scene b.vrt\nc/scene c.vrt\n")
        .unwrap();
    fs::create_dir(folder.join("out")).unwrap();
    let each = |more: &[&str]| {
        let fixed =
            ["infer", "--list", "list.txt", "--each", "--model", "probe.pt", "--out", "out", "--json"];
        rs_seg_in(folder, &[&fixed[..], more].concat())
    };
    let states = |run: &Run| -> Vec<String> {
        run.json()["rasters"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one["state"].as_str().unwrap().to_owned())
            .collect()
    };
    let first = each(&["--shard", "0/2"]);
    assert_eq!(
        (first.code, states(&first)),
        (Some(0), vec!["made".to_owned(), "made".to_owned()]),
        "{first:?}"
    );
    // What lacks polygons is made again, since nothing else stands there.
    let all = each(&["--vector", "out/{stem}.fgb"]);
    assert_eq!(all.code, Some(1));
    assert!(
        all.stderr.contains("1 of 4 rasters failed") && all.stderr.contains("no such raster.tif"),
        "{}",
        all.stderr
    );
    assert_eq!(states(&all), ["made", "failed", "made", "made"]);
    // A run that was killed while it gave its files their names is completed.
    fs::remove_file(folder.join("out/scene c.tif")).unwrap();
    assert_eq!(states(&each(&["--vector", "out/{stem}.fgb"])), ["found", "failed", "found", "made"]);
    // What another network made is not replaced without being asked.
    let other = each(&["--tile", "64"]);
    assert_eq!(states(&other), ["failed"; 4]);
    assert!(other.stderr.contains("exists"), "{}", other.stderr);
    let again = each(&["--vector", "out/{stem}.fgb"]);
    assert_eq!(states(&again), ["found", "failed", "found", "found"]);
    let alone = rs_seg_in(folder, &["infer", "b/scene b.vrt", "--model", "probe.pt", "--out", "b.tif"]);
    assert_eq!(alone.code, Some(0));
    assert_eq!(fs::read(folder.join("b.tif")).unwrap(), fs::read(folder.join("out/scene b.tif")).unwrap());

    let shared = each(&["--confidence", "one.tif"]);
    assert!(shared.code == Some(1) && shared.stderr.contains("{stem}"), "{}", shared.stderr);
    fs::write(folder.join("list.txt"), "a/scene a.vrt\nb/../a/scene a.vrt\n").unwrap();
    let twice = each(&[]);
    assert!(twice.code == Some(1) && twice.stderr.contains("would both write"), "{}", twice.stderr);
}
