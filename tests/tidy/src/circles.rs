//! No import circle between the files of a crate.
//!
//! A file that names another, in `use` lines or by path, needs it to be understood. Files in a
//! circle can only be understood, tested and moved together. A module and its children are one thing to
//! those outside: the parent needs what its children need. Between them only one direction counts,
//! from child to parent, because a parent names its children to have them at all. A name that a
//! parent only passes on (`pub use child::Name`) is the child's.

use crate::exempt::Exemptions;
use crate::modules;
use crate::modules::Modules;
use crate::tree::Tree;

/// The circles of these crates. An exemption `gateway/src: bucket` allows those whose modules are
/// all in `bucket`.
#[must_use]
pub fn violations(tree: &Tree, crates: &[&str], exempt: &[&str]) -> Vec<String> {
    let mut exempt = Exemptions::new(exempt);
    let mut wrong = Vec::new();
    for folder in crates {
        let modules = Modules::read(tree, folder);
        let arrows = modules.arrows();
        for circle in modules::circles(&arrows) {
            let tops: Vec<_> = circle.iter().map(|path| path[0]).collect();
            let top = tops[0];
            if tops.iter().all(|other| *other == top) && exempt.covers(&format!("{folder}: {top}"))
            {
                continue;
            }
            let names: Vec<_> = circle.iter().map(|path| path.join("::")).collect();
            wrong.push(format!("{folder}: a circle of {}", names.join(", ")));
            for from in &circle {
                for (to, arrow) in arrows[from].iter().filter(|(to, _)| circle.contains(*to)) {
                    let (from, to) = (from.join("::"), to.join("::"));
                    wrong.push(format!(
                        "    {}:{}: {from} names {to}",
                        arrow.file, arrow.line
                    ));
                }
            }
        }
    }
    wrong.extend(exempt.stale());
    wrong
}

#[cfg(test)]
mod tests {
    use super::*;

    fn circle(files: &[(&str, &str)]) -> Vec<String> {
        violations(&Tree::of(files), &["x/src"], &[])
    }

    #[test]
    fn two_files_that_import_each_other_are_a_circle() {
        let found = circle(&[
            ("x/src/a.rs", "use crate::b::B;\npub struct A;"),
            ("x/src/b.rs", "fn b() { crate::a::A; }\npub struct B;"),
        ]);
        assert_eq!(found[0], "x/src: a circle of a, b");
        assert_eq!(found[1], "    x/src/a.rs:1: a names b");
        assert_eq!(found[2], "    x/src/b.rs:1: b names a");
    }

    #[test]
    fn a_parent_that_names_its_child_makes_no_circle_with_it() {
        let found = circle(&[
            ("x/src/a.rs", "mod b; pub struct A; fn a() { b::run() }"),
            ("x/src/a/b.rs", "use super::A;"),
        ]);
        assert_eq!(found, Vec::<String>::new());
    }

    #[test]
    fn children_that_need_each_other_are_a_circle() {
        let found = circle(&[
            ("x/src/a.rs", "mod b; mod c;"),
            ("x/src/a/b.rs", "use super::c::C;"),
            ("x/src/a/c.rs", "use crate::a::b::B;"),
        ]);
        assert_eq!(found[0], "x/src: a circle of a::b, a::c");
    }

    #[test]
    fn a_module_needs_what_its_children_need() {
        let found = circle(&[
            ("x/src/a.rs", "mod b; pub struct A;"),
            ("x/src/a/b.rs", "use crate::c::C;"),
            ("x/src/c.rs", "use crate::a::A;"),
        ]);
        assert_eq!(found[0], "x/src: a circle of a, c");
        assert_eq!(found[1], "    x/src/a/b.rs:1: a names c");
    }

    #[test]
    fn a_circle_by_way_of_a_third_file_is_found() {
        let found = circle(&[
            ("x/src/a.rs", "use crate::b::B;"),
            ("x/src/b.rs", "use crate::c::C;"),
            ("x/src/c.rs", "use crate::a::A;"),
            ("x/src/d.rs", "use crate::a::A;"),
        ]);
        assert_eq!(found[0], "x/src: a circle of a, b, c");
    }

    #[test]
    fn a_name_that_a_parent_only_passes_on_is_the_childs() {
        let files = |parent| {
            circle(&[
                ("x/src/a.rs", parent),
                ("x/src/a/b.rs", "pub struct B;"),
                ("x/src/a/c.rs", "use crate::a::A;"),
                ("x/src/d.rs", "use crate::a::B;"),
                ("x/src/a/b/e.rs", "use crate::d::D;"),
            ])
        };
        assert_eq!(
            files("mod b; mod c; pub use b::B;")[0],
            "x/src: a circle of a::b, d"
        );
        let through = files("mod b; mod c; pub use b::B; pub struct A;");
        assert_eq!(through[0], "x/src: a circle of a::b, d");
    }

    #[test]
    fn tests_comments_and_visibilities_make_no_circle() {
        let found = circle(&[
            (
                "x/src/a.rs",
                "use crate::b::B;\n// crate::a\n#[cfg(test)] use crate::c::C;",
            ),
            ("x/src/b.rs", "#[cfg(test)] mod tests { use crate::a::A; }"),
            ("x/src/b/tests.rs", "use crate::a::A;"),
            ("x/src/c.rs", "use crate::a::A; pub(in crate::b) fn c() {}"),
        ]);
        assert_eq!(found, Vec::<String>::new());
    }

    #[test]
    fn an_exemption_covers_one_module_and_must_be_needed() {
        let files = [
            ("x/src/a/b.rs", "use crate::a::c::C;"),
            ("x/src/a/c.rs", "use crate::a::b::B;"),
        ];
        let check = |exempt: &[&str]| violations(&Tree::of(&files), &["x/src"], exempt);
        assert!(check(&["x/src: a"]).is_empty());
        assert!(!check(&[]).is_empty());
        assert_eq!(
            check(&["x/src: a", "x/src: z"]),
            ["the exemption `x/src: z` is stale"]
        );
    }
}
