//! The modules of the library are floors: each uses only those below it. So none of them needs another one
//! to be understood that is built on it, and there is no cycle.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::{fs, iter};

/// The modules of `src`, from the ground up.
const FLOORS: &[&str] = &[
    "plain",
    "text",
    "shapes",
    "noise",
    "scalar",
    "hyperparameters",
    "simd",
    "fpu",
    "math",
    "float",
    "dual",
    "jet",
    "interval",
    "ball",
    "fit",
    "filters",
    "distributions",
    "storage",
    "bytes",
    "tensor",
    "weight",
    "activation",
    "parameters",
    "fixed",
    "init",
    "kernels",
    "scattering",
    "memory",
    "layer",
    "streaming",
    "ode",
    "layers",
    "sampling",
    "metrics",
    "loss",
    "optim",
    "summary",
    "network",
    "uncertainty",
    "bounds",
    "weights",
    "audio",
    "import",
    "data",
    "train",
    "parallel",
    "distributed",
    "watch",
    "prune",
    "linalg",
    "augment",
    "rl",
    "testing",
    "prelude",
    "__private",
];

/// The most lines that a file may have.
const LINES: usize = 600;

#[test]
fn modules_use_only_what_is_below_them() {
    let library = Library::read();
    let floor = |module: &str| FLOORS.iter().position(|floor| *floor == module);
    let mut wrong = Vec::new();
    for Use { place, from, to } in &library.uses {
        match (floor(from), floor(to)) {
            (Some(user), Some(used)) if used <= user => {}
            (Some(_), Some(_)) => wrong.push(format!("{place}: `{from}` uses `{to}`, which is above it")),
            (None, _) => wrong.push(format!("{place}: `{from}` is not in the list of floors")),
            (_, None) => wrong.push(format!("{place}: `crate::{to}` is neither a module nor exported by one")),
        }
    }
    assert!(wrong.is_empty(), "{} uses are wrong:\n{}", wrong.len(), wrong.join("\n"));
    // The search finds what there is to find.
    for (from, to) in [("network", "layer"), ("weights", "bytes"), ("prelude", "network"), ("__private", "layer")] {
        assert!(library.uses.iter().any(|found| found.from == from && found.to == to), "{from} uses {to}");
    }
}

#[test]
fn files_are_short() {
    let long: Vec<String> = ["src", "macros/src", "shapes/src", "files/src"]
        .into_iter()
        .flat_map(|folder| if_here(&root().join(folder)))
        .map(|file| (name(&file), text(&file).lines().count()))
        .filter(|(_, lines)| *lines > LINES)
        .map(|(file, lines)| format!("{file}: {lines} lines"))
        .collect();
    assert!(long.is_empty(), "files have at most {LINES} lines:\n{}", long.join("\n"));
}

#[test]
fn only_code_of_the_library_is_searched() {
    let code = r##"
        use crate::{a, b::{B, other}, self as me}; // crate::comment
        /* crate::block /* crate::nested */ crate::block */
        /// crate::docs
        fn f<'a>(c: char) { c == '"' || "crate::text" == r#"" crate::raw"#; $crate::c::f(); ::monomorph::d::f() }
        #[cfg(all(test, feature = "std"))]
        #[rustfmt::skip]
        mod tests { use crate::test; }
        #[cfg(test)]
        use crate::test;
        #[cfg(test)]
        pub(super) mod more_tests;
        #[cfg(not(test))]
        use crate::e;
    "##;
    let (code, modules) = without_tests(&without_comments(code));
    let names: Vec<String> = paths(&code).into_iter().map(|(_, name)| name).collect();
    assert_eq!(names, ["a", "b", "c", "d", "e"]);
    assert_eq!(modules, ["more_tests"]);
}

/// A path of the library in one of its modules.
struct Use {
    /// File and line.
    place: String,
    /// The module in which the path stands.
    from: String,
    /// The module that it leads to; what is exported at the root counts as of its own module.
    to: String,
}

struct Library {
    uses: Vec<Use>,
}

impl Library {
    fn read() -> Self {
        let source = root().join("src");
        let mut sources: BTreeMap<PathBuf, String> = BTreeMap::new();
        let mut test_modules = Vec::new();
        for file in files(&source) {
            let (code, modules) = without_tests(&without_comments(&text(&file)));
            test_modules.extend(modules.into_iter().map(|module| folder_of(&file).join(module)));
            sources.insert(file, code);
        }
        sources.retain(|file, _| !test_modules.iter().any(|module| file.with_extension("").starts_with(module)));

        let lib = source.join("lib.rs");
        let root = sources.remove(&lib).expect("the root of the library");
        let mut exports = re_exports(&root);
        for (file, code) in &sources {
            exports.extend(exported_macros(code).map(|name| (name, module_of(&source, file))));
        }
        // A module and a macro may have the same name; then the path is taken for one of the module.
        exports.retain(|name, _| !FLOORS.contains(&name.as_str()));

        let mut uses = Vec::new();
        for (file, code) in &sources {
            for (at, target) in paths(code) {
                let line = code[..at].matches('\n').count() + 1;
                let (from, to) = (module_of(&source, file), exports.get(&target).cloned().unwrap_or(target));
                uses.push(Use { place: format!("{}:{line}", name(file)), from, to });
            }
        }
        Self { uses }
    }
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn text(file: &Path) -> String {
    fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

fn name(file: &Path) -> String {
    file.strip_prefix(root()).unwrap_or(file).display().to_string()
}

/// All Rust files in a folder, if it is there: the package on crates.io has only the library.
fn if_here(folder: &Path) -> BTreeSet<PathBuf> {
    if folder.exists() {
        return files(folder);
    }
    println!("skipped: {} is not here", folder.display());
    BTreeSet::new()
}

/// All Rust files in a folder and those below it.
fn files(folder: &Path) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.insert(path);
        }
    }
    found
}

/// The module at the root that a file belongs to.
fn module_of(source: &Path, file: &Path) -> String {
    let path = file.strip_prefix(source).expect("a file of the library").with_extension("");
    path.iter().next().expect("a name").to_string_lossy().into_owned()
}

/// The folder in which the modules of a file are.
fn folder_of(file: &Path) -> PathBuf {
    match file.file_stem().and_then(|stem| stem.to_str()) {
        Some("mod" | "lib") => file.parent().expect("a folder").to_owned(),
        _ => file.with_extension(""),
    }
}

/// The code with blanks for comments and texts; all lines stay where they are.
fn without_comments(code: &str) -> String {
    let (mut rest, mut out) = (code, String::new());
    while let Some(first) = rest.chars().next() {
        let blank = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            block_comment(rest)
        } else if let Some(len) = raw_text(rest).filter(|_| !out.ends_with(is_of_identifiers)) {
            len
        } else if first == '"' {
            quoted(rest, '"')
        } else if first == '\'' && (rest[1..].starts_with('\\') || rest.chars().nth(2) == Some('\'')) {
            quoted(rest, '\'')
        } else {
            0
        };
        let (skipped, after) = rest.split_at(if blank == 0 { first.len_utf8() } else { blank });
        if blank == 0 {
            out.push(first);
        } else {
            out.extend(skipped.chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
        }
        rest = after;
    }
    out
}

fn is_of_identifiers(c: char) -> bool {
    c == '_' || c.is_alphanumeric()
}

/// How long a comment is that may hold others.
fn block_comment(code: &str) -> usize {
    let (mut depth, mut at) = (0, 0);
    loop {
        match code.as_bytes().get(at..at + 2) {
            Some(b"/*") => (depth, at) = (depth + 1, at + 2),
            Some(b"*/") if depth == 1 => return at + 2,
            Some(b"*/") => (depth, at) = (depth - 1, at + 2),
            Some(_) => at += 1,
            None => return code.len(),
        }
    }
}

/// How long a text such as `r#".."#` is.
fn raw_text(code: &str) -> Option<usize> {
    let text = code.strip_prefix('r')?;
    let quote = text.trim_start_matches('#').strip_prefix('"')?;
    let hashes = &text[..text.len() - quote.len() - 1];
    let end = format!("\"{hashes}");
    Some(code.len() - quote.len() + quote.find(&end)? + end.len())
}

/// How long a text or a character between quotes is.
fn quoted(code: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in code.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == quote => return at + 1,
            _ => {}
        }
    }
    code.len()
}

/// The code with blanks for items that are compiled in tests only, and those of these that are modules in files of
/// their own.
fn without_tests(code: &str) -> (String, Vec<String>) {
    let (mut out, mut modules, mut from) = (code.to_owned(), Vec::new(), 0);
    while let Some(at) = out[from..].find("#[cfg(").map(|at| from + at) {
        let condition = at..at + group(&out[at + 1..]) + 1;
        from = condition.end;
        let condition = &out[condition];
        let is_test = condition.split(|c| !is_of_identifiers(c)).any(|word| word == "test");
        if !is_test || condition.contains("not(test)") {
            continue;
        }
        let mut item = from + blanks(&out[from..]);
        while out[item..].starts_with("#[") {
            item += 1 + group(&out[item + 1..]);
            item += blanks(&out[item..]);
        }
        let end = item + end_of_item(&out[item..]);
        if let Some((visibility, module)) = out[item..end].strip_suffix(';').and_then(|item| item.split_once("mod "))
            && (visibility.is_empty() || visibility.starts_with("pub"))
        {
            modules.push(module.trim().to_owned());
        }
        blank(&mut out, at..end);
        from = end;
    }
    (out, modules)
}

fn blank(code: &mut String, range: Range<usize>) {
    let blanks: String = code[range.clone()].chars().map(|c| if c == '\n' { '\n' } else { ' ' }).collect();
    code.replace_range(range.clone(), &format!("{blanks:<0$}", range.len()));
}

fn blanks(code: &str) -> usize {
    code.len() - code.trim_start().len()
}

/// How long the group in brackets is that the code begins with.
fn group(code: &str) -> usize {
    let mut depth = 0;
    for (at, c) in code.char_indices() {
        match c {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return at + c.len_utf8();
        }
    }
    code.len()
}

/// How long the item is that the code begins with: up to its `;` or its body.
fn end_of_item(code: &str) -> usize {
    let mut at = 0;
    while let Some(c) = code[at..].chars().next() {
        match c {
            ';' => return at + 1,
            // What `use` lists is followed by a `;`.
            '{' if !code.starts_with("use ") => return at + group(&code[at..]),
            '(' | '[' | '{' => at += group(&code[at..]),
            _ => at += c.len_utf8(),
        }
    }
    code.len()
}

/// The first names of all paths that begin at the root of the library, and where these paths are.
fn paths(code: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for root in ["crate", "monomorph"] {
        for (at, _) in code.match_indices(root) {
            let whole = !code[..at].ends_with(is_of_identifiers);
            let Some(path) = code[at + root.len()..].strip_prefix("::").filter(|_| whole) else { continue };
            found.extend(first_names(path).into_iter().map(|name| (at, name)));
        }
    }
    found.sort();
    found
}

/// The names that a path begins with: several, if it is a list in braces.
fn first_names(path: &str) -> Vec<String> {
    let identifier = |path: &str| {
        let path = path.trim_start();
        path[..path.find(|c| !is_of_identifiers(c)).unwrap_or(path.len())].to_owned()
    };
    if !path.starts_with('{') {
        return vec![identifier(path)];
    }
    let list = &path[1..group(path) - 1];
    let mut depth = 0;
    let commas = list.char_indices().filter_map(|(at, c)| {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        (c == ',' && depth == 0).then_some(at + 1)
    });
    let names = iter::once(0).chain(commas).map(|start| identifier(&list[start..]));
    names.filter(|name| !name.is_empty() && name != "self").collect()
}

/// Names at the root, and the modules that they are re-exported from.
fn re_exports(root: &str) -> BTreeMap<String, String> {
    let uses = root.match_indices("pub use ").filter_map(|(at, start)| {
        let (path, _) = root[at + start.len()..].split_once(';')?;
        let (module, rest) = path.split_once("::")?;
        let names = first_names(rest);
        Some(names.into_iter().map(|name| (name, module.to_owned())).collect::<Vec<_>>())
    });
    uses.flatten().collect()
}

/// The macros that a file puts at the root.
fn exported_macros(code: &str) -> impl Iterator<Item = String> {
    code.match_indices("#[macro_export]").filter_map(|(at, _)| {
        let (_, name) = code[at..].split_once("macro_rules!")?;
        Some(first_names(name).remove(0))
    })
}
