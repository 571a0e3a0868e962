// The behaviours of tests/fixtures/behaviours.md that are of the container itself, by their numbers. What controls and
// counts is the class that behaviours.test.mjs tests. Not 3: Testcontainers' own process ends a container. Not 18: the
// user of another account is made in the container and not known outside.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import { createRequire } from "node:module";
import os from "node:os";
import path from "node:path";
import { after, before, beforeEach, test } from "node:test";
import { CreateKeyCommand, DescribeKeyCommand, EncryptCommand, GenerateRandomCommand, KMSClient, ListAliasesCommand,
  ScheduleKeyDeletionCommand } from "@aws-sdk/client-kms";
import { CreateBucketCommand, GetObjectCommand, ListBucketsCommand, PutObjectCommand, S3Client }
  from "@aws-sdk/client-s3";
import { SealgateContainer } from "sealgate/testcontainers";

const IMAGE = process.env.SEALGATE_IMAGE ?? "localhost/sealgate:latest";
const SSE_KMS = { ServerSideEncryption: "aws:kms", SSEKMSKeyId: "alias/demo" };
let container, sealgate, s3, kms;

before(async () => {
  container = await new SealgateContainer(IMAGE).start();
  ({ sealgate } = container);
  s3 = new S3Client(sealgate.s3Config());
  kms = new KMSClient({ ...sealgate.kmsConfig(), maxAttempts: 1 });
});
beforeEach(() => sealgate.reset());
after(async () => {
  s3?.destroy();
  kms?.destroy();
  await container?.stop();
});

const named = (name) => ({ name });
const bucket = async () => {
  await s3.send(new CreateBucketCommand({ Bucket: "demo" }));
  await sealgate.mark();
};
const put = (Key, Body, more) => s3.send(new PutObjectCommand({ Bucket: "demo", Key, Body, ...more }));
const encrypt = (KeyId = "alias/demo") => kms.send(new EncryptCommand({ KeyId, Plaintext: Buffer.from("x") }));
const random = (client = kms) => client.send(new GenerateRandomCommand({ NumberOfBytes: 1 }));
const demo = async () => (await kms.send(new DescribeKeyCommand({ KeyId: "alias/demo" }))).KeyMetadata;
const stored = async () => {
  const chunks = [];
  for await (const chunk of await container.copyArchiveFromContainer("/var/lib/sealgate/store")) chunks.push(chunk);
  return Buffer.concat(chunks);
};

test("1, 2: it starts, and two share nothing", async () => {
  await bucket();
  const other = await new SealgateContainer(IMAGE).withRegion("eu-central-1").start();
  try {
    const theirs = new S3Client(other.sealgate.s3Config());
    assert.deepEqual((await theirs.send(new ListBucketsCommand({}))).Buckets ?? [], []);
    theirs.destroy();
    assert.equal(other.getRegion(), "eu-central-1");
    assert.notEqual(other.getAccessKey(), container.getAccessKey());
    assert.notEqual(other.getSecretKey(), container.getSecretKey());
    assert.notEqual(other.getCaCertificate(), container.getCaCertificate());
  } finally {
    await other.stop();
  }
});

test("4: a start that is refused is an error with Sealgate's own text", async () => {
  await assert.rejects(new SealgateContainer(IMAGE).withFlags("--seed", "/no-such-file").start(), /no-such-file/);
});

test("5: an object is read as it was written, and the disk lacks its plaintext", async () => {
  await bucket();
  await put("a-name-in-clear", "secret words");
  const got = await s3.send(new GetObjectCommand({ Bucket: "demo", Key: "a-name-in-clear" }));
  assert.equal(await got.Body.transformToString(), "secret words");
  const disk = await stored();
  assert.ok(!disk.includes("secret words"));
  // The check can fail: the name of an object is no secret.
  assert.ok(disk.includes("a-name-in-clear"));
  await assert.rejects(sealgate.assertBackendLacks("secret words"), /not reached from here/);
});

test("6, 7, 8: encryption is reported, and a PUT with SSE-KMS is one GenerateDataKey since the mark", async () => {
  await bucket();
  await put("k", "x", SSE_KMS);
  const expected = { algorithm: "aws:kms", keyId: (await demo()).Arn, bucketKey: false, customerAlgorithm: undefined };
  assert.deepEqual(await sealgate.encryptionOf("demo", "k"), expected);
  assert.equal(await sealgate.calls({ operation: "GenerateDataKey", key: "alias/demo" }), 1);
  assert.equal(await sealgate.requests({ operation: "PutObject", status: 200 }), 1);
  await sealgate.mark();
  assert.equal(await sealgate.calls(), 0);
});

test("9, 10, 11: failures are of a key and counted by key and outcome", async () => {
  const other = (await kms.send(new CreateKeyCommand({}))).KeyMetadata.KeyId;
  await sealgate.failNext(1, { operation: "Encrypt", key: "alias/demo", error: "KeyUnavailableException" });
  await encrypt(other);
  await assert.rejects(encrypt(), named("KeyUnavailableException"));
  await sealgate.throttleNext(1, { operation: "Encrypt" });
  await assert.rejects(encrypt(), named("ThrottlingException"));
  const outcome = "ThrottlingException";
  assert.equal(await sealgate.calls({ operation: "Encrypt", outcome, key: "alias/demo" }), 1);
  await assert.rejects(sealgate.calls({ key: "alias/dmo" }), /alias\/dmo/);
});

test("12, 13, 14: latency, quota and clock", async () => {
  const rule = await sealgate.latency(1, { operation: "GenerateRandom" });
  await random();
  assert.equal(await rule.remove(), 1);
  await sealgate.freeze("2026-01-02T03:04:05Z");
  await sealgate.quota("CryptographicOperationsSymmetric", 1);
  await encrypt();
  await assert.rejects(encrypt(), named("ThrottlingException"));
  const { KeyId } = (await kms.send(new CreateKeyCommand({}))).KeyMetadata;
  await kms.send(new ScheduleKeyDeletionCommand({ KeyId, PendingWindowInDays: 7 }));
  assert.match(await sealgate.advance({ days: 8 }), /^2026-01-10T03:04:05/);
  await assert.rejects(kms.send(new DescribeKeyCommand({ KeyId })), named("NotFoundException"));
});

test("15: keys of a seed file are there, and quotas are scaled", async () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "seed-"));
  const seed = path.join(folder, "keys.toml");
  fs.writeFileSync(seed, '[[key]]\nid = "testkey-1"\naliases = ["alias/seeded"]\n');
  const own = await new SealgateContainer(IMAGE).withSeed(seed).withQuotaScale(0.001).start();
  try {
    const client = new KMSClient({ ...own.sealgate.kmsConfig(), maxAttempts: 1 });
    const described = await client.send(new DescribeKeyCommand({ KeyId: "alias/seeded" }));
    assert.equal(described.KeyMetadata.KeyId, "testkey-1");
    await own.sealgate.freeze();
    const calls = async () => {
      for (let call = 0; call < 101; call += 1) await random(client);
    };
    await assert.rejects(calls(), named("ThrottlingException"));
    client.destroy();
  } finally {
    await own.stop();
    fs.rmSync(folder, { recursive: true });
  }
});

test("16: code that makes its own clients finds it by the environment", async () => {
  await bucket();
  const program = `import { S3Client, ListBucketsCommand } from "@aws-sdk/client-s3";
    const s3 = new S3Client({ forcePathStyle: true });
    console.log((await s3.send(new ListBucketsCommand({}))).Buckets[0].Name);`;
  const env = { PATH: process.env.PATH, ...sealgate.env() };
  const options = { cwd: import.meta.dirname, env };
  assert.equal(String(execFileSync(process.execPath, ["--input-type=module", "-e", program], options)).trim(), "demo");
});

test("17: a reset puts keys, buckets, faults and quotas back to the start", async () => {
  await bucket();
  const { KeyId } = (await kms.send(new CreateKeyCommand({}))).KeyMetadata;
  await sealgate.throttleNext(1);
  await sealgate.quota("CryptographicOperationsSymmetric", 1);
  await sealgate.reset();
  assert.equal(await sealgate.calls(), 0);
  assert.deepEqual((await s3.send(new ListBucketsCommand({}))).Buckets ?? [], []);
  await assert.rejects(kms.send(new DescribeKeyCommand({ KeyId })), named("NotFoundException"));
  await bucket();
  for (const body of ["one", "two"]) await put("k", body, SSE_KMS);
});

test("19, 20: events and waiting for calls", async () => {
  await random();
  await kms.send(new ListAliasesCommand({}));
  const names = (await sealgate.events({ limit: 2 })).map((event) => event.eventName);
  assert.deepEqual(names, ["ListAliases", "GenerateRandom"]);
  assert.equal(await sealgate.waitForCalls(1, { operation: "GenerateRandom" }), 1);
  const late = sealgate.waitForCalls(2, { operation: "GenerateRandom" }, { timeout: 50 });
  await assert.rejects(late, /1 calls of GenerateRandom/);
  assert.throws(() => sealgate.s3Config({ alt: true }), /not known here/);
});

test("the example of the readme passes", () => {
  const folder = path.dirname(createRequire(import.meta.url).resolve("sealgate"));
  const readme = fs.readFileSync(path.join(folder, "README.md"), "utf8").replace("localhost/sealgate:latest", IMAGE);
  const [, example] = readme.match(/```js\n(import \{ SealgateContainer[^]*?)```/);
  const program = `import { S3Client } from "@aws-sdk/client-s3";\n${example}`;
  const options = { cwd: import.meta.dirname, timeout: 60_000 };
  execFileSync(process.execPath, ["--input-type=module", "-e", program], options);
});
