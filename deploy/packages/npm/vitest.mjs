// Sealgate for Vitest. In the configuration: globalSetup: ["sealgate/vitest"], setupFiles: ["sealgate/vitest/setup"].
//
// One process for a run; workers count calls by marks of their own.
import { attachSealgate, startSealgate } from "./index.mjs";

/** The global setup with options of `startSealgate`; the end of it ends the process. */
export async function start(project, options) {
  const sealgate = await startSealgate(options);
  project.provide("sealgate", sealgate.line);
  return async () => {
    await sealgate.stop();
  };
}

export default function setup(project) {
  return start(project);
}

/** The Sealgate of the run, for this worker. It sets a mark. */
export async function useSealgate() {
  const { inject } = await import("vitest");
  const line = inject("sealgate");
  if (!line) throw new Error('the configuration of Vitest needs globalSetup: ["sealgate/vitest"]');
  return attachSealgate(line);
}

/** Matchers for `expect.extend`. */
export const matchers = {
  async toHaveCalledKms(sealgate, operation, times, by = {}) {
    const seen = await sealgate.calls({ ...by, operation });
    const pass = times === undefined ? seen > 0 : seen === times;
    const expected = times === undefined ? "at least 1" : String(times);
    const message = () => `${seen} calls of ${operation}, ${this.isNot ? "and not" : "not"} ${expected}`;
    return { pass, message, actual: seen, expected: times };
  },
};
