//! The one table of operations.
//!
//! A row: the name in the S3 API; the method, what is addressed, the subresource in the query, and
//! what else about a request chooses this row before those below it; the query parameters that the
//! operation takes; the actions of the policy language that it needs; who does it; and, where it
//! takes any, the headers that decide what it does.
//!
//! Sources: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_Operations_Amazon_Simple_Storage_Service.html>;
//! for the actions see [`super::action`], for the headers [`super::header`].

use super::Handling;
use super::Handling::Configure;
use super::Handling::Control;
use super::Handling::LambdaControl;
use super::Handling::Own;
use super::Handling::Pass;
use super::Handling::Refuse;
use super::Level;
use super::Row;
use super::Selector;
use super::action;
use super::action::access_point;
use super::action::account;
use super::action::bucket;
use super::action::object;
use super::header;
use super::parameter;
use super::parameter::NONE;
use crate::bucket::configuration::Configuration::Cors;
use crate::bucket::configuration::Configuration::Encryption;
use crate::bucket::configuration::Configuration::Logging;
use crate::bucket::configuration::Configuration::OwnershipControls;
use crate::bucket::configuration::Configuration::Policy;
use crate::bucket::configuration::Configuration::PublicAccessBlock;
use crate::bucket::configuration::Verb::Delete;
use crate::bucket::configuration::Verb::Get;
use crate::bucket::configuration::Verb::Put;

/// Makes [`Operation`], the names and the rows of one table.
macro_rules! operations {
    ($($name:ident: $method:literal $level:ident $subresource:literal $(if $selector:expr)?,
        $parameters:expr, $actions:expr, $handling:expr $(, $headers:expr)?;)*) => {
        /// An S3 operation, by its name in the S3 API.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Operation {
            $(#[doc = concat!("`", stringify!($name), "`.")] $name,)*
        }

        impl Operation {
            /// All operations, in the order in which their rows are tried.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// Their rows, in the same order.
            pub(super) const ROWS: &'static [&'static Row] = &[$(Self::$name.row(),)*];

            /// The name in the S3 API.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => stringify!($name),)*
                }
            }

            /// The row of the table.
            pub const fn row(self) -> &'static Row {
                match self {
                    $(Self::$name => {
                        const SELECTORS: &[Selector] = &[$($selector)?];
                        const HANDLING: Handling = $handling;
                        const HEADERS: &[&[&str]] = &[$($headers)?];
                        const ROW: Row = Row {
                            method: $method,
                            level: Level::$level,
                            subresource: $subresource,
                            selectors: SELECTORS,
                            parameters: $parameters,
                            actions: $actions,
                            handling: HANDLING,
                            headers: HEADERS,
                        };
                        &ROW
                    })*
                }
            }
        }
    };
}

operations! {
    // The service.
    ListBuckets: "GET" Service "", parameter::BUCKETS, &[bucket("s3:ListAllMyBuckets")], Own;

    // Buckets and what is in them.
    PostObject: "POST" Bucket "" if Selector::Form, NONE, action::WRITE, Own, header::NEW_OBJECT;
    CreateBucket: "PUT" Bucket "", NONE, action::CREATE_BUCKET, Own, header::NEW_BUCKET;
    DeleteBucket: "DELETE" Bucket "", NONE, &[bucket("s3:DeleteBucket")], Own;
    HeadBucket: "HEAD" Bucket "", NONE, &[bucket("s3:ListBucket")], Own;
    ListObjectsV2: "GET" Bucket "" if Selector::Query("list-type", "2"), parameter::OBJECTS_V2, &[bucket("s3:ListBucket")], Own;
    ListObjects: "GET" Bucket "", parameter::OBJECTS, &[bucket("s3:ListBucket")], Own;
    ListObjectVersions: "GET" Bucket "versions", parameter::VERSIONS, &[bucket("s3:ListBucketVersions")], Own;
    ListMultipartUploads: "GET" Bucket "uploads", parameter::UPLOADS, &[bucket("s3:ListBucketMultipartUploads")], Own;
    DeleteObjects: "POST" Bucket "delete", NONE, action::DELETE, Own, header::DELETION;
    CreateSession: "GET" Bucket "session", NONE, action::NO_ACTION, Refuse(SESSION);

    // Configurations of buckets that are the gateway's own.
    GetBucketCors: "GET" Bucket "cors", NONE, &[bucket("s3:GetBucketCORS")], Configure(Cors, Get);
    PutBucketCors: "PUT" Bucket "cors", NONE, &[bucket("s3:PutBucketCORS")], Configure(Cors, Put);
    DeleteBucketCors: "DELETE" Bucket "cors", NONE, &[bucket("s3:PutBucketCORS")], Configure(Cors, Delete);
    GetBucketEncryption: "GET" Bucket "encryption", NONE, &[bucket("s3:GetEncryptionConfiguration")], Configure(Encryption, Get);
    PutBucketEncryption: "PUT" Bucket "encryption", NONE, &[bucket("s3:PutEncryptionConfiguration")], Configure(Encryption, Put);
    DeleteBucketEncryption: "DELETE" Bucket "encryption", NONE, &[bucket("s3:PutEncryptionConfiguration")], Configure(Encryption, Delete);
    GetBucketAcl: "GET" Bucket "acl", NONE, &[bucket("s3:GetBucketAcl")], Own;
    PutBucketAcl: "PUT" Bucket "acl", NONE, &[bucket("s3:PutBucketAcl")], Own, header::ACL;
    GetBucketLocation: "GET" Bucket "location", NONE, &[bucket("s3:GetBucketLocation")], Own;
    GetBucketLogging: "GET" Bucket "logging", NONE, &[bucket("s3:GetBucketLogging")], Configure(Logging, Get);
    PutBucketLogging: "PUT" Bucket "logging", NONE, &[bucket("s3:PutBucketLogging")], Configure(Logging, Put);
    GetBucketOwnershipControls: "GET" Bucket "ownershipControls", NONE, &[bucket("s3:GetBucketOwnershipControls")], Configure(OwnershipControls, Get);
    PutBucketOwnershipControls: "PUT" Bucket "ownershipControls", NONE, &[bucket("s3:PutBucketOwnershipControls")], Configure(OwnershipControls, Put);
    DeleteBucketOwnershipControls: "DELETE" Bucket "ownershipControls", NONE, &[bucket("s3:PutBucketOwnershipControls")], Configure(OwnershipControls, Delete);
    GetBucketPolicy: "GET" Bucket "policy", NONE, &[bucket("s3:GetBucketPolicy")], Configure(Policy, Get);
    PutBucketPolicy: "PUT" Bucket "policy", NONE, &[bucket("s3:PutBucketPolicy")], Configure(Policy, Put), header::REMOVE_SELF;
    DeleteBucketPolicy: "DELETE" Bucket "policy", NONE, &[bucket("s3:DeleteBucketPolicy")], Configure(Policy, Delete);
    GetPublicAccessBlock: "GET" Bucket "publicAccessBlock", NONE, &[bucket("s3:GetBucketPublicAccessBlock")], Configure(PublicAccessBlock, Get);
    PutPublicAccessBlock: "PUT" Bucket "publicAccessBlock", NONE, &[bucket("s3:PutBucketPublicAccessBlock")], Configure(PublicAccessBlock, Put);
    DeletePublicAccessBlock: "DELETE" Bucket "publicAccessBlock", NONE, &[bucket("s3:PutBucketPublicAccessBlock")], Configure(PublicAccessBlock, Delete);
    GetBucketPolicyStatus: "GET" Bucket "policyStatus", NONE, &[bucket("s3:GetBucketPolicyStatus")], Own;

    // Configurations of buckets that are the backend's.
    GetBucketAbac: "GET" Bucket "abac", NONE, &[bucket("s3:GetBucketAbac")], Pass;
    PutBucketAbac: "PUT" Bucket "abac", NONE, &[bucket("s3:PutBucketAbac")], Pass;
    GetBucketAccelerateConfiguration: "GET" Bucket "accelerate", NONE, &[bucket("s3:GetAccelerateConfiguration")], Pass;
    PutBucketAccelerateConfiguration: "PUT" Bucket "accelerate", NONE, &[bucket("s3:PutAccelerateConfiguration")], Pass;
    GetBucketAnalyticsConfiguration: "GET" Bucket "analytics" if Selector::Present("id"), parameter::ID, &[bucket("s3:GetAnalyticsConfiguration")], Pass;
    ListBucketAnalyticsConfigurations: "GET" Bucket "analytics", parameter::PAGE, &[bucket("s3:GetAnalyticsConfiguration")], Pass;
    PutBucketAnalyticsConfiguration: "PUT" Bucket "analytics", parameter::ID, &[bucket("s3:PutAnalyticsConfiguration")], Pass;
    DeleteBucketAnalyticsConfiguration: "DELETE" Bucket "analytics", parameter::ID, &[bucket("s3:PutAnalyticsConfiguration")], Pass;
    GetBucketIntelligentTieringConfiguration: "GET" Bucket "intelligent-tiering" if Selector::Present("id"), parameter::ID, &[bucket("s3:GetIntelligentTieringConfiguration")], Pass;
    ListBucketIntelligentTieringConfigurations: "GET" Bucket "intelligent-tiering", parameter::PAGE, &[bucket("s3:GetIntelligentTieringConfiguration")], Pass;
    PutBucketIntelligentTieringConfiguration: "PUT" Bucket "intelligent-tiering", parameter::ID, &[bucket("s3:PutIntelligentTieringConfiguration")], Pass;
    DeleteBucketIntelligentTieringConfiguration: "DELETE" Bucket "intelligent-tiering", parameter::ID, &[bucket("s3:PutIntelligentTieringConfiguration")], Pass;
    GetBucketInventoryConfiguration: "GET" Bucket "inventory" if Selector::Present("id"), parameter::ID, &[bucket("s3:GetInventoryConfiguration")], Pass;
    ListBucketInventoryConfigurations: "GET" Bucket "inventory", parameter::PAGE, &[bucket("s3:GetInventoryConfiguration")], Pass;
    PutBucketInventoryConfiguration: "PUT" Bucket "inventory", parameter::ID, &[bucket("s3:PutInventoryConfiguration")], Pass;
    DeleteBucketInventoryConfiguration: "DELETE" Bucket "inventory", parameter::ID, &[bucket("s3:PutInventoryConfiguration")], Pass;
    GetBucketLifecycleConfiguration: "GET" Bucket "lifecycle", NONE, &[bucket("s3:GetLifecycleConfiguration")], Pass;
    PutBucketLifecycleConfiguration: "PUT" Bucket "lifecycle", NONE, &[bucket("s3:PutLifecycleConfiguration")], Own;
    DeleteBucketLifecycle: "DELETE" Bucket "lifecycle", NONE, &[bucket("s3:PutLifecycleConfiguration")], Pass;
    GetBucketMetadataConfiguration: "GET" Bucket "metadataConfiguration", NONE, &[bucket("s3:GetBucketMetadataTableConfiguration")], Pass;
    CreateBucketMetadataConfiguration: "POST" Bucket "metadataConfiguration", NONE, &[bucket("s3:CreateBucketMetadataTableConfiguration")], Pass;
    DeleteBucketMetadataConfiguration: "DELETE" Bucket "metadataConfiguration", NONE, &[bucket("s3:DeleteBucketMetadataTableConfiguration")], Pass;
    GetBucketMetadataTableConfiguration: "GET" Bucket "metadataTable", NONE, &[bucket("s3:GetBucketMetadataTableConfiguration")], Pass;
    CreateBucketMetadataTableConfiguration: "POST" Bucket "metadataTable", NONE, &[bucket("s3:CreateBucketMetadataTableConfiguration")], Pass;
    DeleteBucketMetadataTableConfiguration: "DELETE" Bucket "metadataTable", NONE, &[bucket("s3:DeleteBucketMetadataTableConfiguration")], Pass;
    GetBucketMetricsConfiguration: "GET" Bucket "metrics" if Selector::Present("id"), parameter::ID, &[bucket("s3:GetMetricsConfiguration")], Pass;
    ListBucketMetricsConfigurations: "GET" Bucket "metrics", parameter::PAGE, &[bucket("s3:GetMetricsConfiguration")], Pass;
    PutBucketMetricsConfiguration: "PUT" Bucket "metrics", parameter::ID, &[bucket("s3:PutMetricsConfiguration")], Pass;
    DeleteBucketMetricsConfiguration: "DELETE" Bucket "metrics", parameter::ID, &[bucket("s3:PutMetricsConfiguration")], Pass;
    GetBucketNotificationConfiguration: "GET" Bucket "notification", NONE, &[bucket("s3:GetBucketNotification")], Pass;
    PutBucketNotificationConfiguration: "PUT" Bucket "notification", NONE, &[bucket("s3:PutBucketNotification")], Pass;
    GetObjectLockConfiguration: "GET" Bucket "object-lock", NONE, &[bucket("s3:GetBucketObjectLockConfiguration")], Pass;
    PutObjectLockConfiguration: "PUT" Bucket "object-lock", NONE, &[bucket("s3:PutBucketObjectLockConfiguration")], Pass, header::LOCK_TOKEN;
    GetBucketReplication: "GET" Bucket "replication", NONE, &[bucket("s3:GetReplicationConfiguration")], Pass;
    PutBucketReplication: "PUT" Bucket "replication", NONE, action::NO_ACTION, Refuse(REPLICATION);
    DeleteBucketReplication: "DELETE" Bucket "replication", NONE, &[bucket("s3:PutReplicationConfiguration")], Pass;
    GetBucketRequestPayment: "GET" Bucket "requestPayment", NONE, &[bucket("s3:GetBucketRequestPayment")], Pass;
    PutBucketRequestPayment: "PUT" Bucket "requestPayment", NONE, &[bucket("s3:PutBucketRequestPayment")], Pass;
    GetBucketTagging: "GET" Bucket "tagging", NONE, &[bucket("s3:GetBucketTagging")], Pass;
    PutBucketTagging: "PUT" Bucket "tagging", NONE, &[bucket("s3:PutBucketTagging")], Pass;
    DeleteBucketTagging: "DELETE" Bucket "tagging", NONE, &[bucket("s3:PutBucketTagging")], Pass;
    GetBucketVersioning: "GET" Bucket "versioning", NONE, &[bucket("s3:GetBucketVersioning")], Own;
    PutBucketVersioning: "PUT" Bucket "versioning", NONE, &[bucket("s3:PutBucketVersioning")], Own, header::MFA;
    GetBucketWebsite: "GET" Bucket "website", NONE, &[bucket("s3:GetBucketWebsite")], Pass;
    PutBucketWebsite: "PUT" Bucket "website", NONE, &[bucket("s3:PutBucketWebsite")], Pass;
    DeleteBucketWebsite: "DELETE" Bucket "website", NONE, &[bucket("s3:DeleteBucketWebsite")], Pass;

    // Objects.
    GetObject: "GET" Object "", parameter::READ, action::READ, Own;
    HeadObject: "HEAD" Object "", parameter::READ, action::READ, Own;
    AppendObject: "PUT" Object "" if Selector::Header("x-amz-write-offset-bytes"), NONE, action::NO_ACTION, Refuse(APPEND);
    CopyObject: "PUT" Object "" if Selector::Header("x-amz-copy-source"), NONE, action::COPY, Own, header::NEW_OBJECT;
    PutObject: "PUT" Object "", NONE, action::WRITE, Own, header::NEW_OBJECT;
    DeleteObject: "DELETE" Object "", parameter::VERSION, action::DELETE, Own, header::DELETION;
    GetObjectAttributes: "GET" Object "attributes", parameter::VERSION, action::ATTRIBUTES, Own;
    UpdateObjectEncryption: "PUT" Object "encryption", parameter::VERSION, &[object("s3:UpdateObjectEncryption")], Own;
    RenameObject: "PUT" Object "renameObject", NONE, action::NO_ACTION, Refuse(RENAME);
    SelectObjectContent: "POST" Object "select", parameter::SELECT, action::NO_ACTION, Refuse(SELECT);
    GetObjectTorrent: "GET" Object "torrent", NONE, action::NO_ACTION, Refuse(TORRENT);

    GetObjectAnnotation: "GET" Object "annotation" if Selector::Present("annotationName"), NONE, action::NO_ACTION, Refuse(ANNOTATION);
    ListObjectAnnotations: "GET" Object "annotation", NONE, action::NO_ACTION, Refuse(ANNOTATION);
    PutObjectAnnotation: "PUT" Object "annotation", parameter::ANNOTATION, action::NO_ACTION, Refuse(ANNOTATION);
    DeleteObjectAnnotation: "DELETE" Object "annotation", parameter::ANNOTATION, action::NO_ACTION, Refuse(ANNOTATION);

    // Uploads in parts.
    CreateMultipartUpload: "POST" Object "uploads", NONE, action::BEGIN, Own, header::NEW_OBJECT;
    UploadPartCopy: "PUT" Object "uploadId" if Selector::Header("x-amz-copy-source"), parameter::PART, action::COPY_PART, Own;
    UploadPart: "PUT" Object "uploadId", parameter::PART, action::WRITE_PART, Own;
    CompleteMultipartUpload: "POST" Object "uploadId", NONE, action::COMPLETE, Own;
    AbortMultipartUpload: "DELETE" Object "uploadId", NONE, &[object("s3:AbortMultipartUpload")], Own;
    ListParts: "GET" Object "uploadId", parameter::PARTS, &[object("s3:ListMultipartUploadParts")], Own;

    // What the backend notes about objects.
    GetObjectAcl: "GET" Object "acl", parameter::VERSION, action::ACL_READ, Own;
    PutObjectAcl: "PUT" Object "acl", parameter::VERSION, action::ACL_WRITE, Own, header::ACL;
    GetObjectLegalHold: "GET" Object "legal-hold", parameter::VERSION, action::LEGAL_HOLD_READ, Pass;
    PutObjectLegalHold: "PUT" Object "legal-hold", parameter::VERSION, action::LEGAL_HOLD_WRITE, Pass;
    RestoreObject: "POST" Object "restore", parameter::VERSION, &[object("s3:RestoreObject")], Pass;
    GetObjectRetention: "GET" Object "retention", parameter::VERSION, action::RETENTION_READ, Pass;
    PutObjectRetention: "PUT" Object "retention", parameter::VERSION, action::RETENTION_WRITE, Pass, header::BYPASS;
    GetObjectTagging: "GET" Object "tagging", parameter::VERSION, action::TAGGING_READ, Pass;
    PutObjectTagging: "PUT" Object "tagging", parameter::VERSION, action::TAGGING_WRITE, Pass;
    DeleteObjectTagging: "DELETE" Object "tagging", parameter::VERSION, action::TAGGING_DELETE, Pass;

    // S3 Control.
    ListAccessPoints: "GET" AccessPoints "", parameter::ACCESS_POINTS, &[account("s3:ListAccessPoints")], Control;
    CreateAccessPoint: "PUT" AccessPoint "", NONE, &[access_point("s3:CreateAccessPoint")], Control;
    GetAccessPoint: "GET" AccessPoint "", NONE, &[access_point("s3:GetAccessPoint")], Control;
    DeleteAccessPoint: "DELETE" AccessPoint "", NONE, &[access_point("s3:DeleteAccessPoint")], Control;
    GetAccessPointPolicy: "GET" AccessPointPolicy "", NONE, &[access_point("s3:GetAccessPointPolicy")], Control;
    PutAccessPointPolicy: "PUT" AccessPointPolicy "", NONE, &[access_point("s3:PutAccessPointPolicy")], Control;
    DeleteAccessPointPolicy: "DELETE" AccessPointPolicy "", NONE, &[access_point("s3:DeleteAccessPointPolicy")], Control;
    GetAccessPointPolicyStatus: "GET" AccessPointPolicyStatus "", NONE, &[access_point("s3:GetAccessPointPolicyStatus")], Control;
    GetAccessPointScope: "GET" AccessPointScope "", NONE, action::NO_ACTION, Refuse(SCOPE);
    PutAccessPointScope: "PUT" AccessPointScope "", NONE, action::NO_ACTION, Refuse(SCOPE);
    DeleteAccessPointScope: "DELETE" AccessPointScope "", NONE, action::NO_ACTION, Refuse(SCOPE);
    GetAccountPublicAccessBlock: "GET" AccountPublicAccessBlock "", NONE, &[account("s3:GetAccountPublicAccessBlock")], Control;
    PutAccountPublicAccessBlock: "PUT" AccountPublicAccessBlock "", NONE, &[account("s3:PutAccountPublicAccessBlock")], Control;
    DeleteAccountPublicAccessBlock: "DELETE" AccountPublicAccessBlock "", NONE, &[account("s3:PutAccountPublicAccessBlock")], Control;
    ListTagsForResource: "GET" ResourceTags "", NONE, &[access_point("s3:ListTagsForResource")], Control;
    TagResource: "POST" ResourceTags "", NONE, &[access_point("s3:TagResource")], Control;
    UntagResource: "DELETE" ResourceTags "", parameter::TAGS, &[access_point("s3:UntagResource")], Control;

    // S3 Object Lambda.
    ListAccessPointsForObjectLambda: "GET" LambdaAccessPoints "", parameter::LAMBDA_ACCESS_POINTS, &[account("s3:ListAccessPointsForObjectLambda")], LambdaControl;
    CreateAccessPointForObjectLambda: "PUT" LambdaAccessPoint "", NONE, &[access_point("s3:CreateAccessPointForObjectLambda")], LambdaControl;
    GetAccessPointForObjectLambda: "GET" LambdaAccessPoint "", NONE, &[access_point("s3:GetAccessPointForObjectLambda")], LambdaControl;
    DeleteAccessPointForObjectLambda: "DELETE" LambdaAccessPoint "", NONE, &[access_point("s3:DeleteAccessPointForObjectLambda")], LambdaControl;
    GetAccessPointConfigurationForObjectLambda: "GET" LambdaConfiguration "", NONE, &[access_point("s3:GetAccessPointConfigurationForObjectLambda")], LambdaControl;
    PutAccessPointConfigurationForObjectLambda: "PUT" LambdaConfiguration "", NONE, &[access_point("s3:PutAccessPointConfigurationForObjectLambda")], LambdaControl;
    GetAccessPointPolicyForObjectLambda: "GET" LambdaPolicy "", NONE, &[access_point("s3:GetAccessPointPolicyForObjectLambda")], LambdaControl;
    PutAccessPointPolicyForObjectLambda: "PUT" LambdaPolicy "", NONE, &[access_point("s3:PutAccessPointPolicyForObjectLambda")], LambdaControl;
    DeleteAccessPointPolicyForObjectLambda: "DELETE" LambdaPolicy "", NONE, &[access_point("s3:DeleteAccessPointPolicyForObjectLambda")], LambdaControl;
    GetAccessPointPolicyStatusForObjectLambda: "GET" LambdaPolicyStatus "", NONE, &[access_point("s3:GetAccessPointPolicyStatusForObjectLambda")], LambdaControl;
    WriteGetObjectResponse: "POST" FunctionAnswer "", NONE, &[account("s3-object-lambda:WriteGetObjectResponse")], Own;

    // Before a browser sends a request of a page.
    Preflight: "OPTIONS" Service "", NONE, action::NO_ACTION, Own;
}

const ANNOTATION: &str = "the backend would store it unsealed.";
const APPEND: &str = "a sealed object has one length, fixed when it is written.";
const RENAME: &str = "an object is sealed under its own name; copy it instead.";
const REPLICATION: &str =
    "an object is sealed under its own bucket's name, so a replica could not be opened.";
const SCOPE: &str = "it belongs to the access points of directory buckets.";
const SELECT: &str = "the backend would search the sealed bytes.";
const SESSION: &str = "it belongs to directory buckets, whose requests sign with session keys.";
const TORRENT: &str = "the backend would share the sealed bytes.";
