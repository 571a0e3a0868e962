// Chromium: pages of two origins, one of which the bucket's CORS rules allow; presigned URLs and POST forms.
// Run by tests/clients/run.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:http";
import { createRequire } from "node:module";

const require = createRequire(process.env.NODE_MODULES + "/");
const { chromium } = require("playwright-core");
const s3sdk = require("@aws-sdk/client-s3");
const { createPresignedPost } = require("@aws-sdk/s3-presigned-post");
const { getSignedUrl } = require("@aws-sdk/s3-request-presigner");

const s3 = new s3sdk.S3Client();
const send = (name, input) => s3.send(new s3sdk[`${name}Command`](input));
const Bucket = "browser";
const text = `${process.env.CANARY} line\n`.repeat(4000);
const stored = async (Key) => (await send("GetObject", { Bucket, Key })).Body.transformToString();

// An origin is a scheme, a host and a port: two servers are two.
async function origin() {
  const server = createServer((_, answer) => answer.setHeader("content-type", "text/html").end("<p>a page</p>"));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return [`http://127.0.0.1:${server.address().port}`, server];
}
const [[app, appServer], [other, otherServer]] = [await origin(), await origin()];

await send("CreateBucket", { Bucket });
await send("PutObject", { Bucket, Key: "text", Body: text, ServerSideEncryption: "aws:kms" });
await send("PutBucketCors", { Bucket, CORSConfiguration: { CORSRules: [{
  AllowedOrigins: [app], AllowedMethods: ["GET", "PUT", "POST"], AllowedHeaders: ["*"],
  ExposeHeaders: ["ETag", "x-amz-server-side-encryption"],
}] } });

const browser = await chromium.launch({
  executablePath: execFileSync("which", ["chromium"], { encoding: "utf8" }).trim(),
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking"],
});
// The authority of `up` is trusted by whoever installs it; a test does not.
const context = await browser.newContext({ ignoreHTTPSErrors: true });
const pageOf = async (address) => {
  const page = await context.newPage();
  await page.goto(address);
  return page;
};
const [allowed, denied] = [await pageOf(app), await pageOf(other)];

// Runs in the page: what a script there sees of an answer, or that the browser gave it none.
const request = async ([url, options]) => {
  try {
    const answer = await fetch(url, options);
    return { status: answer.status, text: await answer.text(), headers: Object.fromEntries(answer.headers) };
  } catch (error) {
    return { refused: error.name };
  }
};

const get = await getSignedUrl(s3, new s3sdk.GetObjectCommand({ Bucket, Key: "text" }), { expiresIn: 60 });
const read = await allowed.evaluate(request, [get, {}]);
assert.equal(read.status, 200);
assert.equal(read.text, text);
// Without ExposeHeaders a script sees neither.
assert.ok(read.headers.etag);
assert.equal(read.headers["x-amz-server-side-encryption"], "aws:kms");
assert.equal(read.headers["x-amz-request-id"], undefined);
assert.deepEqual(await denied.evaluate(request, [get, {}]), { refused: "TypeError" });
// gateway/DIFFERENCES.md: a page may not read the refusal of a wrong signature.
const forged = get.replace(/X-Amz-Signature=.{8}/, "X-Amz-Signature=00000000");
assert.deepEqual(await allowed.evaluate(request, [forged, {}]), { refused: "TypeError" });

// A PUT is preceded by a preflight. By default the SDK puts the checksum of nothing into the URL, as at AWS.
const signer = new s3sdk.S3Client({ requestChecksumCalculation: "WHEN_REQUIRED" });
const put = (Key) => getSignedUrl(signer, new s3sdk.PutObjectCommand({ Bucket, Key, ContentType: "text/plain" }),
  { expiresIn: 60, signableHeaders: new Set(["content-type"]) });
const write = { method: "PUT", body: text, headers: { "content-type": "text/plain" } };
assert.equal((await allowed.evaluate(request, [await put("put"), write])).status, 200);
assert.equal(await stored("put"), text);
assert.deepEqual(await denied.evaluate(request, [await put("never"), write]), { refused: "TypeError" });
await assert.rejects(stored("never"), { name: "NoSuchKey" });

// A form's POST needs no preflight: the other origin's script sees no answer, and the object is there.
const post = (key) => createPresignedPost(s3, { Bucket, Key: key, Expires: 60, Fields: { success_action_status: "201" } });
const upload = async ([{ url, fields }, content]) => {
  const form = new FormData();
  Object.entries(fields).forEach(([name, value]) => form.append(name, value));
  form.append("file", new Blob([content]), "note.txt");
  try {
    const answer = await fetch(url, { method: "POST", body: form });
    return { status: answer.status, text: await answer.text() };
  } catch (error) {
    return { refused: error.name };
  }
};
const posted = await allowed.evaluate(upload, [await post("posted"), text]);
assert.equal(posted.status, 201);
assert.match(posted.text, /<PostResponse>.*<Key>posted<\/Key>/s);
assert.equal(await stored("posted"), text);
assert.deepEqual(await denied.evaluate(upload, [await post("unseen"), text]), { refused: "TypeError" });
assert.equal(await stored("unseen"), text);

// A form that is submitted leaves the page, and comes back by the redirect that the policy allows.
const back = `${app}/done`;
const form = await createPresignedPost(s3, { Bucket, Key: "form", Expires: 60,
  Fields: { success_action_redirect: back }, Conditions: [["eq", "$success_action_redirect", back]] });
await allowed.setContent(`<form method="post" enctype="multipart/form-data"><input type="file" name="file"></form>`);
await allowed.evaluate(({ url, fields }) => {
  const form = document.forms[0];
  form.action = url;
  for (const [name, value] of Object.entries(fields)) {
    form.prepend(Object.assign(document.createElement("input"), { type: "hidden", name, value }));
  }
}, form);
await allowed.setInputFiles("input[type=file]", { name: "note.txt", mimeType: "text/plain", buffer: Buffer.from(text) });
await Promise.all([allowed.waitForURL(`${back}?**`), allowed.evaluate(() => document.forms[0].submit())]);
assert.match(allowed.url(), /bucket=browser&key=form&etag=/);
assert.equal(await stored("form"), text);

// A link needs no CORS: the browser shows it.
const shown = await context.newPage();
const answer = await shown.goto(await getSignedUrl(s3, new s3sdk.GetObjectCommand({ Bucket, Key: "put" }), { expiresIn: 60 }));
assert.equal(await answer.text(), text);

// Without rules there is no preflight to pass.
await send("DeleteBucketCors", { Bucket });
await allowed.goto(app);
assert.deepEqual(await allowed.evaluate(request, [get, {}]), { refused: "TypeError" });

await browser.close();
appServer.close();
otherServer.close();
