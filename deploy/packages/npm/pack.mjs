// Packs the tarballs of npm: node pack.mjs OUT PLATFORM=BINARY...
//
// One for each platform, such as linux-x64=target/release/sealgate, and `sealgate` itself, which names them as
// optional dependencies. The version is the workspace's.
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";

const here = import.meta.dirname;
const [out, ...binaries] = process.argv.slice(2);
const manifest = JSON.parse(fs.readFileSync(path.join(here, "package.json")));
const { version } = JSON.parse(execFileSync("cargo", ["metadata", "--no-deps", "--format-version=1"], { cwd: here }))
  .packages.find((each) => each.name === "sealgate");
const folder = fs.mkdtempSync(path.join(os.tmpdir(), "sealgate-npm-"));

function pack(name, manifest, files) {
  const packed = path.join(folder, name);
  for (const [to, from] of files) fs.cpSync(from, path.join(packed, to), { recursive: true });
  const binary = path.join(packed, "bin/sealgate");
  if (fs.existsSync(binary)) fs.chmodSync(binary, 0o755);
  fs.writeFileSync(path.join(packed, "package.json"), JSON.stringify({ ...manifest, version }, null, 2));
  execFileSync("npm", ["pack", "--silent", "--pack-destination", path.resolve(out)], { cwd: packed, stdio: "inherit" });
}

fs.mkdirSync(out, { recursive: true });
try {
  const names = Object.keys(manifest.optionalDependencies);
  for (const [platform, binary] of binaries.map((each) => each.split("="))) {
    const [system, cpu] = platform.split("-");
    const name = `@sealgate/${platform}`;
    if (!names.includes(name)) throw new Error(`package.json has no optional dependency ${name}`);
    const { license } = manifest;
    const described = { name, license, os: [system], cpu: [cpu], description: `The binary of sealgate for ${platform}` };
    pack(platform, described, [["bin/sealgate", binary], ["LICENSE", path.join(here, "../../../LICENSE")]]);
  }
  manifest.optionalDependencies = Object.fromEntries(names.map((name) => [name, version]));
  const files = ["README.md", ...manifest.files].map((file) => [file, path.join(here, file)]);
  pack("sealgate", manifest, files);
} finally {
  fs.rmSync(folder, { recursive: true });
}
