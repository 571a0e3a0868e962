#!/usr/bin/env node
"use strict";
const { spawnSync } = require("node:child_process");
const ended = spawnSync(require("../binary.cjs").findBinary(true), process.argv.slice(2), { stdio: "inherit" });
if (ended.error) console.error(ended.error.message);
process.exitCode = ended.status ?? 1;
