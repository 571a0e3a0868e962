//! Configurations of buckets, read and written by the operations on them.

use s3s::S3ErrorCode;
use s3s::xml::DeserializeContent;
use s3s::xml::Deserializer;
use s3s::xml::SerializeContent;
use s3s::xml::Serializer;

use crate::embedded::buckets;
use crate::embedded::configurations;
use crate::embedded::configurations::Configuration;
use crate::embedded::fault::Fault;
use crate::embedded::fault::Outcome;
use crate::embedded::index::record::Bucket;
use crate::embedded::index::tables::Snapshot;
use crate::embedded::index::tables::Tables;
use crate::embedded::service::Service;

/// The bucket of that name.
pub(super) fn find(service: &Service, name: &str) -> Outcome<Bucket> {
    let buckets = |snapshot: &Snapshot| buckets::find(&snapshot.buckets()?, name);
    service.store.index.read(buckets)
}

/// A configuration of a bucket, if it has one of this kind.
pub(super) fn read<C: Configuration>(service: &Service, bucket: &str) -> Outcome<Option<C>> {
    service.store.index.read(|snapshot| {
        let bucket = buckets::find(&snapshot.buckets()?, bucket)?;
        configurations::find(&snapshot.configurations()?, bucket.number)
    })
}

/// Stores a configuration of a bucket, or removes it if it is none.
pub(super) async fn put<C: Configuration>(
    service: &Service,
    bucket: String,
    configuration: Option<C>,
) -> Outcome<()> {
    let put = move |tables: &mut Tables<'_>| {
        let number = buckets::find(&*tables.buckets, &bucket)?.number;
        match &configuration {
            Some(configuration) => configurations::store(tables, number, configuration),
            None => configurations::remove::<C>(tables, number),
        }
    };
    service.store.index.change(put).await
}

/// An element of a configuration, as XML.
pub(super) fn document(name: &str, content: &impl SerializeContent) -> Outcome<String> {
    let mut bytes = Vec::new();
    let mut serializer = Serializer::new(&mut bytes);
    serializer.content(name, content).map_err(Fault::damaged)?;
    String::from_utf8(bytes).map_err(Fault::damaged)
}

/// The content of an element that [`document`] made.
pub(super) fn content<T>(name: &str, document: &str) -> Outcome<T>
where
    T: for<'xml> DeserializeContent<'xml>,
{
    let mut deserializer = Deserializer::new(document.as_bytes());
    let content = deserializer.named_element(name, T::deserialize_content);
    content.map_err(Fault::damaged)
}

/// The refusal of a value, with the reason.
pub(super) fn invalid(message: &str) -> Fault {
    Fault::message(S3ErrorCode::InvalidArgument, message)
}

/// The refusal of a document that AWS's schema does not have.
pub(super) fn malformed() -> Fault {
    let message =
        "The XML you provided was not well-formed or did not validate against our published schema";
    Fault::message(S3ErrorCode::MalformedXML, message)
}
