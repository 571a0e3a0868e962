// A local S3 and KMS for tests: startSealgate(). All state is in the process that this starts, which ends with its
// standard input and so never outlives the program that started it. No dependency; @aws-sdk/client-s3 is loaded when
// objects are looked at.
"use strict";
const { spawn } = require("node:child_process");
const fs = require("node:fs");
const { Agent } = require("node:https");
const os = require("node:os");
const path = require("node:path");
const { findBinary } = require("./binary.cjs");

const SNAPSHOT = "sealgate-start";
const LOG_BYTES = 1 << 16;

/** Sealgate did not start, or refused a request on an admin port. The text is its own. */
class SealgateError extends Error {
  name = "SealgateError";
}

/** A failure or latency in force. */
class Rule {
  constructor(sealgate, id) {
    Object.assign(this, { sealgate, id });
  }

  async remove() {
    return (await this.sealgate._kmsAdmin("POST", "/admin/faults/remove", { id: this.id })).struck;
  }
}

function openLog(file) {
  if (file) return fs.openSync(file, "a+");
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "sealgate-log-"));
  const log = fs.openSync(path.join(folder, "log"), "a+");
  // The open file stays until the last process that has it ends.
  fs.rmSync(folder, { recursive: true });
  return log;
}

async function startSealgate(options = {}) {
  const { quotaScale, seed, clock, config, args = [], binary, log } = options;
  const command = ["up", "--fixture", "--ephemeral"];
  for (const [flag, value] of [["--quota-scale", quotaScale], ["--seed", seed], ["--config", config]]) {
    if (value !== undefined) command.push(flag, String(value));
  }
  const sealgate = new Sealgate();
  await sealgate._start(binary ?? findBinary(), [...command, ...args], openLog(log));
  if (clock !== undefined) await sealgate.freeze(clock);
  return sealgate;
}

/** A Sealgate that runs already, such as in a container: `line` has the names of the fixture line. */
async function attachSealgate(line) {
  const sealgate = new Sealgate();
  await sealgate._begin(line);
  return sealgate;
}

/** A Sealgate that runs. */
class Sealgate {
  async _start(binary, args, log) {
    this._log = log;
    const child = spawn(binary, args, { stdio: ["pipe", "pipe", log] });
    this._child = child;
    this._ended = new Promise((resolve) => child.once("close", resolve));
    const line = await new Promise((resolve, reject) => {
      let text = "";
      child.once("error", (error) => reject(new SealgateError(`${binary} does not start: ${error.message}`)));
      // After a line this changes nothing, and a process that did not start has written no log.
      this._ended.then((code) => {
        if (child.pid && !text) reject(new SealgateError(`sealgate ended with status ${code}:\n${this.log()}`));
      });
      child.stdout.on("data", (data) => {
        text += data;
        if (text.includes("\n")) resolve(text);
      });
    }).catch((error) => {
      fs.closeSync(log);
      throw error;
    });
    // A program that forgets to stop it can end all the same, and ends it by that.
    for (const handle of [child, child.stdin, child.stdout]) handle.unref();
    await this._begin(JSON.parse(line));
  }

  async _begin(line) {
    this.line = line;
    await this._ready();
    await this._kmsAdmin("POST", "/admin/snapshots", { name: SNAPSHOT });
    this._quotas = (await this._kmsAdmin("GET", "/admin/quotas")).config;
    await this.mark();
  }

  async stop() {
    if (!this._child) return 0;
    if (!this._stopped) {
      this._child.ref();
      this._child.stdin.end();
      this._stopped = this._ended.then((code) => {
        fs.closeSync(this._log);
        return code;
      });
    }
    return this._stopped;
  }

  async [Symbol.asyncDispose]() {
    await this.stop();
  }

  async reset() {
    await this._kmsAdmin("PUT", "/admin/faults", {});
    await this._kmsAdmin("PUT", "/admin/quotas", this._quotas);
    await this._kmsAdmin("POST", "/admin/reset", {});
    await this._kmsAdmin("POST", "/admin/snapshots/restore", { name: SNAPSHOT });
    await this._ready();
    await this.mark();
  }

  s3Config({ alt = false } = {}) {
    const httpsAgent = new Agent({ ca: fs.readFileSync(this.line.ca_file), keepAlive: true });
    return {
      ...this._user(alt),
      endpoint: this.line.s3_tls_endpoint,
      forcePathStyle: true,
      requestHandler: { httpsAgent },
    };
  }

  kmsConfig({ alt = false } = {}) {
    return { ...this._user(alt), endpoint: this.line.kms_endpoint };
  }

  env() {
    const { line } = this;
    return {
      AWS_ACCESS_KEY_ID: line.access_key_id,
      AWS_SECRET_ACCESS_KEY: line.secret_access_key,
      AWS_REGION: line.region,
      AWS_DEFAULT_REGION: line.region,
      AWS_ENDPOINT_URL_S3: line.s3_tls_endpoint,
      AWS_ENDPOINT_URL_S3_CONTROL: line.s3_control_endpoint,
      AWS_ENDPOINT_URL_GLACIER: line.s3_tls_endpoint,
      AWS_ENDPOINT_URL_KMS: line.kms_endpoint,
      AWS_ENDPOINT_URL_STS: line.kms_endpoint,
      AWS_ENDPOINT_URL_CLOUDTRAIL: line.kms_admin_endpoint,
      AWS_CA_BUNDLE: line.ca_file,
      NODE_EXTRA_CA_CERTS: line.ca_file,
      AWS_EC2_METADATA_DISABLED: "true",
    };
  }

  async mark() {
    const kms = await this._kmsAdmin("POST", "/admin/mark", {});
    this._marks = [kms.mark, (await this._admin(this.line.admin_endpoint, "POST", "/admin/mark")).mark];
  }

  async calls({ operation, key, outcome, caller } = {}) {
    const query = parameters({ operation, key, outcome, caller, since: this._marks[0] });
    return (await this._kmsAdmin("GET", `/admin/calls?${query}`)).count;
  }

  async waitForCalls(count, by = {}, { timeout = 10_000 } = {}) {
    const end = performance.now() + timeout;
    for (;;) {
      const seen = await this.calls(by);
      if (seen >= count) return seen;
      if (performance.now() > end) {
        throw new SealgateError(`${seen} calls of ${by.operation ?? "any operation"} in ${timeout} ms, not ${count}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }

  async requests({ operation, status } = {}) {
    const path = `/admin/requests?since=${this._marks[1]}`;
    const { requests } = await this._admin(this.line.admin_endpoint, "GET", path);
    const fits = (row) => [undefined, row.operation].includes(operation) && [undefined, row.status].includes(status);
    return requests.filter(fits).reduce((sum, row) => sum + row.count, 0);
  }

  async events({ name, limit = 20 } = {}) {
    return (await this._kmsAdmin("GET", `/admin/events?${parameters({ name, limit })}`)).events;
  }

  log(lines = 40) {
    if (!this._child) return "";
    const { size } = fs.fstatSync(this._log);
    const text = Buffer.alloc(Math.min(size, LOG_BYTES));
    fs.readSync(this._log, text, 0, text.length, size - text.length);
    return text.toString().trimEnd().split("\n").slice(-lines).join("\n");
  }

  throttleNext(count, { operation, key } = {}) {
    return this.failNext(count, { operation, key, error: "ThrottlingException" });
  }

  failNext(count, { operation, key, error = "KMSInternalException" } = {}) {
    return this._rule({ fault: { operation, key, times: count, error } });
  }

  latency(milliseconds, { operation, sigma = 0 } = {}) {
    return this._rule({ latency: { operation, median_ms: milliseconds, sigma } });
  }

  async quota(quotaClass, rate) {
    await this._kmsAdmin("POST", "/admin/quotas/adjust", { class: quotaClass, rate });
  }

  async freeze(at) {
    return (await this._kmsAdmin("POST", "/admin/clock", { frozen: true, set: at })).now;
  }

  async advance({ days = 0, hours = 0, minutes = 0, seconds = 0 }) {
    const advance_seconds = ((days * 24 + hours) * 60 + minutes) * 60 + seconds;
    return (await this._kmsAdmin("POST", "/admin/clock", { advance_seconds })).now;
  }

  async encryptionOf(bucket, key, request = {}) {
    const { HeadObjectCommand, S3Client } = await loadS3();
    const s3 = new S3Client(this.s3Config());
    try {
      const head = await s3.send(new HeadObjectCommand({ Bucket: bucket, Key: key, ...request }));
      return {
        algorithm: head.ServerSideEncryption,
        keyId: head.SSEKMSKeyId,
        bucketKey: head.BucketKeyEnabled ?? false,
        customerAlgorithm: head.SSECustomerAlgorithm,
      };
    } finally {
      s3.destroy();
    }
  }

  async assertBackendLacks(text) {
    const { S3Client, ListBucketsCommand, GetObjectCommand, ListObjectVersionsCommand } = await loadS3();
    const { line } = this;
    if (!line.backend_access_key_id) throw new SealgateError("the backend of a container, or another one, is not reached from here");
    const credentials = { accessKeyId: line.backend_access_key_id, secretAccessKey: line.backend_secret_access_key };
    const { region, backend_endpoint: endpoint } = line;
    const client = new S3Client({ credentials, region, endpoint, forcePathStyle: true });
    const sought = needles(Buffer.from(text));
    try {
      const { Buckets = [] } = await client.send(new ListBucketsCommand({}));
      for (const { Name: Bucket } of Buckets) {
        for (let page = { IsTruncated: true }; page.IsTruncated; ) {
          const { NextKeyMarker: KeyMarker, NextVersionIdMarker: VersionIdMarker } = page;
          page = await client.send(new ListObjectVersionsCommand({ Bucket, KeyMarker, VersionIdMarker }));
          for (const { Key, VersionId } of page.Versions ?? []) {
            const got = await client.send(new GetObjectCommand({ Bucket, Key, VersionId }));
            const body = Buffer.from(await got.Body.transformToByteArray());
            const stored = Buffer.concat([body, Buffer.from(JSON.stringify([Key, got.Metadata]))]);
            if (sought.some((needle) => stored.includes(needle))) {
              throw new SealgateError(`the backend has it in ${Bucket}/${Key}`);
            }
          }
        }
      }
    } finally {
      client.destroy();
    }
  }

  _user(alt) {
    const { line } = this;
    const [accessKeyId, secretAccessKey] = alt
      ? [line.alt_access_key_id, line.alt_secret_access_key]
      : [line.access_key_id, line.secret_access_key];
    if (!accessKeyId) throw new SealgateError("the user of another account is made in the container and not known here");
    return { region: line.region, credentials: { accessKeyId, secretAccessKey } };
  }

  async _rule(rule) {
    return new Rule(this, (await this._kmsAdmin("POST", "/admin/faults/add", rule)).id);
  }

  /** The gateway makes its keys when it gets ready, which is not to be within what a test counts. */
  _ready() {
    return this._admin(this.line.admin_endpoint, "GET", "/readyz");
  }

  _kmsAdmin(method, path, body) {
    return this._admin(this.line.kms_admin_endpoint, method, path, body);
  }

  async _admin(endpoint, method, path, body) {
    const headers = { "content-type": "application/json" };
    const token = this.line.admin_token || this.line.kms_admin_token;
    if (token) headers.authorization = `Bearer ${token}`;
    const answer = await fetch(endpoint + path, { method, headers, body: body && JSON.stringify(body) });
    const text = await answer.text();
    if (!answer.ok) throw new SealgateError(`${method} ${path}: ${answer.status} ${text.trim()}`);
    return answer.headers.get("content-type") === "application/json" ? JSON.parse(text) : text;
  }
}

function loadS3() {
  return import("@aws-sdk/client-s3");
}

/** A text as it is, in hex and in base64 at each of its three places. */
function needles(text) {
  const shifted = (shift) => Buffer.concat([Buffer.alloc(shift, "x"), text]).toString("base64").slice(4, -4);
  const encoded = [text.toString("hex"), ...[0, 1, 2].map(shifted)];
  return [text, ...encoded.filter((needle) => needle !== "").map((needle) => Buffer.from(needle))];
}

function parameters(values) {
  return new URLSearchParams(Object.entries(values).filter(([, value]) => value !== undefined));
}

module.exports = { Rule, Sealgate, SealgateError, attachSealgate, findBinary: () => findBinary(false), startSealgate };
