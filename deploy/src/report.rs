//! Reports of `sealgate load`: their results, the page that shows them, and the folder that keeps them.
//!
//! | module | its one job |
//! |---|---|
//! | [`folder`] | files of results in a data folder |
//! | [`outline`] | what a list shows of a report |
//! | `limits` | which results of a file are shown |
//! | `page` | the page in HTML: a file of its own, or a part of the console |
//! | `advice` | what AWS recommends, with the figures of a run |
//! | `verdict` | a run in a sentence |
//! | [`results`] | the figures |

mod advice;
pub mod folder;
mod limits;
pub mod outline;
mod page;
pub mod results;
mod verdict;

pub use crate::report::advice::command;
pub use crate::report::page::file;
pub use crate::report::page::section;
pub use crate::report::verdict::verdict;

#[cfg(test)]
pub(crate) mod sample;
