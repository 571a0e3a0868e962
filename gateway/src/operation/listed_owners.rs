//! The owners that listings show: accounts by their canonical user ids, where the backend shows the gateway.
//!
//! All objects are the bucket owner's, except in a bucket whose access control lists are enabled and some of whose
//! objects have one. There each object is looked at, a bounded number at a time.

use futures_util::StreamExt as _;
use futures_util::TryStreamExt as _;
use futures_util::stream;

use crate::bucket::acl::BucketAcl;
use crate::error::S3Error;
use crate::operation::listed_entry::key_and_etag;
use crate::operation::store::ObjectStore;
use crate::protocol::xml::Element;
use crate::records::object_acls::AclKey;
use crate::records::object_acls::JudgedObject;
use crate::records::object_acls::ObjectAcls;

/// Shows the owners of the objects that `root` lists of the bucket `name`.
///
/// # Errors
///
/// `ServiceUnavailable` when the owner of an object cannot be found out.
pub(super) async fn show(
    store: &ObjectStore,
    name: &str,
    bucket: &BucketAcl,
    root: &mut Element,
    encoded: bool,
) -> Result<(), S3Error> {
    let mut objects = Vec::new();
    for (place, entry) in root.children_mut().iter_mut().enumerate() {
        if !set_owner(entry, bucket.owner()) || entry.is_named("DeleteMarker") {
            continue;
        }
        if let Some((key, _)) = key_and_etag(entry, encoded) {
            let version = entry.text_of("VersionId").map(str::to_owned);
            objects.push((place, key, version));
        }
    }
    let (Some(acls), Some(incarnation)) = (&store.sealed.acls, &bucket.incarnation) else {
        return Ok(());
    };
    let incarnation = incarnation.as_str();
    if !bucket.is_enabled() || objects.is_empty() || acls.is_empty(name, incarnation).await? {
        return Ok(());
    }
    let owners = stream::iter(objects).map(|(place, key, version)| async move {
        let key = AclKey {
            bucket: name,
            incarnation,
            key: &key,
        };
        let owner = owner(acls, key, version.as_deref()).await?;
        Ok::<_, S3Error>((place, owner))
    });
    let owners = owners.buffer_unordered(store.config.listing.heads_max.max(1));
    let owners: Vec<_> = owners.try_collect().await?;
    for (place, owner) in owners {
        if let (Some(entry), Some(owner)) = (root.children_mut().get_mut(place), owner) {
            set_owner(entry, &owner);
        }
    }
    Ok(())
}

/// The owner of an object that has a list of its own.
async fn owner(
    acls: &ObjectAcls,
    key: AclKey<'_>,
    version: Option<&str>,
) -> Result<Option<String>, S3Error> {
    match acls.current(key.bucket, key.key, version).await {
        Ok((JudgedObject::Present(Some(envelope)), _)) => {
            let acl = acls.find(key, &envelope).await?;
            Ok(acl.map(|acl| acl.owner))
        }
        Ok(_) => Ok(None),
        Err(error) if error.status().is_client_error() => Ok(None),
        Err(error) => Err(error),
    }
}

/// Shows this owner, where an entry shows any.
pub(crate) fn set_owner(entry: &mut Element, owner: &str) -> bool {
    let Some(shown) = entry.child_mut("Owner") else {
        return false;
    };
    *shown.children_mut() = vec![Element::with_text("ID", owner)];
    true
}
