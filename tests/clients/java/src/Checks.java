import java.util.Arrays;
import java.util.Objects;
import java.util.Random;

/** What the clients in Java share: settings, contents, comparisons. */
final class Checks {
    private Checks() {}

    static final String ENDPOINT = System.getenv("AWS_ENDPOINT_URL_S3");
    static final String KMS_ENDPOINT = System.getenv("AWS_ENDPOINT_URL_KMS");
    static final String REGION = System.getenv("AWS_REGION");
    static final String HOSTED = System.getenv("S3_HOSTED_ENDPOINT");
    /** Holds the canary, which must not reach the backend. */
    static final byte[] TEXT = (System.getenv("CANARY") + " line\n").repeat(4000).getBytes();

    static byte[] random(int size) {
        byte[] content = new byte[size];
        new Random().nextBytes(content);
        return content;
    }

    static void same(String what, Object seen, Object wanted) {
        if (!Objects.equals(seen, wanted)) {
            throw new AssertionError(what + ": " + seen + " where " + wanted + " was expected");
        }
    }

    static void sameBytes(String what, byte[] seen, byte[] wanted) {
        if (!Arrays.equals(seen, wanted)) {
            throw new AssertionError(what + ": " + seen.length + " bytes came back changed, of " + wanted.length);
        }
    }

    static byte[] slice(byte[] content, int first, int last) {
        return Arrays.copyOfRange(content, first, last + 1);
    }
}
