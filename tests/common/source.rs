//! Finds the paths that the files of a crate name, for tests of its structure. Reads the files as tokens.

use std::fs;
use std::path::Path;
use std::str::FromStr;

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// A file of a crate.
pub(crate) struct Module {
    /// The file's path from the root of the repository.
    pub(crate) file: String,
    /// The module's name, from `crate` on.
    pub(crate) name: Vec<String>,
    /// All paths in the file. A path to a module of this crate begins with `crate`, even if it begins
    /// otherwise in the file.
    pub(crate) paths: Vec<Vec<String>>,
}

impl Module {
    /// Returns the first name below the crate's root, or `lib` for the root.
    pub(crate) fn room(&self) -> &str {
        self.name.get(1).map_or("lib", |name| name)
    }
}

/// Returns the files of the crate in `folder`, whose root is `root.rs`, without those that are only compiled
/// for tests. A program in `src/bin` is a crate of its own.
pub(crate) fn modules(folder: &str, root: &str) -> Vec<Module> {
    let mut files = Vec::new();
    collect(Path::new(folder), &mut files);
    files.sort();
    let mut modules: Vec<_> = files.into_iter().map(|file| module(folder, root, file)).collect();
    let names: Vec<_> = modules.iter().map(|module| module.name.clone()).collect();
    for Module { name, paths, .. } in &mut modules {
        for path in paths.iter_mut().filter(|path| path[0] != "crate") {
            let whole = [&name[..], &path[..1]].concat();
            if names.contains(&whole) {
                path.splice(..1, whole);
            }
        }
    }
    modules
}

fn collect(folder: &Path, files: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if ["bin", "tests", "tests.rs", "model.rs", "loom_tests", "loom_tests.rs"].contains(&&*name) {
            continue;
        }
        if path.is_dir() {
            collect(&path, files);
        } else if name.ends_with(".rs") {
            files.push(path.to_str().unwrap().replace('\\', "/"));
        }
    }
}

fn module(folder: &str, root: &str, file: String) -> Module {
    let inner = file.strip_prefix(folder).unwrap().trim_start_matches('/').trim_end_matches(".rs");
    let inner = if inner == root { "" } else { inner };
    let parts = inner.split('/').filter(|part| !part.is_empty() && *part != "mod");
    let name: Vec<_> = ["crate"].into_iter().chain(parts).map(str::to_owned).collect();
    let text = fs::read_to_string(&file).unwrap();
    let tokens = TokenStream::from_str(&text).unwrap_or_else(|error| panic!("{file}: {error}"));
    let mut paths = Vec::new();
    find_paths(tokens, &name, &mut paths);
    Module { file, name, paths }
}

/// Adds every path in a piece of code of the module `here`, except in modules called `tests`.
fn find_paths(tokens: TokenStream, here: &[String], paths: &mut Vec<Vec<String>>) {
    let tokens: Vec<_> = tokens.into_iter().collect();
    let mut at = 0;
    while at < tokens.len() {
        match &tokens[at] {
            TokenTree::Ident(first) if !follows_path(&tokens, at) && !follows_dollar(&tokens, at) => {
                let start = resolve(&first.to_string(), here);
                at = find_tails(&tokens, at + 1, start, paths);
                continue;
            }
            TokenTree::Group(group) => {
                let mut inner = here.to_vec();
                let module = name_of_module(&tokens, at);
                if module.as_ref().is_none_or(|name| name != "tests") {
                    inner.extend(module);
                    find_paths(group.stream(), &inner, paths);
                }
            }
            _ => {}
        }
        at += 1;
    }
}

/// Whether a `::` stands before this token, so that no path begins here.
fn follows_path(tokens: &[TokenTree], at: usize) -> bool {
    at >= 2 && is_colons(tokens, at - 2)
}

/// Whether this is `$crate`. The path is then one of the code that uses the macro, and leads to a public item.
fn follows_dollar(tokens: &[TokenTree], at: usize) -> bool {
    at >= 1 && matches!(&tokens[at - 1], TokenTree::Punct(punct) if punct.as_char() == '$')
}

fn is_colons(tokens: &[TokenTree], at: usize) -> bool {
    let is_colon =
        |token: Option<&TokenTree>| matches!(token, Some(TokenTree::Punct(punct)) if punct.as_char() == ':');
    is_colon(tokens.get(at)) && is_colon(tokens.get(at + 1))
}

/// Returns the name in `mod name { .. }`, if the group at this index is that module's body.
fn name_of_module(tokens: &[TokenTree], group: usize) -> Option<String> {
    match tokens.get(group.checked_sub(2)?..group)? {
        [TokenTree::Ident(keyword), TokenTree::Ident(name)] if keyword == "mod" => Some(name.to_string()),
        _ => None,
    }
}

/// Returns the names that the first name of a path stands for.
fn resolve(first: &str, here: &[String]) -> Vec<String> {
    match first {
        "self" => here.to_vec(),
        "super" => here[..here.len() - 1].to_vec(),
        _ => vec![first.to_owned()],
    }
}

/// Adds the continuations of `path` from token `at` on: names, or a group of them. Returns the index of the
/// token after them.
fn find_tails(
    tokens: &[TokenTree],
    mut at: usize,
    mut path: Vec<String>,
    paths: &mut Vec<Vec<String>>,
) -> usize {
    let first = at;
    while is_colons(tokens, at) {
        match tokens.get(at + 2) {
            Some(TokenTree::Ident(name)) if name == "super" => _ = path.pop(),
            Some(TokenTree::Ident(name)) => path.push(name.to_string()),
            Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Brace => {
                let group: Vec<_> = group.stream().into_iter().collect();
                let is_comma =
                    |token: &TokenTree| matches!(token, TokenTree::Punct(punct) if punct.as_char() == ',');
                for item in group.split(is_comma).filter(|item| !item.is_empty()) {
                    let mut path = path.clone();
                    match &item[0] {
                        TokenTree::Ident(name) if name != "self" => path.push(name.to_string()),
                        _ => {}
                    }
                    find_tails(item, 1, path, paths);
                }
                return at + 3;
            }
            _ => break,
        }
        at += 3;
    }
    if at > first || path.len() > 1 {
        paths.push(path);
    }
    at
}
