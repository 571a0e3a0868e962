//! Signature Version 2 over requests, written from the documentation alone.
//!
//! Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/RESTAuthentication.html>

use std::collections::BTreeMap;

use proto::sigv2::SigningKey;
use proto::sigv4::encode_component;
use proto::time::Timestamp;

use crate::clients::Access;
use crate::signed::Draft;
use crate::signed::Signed;

impl Draft {
    /// Signs with Version 2 in the header.
    #[must_use]
    pub fn sign_version_2(self, access: &Access, now: Timestamp, host: &str) -> Signed {
        let dated = self.header("date", &now.http_date());
        let signature = dated.signature_version_2(access, &now.http_date());
        let value = format!("AWS {}:{signature}", access.access_key_id);
        dated.header("authorization", &value).anonymous(host)
    }

    /// Signs with Version 2 in the query, until `expires`.
    #[must_use]
    pub fn presign_version_2(self, access: &Access, host: &str, expires: Timestamp) -> Signed {
        let expires = expires.unix_seconds().to_string();
        let signature = self.signature_version_2(access, &expires);
        let mut signed = self.anonymous(host);
        if !signed.query.is_empty() {
            signed.query.push('&');
        }
        signed.query += &format!(
            "AWSAccessKeyId={}&Expires={expires}&Signature={}",
            encode_component(&access.access_key_id),
            encode_component(&signature)
        );
        signed
    }

    /// The signature, which covers all parameters of the query.
    fn signature_version_2(&self, access: &Access, date: &str) -> String {
        let value = |wanted: &str| {
            let found = self.headers.iter().find(|(name, _)| name == wanted);
            found.map_or("", |(_, value)| value)
        };
        let headers = self.headers.iter().map(|(name, value)| (&**name, &**value));
        let headers: BTreeMap<&str, &str> = headers.collect();
        let amz = headers
            .iter()
            .filter(|(name, _)| name.starts_with("x-amz-"));
        let amz: String = amz
            .map(|(name, value)| format!("{name}:{value}\n"))
            .collect();
        let mut query = self.query.clone();
        query.sort();
        let pairs: Vec<_> = query
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let is_bucket = self.path.len() > 1 && self.path.matches('/').count() == 1;
        let slash = if is_bucket { "/" } else { "" };
        let mark = if pairs.is_empty() { "" } else { "?" };
        let text = format!(
            "{}\n{}\n{}\n{date}\n{amz}{}{slash}{mark}{}",
            self.method,
            value("content-md5"),
            value("content-type"),
            self.path,
            pairs.join("&")
        );
        SigningKey::new(&access.secret_access_key).sign(text.as_bytes())
    }
}
