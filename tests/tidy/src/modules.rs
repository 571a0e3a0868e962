//! The modules of a crate, one a file, and which of them name which.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use crate::code;
use crate::code::Token;
use crate::tree;
use crate::tree::Tree;

/// A module's path below its crate's root: `["keys", "store"]`.
pub type Path<'a> = Vec<&'a str>;

/// The modules of a crate without its tests.
pub struct Modules<'a> {
    files: BTreeMap<Path<'a>, Module<'a>>,
    reexports: BTreeMap<Path<'a>, Path<'a>>,
}

/// One file.
pub struct Module<'a> {
    /// Its path from the repository's root.
    pub file: &'a str,
    /// Its tokens without its tests.
    pub tokens: Vec<Token<'a>>,
}

/// A place where one module names another.
#[derive(Clone, Copy, Debug)]
pub struct Arrow<'a> {
    /// The file.
    pub file: &'a str,
    /// The line, from 1.
    pub line: usize,
}

/// From each module to those it needs.
pub type Arrows<'m, 'a> = BTreeMap<&'m Path<'a>, BTreeMap<&'m Path<'a>, Arrow<'a>>>;

impl<'a> Modules<'a> {
    /// Reads the modules below a crate's folder of sources.
    #[must_use]
    pub fn read(tree: &'a Tree, folder: &'a str) -> Self {
        let mut files = BTreeMap::new();
        for (file, text) in tree.below(folder, "rs") {
            let inside = file
                .strip_prefix(folder)
                .unwrap_or(file)
                .trim_start_matches('/');
            if tree::is_test(inside) || inside == "tests.rs" {
                continue;
            }
            let stem = inside.trim_end_matches(".rs");
            let path: Path<'_> = stem
                .split('/')
                .filter(|part| !["lib", "main"].contains(part))
                .collect();
            let tokens = code::tokens_without_tests(text);
            files.insert(path, Module { file, tokens });
        }
        let mut modules = Self {
            files,
            reexports: BTreeMap::new(),
        };
        modules.reexports = modules.all_reexports();
        modules
    }

    /// The modules by their paths. The root has an empty one.
    pub fn iter(&self) -> impl Iterator<Item = (&Path<'a>, &Module<'a>)> {
        self.files.iter()
    }

    /// The modules that each module needs, and one place where it names them.
    ///
    /// A module contains its children: what a child names outside of it, it needs as well, and that
    /// it names its own children is no need. The root is left out, because it only lists the others.
    #[must_use]
    pub fn arrows(&self) -> Arrows<'_, 'a> {
        let mut arrows = Arrows::new();
        for (path, module) in self.files.iter().filter(|(path, _)| !path.is_empty()) {
            for (target, line) in self.paths_of(path, module) {
                let Some(target) = self.module_of(target).filter(|target| !target.is_empty())
                else {
                    continue;
                };
                let containing =
                    (1..=path.len()).filter_map(|n| self.files.get_key_value(&path[..n]));
                for (of, _) in containing.filter(|(of, _)| !target.starts_with(of)) {
                    let file = module.file;
                    arrows
                        .entry(of)
                        .or_default()
                        .entry(target)
                        .or_insert(Arrow { file, line });
                }
            }
        }
        arrows
    }

    /// Paths from the crate's root that a module's code names, with their lines.
    fn paths_of(&self, of: &Path<'a>, module: &Module<'a>) -> Vec<(Path<'a>, usize)> {
        let mut found = Vec::new();
        let tokens = &module.tokens;
        let reexported = reexported_spans(tokens);
        let used_again = |name: &str| {
            let again = tokens.iter().enumerate().filter(|(at, token)| {
                token.text == name && !reexported.iter().any(|span| span.contains(at))
            });
            again.count() > 0
        };
        let mut at = 0;
        while at < tokens.len() {
            let (path, next) = path_at(tokens, at);
            let begins = at == 0 || tokens[at - 1].text != "::" && tokens[at - 1].text != "in";
            if begins && !path.is_empty() {
                let listed = reexported.iter().any(|span| span.contains(&at));
                let needed = !listed || path.last().is_some_and(|name| used_again(name));
                if let Some(absolute) = self.absolute(of, &path).filter(|_| needed) {
                    found.push((absolute, tokens[at].line));
                }
            }
            at = next.max(at + 1);
        }
        found
    }

    /// A path as written in a module, from the crate's root; `None` when it is another crate's.
    fn absolute(&self, of: &Path<'a>, path: &[&'a str]) -> Option<Path<'a>> {
        let (first, rest) = path.split_first()?;
        let mut base = of.clone();
        match *first {
            "crate" if !rest.is_empty() => base.clear(),
            "self" if !rest.is_empty() => {}
            "super" => {
                base.pop();
                let above = rest.iter().take_while(|part| **part == "super").count();
                base.truncate(base.len().saturating_sub(above));
                base.extend(&rest[above..]);
                return Some(base);
            }
            child if !rest.is_empty() => {
                base.push(child);
                if !self.files.contains_key(&base) {
                    return None;
                }
            }
            _ => return None,
        }
        base.extend(rest);
        Some(base)
    }

    /// The module that defines what a path from the root names.
    fn module_of(&self, mut path: Path<'a>) -> Option<&Path<'a>> {
        const REEXPORTS_DEEP: usize = 8;
        for _ in 0..REEXPORTS_DEEP {
            let hit = (1..=path.len()).find_map(|n| Some((n, self.reexports.get(&path[..n])?)));
            let Some((length, target)) = hit else { break };
            path = [target.as_slice(), &path[length..]].concat();
        }
        (0..=path.len())
            .rev()
            .find_map(|n| self.files.get_key_value(&path[..n]))
            .map(|(path, _)| path)
    }

    fn all_reexports(&self) -> BTreeMap<Path<'a>, Path<'a>> {
        let mut reexports = BTreeMap::new();
        for (of, module) in &self.files {
            for span in reexported_spans(&module.tokens) {
                let (path, _) = path_at(&module.tokens, span.start);
                let (Some(name), Some(target)) = (path.last(), self.absolute(of, &path)) else {
                    continue;
                };
                let own: Path<'_> = of.iter().copied().chain([*name]).collect();
                if own != target {
                    reexports.insert(own, target);
                }
            }
        }
        reexports
    }
}

/// Modules that can be reached from each other, in groups of two and more.
#[must_use]
pub fn circles<'m, 'a>(arrows: &Arrows<'m, 'a>) -> Vec<BTreeSet<&'m Path<'a>>> {
    let reach = |from: &'m Path<'a>| {
        let mut reached = BTreeSet::new();
        let mut open = vec![from];
        while let Some(module) = open.pop() {
            for target in arrows.get(module).into_iter().flat_map(BTreeMap::keys) {
                if reached.insert(*target) {
                    open.push(target);
                }
            }
        }
        reached
    };
    let reached: BTreeMap<_, _> = arrows
        .keys()
        .map(|module| (*module, reach(module)))
        .collect();
    let mut circles: Vec<BTreeSet<_>> = Vec::new();
    for (module, targets) in &reached {
        let back = targets.iter().filter(|target| {
            reached
                .get(*target)
                .is_some_and(|targets| targets.contains(module))
        });
        let circle: BTreeSet<_> = back.copied().collect();
        if circle.len() > 1 && !circles.contains(&circle) {
            circles.push(circle);
        }
    }
    circles
}

/// The words of a path that begins at a token, and the index after it.
fn path_at<'a>(tokens: &[Token<'a>], start: usize) -> (Vec<&'a str>, usize) {
    let mut path = Vec::new();
    let mut at = start;
    while let Some(token) = tokens.get(at).filter(|token| token.is_word()) {
        path.push(token.text);
        at += 1;
        let goes_on = tokens.get(at).is_some_and(|token| token.text == "::")
            && tokens.get(at + 1).is_some_and(Token::is_word);
        if !goes_on {
            break;
        }
        at += 1;
    }
    (path, at)
}

/// What stands between `pub use` and `;`, for each.
fn reexported_spans(tokens: &[Token<'_>]) -> Vec<std::ops::Range<usize>> {
    let mut spans = Vec::new();
    for at in 0..tokens.len() {
        let Some(mut after) = (tokens[at].text == "pub").then_some(at + 1) else {
            continue;
        };
        if tokens.get(after).is_some_and(|token| token.text == "(") {
            let end = tokens[after..].iter().position(|token| token.text == ")");
            after += end.map_or(0, |end| end + 1);
        }
        if tokens.get(after).is_some_and(|token| token.text == "use") {
            let end = tokens[after..].iter().position(|token| token.text == ";");
            spans.push(after + 1..after + end.unwrap_or(tokens.len() - after));
        }
    }
    spans
}
