//! Multipart uploads: what goes in in parts comes out whole, and whatever goes wrong leaves no half
//! object behind.

mod beginning;
mod checksums;
mod completing;
mod copying;
mod reading;
mod refusals;

use bytes::Bytes;
use gateway::chunks::layout;
use gateway::operation::store::ObjectStore;
use gateway::operation::upload::abort::abort_multipart_upload;
use gateway::operation::upload::complete::complete_multipart_upload;
use gateway::operation::upload::create::create_multipart_upload;
use gateway::operation::upload::list::list_parts;
use gateway::operation::upload::part::upload_part;
use gateway::operation::upload::part_copy::upload_part_copy;
use http::Method;
use md5::Digest as _;

use crate::direct::Answer;
use crate::direct::BUCKET;
use crate::direct::Direct;
use crate::direct::Request;
use crate::direct::content;

pub const MIB: usize = 1 << 20;
pub const CUSTOMER_KEY: [u8; 32] = *b"customer-key-canary-0123456789ab";

/// One gateway's multipart operations.
pub struct Uploading<'a>(pub &'a ObjectStore);

impl Uploading<'_> {
    pub async fn create(&self, request: Request) -> Answer {
        let request = request.query("uploads", "").into_request(Method::POST);
        Answer::of(create_multipart_upload(self.0, request).await).await
    }

    /// The id of a new upload.
    pub async fn begin(&self, request: Request) -> String {
        let answer = self.create(request).await.ok();
        element(&answer.text(), "UploadId").to_owned()
    }

    pub async fn part(&self, request: Request, id: &str, number: u32, body: Bytes) -> Answer {
        let request = request
            .query("partNumber", &number.to_string())
            .query("uploadId", id)
            .body(body);
        Answer::of(upload_part(self.0, request.into_request(Method::PUT)).await).await
    }

    pub async fn part_copy(&self, request: Request, id: &str, number: u32) -> Answer {
        let request = request
            .query("partNumber", &number.to_string())
            .query("uploadId", id);
        let request = request.into_request(Method::PUT);
        Answer::of(upload_part_copy(self.0, request).await).await
    }

    /// Sends parts; their numbers and ETags.
    pub async fn send(
        &self,
        request: &Request,
        id: &str,
        parts: &[(u32, Bytes)],
    ) -> Vec<(u32, String)> {
        let mut etags = Vec::new();
        for (number, body) in parts {
            let answer = self
                .part(request.clone(), id, *number, body.clone())
                .await
                .ok();
            etags.push((*number, answer.header("etag").to_owned()));
        }
        etags
    }

    pub async fn complete(&self, request: Request, id: &str, parts: &[(u32, String)]) -> Answer {
        self.complete_by(request, id, document(parts)).await
    }

    /// Completes the upload of `k` by a document of the test's own.
    pub async fn finish(&self, id: &str, document: String) -> Answer {
        self.complete_by(Request::new("k"), id, document).await
    }

    async fn complete_by(&self, request: Request, id: &str, document: String) -> Answer {
        let request = request.query("uploadId", id).body(document);
        Answer::of(complete_multipart_upload(self.0, request.into_request(Method::POST)).await)
            .await
    }

    pub async fn abort(&self, request: Request, id: &str) -> Answer {
        let request = request.query("uploadId", id).into_request(Method::DELETE);
        Answer::of(abort_multipart_upload(self.0, request).await).await
    }

    pub async fn parts(&self, request: Request, id: &str) -> Answer {
        let request = request.query("uploadId", id).into_request(Method::GET);
        Answer::of(list_parts(self.0, request).await).await
    }

    /// Begins, sends and completes.
    pub async fn upload(
        &self,
        create: Request,
        request: &Request,
        parts: &[(u32, Bytes)],
    ) -> (String, Vec<(u32, String)>, Answer) {
        let id = self.begin(create).await;
        let etags = self.send(request, &id, parts).await;
        let answer = self.complete(request.clone(), &id, &etags).await.ok();
        (id, etags, answer)
    }
}

impl Direct {
    pub fn uploading(&self) -> Uploading<'_> {
        Uploading(&self.objects)
    }
}

impl Answer {
    pub fn text(&self) -> String {
        String::from_utf8(self.body.to_vec()).unwrap()
    }
}

pub fn document(parts: &[(u32, String)]) -> String {
    let parts: String = parts
        .iter()
        .map(|(number, etag)| {
            format!("<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>")
        })
        .collect();
    format!("<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>")
}

/// The text of the first element of this name.
pub fn element<'a>(document: &'a str, name: &str) -> &'a str {
    let (_, rest) = document
        .split_once(&format!("<{name}>"))
        .unwrap_or_else(|| panic!("no {name} in {document}"));
    rest.split_once("</").unwrap().0
}

/// The texts of all elements of this name.
pub fn elements<'a>(document: &'a str, name: &str) -> Vec<&'a str> {
    let start = format!("<{name}>");
    let pieces = document.split(start.as_str()).skip(1);
    pieces
        .map(|rest| rest.split_once("</").unwrap().0)
        .collect()
}

/// Parts of these sizes with numbers from 1, cut from one content.
pub fn parts(sizes: &[usize]) -> Vec<(u32, Bytes)> {
    let numbers: Vec<_> = (1..).zip(sizes).map(|(n, size)| (n, *size)).collect();
    numbered(&numbers)
}

pub fn numbered(sizes: &[(u32, usize)]) -> Vec<(u32, Bytes)> {
    let mut whole = content(sizes.iter().map(|(_, size)| size).sum());
    let cut = |(number, size): &(u32, usize)| (*number, whole.split_to(*size));
    sizes.iter().map(cut).collect()
}

pub fn joined(parts: &[(u32, Bytes)]) -> Bytes {
    let whole: Vec<u8> = parts.iter().flat_map(|(_, body)| body.to_vec()).collect();
    whole.into()
}

/// The ETag of S3: MD5 of the MD5s.
pub fn md5_of_md5s(parts: &[(u32, Bytes)]) -> String {
    let digests: Vec<u8> = parts
        .iter()
        .flat_map(|(_, body)| md5::Md5::digest(body).to_vec())
        .collect();
    let digest = hex::encode(md5::Md5::digest(digests));
    format!("\"{digest}-{}\"", parts.len())
}

/// What a mode adds to a request.
pub type Ask = fn(Request) -> Request;

/// A way to ask for a mode: at the creation, and with each later request.
pub fn modes() -> [(&'static str, Ask, Ask); 5] {
    const SSE: &str = "x-amz-server-side-encryption";
    const SWITCH: &str = "x-amz-server-side-encryption-bucket-key-enabled";
    [
        ("SSE-S3", |request| request, |request| request),
        (
            "SSE-KMS",
            |request| request.header(SSE, "aws:kms"),
            |request| request,
        ),
        (
            "bucket key",
            |request| request.header(SSE, "aws:kms").header(SWITCH, "true"),
            |request| request,
        ),
        (
            "DSSE-KMS",
            |request| request.header(SSE, "aws:kms:dsse"),
            |request| request,
        ),
        (
            "SSE-C",
            |request| request.customer_key(&CUSTOMER_KEY),
            |request| request.customer_key(&CUSTOMER_KEY),
        ),
    ]
}

/// Checks GET, HEAD and LIST of an object against what was sent.
pub async fn expect_object(
    world: &Direct,
    key: &str,
    read: fn(Request) -> Request,
    parts: &[(u32, Bytes)],
) {
    let whole = joined(parts);
    let get = world.get(read(Request::new(key))).await.ok();
    assert_eq!(get.body.len(), whole.len(), "{key}");
    assert!(get.body == whole, "{key}");
    let head = world.head(read(Request::new(key))).await.ok();
    let list = world.list(Request::new("").query("prefix", key)).await.ok();
    let listed = list.text();
    for answer in [&get, &head] {
        assert_eq!(answer.header("content-length"), whole.len().to_string());
        assert_eq!(answer.header("x-amz-meta-sealgate"), "");
        assert_eq!(
            answer.header("etag").trim_matches('"'),
            element(&listed, "ETag").replace("&quot;", "")
        );
        assert!(
            answer
                .header("etag")
                .ends_with(&format!("-{}\"", parts.len())),
            "{key}"
        );
    }
    assert_eq!(element(&listed, "Size"), whole.len().to_string(), "{key}");

    let stored = world.backend.object(BUCKET, key).unwrap();
    let (_, count) = stored.etag.rsplit_once('-').unwrap();
    let stored_bytes = layout::stored_bytes_in_parts(whole.len() as u64, count.parse().unwrap());
    assert_eq!(stored.body.len() as u64, stored_bytes.unwrap(), "{key}");
}

#[tokio::test]
async fn an_upload_of_unequal_parts_comes_back_whole_in_each_mode() {
    let world = Direct::start().await;
    let sent = parts(&[5 * MIB + 3, 5 * MIB, 70_001]);
    for (mode, create, request) in modes() {
        let (_, _, done) = world
            .uploading()
            .upload(
                create(Request::new(mode)),
                &request(Request::new(mode)),
                &sent,
            )
            .await;
        let etag = element(&done.text(), "ETag").replace("&quot;", "\"");
        assert_eq!(etag == md5_of_md5s(&sent), mode == "SSE-S3", "{mode}");
        expect_object(&world, mode, request, &sent).await;
        let get = world.get(request(Request::new(mode))).await.ok();
        assert_eq!(get.header("etag"), etag, "{mode}");
    }
}

#[tokio::test]
async fn numbers_may_have_gaps_and_the_last_part_any_size() {
    let world = Direct::start().await;
    for (name, sizes) in [
        ("one byte", &[(1, 5 * MIB), (2, 1)][..]),
        ("just too small", &[(2, 5 * MIB), (7, 5 * MIB - 1)]),
        ("smaller only before it is sealed", &[(1, 5 * MIB - 200)]),
        ("large enough", &[(1, 5 * MIB), (9_998, 5 * MIB)]),
        ("the last number, small", &[(5, 5 * MIB), (10_000, 10)]),
        (
            "the last number, large",
            &[(9_999, 5 * MIB), (10_000, 5 * MIB + 1)],
        ),
        ("one part", &[(3, 100)]),
        ("nothing", &[(1, 0)]),
        ("nothing behind something", &[(1, 5 * MIB + 16_384), (2, 0)]),
    ] {
        let sent = numbered(sizes);
        let request = Request::new(name);
        let (_, _, done) = world
            .uploading()
            .upload(request.clone(), &request, &sent)
            .await;
        let etag = element(&done.text(), "ETag").replace("&quot;", "\"");
        assert_eq!(etag, md5_of_md5s(&sent), "{name}");
        expect_object(&world, name, |request| request, &sent).await;
    }
    assert!(world.backend.uploads().is_empty());
}

#[tokio::test]
async fn of_a_part_sent_twice_the_later_one_counts() {
    let world = Direct::start().await;
    for size in [100, 5 * MIB + 5] {
        let key = format!("twice {size}");
        let request = Request::new(&key);
        let id = world.uploading().begin(request.clone()).await;
        let first = content(size);
        let mut second = first.to_vec();
        second[size - 1] ^= 1;
        let second = Bytes::from(second);
        let uploading = world.uploading();
        let stale = uploading.send(&request, &id, &[(1, first)]).await;
        let latest = uploading.send(&request, &id, &[(1, second.clone())]).await;
        uploading
            .complete(request.clone(), &id, &stale)
            .await
            .refused(400, "InvalidPart");
        uploading.complete(request, &id, &latest).await.ok();
        expect_object(&world, &key, |request| request, &[(1, second)]).await;
    }
}

#[tokio::test]
async fn no_attempt_to_send_a_part_shares_a_key_with_another() {
    let world = Direct::start().await;
    let request = Request::new("k");
    let id = world.uploading().begin(request.clone()).await;
    let mut heads = Vec::new();
    for _ in 0..3 {
        world
            .uploading()
            .send(&request, &id, &[(1, content(40))])
            .await;
        let uploads = world.backend.uploads();
        heads.push(uploads[&id].parts[&1].body[16..72].to_vec());
    }
    heads.sort();
    heads.dedup();
    assert_eq!(heads.len(), 3);
}

#[tokio::test]
async fn any_gateway_goes_on_with_an_upload() {
    let world = Direct::start().await;
    let sent = parts(&[5 * MIB, 77]);
    for (mode, create, later) in modes() {
        let request = later(Request::new(mode));
        let id = world.uploading().begin(create(Request::new(mode))).await;
        let (second, third) = (world.another(), world.another());
        let mut etags = world.uploading().send(&request, &id, &sent[..1]).await;
        etags.extend(second.uploading().send(&request, &id, &sent[1..]).await);
        let listed = third.uploading().parts(Request::new(mode), &id).await.ok();
        assert_eq!(elements(&listed.text(), "Size"), ["5242880", "77"]);
        let done = third.uploading().complete(request, &id, &etags).await.ok();
        expect_object(&second, mode, later, &sent).await;
        let again = world.another();
        let uploading = again.uploading();
        let again = uploading.complete(later(Request::new(mode)), &id, &etags);
        assert_eq!(again.await.ok().text(), done.text(), "{mode}");
    }
}

#[tokio::test]
async fn an_aborted_upload_leaves_nothing_behind() {
    let world = Direct::start().await;
    let request = Request::new("k");
    let id = world.uploading().begin(request.clone()).await;
    world
        .uploading()
        .send(&request, &id, &parts(&[100, 200]))
        .await;
    let answer = world.uploading().abort(request.clone(), &id).await.ok();
    assert_eq!(answer.status, 204);
    assert!(world.backend.uploads().is_empty());
    assert!(world.backend.keys(BUCKET).is_empty());
    let state = world.backend.keys("sealgate-state");
    assert!(
        state.iter().all(|name| !name.contains("uploads/")),
        "{state:?}"
    );
    for gateway in [&world, &world.another()] {
        let uploading = gateway.uploading();
        uploading
            .abort(request.clone(), &id)
            .await
            .refused(404, "NoSuchUpload");
        uploading
            .parts(request.clone(), &id)
            .await
            .refused(404, "NoSuchUpload");
        uploading
            .part(request.clone(), &id, 1, content(5))
            .await
            .refused(404, "NoSuchUpload");
        uploading
            .complete(request.clone(), &id, &[(1, "x".into())])
            .await
            .refused(404, "NoSuchUpload");
    }
}

#[tokio::test]
async fn an_upload_is_found_under_its_own_name_only() {
    let world = Direct::start().await;
    let id = world.uploading().begin(Request::new("k")).await;
    for other in ["K", "k/", "other"] {
        world
            .uploading()
            .part(Request::new(other), &id, 1, content(5))
            .await
            .refused(404, "NoSuchUpload");
    }
}

#[tokio::test]
async fn once_complete_an_upload_leaves_its_head_and_no_part_in_the_state() {
    let world = Direct::start().await;
    let request = Request::new("k");
    world
        .uploading()
        .upload(request.clone(), &request, &parts(&[5 * MIB, 9]))
        .await;
    let state = world.backend.keys("sealgate-state");
    assert!(
        state.iter().all(|name| !name.starts_with("uploads/")),
        "{state:?}"
    );
}
