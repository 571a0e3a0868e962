//! S3 Control's operations on Object Lambda access points, and their answers.
//!
//! Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_Operations_AWS_S3_Control.html>

use std::sync::Arc;

use futures_util::StreamExt as _;
use futures_util::TryStreamExt as _;
use futures_util::stream;

use crate::access_point::AccessPoints;
use crate::access_point::listing::PageQuery;
use crate::access_point::name;
use crate::access_point::record::AliasOwner;
use crate::bucket::document::policy::BucketPolicy;
use crate::bucket::document::policy::subject::Subject;
use crate::bucket::document::public_access;
use crate::bucket::document::public_access::PublicAccessBlock;
use crate::error::S3Code;
use crate::error::S3Error;
use crate::object_lambda::ALIAS_END;
use crate::object_lambda::ObjectLambda;
use crate::object_lambda::alias_name;
use crate::object_lambda::configuration::Configuration;
use crate::object_lambda::configuration::SupportingAccessPoint;
use crate::object_lambda::document_name;
use crate::object_lambda::missing;
use crate::object_lambda::record::LambdaAccessPoint;
use crate::protocol::document;
use crate::protocol::xml::Element;
use crate::request::Query;

impl ObjectLambda {
    /// The Object Lambda access point of this name, which must be there.
    ///
    /// # Errors
    ///
    /// `NoSuchAccessPoint`; `ServiceUnavailable` when the state cannot be read.
    pub async fn existing(
        &self,
        account: &str,
        name: &str,
    ) -> Result<Arc<LambdaAccessPoint>, S3Error> {
        let found = self.find(account, name).await?;
        found.ok_or_else(|| missing(name))
    }

    /// Creates an Object Lambda access point of `account`.
    ///
    /// # Errors
    ///
    /// `InvalidURI` for a name that cannot be; `MalformedXML` and `InvalidRequest` for a configuration that cannot;
    /// `AccessPointAlreadyOwnedByYou`; `ServiceUnavailable` when the state cannot be read or written.
    pub async fn create(
        &self,
        access_points: &AccessPoints,
        account: &str,
        name: &str,
        document: &[u8],
    ) -> Result<Arc<LambdaAccessPoint>, S3Error> {
        if !name::is_lambda_name(name) {
            let uri = format!("accesspoint/{name}");
            return Err(S3Error::new(S3Code::InvalidUri).detail("URI", uri));
        }
        let root = read(document, "CreateAccessPointForObjectLambdaRequest")?;
        let configuration = configuration(access_points, account, &root).await?;
        let region = SupportingAccessPoint::parse(&configuration.supporting);
        let created = LambdaAccessPoint {
            name: name.to_owned(),
            account: account.to_owned(),
            region: region.ok_or_else(S3Error::internal)?.region,
            alias: name::new_alias(name, ALIAS_END, &*self.random),
            created: self.clock.now().iso8601(),
            configuration,
            policy: None,
        };
        // The alias first: without its access point it leads nowhere.
        let owner = || AliasOwner {
            account: account.to_owned(),
            name: name.to_owned(),
        };
        let alias = alias_name(&created.alias);
        self.aliases.change(&alias, |_| Ok(Some(owner()))).await?;
        let document = document_name(account, name);
        let written = self.documents.change(&document, |it| match it {
            None => Ok(Some(created.clone())),
            Some(_) => {
                let code = S3Code::AccessPointAlreadyOwnedByYou;
                Err(S3Error::new(code).detail("AccessPointName", name))
            }
        });
        written.await?.ok_or_else(S3Error::internal)
    }

    /// Deletes an Object Lambda access point of `account`.
    ///
    /// # Errors
    ///
    /// `NoSuchAccessPoint`; `ServiceUnavailable` when the state cannot be read or written.
    pub async fn delete(&self, account: &str, name: &str) -> Result<(), S3Error> {
        let found = self.existing(account, name).await?;
        let document = document_name(account, name);
        let deleted = self.documents.change(&document, |it| {
            it.map(|_| None).ok_or_else(|| missing(name))
        });
        deleted.await?;
        let alias = alias_name(&found.alias);
        if let Err(error) = self.aliases.change(&alias, |_| Ok(None)).await {
            tracing::warn!(name, %error, "the alias of a deleted access point stays");
        }
        Ok(())
    }

    /// Replaces the configuration.
    ///
    /// # Errors
    ///
    /// As [`ObjectLambda::create`]; `NoSuchAccessPoint`.
    pub async fn put_configuration(
        &self,
        access_points: &AccessPoints,
        account: &str,
        name: &str,
        document: &[u8],
    ) -> Result<(), S3Error> {
        let root = read(
            document,
            "PutAccessPointConfigurationForObjectLambdaRequest",
        )?;
        let configuration = configuration(access_points, account, &root).await?;
        let region = SupportingAccessPoint::parse(&configuration.supporting);
        let region = region.ok_or_else(S3Error::internal)?.region;
        self.change(account, name, |it| {
            if it.region != region {
                return Err(S3Error::invalid_request(OTHER_REGION));
            }
            it.configuration = configuration.clone();
            Ok(())
        })
        .await
    }

    /// Replaces or removes the policy.
    ///
    /// # Errors
    ///
    /// `NoSuchAccessPoint`; `MalformedXML`; `MalformedPolicy`; `AccessDenied` for a public policy;
    /// `ServiceUnavailable` when the state cannot be read or written.
    pub async fn put_policy(
        &self,
        account: &str,
        name: &str,
        document: Option<&[u8]>,
    ) -> Result<(), S3Error> {
        let found = self.existing(account, name).await?;
        let policy = match document {
            None => None,
            Some(document) => {
                let root = read(document, "PutAccessPointPolicyForObjectLambdaRequest")?;
                let text = root.text_of("Policy").ok_or(S3Code::MalformedXml)?;
                let arn = found.arn();
                let subject = Subject::ObjectLambda(&arn);
                Some(BucketPolicy::parse_for(text.as_bytes(), subject)?)
            }
        };
        let with_policy = LambdaAccessPoint {
            policy: policy.clone(),
            ..(*found).clone()
        };
        // All public access is blocked, always.
        if with_policy.is_public() {
            return Err(S3Error::access_denied());
        }
        self.change(account, name, |it| {
            it.policy = policy.clone();
            Ok(())
        })
        .await
    }

    async fn change(
        &self,
        account: &str,
        name: &str,
        edit: impl Fn(&mut LambdaAccessPoint) -> Result<(), S3Error> + Send + Sync,
    ) -> Result<(), S3Error> {
        let document = document_name(account, name);
        let changed = self.documents.change(&document, |it| {
            let mut changed = it.ok_or_else(|| missing(name))?.clone();
            edit(&mut changed)?;
            Ok(Some(changed))
        });
        changed.await?;
        Ok(())
    }

    /// The answer of ListAccessPointsForObjectLambda.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` for a page that cannot be; `ServiceUnavailable` when the state cannot be read.
    pub async fn list(&self, account: &str, query: &Query) -> Result<Element, S3Error> {
        let page = PageQuery::read(query)?;
        let prefix = document_name(account, "");
        let mut names = self.documents.names(&prefix).await?;
        names.retain(|name| {
            let name = name.strip_prefix(&prefix);
            name.is_some_and(|name| page.is_after(name))
        });
        let found = stream::iter(names)
            .map(|document| async move { self.documents.find(&document).await })
            .buffered(READ_AT_A_TIME)
            .try_filter_map(|found| std::future::ready(Ok(found)))
            .take(page.most + 1);
        let mut found: Vec<_> = found.try_collect().await?;
        let more = found.len() > page.most;
        found.truncate(page.most);
        let last = found.last().filter(|_| more);
        let next = last.map(|last| PageQuery::token(&last.name));
        let entries = found.iter().map(|it| {
            Element::new("ObjectLambdaAccessPoint")
                .field("Name", &it.name)
                .field("ObjectLambdaAccessPointArn", it.arn())
                .with(alias(it))
        });
        let list = Element::new("ObjectLambdaAccessPointList").with_all(entries);
        Ok(root("ListAccessPointsForObjectLambdaResult")
            .with(list)
            .with_all(next.map(|token| Element::with_text("NextToken", token))))
    }
}

/// The configuration in a request. The access point behind it must be there, and be of the same account: AWS's own
/// answer to another is not recorded.
async fn configuration(
    access_points: &AccessPoints,
    account: &str,
    root: &Element,
) -> Result<Configuration, S3Error> {
    let element = root.child("Configuration").ok_or(S3Code::MalformedXml)?;
    let configuration = Configuration::from_element(element)?;
    let named = SupportingAccessPoint::parse(&configuration.supporting);
    let named = named.filter(|named| named.account == account);
    let found = match &named {
        Some(named) => access_points.find(account, &named.name).await?,
        None => None,
    };
    let arn = found.map(|found| found.arn());
    if arn.as_ref() != Some(&configuration.supporting) {
        return Err(S3Error::invalid_request(NO_SUPPORT));
    }
    Ok(configuration)
}

/// The answer of CreateAccessPointForObjectLambda.
#[must_use]
pub fn created(access_point: &LambdaAccessPoint) -> Element {
    root("CreateAccessPointForObjectLambdaResult")
        .field("ObjectLambdaAccessPointArn", access_point.arn())
        .with(alias(access_point))
}

/// The answer of GetAccessPointForObjectLambda.
#[must_use]
pub fn described(access_point: &LambdaAccessPoint) -> Element {
    let block = Element::new(public_access::ROOT);
    root("GetAccessPointForObjectLambdaResult")
        .field("Name", &access_point.name)
        .with(PublicAccessBlock::ALL.write(block))
        .field("CreationDate", &access_point.created)
        .with(alias(access_point))
}

/// The answer of GetAccessPointConfigurationForObjectLambda.
#[must_use]
pub fn configured(access_point: &LambdaAccessPoint) -> Element {
    let configuration = Element::new("Configuration");
    let configuration = access_point.configuration.write(configuration);
    root("GetAccessPointConfigurationForObjectLambdaResult").with(configuration)
}

/// The answer of GetAccessPointPolicyForObjectLambda.
///
/// # Errors
///
/// `NoSuchAccessPointPolicy`.
pub fn policy(access_point: &LambdaAccessPoint) -> Result<Element, S3Error> {
    let policy = existing_policy(access_point)?;
    Ok(root("GetAccessPointPolicyForObjectLambdaResult").field("Policy", policy.text()))
}

/// The answer of GetAccessPointPolicyStatusForObjectLambda.
///
/// # Errors
///
/// `NoSuchAccessPointPolicy`.
pub fn policy_status(access_point: &LambdaAccessPoint) -> Result<Element, S3Error> {
    existing_policy(access_point)?;
    let is_public = access_point.is_public().to_string();
    let status = Element::new("PolicyStatus").field("IsPublic", is_public);
    Ok(root("GetAccessPointPolicyStatusForObjectLambdaResult").with(status))
}

fn existing_policy(access_point: &LambdaAccessPoint) -> Result<&BucketPolicy, S3Error> {
    access_point.policy.as_ref().ok_or_else(|| {
        let code = S3Code::NoSuchAccessPointPolicy;
        S3Error::new(code).detail("AccessPointName", &access_point.name)
    })
}

fn alias(access_point: &LambdaAccessPoint) -> Element {
    Element::new("Alias")
        .field("Value", &access_point.alias)
        .field("Status", "READY")
}

fn read(document: &[u8], root: &str) -> Result<Element, S3Error> {
    let element = document::parse(document)?;
    match element.is_named(root) {
        true => Ok(element),
        false => Err(S3Code::MalformedXml.into()),
    }
}

fn root(name: &'static str) -> Element {
    crate::access_point::answer::root(name)
}

/// Documents that are read at a time.
const READ_AT_A_TIME: usize = 32;

const NO_SUPPORT: &str =
    "The SupportingAccessPoint is not an access point of this account that exists.";
const OTHER_REGION: &str = "The SupportingAccessPoint is in another Region.";
