//! Both services and the embedded backend, in this process.

use aws_sdk_s3::Client;
use aws_sdk_s3::error::ProvideErrorMetadata;
use aws_sdk_s3::error::SdkError;
use clap::Parser as _;
use sealgate::cli::Arguments;
use sealgate::up::Given;
use sealgate::up::Together;
use tempfile::TempDir;
use tests::clients;
use tests::clients::Access;

/// `up --fixture` with a bucket.
pub(crate) struct Fixture {
    pub(crate) s3: Client,
    pub(crate) folder: TempDir,
    /// The embedded backend's own port.
    pub(crate) backend_endpoint: String,
    _running: Together,
}

/// The bucket that is there.
pub(crate) const BUCKET: &str = "bucket";

impl Fixture {
    pub(crate) async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().to_str().unwrap();
        let flags = [
            "sealgate",
            "--fixture",
            "--allow-insecure-sse",
            "--data",
            data,
        ];
        let flags = Arguments::try_parse_from(flags).unwrap().up;
        let given = Given::read(&flags).unwrap();
        let running = Together::start(&flags, given, folder.path()).await.unwrap();
        let up = &running.announcement;
        let access = Access::new(&up.access_key_id, &up.secret_access_key);
        let s3 = clients::s3(&up.s3_endpoint, &access, None);
        let backend_endpoint = up.backend_endpoint.clone();
        s3.create_bucket().bucket(BUCKET).send().await.unwrap();
        Self {
            s3,
            folder,
            backend_endpoint,
            _running: running,
        }
    }

    /// Writes an object; its version, if it has one.
    pub(crate) async fn put(&self, key: &str, bytes: &[u8]) -> Option<String> {
        self.put_in(BUCKET, key, bytes).await
    }

    pub(crate) async fn put_in(&self, bucket: &str, key: &str, bytes: &[u8]) -> Option<String> {
        let put = self.s3.put_object().bucket(bucket).key(key);
        let put = put.body(bytes.to_vec().into()).send().await.unwrap();
        put.version_id().map(ToOwned::to_owned)
    }

    /// The bytes of an object.
    pub(crate) async fn get(&self, key: &str) -> Vec<u8> {
        let get = self.s3.get_object().bucket(BUCKET).key(key);
        let body = get.send().await.unwrap().body;
        body.collect().await.unwrap().to_vec()
    }
}

/// The code of a refusal; empty if there was none.
pub(crate) fn code<T, E, R>(outcome: Result<T, SdkError<E, R>>) -> String
where
    SdkError<E, R>: ProvideErrorMetadata,
{
    match outcome {
        Ok(_) => String::new(),
        Err(error) => error.code().unwrap_or("no code").to_owned(),
    }
}
