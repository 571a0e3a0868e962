import { defineConfig } from "vitest/config";

export default defineConfig({
  test: { globalSetup: ["sealgate/vitest"], setupFiles: ["sealgate/vitest/setup"] },
});
