//! Values whose encoding in AWS JSON 1.1 differs from plain JSON.

use serde::Deserialize;
use serde::Deserializer;

/// Blobs as base64 text.
pub mod blob {
    use std::borrow::Cow;

    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    use serde::Deserialize;
    use serde::Deserializer;
    use serde::Serializer;
    use serde::de::Error;

    /// Writes a blob as padded base64; an absent one as `null`.
    ///
    /// # Errors
    ///
    /// Those of the serializer.
    pub fn serialize<S: Serializer>(
        bytes: &Option<Vec<u8>>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match bytes {
            Some(bytes) => {
                serializer.collect_str(&base64::display::Base64Display::new(bytes, &STANDARD))
            }
            None => serializer.serialize_none(),
        }
    }

    /// Reads padded base64; `null` is an absent blob.
    ///
    /// # Errors
    ///
    /// When the text is not padded base64 of the standard alphabet.
    pub fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Vec<u8>>, D::Error> {
        let Some(text) = Option::<Cow<'de, str>>::deserialize(deserializer)? else {
            return Ok(None);
        };
        STANDARD
            .decode(text.as_bytes())
            .map(Some)
            .map_err(D::Error::custom)
    }
}

/// Reads `null` as the type's default, as AWS does for every member.
///
/// # Errors
///
/// When the value is neither `null` nor of the member's type.
pub fn nullable<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::<T>::deserialize(deserializer)?.unwrap_or_default())
}
