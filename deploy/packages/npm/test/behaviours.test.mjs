// The behaviours of tests/fixtures/behaviours.md, by their numbers.
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import fs from "node:fs";
import { createRequire } from "node:module";
import os from "node:os";
import path from "node:path";
import { after, before, beforeEach, test } from "node:test";
import { KMSClient, CreateKeyCommand, DescribeKeyCommand, EncryptCommand, GenerateRandomCommand, ListAliasesCommand,
  ScheduleKeyDeletionCommand } from "@aws-sdk/client-kms";
import { CreateBucketCommand, GetObjectCommand, ListBucketsCommand, PutObjectCommand, S3Client }
  from "@aws-sdk/client-s3";
import { SealgateError, startSealgate } from "sealgate";

const SSE_KMS = { ServerSideEncryption: "aws:kms", SSEKMSKeyId: "alias/demo" };
const Plaintext = Buffer.from("x");
let sealgate, s3, kms;

before(async () => {
  sealgate = await startSealgate();
  s3 = new S3Client(sealgate.s3Config());
  kms = new KMSClient({ ...sealgate.kmsConfig(), maxAttempts: 1 });
});
beforeEach(() => sealgate.reset());
after(async () => {
  s3.destroy();
  kms.destroy();
  assert.equal(await sealgate.stop(), 0);
});

const put = (Bucket, Key, Body, more) => s3.send(new PutObjectCommand({ Bucket, Key, Body, ...more }));
const encrypt = (KeyId = "alias/demo") => kms.send(new EncryptCommand({ KeyId, Plaintext }));
const random = (client = kms) => client.send(new GenerateRandomCommand({ NumberOfBytes: 1 }));
const text = async (Bucket, Key) =>
  (await s3.send(new GetObjectCommand({ Bucket, Key }))).Body.transformToString();
const bucket = async (Bucket = "demo") => {
  await s3.send(new CreateBucketCommand({ Bucket }));
  await sealgate.mark();
};
const demo = async () => (await kms.send(new DescribeKeyCommand({ KeyId: "alias/demo" }))).KeyMetadata;
const named = (name) => ({ name });

test("1: it starts on free ports, has the version, and ends with status 0", async () => {
  const own = await startSealgate();
  assert.match(own.line.version, /^\d+\.\d+\.\d+/);
  assert.equal(await own.stop(), 0);
  assert.equal(await own.stop(), 0);
  assert.equal(createRequire(import.meta.url)("sealgate").startSealgate, startSealgate);
});

test("2: two at once share nothing", async () => {
  const other = await startSealgate();
  await bucket("only-here");
  const theirs = new S3Client(other.s3Config());
  assert.deepEqual((await theirs.send(new ListBucketsCommand({}))).Buckets ?? [], []);
  assert.notEqual(other.line.kms_endpoint, sealgate.line.kms_endpoint);
  theirs.destroy();
  await other[Symbol.asyncDispose]();
});

test("3: it ends when the process that started it is killed, or ends without stopping it", async () => {
  for (const end of ["process.kill(process.pid, 'SIGKILL')", ""]) {
    const program = `import { startSealgate } from "sealgate";
      const sealgate = await startSealgate(); console.log(sealgate._child.pid); ${end}`;
    const options = { cwd: import.meta.dirname, timeout: 30_000 };
    const ended = spawnSync(process.execPath, ["--input-type=module", "-e", program], options);
    assert.equal(ended.signal, end ? "SIGKILL" : null, String(ended.stderr));
    const pid = String(ended.stdout).trim();
    const state = () => spawnSync("ps", ["-o", "stat=", "-p", pid]).stdout.toString().trim();
    for (let tries = 0; state() && !state().startsWith("Z"); tries += 1) {
      assert.ok(tries < 500, `process ${pid} is still there`);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }
});

test("4: a start that is refused is an error with Sealgate's own text", async () => {
  await assert.rejects(startSealgate({ seed: "/no-such-file" }), /no-such-file/);
  await assert.rejects(startSealgate({ binary: "/no-binary" }), /does not start/);
});

test("5: an object is read as it was written, and the backend lacks its plaintext", async () => {
  await bucket();
  await put("demo", "k", "secret words");
  assert.equal(await text("demo", "k"), "secret words");
  await sealgate.assertBackendLacks("secret words");
  // The check can fail: the name of an object is no secret.
  await put("demo", "a-name-in-clear", "");
  await assert.rejects(sealgate.assertBackendLacks("a-name-in-clear"), /the backend has it/);
});

test("6: the encryption of an object names its algorithm and its key", async () => {
  await bucket();
  await put("demo", "k", "x", SSE_KMS);
  const keyId = (await demo()).Arn;
  const expected = { algorithm: "aws:kms", keyId, bucketKey: false, customerAlgorithm: undefined };
  assert.deepEqual(await sealgate.encryptionOf("demo", "k"), expected);
});

test("7: a PUT with SSE-KMS is one GenerateDataKey", async () => {
  await bucket();
  await put("demo", "k", "x", SSE_KMS);
  assert.equal(await sealgate.calls({ operation: "GenerateDataKey", key: "alias/demo" }), 1);
  assert.equal(await sealgate.requests({ operation: "PutObject", status: 200 }), 1);
});

test("8: counts begin at a mark", async () => {
  await random();
  await sealgate.mark();
  assert.equal(await sealgate.calls(), 0);
  await random();
  assert.equal(await sealgate.calls({ operation: "GenerateRandom", outcome: "OK" }), 1);
});

test("9: calls are counted by alias and id, and a misspelt name is an error", async () => {
  const key = (await demo()).KeyId;
  await encrypt(key);
  await encrypt();
  for (const name of [key, "alias/demo"]) {
    assert.equal(await sealgate.calls({ operation: "Encrypt", key: name }), 2);
  }
  await assert.rejects(sealgate.calls({ key: "alias/dmo" }), /alias\/dmo/);
  await assert.rejects(sealgate.calls({ operation: "Encript" }), SealgateError);
});

test("10: the next calls are throttled, as many as requested, and counted by their outcome", async () => {
  await sealgate.throttleNext(2, { operation: "Encrypt" });
  for (let call = 0; call < 2; call += 1) await assert.rejects(encrypt(), named("ThrottlingException"));
  await encrypt();
  const outcome = "ThrottlingException";
  assert.equal(await sealgate.calls({ operation: "Encrypt", outcome, key: "alias/demo" }), 2);
  assert.equal(await sealgate.calls({ operation: "Encrypt", outcome: "OK" }), 1);
});

test("11: a failure is of one key and leaves calls with other keys alone", async () => {
  const other = (await kms.send(new CreateKeyCommand({}))).KeyMetadata.KeyId;
  await sealgate.failNext(1, { operation: "Encrypt", key: "alias/demo", error: "KeyUnavailableException" });
  await encrypt(other);
  await assert.rejects(encrypt(), named("KeyUnavailableException"));
});

test("12: a latency is applied to calls until it is removed", async () => {
  const rule = await sealgate.latency(1, { operation: "GenerateRandom" });
  for (let call = 0; call < 3; call += 1) await random();
  assert.equal(await rule.remove(), 3);
  await assert.rejects(rule.remove(), /no rule/);
});

test("13: a quota serves its rate in a second and throttles the next call", async () => {
  await sealgate.freeze();
  await sealgate.quota("CryptographicOperationsSymmetric", 3);
  for (let call = 0; call < 3; call += 1) await encrypt();
  await assert.rejects(encrypt(), named("ThrottlingException"));
  await sealgate.advance({ seconds: 1 });
  await encrypt();
});

test("14: a clock that is moved deletes a key whose waiting period is over", async () => {
  const own = await startSealgate({ clock: "2026-01-02T03:04:05Z" });
  const client = new KMSClient(own.kmsConfig());
  const { KeyId } = (await client.send(new CreateKeyCommand({}))).KeyMetadata;
  await client.send(new ScheduleKeyDeletionCommand({ KeyId, PendingWindowInDays: 7 }));
  assert.match(await own.advance({ days: 8 }), /^2026-01-10T03:04:05/);
  await assert.rejects(client.send(new DescribeKeyCommand({ KeyId })), named("NotFoundException"));
  client.destroy();
  await own.stop();
});

test("15: keys of a seed file are there under their ids and aliases", async () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "seed-"));
  const seed = path.join(folder, "keys.toml");
  fs.writeFileSync(seed, '[[key]]\nid = "testkey-1"\naliases = ["alias/seeded"]\n');
  const own = await startSealgate({ seed });
  const client = new KMSClient(own.kmsConfig());
  const described = await client.send(new DescribeKeyCommand({ KeyId: "alias/seeded" }));
  assert.equal(described.KeyMetadata.KeyId, "testkey-1");
  client.destroy();
  await own.stop();
  fs.rmSync(folder, { recursive: true });
});

test("16: code that makes its own clients finds it by the environment", async () => {
  await bucket("by-environment");
  // Node reads the file of CAs when it starts.
  const program = `import { S3Client, ListBucketsCommand } from "@aws-sdk/client-s3";
    const s3 = new S3Client({ forcePathStyle: true });
    console.log((await s3.send(new ListBucketsCommand({}))).Buckets[0].Name);`;
  const env = { PATH: process.env.PATH, ...sealgate.env() };
  const options = { cwd: import.meta.dirname, env };
  const listed = execFileSync(process.execPath, ["--input-type=module", "-e", program], options);
  assert.equal(String(listed).trim(), "by-environment");
});

test("17: a reset puts keys, buckets, faults and quotas back to the start", async () => {
  await bucket("gone");
  const { KeyId } = (await kms.send(new CreateKeyCommand({}))).KeyMetadata;
  await sealgate.throttleNext(1);
  await sealgate.quota("CryptographicOperationsSymmetric", 1);
  await sealgate.reset();
  assert.equal(await sealgate.calls(), 0);
  assert.deepEqual((await s3.send(new ListBucketsCommand({}))).Buckets ?? [], []);
  await assert.rejects(kms.send(new DescribeKeyCommand({ KeyId })), named("NotFoundException"));
  await bucket("again");
  for (const body of ["one", "two"]) await put("again", "k", body, SSE_KMS);
  assert.equal(await text("again", "k"), "two");
});

test("18: a user of another account may not read", async () => {
  await bucket();
  await put("demo", "k", "x");
  const other = new S3Client(sealgate.s3Config({ alt: true }));
  await assert.rejects(other.send(new GetObjectCommand({ Bucket: "demo", Key: "k" })), named("AccessDenied"));
  const theirs = new KMSClient(sealgate.kmsConfig({ alt: true }));
  const described = theirs.send(new DescribeKeyCommand({ KeyId: (await demo()).Arn }));
  await assert.rejects(described, named("AccessDeniedException"));
  other.destroy();
  theirs.destroy();
});

test("19: events name what was called, the newest first", async () => {
  await random();
  await kms.send(new ListAliasesCommand({}));
  const names = (await sealgate.events({ limit: 2 })).map((event) => event.eventName);
  assert.deepEqual(names, ["ListAliases", "GenerateRandom"]);
});

test("20: waiting for calls ends when they were made, or with an error that says how many were", async () => {
  const call = new Promise((resolve) => setTimeout(resolve, 50)).then(() => random());
  assert.equal(await sealgate.waitForCalls(1, { operation: "GenerateRandom" }), 1);
  await call;
  const late = sealgate.waitForCalls(2, { operation: "GenerateRandom" }, { timeout: 50 });
  await assert.rejects(late, /1 calls of GenerateRandom/);
});
