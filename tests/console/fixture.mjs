// A Sealgate with hostile names in it, and signed requests to it. No SDK: what a page shows must not depend on one.
import { spawn, spawnSync } from "node:child_process";
import { createHash, createHmac } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";

export const HOSTILE = `"><script>alert(1)</script><img src=x onerror="alert(2)">'`;

const sha256 = (text) => createHash("sha256").update(text).digest("hex");
const hmac = (key, text) => createHmac("sha256", key).update(text).digest();

/// Starts a fixture with these arguments and variables; `end` ends it.
export async function start(args = [], variables = {}) {
  const child = spawn(process.env.SEALGATE_BINARY, ["up", "--fixture", "--ephemeral", ...args], {
    stdio: ["pipe", "pipe", "ignore"],
    env: { PATH: process.env.PATH, ...variables },
  });
  const line = await new Promise((resolve, reject) => {
    createInterface(child.stdout).once("line", resolve);
    child.once("exit", (code) => reject(new Error(`it ended with ${code} before it was ready`)));
  });
  const up = JSON.parse(line);
  const end = () => new Promise((resolve) => {
    child.removeAllListeners("exit");
    child.once("exit", (code) => resolve(code));
    child.stdin.end();
  });
  return { up, end };
}

/// A request signed with Signature Version 4.
async function signed(up, service, method, url, body, headers = {}) {
  const at = new URL(url);
  const now = new Date().toISOString().replace(/[-:]|\.\d{3}/g, "");
  const scope = `${now.slice(0, 8)}/${up.region}/${service}/aws4_request`;
  const digest = sha256(body);
  const all = { ...headers, host: at.host, "x-amz-content-sha256": digest, "x-amz-date": now };
  const names = Object.keys(all).sort();
  const query = at.search.slice(1);
  const canonical = [method, at.pathname, query, ...names.map((name) => `${name}:${all[name]}`), "", names.join(";"), digest];
  const toSign = ["AWS4-HMAC-SHA256", now, scope, sha256(canonical.join("\n"))].join("\n");
  const key = scope.split("/").reduce(hmac, `AWS4${up.secret_access_key}`);
  const signature = hmac(key, toSign).toString("hex");
  delete all.host;
  all.authorization =
    `AWS4-HMAC-SHA256 Credential=${up.access_key_id}/${scope}, SignedHeaders=${names.join(";")}, Signature=${signature}`;
  const answer = await fetch(url, { method, body: body || undefined, headers: all });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${method} ${url}: ${answer.status} ${text}`);
  return text;
}

/// What an operation of the KMS returns.
export async function kms(up, operation, request) {
  const headers = { "content-type": "application/x-amz-json-1.1", "x-amz-target": `TrentService.${operation}` };
  const text = await signed(up, "kms", "POST", `${up.kms_endpoint}/`, JSON.stringify(request), headers);
  return text ? JSON.parse(text) : {};
}

/// A request to S3 in clear.
export const s3 = (up, method, path, body = "") => signed(up, "s3", method, `${up.s3_endpoint}${path}`, body);

/// Keys, grants, aliases, buckets, objects and events with hostile names. Returns the id of a key.
export async function fill(up) {
  const description = HOSTILE;
  const tags = [{ TagKey: "script", TagValue: "alert(1)" }];
  const key = (await kms(up, "CreateKey", { Description: description, Tags: tags })).KeyMetadata.KeyId;
  await kms(up, "CreateAlias", { AliasName: "alias/javascript/alert_1-" + "long".repeat(40), TargetKeyId: key });
  await kms(up, "EnableKeyRotation", { KeyId: key });
  await kms(up, "CreateGrant", {
    KeyId: key,
    Name: "grant",
    GranteePrincipal: "arn:aws:iam::000000000000:root",
    Operations: ["Decrypt", "GenerateDataKey"],
    Constraints: { EncryptionContextSubset: { [HOSTILE]: HOSTILE } },
  });
  for (let call = 0; call < 30; call++) {
    await kms(up, "GenerateDataKey", { KeyId: key, KeySpec: "AES_256", EncryptionContext: { [HOSTILE]: HOSTILE } });
  }
  await kms(up, "Decrypt", { KeyId: key, CiphertextBlob: "AAAA" }).catch(() => {});
  await s3(up, "PUT", "/hostile-bucket");
  const policy = {
    Version: "2012-10-17",
    Statement: [{ Sid: "script", Effect: "Deny", Principal: "*", Action: "s3:DeleteObject",
      Resource: "arn:aws:s3:::hostile-bucket/<script>alert(1)</script>*" }],
  };
  await s3(up, "PUT", "/hostile-bucket/%3Cscript%3Ealert%281%29%3C/script%3E", "plaintext");
  await s3(up, "PUT", "/hostile-bucket?policy=", JSON.stringify(policy));
  return key;
}

/// Keeps a report of a load that meets its quota; beside it one whose texts are all hostile, and a file that is none.
/// Returns the name of the first.
export function keepReports(up) {
  const run = spawnSync(process.env.SEALGATE_BINARY, [
    "load", "kms", "--rate", "40", "--for", "5s", "--quota", "CryptographicOperationsSymmetric=20", "--clients", "4",
    "--retry", "standard", "--threshold", "throttled<1%", "--compare", "quota=2x", "--compare", "retry=adaptive",
    "--keep", "--data", up.data_dir, "--quiet",
  ], { encoding: "utf8", env: { PATH: process.env.PATH } });
  // 99: the threshold failed, as it must; 2: this machine was too busy for the load.
  if (run.status !== 99 && run.status !== 2) throw new Error(`load ended with ${run.status}: ${run.stderr}`);
  const name = /report\?name=([0-9A-Za-z-]+)/.exec(run.stderr)[1];
  const folder = join(up.data_dir, "reports");
  const results = JSON.parse(readFileSync(join(folder, `${name}.json`), "utf8"));
  const kept = ["schema", "started_at", "histogram"];
  const replace = (value, field) => {
    if (typeof value === "string") return kept.includes(field) ? value : HOSTILE;
    if (Array.isArray(value)) return value.map((it) => replace(it));
    if (value === null || typeof value !== "object") return value;
    return Object.fromEntries(Object.entries(value).map(([name, it]) => [name, replace(it, name)]));
  };
  writeFileSync(join(folder, "hostile.json"), JSON.stringify({ ...replace(results), errors: { [HOSTILE]: 1 } }));
  writeFileSync(join(folder, "no-report.json"), JSON.stringify({ [HOSTILE]: 1 }));
  return name;
}
