// The KMS by Node's client (@grpc/grpc-js). Run by tests/clients/grpc/run.
import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import grpc from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import protobuf from "protobufjs";

const definition = loadSync("kms/v1/kms.proto", { includeDirs: [process.argv[2]], keepCase: true, longs: Number });
const { KeyManagement } = grpc.loadPackageDefinition(definition).sealgate.kms.v1;
const details = protobuf.parse(`syntax = "proto3"; package google.rpc;
  message Any { string type_url = 1; bytes value = 2; }
  message Status { int32 code = 1; string message = 2; repeated Any details = 3; }
  message ErrorInfo { string reason = 1; string domain = 2; map<string, string> metadata = 3; }
  message Duration { int64 seconds = 1; int32 nanos = 2; }
  message RetryInfo { Duration retry_delay = 1; }`, { keepCase: true }).root;

const policy = { methodConfig: [{ name: [{}], retryPolicy: {
  maxAttempts: 5, initialBackoff: "0.01s", maxBackoff: "0.02s", backoffMultiplier: 1,
  retryableStatusCodes: ["RESOURCE_EXHAUSTED"] } }] };

/** The methods as promises, with the token in each call. */
function client(token, options = {}) {
  const stub = new KeyManagement(process.env.ENDPOINT, grpc.credentials.createInsecure(), {
    "grpc.default_compression_algorithm": grpc.compressionAlgorithms.gzip, ...options });
  const metadata = new grpc.Metadata();
  metadata.set("authorization", `Bearer ${token}`);
  return new Proxy({}, { get: (_, name) => (request = {}) => new Promise((resolve, reject) =>
    stub[name](request, metadata, (error, answer) => (error ? reject(error) : resolve(answer)))) });
}

/** The details of an error with that code, by their types. */
function refused(error, code) {
  assert.equal(error?.code, code, error);
  const bytes = error.metadata.get("grpc-status-details-bin")[0];
  const found = {};
  for (const { type_url, value } of details.lookupType("google.rpc.Status").decode(bytes).details) {
    const name = type_url.split("/")[1];
    found[name] = details.lookupType(name).decode(value);
  }
  return found;
}
const failure = (call) => call.then(() => undefined, (error) => error);

const kms = client(process.env.GRPC_TOKEN);
const { key_metadata: key } = await kms.CreateKey({ description: "by Node" });
const encryption_context = { purpose: "test" };
const sealed = await kms.Encrypt({ key_id: key.key_id, plaintext: Buffer.from("a secret"), encryption_context });
const opened = await kms.Decrypt({ ciphertext_blob: sealed.ciphertext_blob, encryption_context });
assert.equal(opened.plaintext.toString(), "a secret");

const nowhere = { key_id: "11111111-2222-3333-4444-555555555555" };
const info = refused(await failure(kms.DescribeKey(nowhere)), grpc.status.NOT_FOUND)["google.rpc.ErrorInfo"];
assert.equal(info.reason, "NotFoundException");
const alt = client(process.env.ALT_GRPC_TOKEN);
refused(await failure(alt.DescribeKey({ key_id: key.arn })), grpc.status.PERMISSION_DENIED);
refused(await failure(client("guess").ListKeys()), grpc.status.UNAUTHENTICATED);

let error;
while (!error) error = await failure(kms.ListAliases());
const { retry_delay: delay } = refused(error, grpc.status.RESOURCE_EXHAUSTED)["google.rpc.RetryInfo"];
const milliseconds = Number(delay.seconds) * 1000 + delay.nanos / 1e6;
assert(milliseconds > 0 && milliseconds <= 1000, `${milliseconds}`);
// Timers of Node may fire a millisecond early.
await sleep(milliseconds + 1);
await kms.ListAliases();
const patient = client(process.env.GRPC_TOKEN, { "grpc.service_config": JSON.stringify(policy) });
for (let n = 0; n < 5; n++) await patient.ListAliases();
process.exit(0);
