//! S3's error codes, each with its HTTP status and AWS's message for it.
//!
//! Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html#ErrorCodeList>;
//! messages as AWS sends them.

use http::StatusCode;

/// Makes the enum of codes and its three lookups from one table.
macro_rules! codes {
    ($($name:ident = $text:literal, $status:literal, $message:literal;)*) => {
        /// An S3 error code.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum S3Code {
            $(#[doc = $message] $name,)*
            /// A code of the backend that is not in this list.
            Foreign,
        }

        impl S3Code {
            /// The code as it stands in the XML body.
            pub fn text(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                    Self::Foreign => "InternalError",
                }
            }

            /// The code with this text, if it is one of ours.
            pub fn from_text(text: &str) -> Option<Self> {
                match text {
                    $($text => Some(Self::$name),)*
                    _ => None,
                }
            }

            /// The message that AWS sends with the code.
            pub fn message(self) -> &'static str {
                match self {
                    $(Self::$name => $message,)*
                    Self::Foreign => "The backend reported an error.",
                }
            }

            /// The HTTP status as a number.
            fn status_number(self) -> u16 {
                match self {
                    $(Self::$name => $status,)*
                    Self::Foreign => 500,
                }
            }
        }
    };
}

impl S3Code {
    /// The HTTP status that AWS answers with.
    pub fn status(self) -> StatusCode {
        StatusCode::from_u16(self.status_number()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }
}

codes! {
    AccessControlListNotSupported = "AccessControlListNotSupported", 400, "The bucket does not allow ACLs";
    AccessDenied = "AccessDenied", 403, "Access Denied";
    AccessPointAlreadyOwnedByYou = "AccessPointAlreadyOwnedByYou", 409, "Your previous request to create the named accesspoint succeeded and you already own it.";
    AccessForbidden = "AccessForbidden", 403, "CORSResponse: CORS is not enabled for this bucket.";
    AuthorizationHeaderMalformed = "AuthorizationHeaderMalformed", 400, "The authorization header that you provided is not valid.";
    AuthorizationQueryParametersError = "AuthorizationQueryParametersError", 400, "The authorization query parameters that you provided are not valid.";
    BadDigest = "BadDigest", 400, "The Content-MD5 you specified did not match what we received.";
    BadRequest = "BadRequest", 400, "An error occurred when parsing the HTTP request.";
    BucketAlreadyExists = "BucketAlreadyExists", 409, "The requested bucket name is not available. The bucket namespace is shared by all users of the system. Please select a different name and try again.";
    BucketAlreadyOwnedByYou = "BucketAlreadyOwnedByYou", 409, "Your previous request to create the named bucket succeeded and you already own it.";
    BucketHasAccessPointsAttached = "BucketHasAccessPointsAttached", 400, "The bucket you are attempting to delete has access points attached. Delete your access points and try again.";
    BucketNotEmpty = "BucketNotEmpty", 409, "The bucket you tried to delete is not empty";
    ConditionalRequestConflict = "ConditionalRequestConflict", 409, "A conflicting conditional operation is currently in progress against this resource. Please try again.";
    ConnectionClosedByRequester = "ConnectionClosedByRequester", 400, "The caller closed its connection before it had received the response.";
    CrossLocationLoggingProhibited = "CrossLocationLoggingProhibitted", 403, "Cross S3 location logging not allowed. ";
    DeviceNotActive = "DeviceNotActiveError", 400, "The device is not currently active.";
    EntityTooLarge = "EntityTooLarge", 400, "Your proposed upload exceeds the maximum allowed size";
    EntityTooSmall = "EntityTooSmall", 400, "Your proposed upload is smaller than the minimum allowed size";
    ExpiredToken = "ExpiredToken", 400, "The provided token has expired.";
    IllegalLocationConstraint = "IllegalLocationConstraintException", 400, "The location constraint is incompatible for the region specific endpoint this request was sent to.";
    IllegalVersioningConfiguration = "IllegalVersioningConfigurationException", 400, "The Versioning element must be specified";
    IncompleteBody = "IncompleteBody", 400, "You did not provide the number of bytes specified by the Content-Length HTTP header";
    InternalError = "InternalError", 500, "We encountered an internal error. Please try again.";
    InvalidAccessKeyId = "InvalidAccessKeyId", 403, "The AWS Access Key Id you provided does not exist in our records.";
    InvalidArgument = "InvalidArgument", 400, "Invalid Argument";
    InvalidBucketAclWithObjectOwnership = "InvalidBucketAclWithObjectOwnership", 400, "Bucket cannot have ACLs set with ObjectOwnership's BucketOwnerEnforced setting";
    InvalidBucketName = "InvalidBucketName", 400, "The specified bucket is not valid.";
    InvalidBucketOwner = "InvalidBucketOwnerAWSAccountID", 400, "The value of the expected bucket owner parameter must be an AWS Account ID.";
    InvalidBucketState = "InvalidBucketState", 409, "The request is not valid with the current state of the bucket.";
    InvalidChunkSize = "InvalidChunkSizeError", 403, "Only the last chunk is allowed to have a size less than 8192 bytes";
    InvalidDigest = "InvalidDigest", 400, "The Content-MD5 you specified was invalid.";
    InvalidEncryptionAlgorithm = "InvalidEncryptionAlgorithmError", 400, "The encryption request you specified is not valid. The valid value is AES256.";
    InvalidLocationConstraint = "InvalidLocationConstraint", 400, "The specified location-constraint is not valid";
    InvalidObjectState = "InvalidObjectState", 403, "The operation is not valid for the object's storage class";
    InvalidPart = "InvalidPart", 400, "One or more of the specified parts could not be found.  The part may not have been uploaded, or the specified entity tag may not match the part's entity tag.";
    InvalidPartNumber = "InvalidPartNumber", 416, "The requested partnumber is not satisfiable";
    InvalidPartOrder = "InvalidPartOrder", 400, "The list of parts was not in ascending order. Parts must be ordered by part number.";
    InvalidPolicyDocument = "InvalidPolicyDocument", 400, "The content of the form does not meet the conditions specified in the policy document.";
    InvalidRange = "InvalidRange", 416, "The requested range is not satisfiable";
    InvalidRequest = "InvalidRequest", 400, "Invalid Request";
    InvalidStorageClass = "InvalidStorageClass", 400, "The storage class you specified is not valid";
    InvalidTag = "InvalidTag", 400, "The tag provided was not a valid tag.";
    InvalidTargetBucketForLogging = "InvalidTargetBucketForLogging", 400, "The target bucket for logging does not exist";
    InvalidToken = "InvalidToken", 400, "The provided token is malformed or otherwise invalid.";
    InvalidUri = "InvalidURI", 400, "Couldn't parse the specified URI.";
    KeyTooLong = "KeyTooLongError", 400, "Your key is too long";
    KmsDisabled = "KMS.DisabledException", 400, "The request was rejected because the specified KMS key is not enabled.";
    KmsInvalidKeyUsage = "KMS.InvalidKeyUsageException", 400, "The request was rejected because the KeyUsage value of the KMS key is incompatible with the API operation.";
    KmsInvalidState = "KMS.KMSInvalidStateException", 400, "The request was rejected because the state of the specified resource is not valid for this request.";
    KmsInvalidStateLegacy = "KMS.InvalidStateException", 400, "The request was rejected because the state of the specified resource is not valid for this request.";
    KmsNotFound = "KMS.NotFoundException", 400, "The request was rejected because the specified KMS key could not be found.";
    LambdaInvalidResponse = "LambdaInvalidResponse", 400, "The AWS Lambda function returned a malformed response.";
    LambdaInvocationFailed = "LambdaInvocationFailed", 400, "The invocation of the AWS Lambda function failed.";
    LambdaNotFound = "LambdaNotFound", 404, "The AWS Lambda function was not found.";
    LambdaPermissionError = "LambdaPermissionError", 403, "The caller is not authorized to invoke the AWS Lambda function.";
    LambdaResponseNotReceived = "LambdaResponseNotReceived", 500, "The AWS Lambda function did not call WriteGetObjectResponse.";
    LambdaRuntimeError = "LambdaRuntimeError", 500, "The AWS Lambda function failed.";
    LambdaTimeout = "LambdaTimeout", 500, "The AWS Lambda function did not respond in the allowed time.";
    MalformedAcl = "MalformedACLError", 400, "The XML you provided was not well-formed or did not validate against our published schema";
    MalformedPolicy = "MalformedPolicy", 400, "Policies must be valid JSON and the first byte must be '{'";
    MalformedPostRequest = "MalformedPOSTRequest", 400, "The body of your POST request is not well-formed multipart/form-data.";
    MalformedTrailer = "MalformedTrailerError", 400, "The request contained trailing data that was not well-formed or did not conform to our published schema.";
    MalformedXml = "MalformedXML", 400, "The XML you provided was not well-formed or did not validate against our published schema";
    MaxMessageLengthExceeded = "MaxMessageLengthExceeded", 400, "Your request was too big.";
    MaxPostPreDataLengthExceeded = "MaxPostPreDataLengthExceeded", 400, "Your POST request fields preceeding the upload file was too large.";
    MetadataTooLarge = "MetadataTooLarge", 400, "Your metadata headers exceed the maximum allowed metadata size";
    MethodNotAllowed = "MethodNotAllowed", 405, "The specified method is not allowed against this resource.";
    MissingContentLength = "MissingContentLength", 411, "You must provide the Content-Length HTTP header.";
    MissingRequestBody = "MissingRequestBodyError", 400, "Request Body is empty";
    MissingSecurityHeader = "MissingSecurityHeader", 400, "Your request was missing a required header";
    NoSuchAccessPoint = "NoSuchAccessPoint", 404, "The specified accesspoint does not exist";
    NoSuchAccessPointPolicy = "NoSuchAccessPointPolicy", 404, "The specified accesspoint policy does not exist";
    NoSuchBucket = "NoSuchBucket", 404, "The specified bucket does not exist";
    NoSuchBucketPolicy = "NoSuchBucketPolicy", 404, "The bucket policy does not exist";
    NoSuchCorsConfiguration = "NoSuchCORSConfiguration", 404, "The CORS configuration does not exist";
    NoSuchKey = "NoSuchKey", 404, "The specified key does not exist.";
    NoSuchLifecycleConfiguration = "NoSuchLifecycleConfiguration", 404, "The lifecycle configuration does not exist";
    NoSuchObjectLockConfiguration = "NoSuchObjectLockConfiguration", 404, "The specified object does not have a ObjectLock configuration";
    NoSuchPublicAccessBlock = "NoSuchPublicAccessBlockConfiguration", 404, "The public access block configuration was not found";
    NoSuchResource = "NoSuchResource", 404, "The specified resource doesn't exist.";
    NoSuchTagSet = "NoSuchTagSet", 404, "The TagSet does not exist";
    NoSuchUpload = "NoSuchUpload", 404, "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed.";
    NoSuchVersion = "NoSuchVersion", 404, "The specified version does not exist.";
    NotDeviceOwner = "NotDeviceOwnerError", 400, "The device that generated the token is not owned by the authenticated user.";
    NotImplemented = "NotImplemented", 501, "A header or query you provided requested a function that is not implemented.";
    NotModified = "NotModified", 304, "Not Modified";
    ObjectLockConfigurationNotFound = "ObjectLockConfigurationNotFoundError", 404, "Object Lock configuration does not exist for this bucket";
    OperationAborted = "OperationAborted", 409, "A conflicting conditional operation is currently in progress against this resource. Please try again.";
    OwnershipControlsNotFound = "OwnershipControlsNotFoundError", 404, "The bucket ownership controls were not found";
    PermanentRedirect = "PermanentRedirect", 301, "The bucket you are attempting to access must be addressed using the specified endpoint. Please send all future requests to this endpoint.";
    PreconditionFailed = "PreconditionFailed", 412, "At least one of the pre-conditions you specified did not hold";
    RequestHeaderSectionTooLarge = "RequestHeaderSectionTooLarge", 400, "Your request header section exceeds the maximum allowed request header section size.";
    RequestTimeTooSkewed = "RequestTimeTooSkewed", 403, "The difference between the request time and the current time is too large.";
    RequestTimeout = "RequestTimeout", 400, "Your socket connection to the server was not read from or written to within the timeout period. Idle connections will be closed.";
    ServerSideEncryptionConfigurationNotFound = "ServerSideEncryptionConfigurationNotFoundError", 404, "The server side encryption configuration was not found";
    ServiceUnavailable = "ServiceUnavailable", 503, "Service is unable to handle request.";
    SignatureDoesNotMatch = "SignatureDoesNotMatch", 403, "The request signature we calculated does not match the signature you provided. Check your key and signing method.";
    SlowDown = "SlowDown", 503, "Please reduce your request rate.";
    TokenCodeInvalid = "TokenCodeInvalidError", 400, "The serial number and/or token code you provided is not valid.";
    TooManyAccessPoints = "TooManyAccessPoints", 400, "You have attempted to create more access points than are allowed for an account.";
    TooManyBuckets = "TooManyBuckets", 400, "You have attempted to create more buckets than allowed";
    UnexpectedContent = "UnexpectedContent", 400, "This request does not support content";
    UnsupportedSignature = "UnsupportedSignature", 400, "The provided request is signed with an unsupported STS Token version or the signature version is not supported.";
    ValidationError = "ValidationError", 400, "The response of the function is not valid.";
    XAmzContentSha256Mismatch = "XAmzContentSHA256Mismatch", 400, "The provided 'x-amz-content-sha256' header does not match what was computed.";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_found_again_by_its_text() {
        for code in [S3Code::NoSuchKey, S3Code::KmsDisabled, S3Code::InvalidUri] {
            assert_eq!(S3Code::from_text(code.text()), Some(code));
        }
        assert_eq!(S3Code::from_text("NoSuchThing"), None);
    }

    #[test]
    fn the_statuses_are_those_of_aws() {
        assert_eq!(S3Code::SlowDown.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(
            S3Code::SignatureDoesNotMatch.status(),
            StatusCode::FORBIDDEN
        );
        assert_eq!(
            S3Code::InvalidRange.status(),
            StatusCode::RANGE_NOT_SATISFIABLE
        );
    }
}
