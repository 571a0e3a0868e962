import { AbstractStartedContainer, GenericContainer } from "testcontainers";
import type { Sealgate } from "./index.mjs";

/** Sealgate in a container, before it starts. Its credentials are random; none is built in. */
export class SealgateContainer extends GenericContainer {
  /** Of an image; `localhost/sealgate:latest` if left out. */
  constructor(image?: string);
  /** Multiplies all quotas of the KMS. */
  withQuotaScale(factor: number): this;
  /** Creates the KMS keys of a file. */
  withSeed(file: string): this;
  /** Sets the Region of both services. */
  withRegion(region: string): this;
  /** Adds a name by which other containers reach this one: it is in the certificate. */
  withHost(name: string): this;
  /** Adds flags for `sealgate up`. */
  withFlags(...flags: string[]): this;
  /** Starts it, and waits until it is ready. */
  start(): Promise<StartedSealgateContainer>;
}

/** Sealgate in a container that runs. */
export class StartedSealgateContainer extends AbstractStartedContainer {
  /** As of one that this program started, except its backend and the user of another account. */
  readonly sealgate: Sealgate;
  /** S3 over plain HTTP, where SSE-KMS and SSE-C are refused, as at AWS. */
  getConnectionUri(): string;
  /** S3 over TLS, by the authority of `getCaCertificate()`. */
  getS3ConnectionUri(): string;
  /** The KMS: AWS JSON and gRPC. */
  getKmsConnectionUri(): string;
  getAccessKey(): string;
  getSecretKey(): string;
  getRegion(): string;
  /** The authority that signed the certificate of S3, in PEM. */
  getCaCertificate(): string;
}
