//! The fields of a form that stand before its file.

use crate::error::S3Error;

/// Names and values, in their order. Names differ by more than case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Fields(Vec<(String, String)>);

impl Fields {
    /// Adds a field.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` if there is one of this name: which of them counts would depend on who reads.
    pub(crate) fn add(&mut self, name: String, value: String) -> Result<(), S3Error> {
        if self.get(&name).is_some() {
            return Err(repeated(&name));
        }
        self.0.push((name, value));
        Ok(())
    }

    /// The value of a field.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let found = self
            .0
            .iter()
            .find(|(other, _)| other.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// The fields, in their order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Puts the name of the file where the values name it.
    pub(crate) fn name_file(&mut self, file_name: &str) {
        for (name, value) in &mut self.0 {
            if !name.eq_ignore_ascii_case("policy") && value.contains(FILE_NAME) {
                *value = value.replace(FILE_NAME, file_name);
            }
        }
    }
}

/// The error for a field that came twice.
pub(crate) fn repeated(name: &str) -> S3Error {
    S3Error::invalid_argument("This field must not be given more than once.", name, "null")
}

/// What stands for the file's name in a value.
const FILE_NAME: &str = "${filename}";
