package dev.sealgate;

/**
 * Which calls of the KMS are counted; what is null is any.
 *
 * @param operation such as {@code GenerateDataKey}
 * @param key an id, ARN or alias
 * @param outcome {@code OK} or the name of an exception
 * @param caller the ARN of a principal
 */
public record Calls(String operation, String key, String outcome, String caller) {
    /** All calls. */
    public static Calls any() {
        return new Calls(null, null, null, null);
    }

    /** Those of an operation. */
    public static Calls of(String operation) {
        return any().operation(operation);
    }

    /** Of these, those of an operation. */
    public Calls operation(String operation) {
        return new Calls(operation, key, outcome, caller);
    }

    /** Of these, those with a key: an id, ARN or alias. */
    public Calls key(String key) {
        return new Calls(operation, key, outcome, caller);
    }

    /** Of these, those with an outcome: {@code OK} or the name of an exception. */
    public Calls outcome(String outcome) {
        return new Calls(operation, key, outcome, caller);
    }

    /** Of these, those of a principal. */
    public Calls caller(String caller) {
        return new Calls(operation, key, outcome, caller);
    }
}
