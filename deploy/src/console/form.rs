//! Queries and forms: names and values.

use percent_encoding::NON_ALPHANUMERIC;
use percent_encoding::percent_decode_str;
use percent_encoding::utf8_percent_encode;

/// The fields of a form or a query. Values that are empty count as absent: browsers send every field.
#[derive(Default)]
pub(super) struct Form(Vec<(String, String)>);

impl Form {
    /// Reads `application/x-www-form-urlencoded`; bytes that are not UTF-8 become U+FFFD.
    ///
    /// Source: <https://url.spec.whatwg.org/#urlencoded-parsing>
    pub(super) fn parse(text: &str) -> Self {
        let decoded = |part: &str| {
            let part = part.replace('+', " ");
            percent_decode_str(&part).decode_utf8_lossy().into_owned()
        };
        let pairs = text.split('&').filter(|pair| !pair.is_empty());
        let pairs = pairs.map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decoded(name), decoded(value).trim().to_owned())
        });
        Self(pairs.collect())
    }

    /// The first value of that name.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let mut fields = self.0.iter();
        let (_, value) = fields.find(|(other, _)| other == name)?;
        Some(value.as_str()).filter(|value| !value.is_empty())
    }

    /// The first value of that name as a number.
    ///
    /// # Errors
    ///
    /// A sentence that names the field.
    pub(super) fn number<T: std::str::FromStr>(&self, name: &str) -> Result<Option<T>, String> {
        let parse = |text: &str| {
            let number = text.parse();
            number.map_err(|_| format!("{name}: `{text}` is not a number that it takes"))
        };
        self.get(name).map(parse).transpose()
    }
}

/// Text as a value in a query.
pub(super) fn encoded(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

/// A path with those of the parameters that have a value.
pub(super) fn link(path: &str, parameters: &[(&str, Option<&str>)]) -> String {
    let present = parameters.iter().filter_map(|(name, value)| {
        let value = value.filter(|value| !value.is_empty())?;
        Some(format!("{name}={}", encoded(value)))
    });
    let query = present.collect::<Vec<_>>().join("&");
    match query.is_empty() {
        true => path.to_owned(),
        false => format!("{path}?{query}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_link_encodes_a_form_decodes() {
        let hostile = "\"><script>alert('1')</script>&a=b+c d%00é";
        let link = link("/console/keys", &[("q", Some(hostile)), ("skip", None)]);
        assert!(!link.contains(['<', '"', '\'', '>']), "{link}");
        let form = Form::parse(link.split_once('?').unwrap().1);
        assert_eq!(form.get("q"), Some(hostile));
        assert_eq!(form.get("a"), None);
    }

    #[test]
    fn spaces_come_as_plus_and_empty_fields_are_absent() {
        let form = Form::parse("a=x+y&b=&c&d=%ff&rate=5&rate=6&n=-1");
        assert_eq!(form.get("a"), Some("x y"));
        assert_eq!((form.get("b"), form.get("c")), (None, None));
        assert_eq!(form.get("d"), Some("\u{fffd}"));
        assert_eq!(form.number::<u64>("rate"), Ok(Some(5)));
        assert!(form.number::<u64>("n").unwrap_err().contains("n: `-1`"));
        assert_eq!(form.number::<u64>("none"), Ok(None));
    }
}
