// Adds the matchers: setupFiles: ["sealgate/vitest/setup"].
import { expect } from "vitest";
import { matchers } from "./vitest.mjs";

expect.extend(matchers);
