//! Takes out of a module what nothing calls and no compiler can know of: functions of leptos that every
//! type-erased view points to for a way of taking over a page that this client does not use.

use walrus::{FunctionBuilder, FunctionId, FunctionKind, Module};

/// A part of the names of those functions, as the compiler mangles it: they serve pages whose code is
/// loaded in parts. Only functions that are like no other can be named here, since the compiler keeps one
/// of equal functions for all of them: each of these makes or drives a future of its own.
const UNUSED: &str = "8into_any13hydrate_async";

/// Empties the unused functions, so that they and what only they called are dropped with the bindings.
/// Were one called nevertheless, the client would stop there as it does where it panics.
///
/// # Errors
/// When the module cannot be read, or has no such function: then the name has changed.
pub(super) fn trim(module: &[u8]) -> anyhow::Result<Vec<u8>> {
    let mut module = Module::from_buffer(module)?;
    let unused = named(&module, UNUSED);
    anyhow::ensure!(
        !unused.is_empty(),
        "the module has no function named {UNUSED}; xtask/src/site/trim.rs is out of date"
    );
    for function in unused {
        empty(&mut module, function);
    }
    Ok(module.emit_wasm())
}

fn named(module: &Module, part: &str) -> Vec<FunctionId> {
    module
        .funcs
        .iter_local()
        .map(|(id, _)| id)
        .filter(|id| {
            let name = module.funcs.get(*id).name.as_deref();
            name.is_some_and(|name| name.contains(part))
        })
        .collect()
}

fn empty(module: &mut Module, function: FunctionId) {
    let kind = module.types.get(module.funcs.get(function).ty());
    let (parameters, results) = (kind.params().to_vec(), kind.results().to_vec());
    let mut body = FunctionBuilder::new(&mut module.types, &parameters, &results);
    body.func_body().unreachable();
    let arguments = parameters
        .iter()
        .map(|parameter| module.locals.add(*parameter))
        .collect();
    module.funcs.get_mut(function).kind = FunctionKind::Local(body.local_func(arguments));
}

#[cfg(test)]
mod tests {
    use walrus::ValType;

    use super::*;

    /// A module with an exported function for each name, which gives back what it takes.
    fn module(names: &[&str]) -> Vec<u8> {
        let mut module = Module::default();
        for name in names {
            let mut builder =
                FunctionBuilder::new(&mut module.types, &[ValType::I32], &[ValType::I32]);
            let argument = module.locals.add(ValType::I32);
            builder
                .name((*name).to_owned())
                .func_body()
                .local_get(argument);
            let function = builder.finish(vec![argument], &mut module.funcs);
            module.exports.add(name, function);
        }
        module.emit_wasm()
    }

    fn instructions(module: &[u8], name: &str) -> String {
        let module = Module::from_buffer(module).unwrap();
        let function = module.funcs.by_name(name).unwrap();
        let body = module.funcs.get(function).kind.unwrap_local();
        let block = body.block(body.entry_block());
        format!("{:?}", block.instrs)
    }

    #[test]
    fn only_the_unused_function_is_emptied() {
        let trimmed = trim(&module(&[
            "a8into_any13hydrate_asyncE",
            "a13hydrate_async7inner_1E",
        ]))
        .unwrap();
        assert!(instructions(&trimmed, "a8into_any13hydrate_asyncE").contains("Unreachable"));
        assert!(instructions(&trimmed, "a13hydrate_async7inner_1E").contains("LocalGet"));
    }

    #[test]
    fn a_module_without_the_function_is_refused() {
        assert!(trim(&module(&["a13hydrate_async7inner_1E"])).is_err());
    }
}
