package dev.sealgate;

/**
 * An event of the KMS, as CloudTrail has it.
 *
 * @param eventName the operation
 * @param eventTime when, in ISO 8601
 * @param errorCode the exception, or null
 */
public record Event(String eventName, String eventTime, String errorCode) {}
