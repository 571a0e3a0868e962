// Every page of the console in Chromium. Names of tests are facts; each ends with the number of its checks.
import assert from "node:assert/strict";
import { mkdirSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { chromium } from "playwright-core";
import { HOSTILE, fill, keepReports, start } from "./fixture.mjs";

const require = createRequire(import.meta.url);
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
const shots = process.argv[2];
rmSync(shots, { recursive: true, force: true });
mkdirSync(shots, { recursive: true });

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM,
  args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
});
const TOKEN = "a-token-of-the-test-0123456789";
let checks = 0;
let failed = 0;
const check = (condition, text) => { checks++; assert.ok(condition, text); };

async function test(name, body) {
  const before = checks;
  try {
    await body();
    console.log(`ok   ${name} (${checks - before} checks)`);
  } catch (error) {
    failed++;
    console.log(`FAIL ${name}: ${error.message}`);
  }
}

/// A page that collects what goes wrong in it.
async function open(options, body) {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  const wrong = [];
  page.on("dialog", (dialog) => { wrong.push(`dialog: ${dialog.message()}`); dialog.dismiss(); });
  page.on("pageerror", (error) => wrong.push(`script: ${error.message}`));
  page.on("console", (message) => {
    if (message.type() === "error") wrong.push(`console: ${message.text()}`);
  });
  page.on("requestfailed", (request) => {
    const failure = request.failure()?.errorText;
    if (failure !== "net::ERR_ABORTED") wrong.push(`request: ${request.url()} ${failure}`);
  });
  const foreign = [];
  page.on("request", (request) => { if (!request.url().startsWith(own)) foreign.push(request.url()); });
  try {
    await body(page, wrong);
    check(wrong.length === 0, wrong.join("; "));
    check(foreign.length === 0, `it requested ${foreign}`);
  } finally {
    await context.close();
  }
}

const { up, end } = await start();
const own = up.console;
const key = await fill(up);
const report = keepReports(up);
const at = (path) => new URL(path, up.console).href;
const events = await (await fetch(at("/admin/events?name=CreateKey&limit=1"))).json();
const event = events.events[0].eventID;
const pages = {
  overview: "/",
  quotas: "/console/quotas",
  "all-quotas": "/console/quotas/all",
  keys: "/console/keys",
  key: `/console/key?id=${key}`,
  events: "/console/events",
  event: `/console/event?id=${event}`,
  buckets: "/console/buckets",
  faults: "/console/faults",
  reports: "/console/reports",
  report: `/console/report?name=${report}`,
  "report-hostile": "/console/report?name=hostile",
};

for (const colorScheme of ["light", "dark"]) {
  for (const width of [360, 768, 1280]) {
    await test(`pages at ${width} pixels, ${colorScheme}, have no violation of axe and nothing beyond their width`, async () => {
      await open({ colorScheme, viewport: { width, height: 800 } }, async (page) => {
        for (const [name, path] of Object.entries(pages)) {
          const answer = await page.goto(at(path));
          check(answer.status() === 200, `${name}: ${answer.status()}`);
          if (await page.$("#say")) await page.waitForFunction(() => document.getElementById("say").textContent !== "");
          const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
          check(wide <= 0, `${name} is ${wide} pixels too wide`);
          await page.screenshot({ path: join(shots, `${name}-${width}-${colorScheme}.png`), fullPage: true });
          // As an extension does: the page's own policy blocks what is injected into it.
          const found = await page.evaluate(`${axe}; axe.run()`);
          const texts = found.violations.map((it) => `${it.id}: ${it.nodes.map((node) => node.html).slice(0, 3).join(" ")}`);
          check(texts.length === 0, `${name}: ${texts.join("; ")}`);
        }
      });
    });
  }
}

await test("pages are at most 30 KiB and name no other host", async () => {
  for (const [name, path] of Object.entries(pages)) {
    const text = await (await fetch(at(path))).text();
    check(text.length <= 30 << 10, `${name} has ${text.length} bytes`);
    check(!/(src|href|action)="(https?:)?\/\//.test(text), name);
  }
});

await test("hostile names are text, wherever they are shown", async () => {
  await open({}, async (page) => {
    for (const [name, path] of Object.entries(pages)) {
      await page.goto(at(path));
      const made = await page.evaluate(() => document.querySelectorAll("main img, main script").length);
      check(made === 0, `${name} has elements of a hostile name`);
    }
    await page.goto(at(pages.key));
    check((await page.textContent("main")).includes(HOSTILE), "the description is not shown");
    const query = encodeURIComponent(HOSTILE);
    for (const path of [`/console/keys?q=${query}`, `/console/events?name=${query}&key=${query}`]) {
      await page.goto(at(path));
      check(await page.inputValue("main input[type=text]") === HOSTILE, path);
    }
  });
});

await test("figures move with the script and are there without it", async () => {
  await open({}, async (page) => {
    await page.goto(at("/"));
    await page.waitForFunction(() => document.querySelector("[data-chart=requests] path")?.getAttribute("d")?.includes("L"));
    const before = Number(await page.textContent("[data-text=kms-total]"));
    await (await import("./fixture.mjs")).kms(up, "GenerateRandom", { NumberOfBytes: 8 });
    await page.waitForFunction(
      (before) => Number(document.querySelector("[data-text=kms-total]").textContent) > before, before);
    check(true);
    await page.waitForFunction(() => document.getElementById("say").textContent !== "");
    check(/a second/.test(await page.textContent("#say")), "nothing is said");
  });
  await open({ javaScriptEnabled: false }, async (page) => {
    for (const path of Object.values(pages)) {
      check((await page.goto(at(path))).status() === 200, path);
    }
    await page.goto(at("/console/quotas"));
    check((await page.textContent("main")).includes("CryptographicOperationsSymmetric"), "no quota");
    check(await page.locator("svg path").count() > 0, "no chart");
  });
});

await test("a rate and a fault are changed by keyboard only, without the script", async () => {
  await open({ javaScriptEnabled: false }, async (page) => {
    await page.goto(at("/console/faults"));
    await page.keyboard.press("Tab");
    check(await page.locator(".skip").evaluate((it) => it === document.activeElement).catch(() => true), "no skip link");
    await page.goto(at("/console/quotas?class=CryptographicOperationsSymmetric"));
    await page.locator("input[name=rate]").focus();
    await page.keyboard.type("123");
    await page.keyboard.press("Enter");
    await page.waitForURL(/done=adjusted/);
    check((await page.textContent(".done")) === "The rate is in force.", "it is not said");
    check((await page.textContent("main")).includes("123/s"), "the rate is another");
    await page.goto(at("/console/faults"));
    await page.locator("input[name=operation]").first().focus();
    await page.keyboard.type("Decrypt");
    await page.locator("select[name=error]").focus();
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("Tab");
    await page.keyboard.press("Enter");
    await page.waitForURL(/done=added/);
    check((await page.textContent("main")).includes('operation = "Decrypt"'), "no rule");
    await page.screenshot({ path: join(shots, "fault-in-force.png"), fullPage: true });
    await page.getByRole("button", { name: "Remove all" }).focus();
    await page.keyboard.press("Enter");
    await page.waitForURL(/done=cleared/);
    check((await page.textContent("main")).includes("No call fails on purpose."), "the rule stays");
  });
});

await test("a report is opened and stored by keyboard only, and its file is whole without a request", async () => {
  let stored;
  await open({ javaScriptEnabled: false, acceptDownloads: true }, async (page) => {
    await page.goto(at("/console/reports"));
    check((await page.textContent("main")).includes("Not shown."), "a file that is no report is not named");
    await page.locator("main a[href*=kms]").focus();
    await page.keyboard.press("Enter");
    await page.waitForURL(/report\?name=/);
    const text = await page.textContent("main");
    check(text.includes("Cryptographic operations (symmetric)"), "no quota");
    check(text.includes("with quota=2x") && text.includes("with retry=adaptive"), "no comparison");
    check(text.includes("sealgate load kms"), "no command");
    await page.locator("main a[download]").first().focus();
    const [download] = await Promise.all([page.waitForEvent("download"), page.keyboard.press("Enter")]);
    check(download.suggestedFilename() === `${report}.html`, download.suggestedFilename());
    stored = join(shots, "report.html");
    await download.saveAs(stored);
  });
  for (const colorScheme of ["light", "dark"]) {
    for (const width of [360, 768, 1280]) {
      const context = await browser.newContext({ colorScheme, viewport: { width, height: 800 } });
      const page = await context.newPage();
      const wrong = [];
      page.on("console", (message) => { if (message.type() === "error") wrong.push(message.text()); });
      page.on("request", (request) => { if (request.url() !== `file://${stored}`) wrong.push(request.url()); });
      await page.goto(`file://${stored}`);
      await page.locator("details").evaluateAll((all) => all.forEach((it) => { it.open = true; }));
      const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      check(wide <= 0, `the file is ${wide} pixels too wide at ${width}`);
      if (width === 1280) {
        const cut = await page.locator(".wide").evaluateAll(
          (all) => all.filter((it) => it.scrollWidth > it.clientWidth).map((it) => it.getAttribute("aria-label")));
        check(cut.length === 0, `tables are cut: ${cut}`);
      }
      await page.screenshot({ path: join(shots, `report-file-${width}-${colorScheme}.png`), fullPage: true });
      const found = await page.evaluate(`${axe}; axe.run()`);
      const texts = found.violations.map((it) => `${it.id}: ${it.nodes.map((node) => node.html).slice(0, 3).join(" ")}`);
      check(texts.length === 0, texts.join("; "));
      check(wrong.length === 0, wrong.join("; "));
      await context.close();
    }
  }
});

await test("a page of another origin can neither change nor read anything", async () => {
  const other = await start();
  const context = await browser.newContext();
  const page = await context.newPage();
  // The other fixture's port: the same site, another origin, as any program on this machine.
  await page.goto(new URL("/livez", other.up.console).href);
  const outcomes = await page.evaluate(async (target) => {
    const read = await fetch(`${target}console/keys`).then(() => "read", () => "blocked");
    const sent = await fetch(`${target}console/faults/add`, {
      method: "POST",
      mode: "no-cors",
      body: new URLSearchParams({ error: "ThrottlingException" }),
    }).then(() => "sent", () => "blocked");
    return { read, sent };
  }, up.console);
  check(outcomes.read === "blocked", "it was read");
  const faults = await (await fetch(at("/admin/faults"))).json();
  check(faults.ids.length === 0, "a fault was added");
  await context.close();
  check(await other.end() === 0, "the other fixture failed");
});

check(await end() === 0, "the fixture failed");

await test("with a token a form is demanded, and a session ends with its button", async () => {
  const { up, end } = await start([], { SEALGATE_ADMIN_TOKEN: TOKEN });
  const context = await browser.newContext({ viewport: { width: 360, height: 700 } });
  const page = await context.newPage();
  await page.goto(up.console);
  check(page.url().endsWith("/console/login?next=overview"), page.url());
  await page.screenshot({ path: join(shots, "login-360.png") });
  await page.keyboard.type("not the token");
  await page.keyboard.press("Enter");
  await page.waitForSelector(".refused");
  check((await page.textContent(".refused")).includes("not the admin token"), "it is not said");
  const found = await page.evaluate(`${axe}; axe.run()`);
  check(found.violations.length === 0, found.violations.map((it) => it.id).join());
  await page.locator("input[name=token]").focus();
  await page.keyboard.type(TOKEN);
  await page.keyboard.press("Enter");
  await page.waitForURL(up.console);
  check((await page.content()).includes("The gateway is ready."), "no overview");
  check(!(await page.content()).includes(TOKEN), "the token is on a page");
  check(await page.evaluate(() => document.cookie) === "", "a script can read the cookie");
  await page.goto(new URL("/console/faults", up.console).href);
  await page.getByRole("button", { name: "Stop it" }).click();
  await page.waitForURL(/done=moved/);
  check((await page.textContent("main")).includes("stands still"), "the clock goes on");
  await page.getByRole("button", { name: "Log out" }).click();
  await page.waitForURL(/login/);
  check(true);
  await context.close();
  check(await end() === 0, "the fixture failed");
});

await browser.close();
console.log(`${checks} checks, ${failed} tests failed; look at ${shots}`);
process.exit(failed ? 1 : 0);
