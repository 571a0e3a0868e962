package dev.sealgate;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;
import software.amazon.awssdk.awscore.exception.AwsServiceException;
import software.amazon.awssdk.core.SdkBytes;
import software.amazon.awssdk.core.sync.RequestBody;
import software.amazon.awssdk.services.kms.KmsClient;
import software.amazon.awssdk.services.s3.S3Client;
import software.amazon.awssdk.services.s3.model.ServerSideEncryption;

/** The behaviours of tests/fixtures/behaviours.md that a process and a container have alike, by their numbers. */
abstract class Behaviours {
    Sealgate sealgate;
    S3Client s3;
    KmsClient kms;

    final void use(Sealgate running) {
        sealgate = running;
        s3 = running.s3();
        kms = running.kms();
    }

    /** Fails if what is stored has this text. */
    abstract void assertStoredLacks(String text) throws Exception;

    void bucket() {
        s3.createBucket(request -> request.bucket("demo"));
        sealgate.mark();
    }

    void put(String key, String body) {
        s3.putObject(request -> request.bucket("demo").key(key), RequestBody.fromString(body));
    }

    void putUnderKms(String key) {
        s3.putObject(
                request -> request.bucket("demo").key(key).serverSideEncryption(ServerSideEncryption.AWS_KMS)
                        .ssekmsKeyId("alias/demo"),
                RequestBody.fromString("x"));
    }

    void encrypt(String key) {
        kms.encrypt(request -> request.keyId(key).plaintext(SdkBytes.fromUtf8String("x")));
    }

    void random() {
        kms.generateRandom(request -> request.numberOfBytes(1));
    }

    static void refused(String code, Executable call) {
        assertEquals(code, assertThrows(AwsServiceException.class, call).awsErrorDetails().errorCode());
    }

    @Test
    void behaviour05AnObjectIsReadAndTheBackendLacksItsPlaintext() throws Exception {
        bucket();
        put("k", "secret words");
        var read = s3.getObjectAsBytes(request -> request.bucket("demo").key("k"));
        assertEquals("secret words", read.asUtf8String());
        assertStoredLacks("secret words");
        // The check can fail: the name of an object is no secret.
        put("a-name-in-clear", "");
        var found = assertThrows(AssertionError.class, () -> assertStoredLacks("a-name-in-clear"));
        assertTrue(found.getMessage().startsWith("the backend has it"), found::getMessage);
    }

    @Test
    void behaviour06TheEncryptionOfAnObjectNamesAlgorithmAndKey() {
        bucket();
        putUnderKms("k");
        var arn = kms.describeKey(request -> request.keyId("alias/demo")).keyMetadata().arn();
        assertEquals(new Encryption("aws:kms", arn, false, null), sealgate.encryptionOf("demo", "k"));
    }

    @Test
    void behaviour07APutWithSseKmsIsOneGenerateDataKey() {
        bucket();
        putUnderKms("k");
        assertEquals(1, sealgate.calls(Calls.of("GenerateDataKey").key("alias/demo")));
        assertEquals(1, sealgate.requests("PutObject", 200));
    }

    @Test
    void behaviour08CountsBeginAtAMark() {
        random();
        sealgate.mark();
        assertEquals(0, sealgate.calls(Calls.any()));
        random();
        assertEquals(1, sealgate.calls(Calls.of("GenerateRandom").outcome("OK")));
    }

    @Test
    void behaviour09CallsAreCountedByAliasAndIdAndAMisspeltNameIsAnError() {
        var id = kms.describeKey(request -> request.keyId("alias/demo")).keyMetadata().keyId();
        encrypt(id);
        encrypt("alias/demo");
        for (var name : List.of(id, "alias/demo")) {
            assertEquals(2, sealgate.calls(Calls.of("Encrypt").key(name)));
        }
        var key = assertThrows(SealgateException.class, () -> sealgate.calls(Calls.any().key("alias/dmo")));
        assertTrue(key.getMessage().contains("alias/dmo"), key::getMessage);
        var operation = assertThrows(SealgateException.class, () -> sealgate.calls("Encript"));
        assertTrue(operation.getMessage().contains("Encript"), operation::getMessage);
    }

    @Test
    void behaviour10TheNextCallsAreThrottledAndCountedByOutcome() {
        sealgate.throttleNext(2, "Encrypt");
        // The SDK tries again until it is served.
        encrypt("alias/demo");
        var throttled = Calls.of("Encrypt").key("alias/demo").outcome("ThrottlingException");
        assertEquals(2, sealgate.calls(throttled));
        assertEquals(1, sealgate.calls(Calls.of("Encrypt").outcome("OK")));
    }

    @Test
    void behaviour11AFailureIsOfOneKey() {
        var other = kms.createKey().keyMetadata().keyId();
        sealgate.failNext(1, "Encrypt", "alias/demo", "DisabledException");
        encrypt(other);
        refused("DisabledException", () -> encrypt("alias/demo"));
    }

    @Test
    void behaviour12ALatencyIsAppliedUntilItIsRemoved() {
        var rule = sealgate.latency(Duration.ofMillis(1), 0, "GenerateRandom");
        for (int call = 0; call < 3; call++) {
            random();
        }
        assertEquals(3, rule.remove());
        assertTrue(assertThrows(SealgateException.class, rule::remove).getMessage().contains("no rule"));
    }

    @Test
    void behaviour13AQuotaServesItsRateAndThrottlesTheNextCall() {
        sealgate.freeze();
        sealgate.quota("CryptographicOperationsSymmetric", 3);
        for (int call = 0; call < 3; call++) {
            encrypt("alias/demo");
        }
        // While the clock stands still, no retry is served either.
        refused("ThrottlingException", () -> encrypt("alias/demo"));
        sealgate.advance(Duration.ofSeconds(1));
        encrypt("alias/demo");
    }

    @Test
    void behaviour14AClockThatIsMovedDeletesAKey() {
        sealgate.freeze("2026-01-02T03:04:05Z");
        var id = kms.createKey().keyMetadata().keyId();
        kms.scheduleKeyDeletion(request -> request.keyId(id).pendingWindowInDays(7));
        var now = sealgate.advance(Duration.ofDays(8));
        assertTrue(now.startsWith("2026-01-10T03:04:05"), now);
        refused("NotFoundException", () -> kms.describeKey(request -> request.keyId(id)));
    }

    @Test
    void behaviour17AResetPutsEverythingBack() {
        bucket();
        var id = kms.createKey().keyMetadata().keyId();
        sealgate.throttleNext(1, null);
        sealgate.quota("CryptographicOperationsSymmetric", 1);
        sealgate.reset();
        assertEquals(0, sealgate.calls(Calls.any()));
        assertTrue(s3.listBuckets().buckets().isEmpty());
        refused("NotFoundException", () -> kms.describeKey(request -> request.keyId(id)));
        bucket();
        putUnderKms("one");
        putUnderKms("two");
        assertEquals(0, sealgate.calls(Calls.any().outcome("ThrottlingException")));
    }

    @Test
    void behaviour19EventsNameWhatWasCalledTheNewestFirst() {
        random();
        kms.listAliases();
        var names = sealgate.events(2).stream().map(Event::eventName).toList();
        assertEquals(List.of("ListAliases", "GenerateRandom"), names);
        assertFalse(sealgate.report().isEmpty());
    }

    @Test
    void behaviour20WaitingForCallsEnds() {
        var random = Calls.of("GenerateRandom");
        var called = CompletableFuture.runAsync(this::random);
        assertEquals(1, sealgate.waitForCalls(1, random, Duration.ofSeconds(30)));
        called.join();
        var late = assertThrows(
                SealgateException.class, () -> sealgate.waitForCalls(2, random, Duration.ofMillis(50)));
        assertTrue(late.getMessage().startsWith("1 calls of GenerateRandom"), late::getMessage);
    }
}
