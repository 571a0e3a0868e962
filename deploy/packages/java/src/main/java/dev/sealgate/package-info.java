/**
 * A local S3 and KMS for tests, with real encryption at rest and AWS's request quotas.
 *
 * <p>{@link dev.sealgate.SealgateExtension} starts it for JUnit, {@link dev.sealgate.SealgateContainer} in a container
 * by Testcontainers, and {@link dev.sealgate.Sealgate#builder()} without either. All state is in the process that they
 * start.
 */
package dev.sealgate;
