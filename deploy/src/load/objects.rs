//! The requests for objects, and the buckets and objects that they need.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Method;
use md5::Digest as _;
use md5::Md5;

use crate::cli::load::S3Objects;
use crate::cli::mode::Mode;
use crate::credentials;
use crate::load::call::Call;
use crate::load::call::Content;
use crate::load::call::Signer;
use crate::load::world::World;

/// What a run writes and reads.
#[derive(Default)]
pub(super) struct Prepared {
    /// Writes and their weights.
    pub(super) puts: Vec<(Call, u32)>,
    /// Reads and their weights.
    pub(super) gets: Vec<(Call, u32)>,
    /// The same, by the user who prepared them: they warm up, and make no bucket key of a requester.
    pub(super) warmup_puts: Vec<Call>,
    /// As `warmup_puts`.
    pub(super) warmup_gets: Vec<Call>,
}

/// Creates the buckets, and the objects to be read. Requests that remove everything again are added to `removals`, also
/// when something cannot be created.
///
/// # Errors
///
/// When a bucket or an object cannot be created.
pub(super) async fn prepare(
    world: &World,
    flags: &S3Objects,
    removals: &mut Vec<Call>,
) -> anyhow::Result<Prepared> {
    let count = u64::from(flags.buckets) * u64::from(flags.requesters) * flags.size.len() as u64;
    anyhow::ensure!(
        count <= PLACES_MAX,
        "{} buckets, {} requesters and {} sizes are {count} combinations, and at most {PLACES_MAX} are prepared",
        flags.buckets,
        flags.requesters,
        flags.size.len()
    );
    let (preparer, requesters) = world.s3_signers()?;
    let draft = Draft {
        headers: Headers::new(flags.mode)?,
        empty: Content::new(""),
        preparer,
    };
    let random = hex::encode(credentials::random::<6>()?);
    let buckets = (1..=flags.buckets).map(|number| format!("/sealgate-load-{random}-{number}"));
    let buckets: Vec<_> = buckets.collect();
    for path in &buckets {
        let create = draft.of_preparer("CreateBucket", Method::PUT, path);
        world.send(&create).await?;
        removals.push(draft.of_preparer("DeleteBucket", Method::DELETE, path));
    }
    let mut prepared = Prepared::default();
    for (bytes, weight) in &flags.size {
        let content = Content::new(vec![0x5a; usize::try_from(*bytes)?]);
        for path in paths(&buckets, *bytes) {
            let read = format!("{path}-read");
            if flags.get > 0.0 {
                let put = draft.put(&read, &content, &draft.preparer);
                world.send(&put).await?;
            }
            let get = |signer| draft.get(&read, signer).with_answer_bytes(*bytes);
            for signer in &requesters {
                let put = draft.put(&path, &content, signer);
                prepared.puts.push((put, *weight));
                prepared.gets.push((get(signer), *weight));
            }
            let put = draft.put(&path, &content, &draft.preparer);
            prepared.warmup_puts.push(put);
            prepared.warmup_gets.push(get(&draft.preparer));
            for path in [&path, &read] {
                let delete = draft.of_preparer("DeleteObject", Method::DELETE, path);
                removals.push(delete);
            }
        }
    }
    Ok(prepared)
}

/// What the requests of a run share.
struct Draft {
    headers: Headers,
    empty: Content,
    preparer: Arc<Signer>,
}

impl Draft {
    fn put(&self, path: &str, content: &Content, signer: &Arc<Signer>) -> Call {
        let (path, headers) = (path.to_owned(), self.headers.of_put.clone());
        Call::s3(PUT, Method::PUT, path, headers, content, Arc::clone(signer))
    }

    fn get(&self, path: &str, signer: &Arc<Signer>) -> Call {
        let (path, headers) = (path.to_owned(), self.headers.of_get.clone());
        Call::s3(
            GET,
            Method::GET,
            path,
            headers,
            &self.empty,
            Arc::clone(signer),
        )
    }

    /// A request without content, by the user who prepares.
    fn of_preparer(&self, operation: &'static str, method: Method, path: &str) -> Call {
        let (path, signer) = (path.to_owned(), Arc::clone(&self.preparer));
        Call::s3(operation, method, path, Vec::new(), &self.empty, signer)
    }
}

/// Some objects of a size in each bucket: writes that are due at once are mostly of different ones.
fn paths(buckets: &[String], bytes: u64) -> impl Iterator<Item = String> {
    let of_bucket = move |bucket: &String| {
        let path = |number| format!("{bucket}/{bytes}-{number}");
        (0..OBJECTS).map(path).collect::<Vec<_>>()
    };
    buckets.iter().flat_map(of_bucket)
}

/// Removes what a run left at a gateway that goes on: what was created last goes first, and so objects before their
/// buckets.
pub(super) async fn remove(removals: &[Call], world: &World) {
    for call in removals.iter().rev() {
        if let Err(error) = world.send(call).await {
            tracing::warn!("something of the run stays: {error:#}");
        }
    }
}

/// The headers of an encryption mode.
struct Headers {
    of_put: Vec<(&'static str, String)>,
    of_get: Vec<(&'static str, String)>,
}

impl Headers {
    fn new(mode: Mode) -> anyhow::Result<Self> {
        const SSE: &str = "x-amz-server-side-encryption";
        let with = |value: &str, bucket_key: Option<bool>| {
            let bucket_key = bucket_key.map(|used| {
                let name = "x-amz-server-side-encryption-bucket-key-enabled";
                (name, used.to_string())
            });
            let headers = std::iter::once((SSE, value.to_owned()));
            Self {
                of_put: headers.chain(bucket_key).collect(),
                of_get: Vec::new(),
            }
        };
        Ok(match mode {
            Mode::SseKms => with("aws:kms", Some(false)),
            Mode::BucketKey => with("aws:kms", Some(true)),
            Mode::Dsse => with("aws:kms:dsse", None),
            Mode::SseS3 => with("AES256", None),
            Mode::SseC => {
                let key = credentials::random::<32>()?;
                let headers = vec![
                    (
                        "x-amz-server-side-encryption-customer-algorithm",
                        "AES256".to_owned(),
                    ),
                    (
                        "x-amz-server-side-encryption-customer-key",
                        STANDARD.encode(key),
                    ),
                    (
                        "x-amz-server-side-encryption-customer-key-md5",
                        STANDARD.encode(Md5::digest(key)),
                    ),
                ];
                Self {
                    of_put: headers.clone(),
                    of_get: headers,
                }
            }
        })
    }
}

/// The operation of a write.
pub(super) const PUT: &str = "PutObject";

/// The operation of a read.
pub(super) const GET: &str = "GetObject";

/// How many objects of each size are written and read in a bucket.
const OBJECTS: u32 = 4;

/// Most combinations of bucket, requester and size: their requests are prepared and stay in memory.
const PLACES_MAX: u64 = 20_000;
