//! The rules of this repository that the compiler does not check.
//!
//! Each rule is a function from a [`tree::Tree`] of files to what violates it, one line for each place.
//! `workspace.rs` applies the rules to this repository; the unit tests here apply them to small
//! trees that violate them, because a rule that finds nothing may be a rule that looks at nothing.
//!
//! | Module | Its rules |
//! |---|---|
//! | [`layers`] | a module names only modules below it in its crate's list |
//! | [`circles`] | no import circle between the files of a crate |
//! | [`imports`] | one import a line, in one order |
//! | [`impls`] | the `impl` blocks of a type are in three files at most |
//! | [`files`] | length, header and name of files; no file without a `mod` line |
//! | [`words`] | names and words that are not used |
//! | [`purity`] | who may read the clock, the environment, files and sockets; dependencies |
//! | [`documents`] | tables name real tests; deploy files name every field of a configuration |
//! | [`logs`] | the fields of log lines, and the table of them |
//! | [`scripts`] | pipes of scripts fail only when what they ask for is not there |
//! | [`exempt`] | what does not pass yet |
//! | [`modules`] | the modules of a crate and the paths between them |
//! | [`code`] | Rust source as tokens |
//! | [`tree`] | the files of the repository |

pub mod layers;
pub mod circles;
pub mod imports;
pub mod impls;
pub mod files;
pub mod words;
pub mod purity;
pub mod documents;
pub mod logs;
pub mod scripts;
pub mod exempt;
pub mod modules;
pub mod code;
pub mod tree;
