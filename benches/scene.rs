//! Writes a scene with known classes and two networks for it, for `benches/figures.py`:
//! `cargo bench --bench scene -- WIDTH HEIGHT FOLDER`.

#[path = "../tests/it/scene.rs"]
mod scene;

use std::path::PathBuf;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // cargo adds a flag of its own.
    let mut words = std::env::args().skip(1).filter(|word| word != "--bench");
    let mut next = || words.next().ok_or("expected WIDTH HEIGHT FOLDER");
    let (width, height, folder) = (next()?.parse()?, next()?.parse()?, PathBuf::from(next()?));
    std::fs::create_dir_all(&folder)?;
    let made = scene::Scene::write(&folder, width, height);
    let mut truth = format!("P5\n{} {}\n255\n", made.width, made.height).into_bytes();
    truth.extend(&made.classes);
    std::fs::write(folder.join("truth.pgm"), truth)?;
    scene::write_probe(&folder);
    scene::write_blur(&folder);
    Ok(())
}
