// Where the binary is: SEALGATE_BINARY, else the package of this platform, else the first on PATH.
"use strict";
const { accessSync, constants } = require("node:fs");
const path = require("node:path");

function isProgram(file) {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** The binary, without the shim `ownShim`, which would start itself. */
function findBinary(ownShim) {
  if (process.env.SEALGATE_BINARY) return process.env.SEALGATE_BINARY;
  const platform = `@sealgate/${process.platform}-${process.arch}`;
  try {
    return require.resolve(`${platform}/bin/sealgate`);
  } catch {
    const folders = ownShim ? [] : (process.env.PATH ?? "").split(path.delimiter);
    const found = folders.map((folder) => path.join(folder, "sealgate")).find(isProgram);
    if (found) return found;
    throw new Error(`${platform} is not installed, and neither SEALGATE_BINARY nor PATH has a sealgate`);
  }
}

module.exports = { findBinary };
