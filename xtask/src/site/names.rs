//! Gives the functions that a module imports short names, in the module and in the script. The bindings
//! name each by a digest, which no compression makes small and a browser would have to load twice.

use std::collections::BTreeMap;

use walrus::Module;

use super::wasm::Bound;

/// Renames every imported function, in the order of the old names.
///
/// # Errors
/// When the module cannot be read, or an import has the name of an export: the script uses both.
pub(super) fn shorten(bound: Bound) -> anyhow::Result<Bound> {
    let mut module = Module::from_buffer(&bound.wasm)?;
    let mut names: BTreeMap<String, String> = module
        .imports
        .iter()
        .map(|import| (import.name.clone(), String::new()))
        .collect();
    anyhow::ensure!(
        module
            .exports
            .iter()
            .all(|export| !names.contains_key(&export.name)),
        "the module imports and exports the same name"
    );
    for (at, short) in names.values_mut().enumerate() {
        *short = format!("_{at:x}_");
    }
    for import in module.imports.iter_mut() {
        import.name.clone_from(&names[&import.name]);
    }
    module.producers.clear();
    Ok(Bound {
        script: renamed(&bound.script, &names),
        wasm: module.emit_wasm(),
        ..bound
    })
}

/// The script with each word that is an old name replaced by the new one.
fn renamed(script: &str, names: &BTreeMap<String, String>) -> String {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '$';
    let mut text = String::with_capacity(script.len());
    let mut rest = script;
    while !rest.is_empty() {
        let word = rest.find(|c| !is_part(c)).unwrap_or(rest.len());
        let (word, after) = rest.split_at(word);
        text.push_str(names.get(word).map_or(word, String::as_str));
        let other = after.find(is_part).unwrap_or(after.len());
        text.push_str(&after[..other]);
        rest = &after[other..];
    }
    text
}

#[cfg(test)]
mod tests {
    use walrus::ValType;

    use super::*;

    #[test]
    fn module_and_script_agree_on_the_short_names() {
        let mut module = Module::default();
        let kind = module.types.add(&[ValType::I32], &[]);
        for name in ["__wbg_open_1f", "__wbg_open_1f2e"] {
            module.add_import_func("./app_bg.js", name, kind);
        }
        let bound = Bound {
            script: "{ __wbg_open_1f2e: 1, __wbg_open_1f: f(\"__wbg_open\") }".to_owned(),
            wasm: module.emit_wasm(),
            wasm_name: "app_bg.wasm".to_owned(),
        };
        let short = shorten(bound).unwrap();
        let module = Module::from_buffer(&short.wasm).unwrap();
        let imports: Vec<_> = module.imports.iter().map(|import| &import.name).collect();
        assert_eq!(imports, ["_0_", "_1_"]);
        assert_eq!(short.script, "{ _1_: 1, _0_: f(\"__wbg_open\") }");
    }
}
