// The example of README.md, as it stands there.
import { spawnSync } from "node:child_process";
import assert from "node:assert/strict";
import fs from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { test } from "node:test";

test("the example of the readme passes", () => {
  const folder = path.dirname(createRequire(import.meta.url).resolve("sealgate"));
  const readme = fs.readFileSync(path.join(folder, "README.md"), "utf8");
  const [, example] = readme.match(/```js\n(.*?)```/s);
  const program = `import assert from "node:assert/strict";\n${example}`;
  const options = { cwd: import.meta.dirname, timeout: 60_000 };
  const ended = spawnSync(process.execPath, ["--input-type=module", "-e", program], options);
  assert.equal(ended.status, 0, String(ended.stderr));
});
