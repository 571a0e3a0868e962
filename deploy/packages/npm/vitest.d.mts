import type { TestProject } from "vitest/node";
import type { Calls, Sealgate, StartOptions } from "./index.mjs";

/** The global setup, for `globalSetup: ["sealgate/vitest"]`: one process for the run. */
export default function setup(project: TestProject): Promise<() => Promise<void>>;

/** The global setup with options, for a file of your own in `globalSetup`. */
export function start(project: TestProject, options?: StartOptions): Promise<() => Promise<void>>;

/** The Sealgate of the run, for this worker. Its counts begin now. */
export function useSealgate(): Promise<Sealgate>;

/** Matchers for `expect.extend`; `sealgate/vitest/setup` in `setupFiles` does that. */
export const matchers: {
  toHaveCalledKms(sealgate: Sealgate, operation: string, times?: number, by?: Omit<Calls, "operation">): Promise<{
    pass: boolean;
    message: () => string;
  }>;
};

declare module "vitest" {
  interface ProvidedContext {
    sealgate: Record<string, string>;
  }
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  interface Assertion<T = any> {
    /** The KMS was called so often since the mark; at least once if `times` is left out. Await it. */
    toHaveCalledKms(operation: string, times?: number, by?: Omit<Calls, "operation">): Promise<void>;
  }
}
