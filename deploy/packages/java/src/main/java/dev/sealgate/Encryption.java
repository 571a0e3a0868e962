package dev.sealgate;

/**
 * How S3 reports that an object is encrypted. What it does not report is null.
 *
 * @param algorithm the algorithm of {@code x-amz-server-side-encryption}, such as {@code aws:kms}
 * @param keyId the ARN of the KMS key
 * @param bucketKey whether a bucket key is in between
 * @param customerAlgorithm the algorithm of SSE-C
 */
public record Encryption(String algorithm, String keyId, boolean bucketKey, String customerAlgorithm) {}
