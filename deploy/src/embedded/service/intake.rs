//! Taking in the bytes of an object or a part, and holding them against what the client says of
//! them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::StreamExt as _;
use http::HeaderMap;
use md5::Digest as _;
use md5::Md5;
use s3s::S3ErrorCode;
use s3s::TrailingHeaders;
use s3s::checksum::ChecksumHasher;
use s3s::crypto::Checksum as _;
use s3s::dto;
use s3s::dto::StreamingBlob;

use crate::embedded::content::Content;
use crate::embedded::fault::Fault;
use crate::embedded::fault::Outcome;
use crate::embedded::index::record::Checksum;
use crate::embedded::service::InProcess;
use crate::embedded::store::Store;

/// What a client says of the bytes that it sends.
pub(super) struct Claims {
    length: Option<i64>,
    md5: Option<String>,
    checksum: Option<(String, String)>,
    /// The algorithm of a checksum that comes behind the bytes, or is to be computed.
    algorithm: Option<String>,
    trailer: Option<TrailingHeaders>,
    /// Whether the ETag need not be the MD5.
    has_free_etag: bool,
}

/// Bytes that were taken in.
pub(super) struct Received {
    pub(super) content: Content,
    pub(super) etag: String,
    pub(super) checksum: Option<Checksum>,
}

/// The claims in a request of PutObject or UploadPart.
macro_rules! claims {
    ($request:expr) => {
        crate::embedded::service::intake::Claims::new(
            &$request.headers,
            &$request.extensions,
            $request.trailing_headers.clone(),
            $request.input.content_length,
            $request.input.content_md5.clone(),
            $request.input.checksum_algorithm.as_ref(),
        )
    };
}
pub(super) use claims;

impl Claims {
    pub(super) fn new(
        headers: &HeaderMap,
        extensions: &http::Extensions,
        trailer: Option<TrailingHeaders>,
        length: Option<i64>,
        md5: Option<String>,
        algorithm: Option<&dto::ChecksumAlgorithm>,
    ) -> Outcome<Self> {
        let mut named = ALGORITHMS.iter().filter_map(|(algorithm, header)| {
            let value = headers.get(*header)?.to_str().ok()?;
            Some(((*algorithm).to_owned(), value.to_owned()))
        });
        let checksum = named.next();
        if named.next().is_some() {
            let message = "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.";
            return Err(Fault::message(S3ErrorCode::InvalidRequest, message));
        }
        let announced = headers.get("x-amz-trailer").and_then(|it| it.to_str().ok());
        let announced = ALGORITHMS
            .iter()
            .find(|(_, header)| announced.is_some_and(|name| name.trim() == *header));
        let algorithm = announced
            .map(|(algorithm, _)| (*algorithm).to_owned())
            .or_else(|| algorithm.map(|algorithm| algorithm.as_str().to_owned()));
        Ok(Self {
            length,
            md5,
            checksum,
            algorithm,
            trailer,
            has_free_etag: extensions.get::<InProcess>().is_some(),
        })
    }

    fn hasher(&self) -> ChecksumHasher {
        let mut hasher = ChecksumHasher::default();
        let named = self.checksum.as_ref().map(|(algorithm, _)| algorithm);
        match named.or(self.algorithm.as_ref()).map(String::as_str) {
            Some("CRC32") => hasher.crc32 = Some(s3s::crypto::Crc32::new()),
            Some("CRC32C") => hasher.crc32c = Some(s3s::crypto::Crc32c::new()),
            Some("CRC64NVME") => hasher.crc64nvme = Some(s3s::crypto::Crc64Nvme::new()),
            Some("SHA1") => hasher.sha1 = Some(s3s::crypto::Sha1::new()),
            Some("SHA256") => hasher.sha256 = Some(s3s::crypto::Sha256::new()),
            _ => {}
        }
        hasher
    }

    /// Holds what came against what was said of it.
    fn check(&self, length: u64, md5: Option<&[u8]>, checksum: Option<&Checksum>) -> Outcome<()> {
        if self
            .length
            .is_some_and(|said| u64::try_from(said).ok() != Some(length))
        {
            return Err(S3ErrorCode::IncompleteBody.into());
        }
        if let (Some(said), Some(computed)) = (&self.md5, md5) {
            let said = STANDARD
                .decode(said)
                .ok()
                .filter(|said| said.len() == MD5_BYTES);
            match said {
                None => return Err(S3ErrorCode::InvalidDigest.into()),
                Some(said) if said != computed => return Err(S3ErrorCode::BadDigest.into()),
                Some(_) => {}
            }
        }
        let trailed = self.trailer.as_ref().and_then(|trailer| {
            trailer.read(|headers| {
                ALGORITHMS.iter().find_map(|(algorithm, header)| {
                    let value = headers.get(*header)?.to_str().ok()?;
                    Some(((*algorithm).to_owned(), value.trim().to_owned()))
                })
            })?
        });
        let Some((algorithm, said)) = self.checksum.clone().or(trailed) else {
            return Ok(());
        };
        let fits = checksum
            .is_some_and(|computed| computed.algorithm == algorithm && computed.value == said);
        match fits {
            true => Ok(()),
            false => Err(Fault::message(
                S3ErrorCode::BadDigest,
                format!("The {algorithm} you specified did not match the calculated checksum."),
            )),
        }
    }
}

/// Takes in a body.
pub(super) async fn receive(
    store: &Store,
    body: Option<StreamingBlob>,
    claims: Claims,
) -> Outcome<Received> {
    let mut intake = store.intake();
    let mut hasher = claims.hasher();
    let needs_md5 = !claims.has_free_etag || claims.md5.is_some();
    let mut md5 = needs_md5.then(Md5::new);
    let mut length: u64 = 0;
    let mut body = body;
    while let Some(body) = body.as_mut() {
        let Some(bytes) = body.next().await else {
            break;
        };
        let bytes = bytes.map_err(|error| {
            // Whoever sends broke off, or what it sends does not fit its signature.
            tracing::debug!(%error, "a body did not arrive whole");
            Fault::code(S3ErrorCode::IncompleteBody)
        })?;
        length = length.saturating_add(bytes.len() as u64);
        hasher.update(&bytes);
        if let Some(md5) = &mut md5 {
            md5.update(&bytes);
        }
        intake.push(bytes).await?;
    }
    let md5 = md5.map(|md5| md5.finalize().to_vec());
    let checksum = recorded(hasher.finalize());
    claims.check(length, md5.as_deref(), checksum.as_ref())?;
    let content = intake.finish().await?;
    let etag = match md5 {
        Some(md5) if !claims.has_free_etag => hex::encode(md5),
        _ => free_etag()?,
    };
    Ok(Received {
        content,
        etag,
        checksum,
    })
}

/// An ETag that no other object ever has.
pub(super) fn free_etag() -> Outcome<String> {
    let mut random = [0; MD5_BYTES];
    getrandom::fill(&mut random).map_err(|error| Fault::Storage(error.to_string().into()))?;
    Ok(hex::encode(random))
}

/// The one checksum among those that the API has.
pub(super) fn recorded(computed: dto::Checksum) -> Option<Checksum> {
    let all = [
        ("CRC32", computed.checksum_crc32),
        ("CRC32C", computed.checksum_crc32c),
        ("CRC64NVME", computed.checksum_crc64nvme),
        ("SHA1", computed.checksum_sha1),
        ("SHA256", computed.checksum_sha256),
    ];
    all.into_iter().find_map(|(algorithm, value)| {
        Some(Checksum {
            algorithm: algorithm.to_owned(),
            value: value?,
            is_composite: false,
        })
    })
}

/// A recorded checksum as the API has it.
pub(super) fn shown(checksum: Option<&Checksum>) -> dto::Checksum {
    let mut shown = dto::Checksum::default();
    let Some(checksum) = checksum else {
        return shown;
    };
    let value = Some(checksum.value.clone());
    match checksum.algorithm.as_str() {
        "CRC32" => shown.checksum_crc32 = value,
        "CRC32C" => shown.checksum_crc32c = value,
        "CRC64NVME" => shown.checksum_crc64nvme = value,
        "SHA1" => shown.checksum_sha1 = value,
        "SHA256" => shown.checksum_sha256 = value,
        _ => {}
    }
    let kind = match checksum.is_composite {
        true => dto::ChecksumType::COMPOSITE,
        false => dto::ChecksumType::FULL_OBJECT,
    };
    shown.checksum_type = Some(dto::ChecksumType::from_static(kind));
    shown
}

/// Algorithms of checksums, each with its header.
const ALGORITHMS: [(&str, &str); 5] = [
    ("CRC32", "x-amz-checksum-crc32"),
    ("CRC32C", "x-amz-checksum-crc32c"),
    ("CRC64NVME", "x-amz-checksum-crc64nvme"),
    ("SHA1", "x-amz-checksum-sha1"),
    ("SHA256", "x-amz-checksum-sha256"),
];

const MD5_BYTES: usize = 16;
