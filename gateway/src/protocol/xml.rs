//! S3's XML documents as small trees: read with limits, changed, written.
//!
//! Documents are S3's own: elements, text, here and there an attribute. No document type is ever
//! read, so no entity can be declared; the five predefined ones and character references are all
//! there is. Depth, number of elements and length are limited before anything is built.
//! A tree has every element, whatever its name, so a document can be passed on with a few elements changed.
//!
//! Source: <https://www.w3.org/TR/xml/>, S3's API reference for the documents.

use std::borrow::Cow;

use bytes::Bytes;
use quick_xml::XmlVersion;
use quick_xml::events::BytesStart;
use quick_xml::events::Event;
use quick_xml::reader::Reader;

/// One element with everything in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Element {
    name: Cow<'static, str>,
    attributes: Vec<(String, String)>,
    text: String,
    children: Vec<Self>,
}

impl Element {
    /// An element with nothing in it.
    pub fn new(name: impl Into<Cow<'static, str>>) -> Self {
        Self {
            name: name.into(),
            ..Self::default()
        }
    }

    /// An element in S3's namespace: the root of a document.
    pub fn root(name: impl Into<Cow<'static, str>>) -> Self {
        let mut root = Self::new(name);
        root.attributes
            .push(("xmlns".to_owned(), S3_NAMESPACE.to_owned()));
        root
    }

    /// An element that holds text.
    pub fn with_text(name: impl Into<Cow<'static, str>>, text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            ..Self::new(name)
        }
    }

    /// The same element with one more child.
    #[must_use]
    pub fn with(mut self, child: Self) -> Self {
        self.children.push(child);
        self
    }

    /// The same element with one more child, which holds text.
    #[must_use]
    pub fn field(self, name: impl Into<Cow<'static, str>>, text: impl Into<String>) -> Self {
        self.with(Self::with_text(name, text))
    }

    /// The same element with these children behind its own.
    #[must_use]
    pub fn with_all(mut self, children: impl IntoIterator<Item = Self>) -> Self {
        self.children.extend(children);
        self
    }

    /// The same element with one more attribute.
    #[must_use]
    pub fn with_attribute(mut self, name: &str, value: &str) -> Self {
        self.attributes.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The value of the first attribute of this name, without its namespace prefix.
    #[must_use]
    pub fn attribute(&self, name: &str) -> Option<&str> {
        let bare = |full: &str| {
            full.rsplit_once(':')
                .map_or(full == name, |(_, bare)| bare == name)
        };
        let attribute = self.attributes.iter().find(|(full, _)| bare(full));
        attribute.map(|(_, value)| value.as_str())
    }

    /// The name without its namespace prefix.
    pub fn name(&self) -> &str {
        self.name
            .rsplit_once(':')
            .map_or(&*self.name, |(_, name)| name)
    }

    /// The text right in this element; white space between children does not count.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Replaces the text.
    pub fn set_text(&mut self, text: impl Into<String>) {
        self.text = text.into();
    }

    /// The children, in order.
    pub fn children(&self) -> &[Self] {
        &self.children
    }

    /// The children, in order, to be changed.
    pub fn children_mut(&mut self) -> &mut Vec<Self> {
        &mut self.children
    }

    /// Whether this is the name, without its namespace prefix.
    // Without a search for the colon: a listing compares thousands of names.
    pub fn is_named(&self, name: &str) -> bool {
        let prefix = self.name.strip_suffix(name);
        prefix.is_some_and(|prefix| prefix.is_empty() || prefix.ends_with(':'))
    }

    /// The first child of this name.
    pub fn child(&self, name: &str) -> Option<&Self> {
        self.children.iter().find(|child| child.is_named(name))
    }

    /// The first child of this name, to be changed.
    pub fn child_mut(&mut self, name: &str) -> Option<&mut Self> {
        self.children.iter_mut().find(|child| child.is_named(name))
    }

    /// All children of this name, in order.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Self> {
        self.children
            .iter()
            .filter(move |child| child.is_named(name))
    }

    /// The text of the first child of this name.
    pub fn text_of(&self, name: &str) -> Option<&str> {
        self.child(name).map(Self::text)
    }

    /// Sets the text of the first child of this name, or adds such a child.
    pub fn set_text_of(&mut self, name: &'static str, text: impl Into<String>) {
        match self.child_mut(name) {
            Some(child) => child.set_text(text),
            None => self.children.push(Self::with_text(name, text)),
        }
    }

    /// Removes the children of these names.
    pub fn remove(&mut self, names: &[&str]) {
        let is_one = |child: &Self| names.iter().any(|name| child.is_named(name));
        self.children.retain(|child| !is_one(child));
    }

    /// Reads a document.
    ///
    /// # Errors
    ///
    /// [`XmlError`] when it is not well-formed, has a document type, or exceeds `limits`.
    pub fn parse(document: &[u8], limits: Limits) -> Result<Self, XmlError> {
        if document.len() > limits.bytes {
            return Err(XmlError::TooLarge);
        }
        let text = std::str::from_utf8(document).map_err(|_| XmlError::Malformed)?;
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut tree = Tree {
            limits,
            elements: 0,
            open: Vec::new(),
            root: None,
        };
        let mut reader = Reader::from_str(text);
        loop {
            match reader.read_event().map_err(|_| XmlError::Malformed)? {
                Event::Start(start) => tree.open(&start)?,
                Event::Empty(start) => {
                    tree.open(&start)?;
                    tree.close()?;
                }
                Event::End(_) => tree.close()?,
                Event::Text(text) => tree.text(&text.xml10_content())?,
                Event::CData(text) => tree.text(&text.xml10_content())?,
                Event::GeneralRef(reference) => {
                    let character = match reference.resolve_char_ref() {
                        Ok(Some(character)) => character,
                        Ok(None) => predefined(&reference).ok_or(XmlError::Malformed)?,
                        Err(_) => return Err(XmlError::Malformed),
                    };
                    tree.text(character.encode_utf8(&mut [0; 4]))?;
                }
                Event::Decl(_) | Event::PI(_) | Event::Comment(_) => {}
                Event::DocType(_) => return Err(XmlError::DocumentType),
                Event::Eof => return tree.finish(),
            }
        }
    }

    /// Writes a document with this element as its root.
    pub fn to_document(&self) -> Bytes {
        let mut out = String::with_capacity(1024);
        out.push_str("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
        self.write(&mut out);
        Bytes::from(out)
    }

    fn write(&self, out: &mut String) {
        out.push('<');
        out.push_str(&self.name);
        for (name, value) in &self.attributes {
            out.push(' ');
            out.push_str(name);
            out.push_str("=\"");
            // As they are, a reader would take them for spaces.
            let mut escaped = String::new();
            escape(value, &mut escaped);
            out.push_str(&escaped.replace('\t', "&#x9;").replace('\n', "&#xa;"));
            out.push('"');
        }
        if self.text.is_empty() && self.children.is_empty() {
            out.push_str("/>");
            return;
        }
        out.push('>');
        escape(&self.text, out);
        for child in &self.children {
            child.write(out);
        }
        out.push_str("</");
        out.push_str(&self.name);
        out.push('>');
    }
}

/// How large a document may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Longest document, in bytes.
    pub bytes: usize,
    /// Most elements in all.
    pub elements: usize,
}

impl Limits {
    /// For what a client sends: S3's longest request document is a `DeleteObjects` of 1000 keys.
    pub const REQUEST: Self = Self {
        bytes: 1 << 20,
        elements: 50_000,
    };
    /// For what a backend answers: a listing of 1000 versions with long keys and owners.
    pub const ANSWER: Self = Self {
        bytes: 16 << 20,
        elements: 200_000,
    };
}

/// Why a document was not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum XmlError {
    /// Not well-formed, not UTF-8, or an entity that is not predefined.
    #[error("the document is not well-formed XML")]
    Malformed,
    /// The document has a document type.
    #[error("the document has a document type")]
    DocumentType,
    /// The document is longer, deeper or fuller than allowed.
    #[error("the document is too large")]
    TooLarge,
}

struct Tree {
    limits: Limits,
    elements: usize,
    open: Vec<Element>,
    root: Option<Element>,
}

impl Tree {
    fn open(&mut self, start: &BytesStart<'_>) -> Result<(), XmlError> {
        self.elements = self.elements.saturating_add(1);
        if self.elements > self.limits.elements || self.open.len() >= DEPTH_MAX {
            return Err(XmlError::TooLarge);
        }
        if self.root.is_some() {
            return Err(XmlError::Malformed);
        }
        check_name(start.name().as_ref())?;
        let mut element = Element::new(start.name().as_ref().to_owned());
        for attribute in start.attributes() {
            let attribute = attribute.map_err(|_| XmlError::Malformed)?;
            if element.attributes.len() >= ATTRIBUTES_MAX {
                return Err(XmlError::TooLarge);
            }
            let value = attribute
                .normalized_value(XmlVersion::Implicit1_0)
                .map_err(|_| XmlError::Malformed)?;
            let name: &str = attribute.key.as_ref();
            check_name(name)?;
            check_text(&value)?;
            element
                .attributes
                .push((name.to_owned(), value.into_owned()));
        }
        self.open.push(element);
        Ok(())
    }

    fn close(&mut self) -> Result<(), XmlError> {
        let mut element = self.open.pop().ok_or(XmlError::Malformed)?;
        if !element.children.is_empty() && element.text.trim().is_empty() {
            element.text.clear();
        }
        match self.open.last_mut() {
            Some(parent) => parent.children.push(element),
            None => self.root = Some(element),
        }
        Ok(())
    }

    fn text(&mut self, text: &str) -> Result<(), XmlError> {
        check_text(text)?;
        match self.open.last_mut() {
            Some(element) => element.text.push_str(text),
            None if text.trim().is_empty() => {}
            None => return Err(XmlError::Malformed),
        }
        Ok(())
    }

    fn finish(self) -> Result<Element, XmlError> {
        if !self.open.is_empty() {
            return Err(XmlError::Malformed);
        }
        self.root.ok_or(XmlError::Malformed)
    }
}

/// Refuses what XML has no way to write, so that what was read can be written.
fn check_text(text: &str) -> Result<(), XmlError> {
    match text.contains('\0') {
        true => Err(XmlError::Malformed),
        false => Ok(()),
    }
}

/// Refuses what is no name of an element or an attribute: the reader takes any text for one.
///
/// Source: <https://www.w3.org/TR/xml/#NT-Name>
fn check_name(name: &str) -> Result<(), XmlError> {
    // As nearly all are.
    if name.starts_with(|first: char| first.is_ascii_alphabetic())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric())
    {
        return Ok(());
    }
    let mut characters = name.chars();
    match characters.next().is_some_and(starts_name) && characters.all(continues_name) {
        true => Ok(()),
        false => Err(XmlError::Malformed),
    }
}

fn starts_name(character: char) -> bool {
    matches!(character,
        ':' | '_' | 'A'..='Z' | 'a'..='z'
        | '\u{c0}'..='\u{d6}' | '\u{d8}'..='\u{f6}' | '\u{f8}'..='\u{2ff}'
        | '\u{370}'..='\u{37d}' | '\u{37f}'..='\u{1fff}' | '\u{200c}'..='\u{200d}'
        | '\u{2070}'..='\u{218f}' | '\u{2c00}'..='\u{2fef}' | '\u{3001}'..='\u{d7ff}'
        | '\u{f900}'..='\u{fdcf}' | '\u{fdf0}'..='\u{fffd}' | '\u{10000}'..='\u{effff}')
}

fn continues_name(character: char) -> bool {
    starts_name(character)
        || matches!(character,
            '-' | '.' | '0'..='9' | '\u{b7}' | '\u{300}'..='\u{36f}' | '\u{203f}'..='\u{2040}')
}

fn predefined(name: &str) -> Option<char> {
    Some(match name {
        "lt" => '<',
        "gt" => '>',
        "amp" => '&',
        "quot" => '"',
        "apos" => '\'',
        _ => return None,
    })
}

/// Escapes as S3 does: control characters become references, so that a carriage return survives.
fn escape(text: &str, out: &mut String) {
    let mut rest = text;
    // By bytes: a listing has thousands of texts, and hardly any of them has such a character.
    while let Some((plain, special)) = rest
        .bytes()
        .position(may_begin_special)
        .and_then(|at| rest.split_at_checked(at))
    {
        out.push_str(plain);
        let mut characters = special.chars();
        match characters.next().unwrap_or_default() {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            it @ ('\u{0}'..='\u{8}' | '\u{b}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}') => {
                out.push_str(&format!("&#x{:x};", u32::from(it)));
            }
            it => out.push(it),
        }
        rest = characters.as_str();
    }
    out.push_str(rest);
}

/// Whether a character that is escaped may begin with this byte of UTF-8.
const fn may_begin_special(byte: u8) -> bool {
    matches!(byte, b'<' | b'>' | b'&' | b'"' | 0..=0x1f | 0xef)
}

/// The tags of a `Tagging` document as a query string: the form that the header `x-amz-tagging` has.
#[must_use]
pub fn tag_query(document: &Element) -> String {
    let encode = proto::sigv4::encode_component;
    let tags = document
        .child("TagSet")
        .into_iter()
        .flat_map(|set| set.all("Tag"));
    let pairs: Vec<_> = tags
        .map(|tag| {
            let text = |name| encode(tag.text_of(name).unwrap_or_default());
            format!("{}={}", text("Key"), text("Value"))
        })
        .collect();
    pairs.join("&")
}

/// The namespace of S3's documents.
pub const S3_NAMESPACE: &str = "http://s3.amazonaws.com/doc/2006-03-01/";

/// Deepest nesting read; S3's documents nest at most seven deep.
const DEPTH_MAX: usize = 16;

/// Most attributes of one element; S3's documents have at most two.
const ATTRIBUTES_MAX: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(document: &str) -> Result<Element, XmlError> {
        Element::parse(document.as_bytes(), Limits::REQUEST)
    }

    #[test]
    fn a_document_is_read_and_written_with_what_is_unknown_kept() {
        let document = concat!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n",
            "<A xmlns=\"n\"><B x:t=\"1\"> a&amp;&lt;&#x1;\u{e9} </B><New/><s:C>t</s:C></A>"
        );
        let root = parse(document).unwrap();
        assert_eq!(root.text_of("B"), Some(" a&<\u{1}\u{e9} "));
        assert_eq!(root.text_of("C"), Some("t"));
        assert_eq!(root.to_document(), document.as_bytes());
    }

    #[test]
    fn white_space_between_elements_is_not_text() {
        let root = parse("<A>\n  <B> </B>\n  <C/>\n</A>").unwrap();
        assert_eq!((root.text(), root.text_of("B")), ("", Some(" ")));
    }

    #[test]
    fn a_carriage_return_in_a_key_survives() {
        let root = Element::root("A").field("Key", "a\r\nb");
        let document = root.to_document();
        assert_eq!(Element::parse(&document, Limits::REQUEST).unwrap(), root);
    }

    #[test]
    fn each_character_is_written_as_itself_or_as_a_reference_to_it() {
        for character in ('\u{1}'..=char::MAX).filter(|it| u32::from(*it) % 251 < 8) {
            let root = Element::with_text("A", format!("a{character}b{character}"));
            let document = root.to_document();
            let special = matches!(character, '<' | '>' | '&' | '"' | '\u{fffe}' | '\u{ffff}')
                || character.is_ascii_control() && !matches!(character, '\t' | '\n' | '\u{7f}');
            let plain = document.windows(3).any(|it| it == b"<A>") && !document.contains(&b'&');
            assert_eq!(plain, !special, "{character:?}");
            assert_eq!(Element::parse(&document, Limits::REQUEST), Ok(root));
        }
    }

    #[test]
    fn cdata_is_text() {
        assert_eq!(parse("<A><![CDATA[<&]]></A>").unwrap().text(), "<&");
    }

    #[test]
    fn a_nul_character_is_refused() {
        for document in ["<A>\0</A>", "<A b=\"\0\"/>", "<A><![CDATA[\0]]></A>"] {
            assert_eq!(parse(document), Err(XmlError::Malformed), "{document:?}");
        }
    }

    #[test]
    fn white_space_that_was_a_reference_in_an_attribute_survives_writing() {
        let read = parse("<A b=\" &#x9;c&#xa;&#xd;&#x20;\"/>").unwrap();
        let again = Element::parse(&read.to_document(), Limits::REQUEST);
        assert_eq!(again, Ok(read));
    }

    #[test]
    fn what_is_no_name_of_an_element_or_attribute_is_refused() {
        for document in [
            "<></>",
            "<\"></\">",
            "<1/>",
            "<A><-/></A>",
            "<A&/>",
            "<A =\"b\"/>",
            "<A 'b=\"c\"/>",
        ] {
            assert_eq!(parse(document), Err(XmlError::Malformed), "{document:?}");
        }
        assert!(parse("<x:A-1.b_é xmlns:x=\"u\" x:b=\"c\"/>").is_ok());
    }

    #[test]
    fn a_document_type_is_refused() {
        let bomb = "<!DOCTYPE a [<!ENTITY b \"c\">]><a>&b;</a>";
        assert_eq!(parse(bomb), Err(XmlError::DocumentType));
    }

    #[test]
    fn an_undeclared_entity_is_refused() {
        assert_eq!(parse("<a>&nbsp;</a>"), Err(XmlError::Malformed));
    }

    #[test]
    fn what_is_not_one_whole_element_is_refused() {
        for document in [
            "",
            "a",
            "<a>",
            "<a></b>",
            "</a>",
            "<a/><b/>",
            "<a/>x",
            "<a>&#0;</a>",
            "<a b=c/>",
        ] {
            assert_eq!(parse(document), Err(XmlError::Malformed), "{document}");
        }
    }

    #[test]
    fn a_document_deeper_than_the_limit_is_refused() {
        let deep = "<a>".repeat(DEPTH_MAX + 1) + &"</a>".repeat(DEPTH_MAX + 1);
        assert_eq!(parse(&deep), Err(XmlError::TooLarge));
    }

    #[test]
    fn a_document_of_too_many_elements_or_attributes_is_refused() {
        let full = format!("<a>{}</a>", "<b/>".repeat(Limits::REQUEST.elements));
        assert_eq!(parse(&full), Err(XmlError::TooLarge));
        let attributes: String = (0..=ATTRIBUTES_MAX)
            .map(|n| format!(" a{n}=\"\""))
            .collect();
        assert_eq!(parse(&format!("<a{attributes}/>")), Err(XmlError::TooLarge));
        assert_eq!(
            parse(&" ".repeat(Limits::REQUEST.bytes + 1)),
            Err(XmlError::TooLarge)
        );
    }
}
