// Sealgate in a container, by Testcontainers. Names are those of LocalStack's class. The credentials are random for
// each container; none is built in.
import { randomBytes } from "node:crypto";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { AbstractStartedContainer, GenericContainer, getContainerRuntimeClient } from "testcontainers";
import { SealgateError, attachSealgate } from "./index.mjs";

const S3 = 9070, S3_TLS = 9443, KMS = 9080, GATEWAY_ADMIN = 9090, KMS_ADMIN = 9091;
const START_MILLISECONDS = 60_000;
const text = (bytes) => randomBytes(bytes).toString("hex");

/** Sealgate in a container, before it starts. */
export class SealgateContainer extends GenericContainer {
  #credentials = { accessKey: `SG${text(9).toUpperCase()}`, secretKey: text(20), adminToken: text(16) };
  #flags = ["up"];
  #hosts = [];
  #region = "us-east-1";

  constructor(image = "localhost/sealgate:latest") {
    super(image);
    this.withExposedPorts(S3, S3_TLS, KMS, GATEWAY_ADMIN, KMS_ADMIN);
    this.withEnvironment({
      SEALGATE_ACCESS_KEY_ID: this.#credentials.accessKey,
      SEALGATE_SECRET_ACCESS_KEY: this.#credentials.secretKey,
      SEALGATE_ADMIN_TOKEN: this.#credentials.adminToken,
    });
    this.withWaitStrategy(new Readiness());
  }

  withQuotaScale(factor) {
    return this.withFlags("--quota-scale", String(factor));
  }

  withSeed(file) {
    const target = `/tmp/${path.basename(file)}`;
    this.withCopyFilesToContainer([{ source: file, target, mode: 0o444 }]);
    return this.withFlags("--seed", target);
  }

  withRegion(region) {
    this.#region = region;
    return this.withFlags("--region", region);
  }

  withHost(name) {
    this.#hosts.push(name);
    return this;
  }

  withFlags(...flags) {
    this.#flags.push(...flags);
    return this;
  }

  async beforeContainerCreated() {
    this.withCommand(this.#flags);
    const { host } = (await getContainerRuntimeClient()).info.containerRuntime;
    const own = ["localhost", "127.0.0.1"].includes(host) ? [] : [host];
    const names = [...this.#hosts, ...this.networkAliases, ...own];
    // With names, it answers to these and to loopback's only; without, to all.
    if (names.length > 0) this.withEnvironment({ SEALGATE_HOSTS: names.join(",") });
  }

  async start() {
    const started = new StartedSealgateContainer(await super.start(), this.#credentials, this.#region);
    await started._attach();
    return started;
  }
}

/** Sealgate in a container that runs. */
export class StartedSealgateContainer extends AbstractStartedContainer {
  constructor(started, credentials, region) {
    super(started);
    Object.assign(this, { _credentials: credentials, _region: region });
  }

  async _attach() {
    const archive = await this.copyArchiveFromContainer("/var/lib/sealgate/ca.pem");
    const chunks = [];
    for await (const chunk of archive) chunks.push(chunk);
    // An archive of one file: the text is the one between its lines of PEM.
    [this._authority] = Buffer.concat(chunks).toString("latin1").match(/-----BEGIN[^]*?-----END CERTIFICATE-----\n/);
    this._folder = fs.mkdtempSync(path.join(os.tmpdir(), "sealgate-ca-"));
    const authority = path.join(this._folder, "ca.pem");
    fs.writeFileSync(authority, this._authority);
    this.sealgate = await attachSealgate({
      s3_endpoint: this.getConnectionUri(),
      s3_tls_endpoint: this.getS3ConnectionUri(),
      // Whatever the host's name is, loopback is among those of the certificate.
      s3_control_endpoint: `https://s3.localhost:${this.getMappedPort(S3_TLS)}`,
      kms_endpoint: this.getKmsConnectionUri(),
      admin_endpoint: this._url("http", GATEWAY_ADMIN),
      kms_admin_endpoint: this._url("http", KMS_ADMIN),
      admin_token: this._credentials.adminToken,
      region: this._region,
      access_key_id: this._credentials.accessKey,
      secret_access_key: this._credentials.secretKey,
      ca_file: authority,
    });
  }

  _url(scheme, port) {
    return `${scheme}://${this.getHost()}:${this.getMappedPort(port)}`;
  }

  getConnectionUri() {
    return this._url("http", S3);
  }

  getS3ConnectionUri() {
    return this._url("https", S3_TLS);
  }

  getKmsConnectionUri() {
    return this._url("http", KMS);
  }

  getAccessKey() {
    return this._credentials.accessKey;
  }

  getSecretKey() {
    return this._credentials.secretKey;
  }

  getRegion() {
    return this._region;
  }

  getCaCertificate() {
    return this._authority;
  }

  async containerStopped() {
    fs.rmSync(this._folder, { recursive: true, force: true });
  }
}

/** Waits until both services are ready by HTTP. A container that ended is reported at once, with its log. */
class Readiness {
  #timeout = START_MILLISECONDS;
  #isSet = false;

  async waitUntilReady(container, boundPorts) {
    const client = await getContainerRuntimeClient();
    const { host } = client.info.containerRuntime;
    const end = performance.now() + this.#timeout;
    for (const port of [KMS_ADMIN, GATEWAY_ADMIN]) {
      const url = `http://${host}:${boundPorts.getBinding(port)}/readyz`;
      while (!(await fetch(url).then((answer) => answer.ok, () => false))) {
        const { State } = await client.container.inspect(container);
        if (!State.Running || performance.now() > end) {
          const log = await logOf(container);
          throw new SealgateError(`the container of sealgate is not ready, but ${State.Status}:\n${log}`);
        }
        await pause(50);
      }
    }
  }

  withStartupTimeout(milliseconds) {
    [this.#timeout, this.#isSet] = [milliseconds, true];
    return this;
  }

  isStartupTimeoutSet() {
    return this.#isSet;
  }

  getStartupTimeout() {
    return this.#timeout;
  }
}

/** The log of a container: frames, each with its length in the last four bytes of a header of eight. */
async function logOf(container) {
  const frames = await container.logs({ stdout: true, stderr: true, follow: false });
  const texts = [];
  for (let at = 0; at + 8 <= frames.length; at += 8 + frames.readUInt32BE(at + 4)) {
    texts.push(frames.subarray(at + 8, at + 8 + frames.readUInt32BE(at + 4)));
  }
  return Buffer.concat(texts).toString();
}
