import type { Agent } from "node:https";

/** Where the binary is: SEALGATE_BINARY, else the package of this platform, else the first on PATH. */
export function findBinary(): string;

/** Starts a Sealgate on free ports that stores nothing. */
export function startSealgate(options?: StartOptions): Promise<Sealgate>;

/** A Sealgate that runs already, such as in a container: `line` has the names of the fixture line. */
export function attachSealgate(line: Record<string, string>): Promise<Sealgate>;

export interface StartOptions {
  /** All KMS quotas times this number. */
  quotaScale?: number;
  /** A file of KMS keys. */
  seed?: string;
  /** A time of ISO 8601 at which the clock of the KMS stands still. */
  clock?: string;
  /** The file of `--config`. */
  config?: string;
  /** More flags for `sealgate up`. */
  args?: string[];
  binary?: string;
  /** A file that the log is appended to; a temporary one otherwise. */
  log?: string;
}

/** Sealgate did not start, or refused a request on an admin port. The text is its own. */
export class SealgateError extends Error {}

/** A failure or latency in force. */
export class Rule {
  readonly id: number;
  /** Ends it. Returns how many calls it was applied to. */
  remove(): Promise<number>;
}

export interface Calls {
  operation?: string;
  /** An id, ARN or alias. */
  key?: string;
  /** `OK` or the name of an exception. */
  outcome?: string;
  /** ARN of the principal. */
  caller?: string;
}

export interface Encryption {
  algorithm?: string;
  keyId?: string;
  bucketKey: boolean;
  customerAlgorithm?: string;
}

export interface ClientConfig {
  region: string;
  endpoint: string;
  credentials: { accessKeyId: string; secretAccessKey: string };
}

/** A Sealgate that runs. It ends with the program that started it, if not before. */
export class Sealgate {
  /** The fixture line: endpoints, credentials, files. */
  readonly line: Readonly<Record<string, string>>;
  /** Ends it, if this program started it. Returns its exit status, which is 0. */
  stop(): Promise<number | null>;
  [Symbol.asyncDispose](): Promise<void>;
  /** Puts everything back to the start: keys, buckets, objects, quotas, faults, the clock. Sets a mark, too. */
  reset(): Promise<void>;
  /** For `new S3Client()`. `alt`: the user of the other account. */
  s3Config(options?: { alt?: boolean }): ClientConfig & { forcePathStyle: true; requestHandler: { httpsAgent: Agent } };
  /** For `new KMSClient()` and `new STSClient()`. */
  kmsConfig(options?: { alt?: boolean }): ClientConfig;
  /** Variables by which any AWS SDK or the CLI finds this Sealgate. Node reads its CAs when it starts. */
  env(): Record<string, string>;
  /** Has `calls()` and `requests()` count from now on. */
  mark(): Promise<void>;
  /** How often the KMS was called since the mark, S3's own calls and planned failures included; exact. */
  calls(by?: Calls): Promise<number>;
  /** Waits until there were as many calls. Fails after `timeout` milliseconds; 10,000 if left out. */
  waitForCalls(count: number, by?: Calls, options?: { timeout?: number }): Promise<number>;
  /** How many S3 requests were answered since the mark; exact. */
  requests(by?: { operation?: string; status?: number }): Promise<number>;
  /** The latest events of the KMS as CloudTrail has them, newest first. */
  events(options?: { name?: string; limit?: number }): Promise<Record<string, unknown>[]>;
  /** The end of the log. */
  log(lines?: number): string;
  /** Has the next calls of the KMS be answered `ThrottlingException`. */
  throttleNext(count: number, of?: { operation?: string; key?: string }): Promise<Rule>;
  /** Has the next calls of the KMS fail; with `KMSInternalException` if `error` is left out. */
  failNext(count: number, of?: { operation?: string; key?: string; error?: string }): Promise<Rule>;
  /** Has calls of the KMS take longer: the median, and the spread of a lognormal distribution. */
  latency(milliseconds: number, of?: { operation?: string; sigma?: number }): Promise<Rule>;
  /** Sets the quota of a class, such as `CryptographicOperationsSymmetric`, in requests per second. */
  quota(quotaClass: string, rate: number): Promise<void>;
  /** Stops the clock of the KMS, at a time of ISO 8601 if one is given. Returns its time. */
  freeze(at?: string): Promise<string>;
  /** Moves the clock of the KMS forward. Returns its time. */
  advance(by: { days?: number; hours?: number; minutes?: number; seconds?: number }): Promise<string>;
  /** How S3 reports that an object is encrypted. Needs `@aws-sdk/client-s3`. */
  encryptionOf(bucket: string, key: string, request?: object): Promise<Encryption>;
  /**
   * Fails if any object at the backend has these bytes: as they are, in hex or in base64, or in its metadata. Needs
   * `@aws-sdk/client-s3`.
   */
  assertBackendLacks(text: string | Uint8Array): Promise<void>;
}
