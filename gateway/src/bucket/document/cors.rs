//! Cross-origin rules, as they are stored and as clients put them.

use http::HeaderMap;
use http::Response;
use serde::Deserialize;
use serde::Serialize;

use crate::bucket::document::Document;
use crate::bucket::document::cors::rule::Rule;
use crate::bucket::document::xml;
use crate::error::S3Code;
use crate::error::S3Error;
use crate::request::Body;

pub mod rule;
mod text;

pub use rule::Asking;

/// The rules of a bucket: the first that matches counts.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rules {
    rules: Vec<Rule>,
}

impl Rules {
    /// The headers by which a page may read an answer, if a rule allows it.
    pub(crate) fn allowance(&self, asking: &Asking) -> Option<HeaderMap> {
        self.rules.iter().find_map(|rule| rule.allowance(asking))
    }
}

impl Document for Rules {
    const MISSING: S3Code = S3Code::NoSuchCorsConfiguration;

    fn parse(document: &[u8], _bucket: &str, _partition: &str) -> Result<Self, S3Error> {
        let rules = text::parse(document)?;
        Ok(Self { rules })
    }

    fn to_response(&self) -> Response<Body> {
        xml(&text::write(&self.rules))
    }
}
