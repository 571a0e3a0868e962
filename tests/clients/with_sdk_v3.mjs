// The AWS SDK for JavaScript v3: checksums by trailer, parts, ranges, presigned URLs, listings,
// access points.
// Run by tests/clients/run.
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import http from "node:http";
import { createRequire } from "node:module";
import { Readable } from "node:stream";

const require = createRequire(process.env.NODE_MODULES + "/");
const s3sdk = require("@aws-sdk/client-s3");
const kmssdk = require("@aws-sdk/client-kms");
const controlsdk = require("@aws-sdk/client-s3-control");
const { Upload } = require("@aws-sdk/lib-storage");
const { getSignedUrl } = require("@aws-sdk/s3-request-presigner");

const s3 = new s3sdk.S3Client();
const kms = new kmssdk.KMSClient();
const send = (name, input) => s3.send(new s3sdk[`${name}Command`](input));
const bytes = async (answer) => Buffer.from(await answer.Body.transformToByteArray());

const { KeyMetadata } = await kms.send(new kmssdk.CreateKeyCommand({}));
const text = Buffer.from(`${process.env.CANARY} line\n`.repeat(4000));
const large = randomBytes(12_000_000);

for (const [Bucket, mode] of [["sse-s3", "AES256"], ["sse-kms", "aws:kms"]]) {
  await send("CreateBucket", { Bucket });
  if (mode === "aws:kms") {
    const ApplyServerSideEncryptionByDefault = { SSEAlgorithm: mode, KMSMasterKeyID: KeyMetadata.KeyId };
    const Rules = [{ ApplyServerSideEncryptionByDefault, BucketKeyEnabled: true }];
    await send("PutBucketEncryption", { Bucket, ServerSideEncryptionConfiguration: { Rules } });
  }

  const put = await send("PutObject", { Bucket, Key: "text", Body: text, Metadata: { by: "js" } });
  assert.equal(put.ServerSideEncryption, mode);
  if (mode === "AES256") {
    assert.equal(put.ETag, `"${createHash("md5").update(text).digest("hex")}"`);
  }
  const got = await send("GetObject", { Bucket, Key: "text", ChecksumMode: "ENABLED" });
  assert.deepEqual(await bytes(got), text);
  assert.equal(got.Metadata.by, "js");
  assert.ok(got.ChecksumCRC32, "the SDK's default checksum comes back");

  // A stream of unknown length goes up in parts.
  const upload = new Upload({
    client: s3, partSize: 5 << 20, queueSize: 3,
    params: { Bucket, Key: "large", Body: Readable.from([large.subarray(0, 7), large.subarray(7)]) },
  });
  await upload.done();
  const head = await send("HeadObject", { Bucket, Key: "large" });
  assert.equal(head.ContentLength, large.length);
  assert.match(head.ETag, /-3"$/);
  assert.deepEqual(await bytes(await send("GetObject", { Bucket, Key: "large" })), large);
  const range = await send("GetObject", { Bucket, Key: "large", Range: "bytes=5242870-5242890" });
  assert.deepEqual(await bytes(range), large.subarray(5242870, 5242891));

  const url = await getSignedUrl(s3, new s3sdk.GetObjectCommand({ Bucket, Key: "text" }), { expiresIn: 60 });
  const fetched = await fetch(url);
  assert.equal(fetched.status, 200);
  assert.deepEqual(Buffer.from(await fetched.arrayBuffer()), text);

  await send("CopyObject", { Bucket, Key: "copy", CopySource: `${Bucket}/text` });
  const listed = await send("ListObjectsV2", { Bucket });
  assert.deepEqual(listed.Contents.map((each) => [each.Key, each.Size]),
    [["copy", text.length], ["large", large.length], ["text", text.length]]);
  await assert.rejects(send("GetObject", { Bucket, Key: "nothing" }), { name: "NoSuchKey" });
  await assert.rejects(send("PutObject", { Bucket, Key: "text", Body: text, IfNoneMatch: "*" }),
    { name: "PreconditionFailed" });
  await send("DeleteObjects", { Bucket, Delete: { Objects: [{ Key: "copy" }, { Key: "large" }] } });
  assert.equal((await send("ListObjectsV2", { Bucket })).KeyCount, 1);
}

const key = randomBytes(32);
const customer = {
  SSECustomerAlgorithm: "AES256", SSECustomerKey: key.toString("base64"),
  SSECustomerKeyMD5: createHash("md5").update(key).digest("base64"),
};
await send("PutObject", { Bucket: "sse-s3", Key: "mine", Body: text, ...customer });
assert.deepEqual(await bytes(await send("GetObject", { Bucket: "sse-s3", Key: "mine", ...customer })), text);
await assert.rejects(send("GetObject", { Bucket: "sse-s3", Key: "mine" }));

// Access points by ARN and alias. The SDK puts account or access point before the host, and many machines do not
// resolve names under localhost, so these clients look none up.
const plain = process.env.S3_PLAIN_ENDPOINT;
if (plain) {
  const here = (_name, options, done) =>
    options.all ? done(null, [{ address: "127.0.0.1", family: 4 }]) : done(null, "127.0.0.1", 4);
  const requestHandler = { httpAgent: new http.Agent({ lookup: here }) };
  const by = { endpoint: plain.replace("127.0.0.1", "localhost"), requestHandler };
  const control = new controlsdk.S3ControlClient(by);
  const ask = (name, input) => control.send(new controlsdk[`${name}Command`](input));
  const through = new s3sdk.S3Client(by);
  const AccountId = KeyMetadata.Arn.split(":")[4];
  const { AccessPointArn, Alias } = await ask("CreateAccessPoint", { AccountId, Name: "js-ap", Bucket: "sse-s3" });
  const sent = { Bucket: AccessPointArn, Key: "through" };
  const stored = await through.send(new s3sdk.PutObjectCommand({ ...sent, Body: text }));
  assert.equal(stored.ServerSideEncryption, "AES256");
  assert.deepEqual(await bytes(await through.send(new s3sdk.GetObjectCommand(sent))), text);
  assert.deepEqual(await bytes(await send("GetObject", { Bucket: Alias, Key: "through" })), text);
  await send("CopyObject", { Bucket: "sse-kms", Key: "copied", CopySource: `${AccessPointArn}/object/through` });
  assert.deepEqual(await bytes(await send("GetObject", { Bucket: "sse-kms", Key: "copied" })), text);
  const { AccessPointList } = await ask("ListAccessPoints", { AccountId, Bucket: "sse-s3" });
  assert.deepEqual(AccessPointList.map((each) => each.Alias), [Alias]);
  await assert.rejects(send("DeleteBucket", { Bucket: "sse-s3" }));
  await ask("DeleteAccessPoint", { AccountId, Name: "js-ap" });
  await assert.rejects(through.send(new s3sdk.GetObjectCommand(sent)), { name: "NoSuchAccessPoint" });
}
