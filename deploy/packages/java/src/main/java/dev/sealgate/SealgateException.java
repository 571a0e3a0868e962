package dev.sealgate;

/** Sealgate did not start, or refused a request on an admin port. The text is its own. */
public final class SealgateException extends RuntimeException {
    SealgateException(String message) {
        super(message);
    }

    SealgateException(String message, Throwable cause) {
        super(message, cause);
    }
}
