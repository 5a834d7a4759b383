//! `--set section.key=value`.

/// A value of a configuration file that the command line replaces.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Setting {
    /// Sections and key, from the outermost.
    pub path: Vec<String>,
    pub value: toml::Value,
}

impl Setting {
    /// Puts the value into a configuration.
    pub(crate) fn apply(&self, table: &mut toml::Table) -> Result<(), String> {
        let Some((key, sections)) = self.path.split_last() else { return Ok(()) };
        let mut table = table;
        for section in sections {
            let entry = table.entry(section.clone()).or_insert_with(|| toml::Table::new().into());
            table = entry.as_table_mut().ok_or_else(|| format!("{section} is no section"))?;
        }
        table.insert(key.clone(), self.value.clone());
        Ok(())
    }
}

/// Reads `section.key=value`; the value is TOML, or else a text.
pub(crate) fn setting(text: &str) -> Result<Setting, String> {
    let usage = || "a setting is SECTION.KEY=VALUE, such as optimizer.lr=1e-4".to_owned();
    let (path, value) = text.split_once('=').ok_or_else(usage)?;
    let path: Vec<_> = path.split('.').map(|part| part.trim().to_owned()).collect();
    if path.len() < 2 || path.iter().any(String::is_empty) {
        return Err(usage());
    }
    let parsed = toml::from_str::<toml::Table>(&format!("value = {value}"));
    let parsed = parsed.ok().and_then(|mut table| table.remove("value"));
    Ok(Setting { path, value: parsed.unwrap_or_else(|| toml::Value::String(value.to_owned())) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_toml_or_texts() {
        let value = |text| setting(text).unwrap().value;
        assert_eq!(value("optimizer.lr=1e-4"), toml::Value::Float(1e-4));
        assert_eq!(value("train.steps=20"), toml::Value::Integer(20));
        assert_eq!(value("augment.scale=[0.5, 1.5]").as_array().unwrap().len(), 2);
        assert_eq!(value("train.precision=bf16").as_str(), Some("bf16"));
        assert_eq!(value("data.folder=a=b").as_str(), Some("a=b"));
        for wrong in ["lr=1", "optimizer.lr", ".lr=1", "optimizer.=1"] {
            assert!(setting(wrong).unwrap_err().contains("SECTION.KEY"), "{wrong}");
        }
    }

    #[test]
    fn sections_that_are_missing_are_made() {
        let mut table: toml::Table = toml::from_str("[model]\nname = \"a\"\n").unwrap();
        setting("train.steps=5").unwrap().apply(&mut table).unwrap();
        setting("model.fusion.kind=none").unwrap().apply(&mut table).unwrap();
        assert_eq!(table["train"]["steps"].as_integer(), Some(5));
        assert_eq!(table["model"]["fusion"]["kind"].as_str(), Some("none"));
        let error = setting("model.name.x=1").unwrap().apply(&mut table).unwrap_err();
        assert_eq!(error, "name is no section");
    }
}
