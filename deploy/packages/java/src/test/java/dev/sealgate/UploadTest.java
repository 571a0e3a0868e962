package dev.sealgate;

import static org.junit.jupiter.api.Assertions.assertEquals;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import software.amazon.awssdk.core.SdkBytes;
import software.amazon.awssdk.core.sync.RequestBody;
import software.amazon.awssdk.services.kms.KmsClient;
import software.amazon.awssdk.services.s3.S3Client;

class UploadTest {
    @RegisterExtension
    static final SealgateExtension SEALGATE =
            SealgateExtension.builder().quotaScale(0.001).build();

    @Test
    void anUploadIsOneGenerateDataKey(Sealgate sealgate, S3Client s3) {
        s3.createBucket(request -> request.bucket("demo"));
        sealgate.mark();
        s3.putObject(
                request -> request.bucket("demo").key("k").serverSideEncryption("aws:kms").ssekmsKeyId("alias/demo"),
                RequestBody.fromString("secret words"));
        assertEquals(1, sealgate.calls(Calls.of("GenerateDataKey").key("alias/demo")));
        sealgate.assertBackendLacks("secret words");
    }

    @Test
    void throttledCallsAreTriedAgain(Sealgate sealgate, KmsClient kms) {
        sealgate.throttleNext(2, "Encrypt");
        kms.encrypt(request -> request.keyId("alias/demo").plaintext(SdkBytes.fromUtf8String("x")));
        assertEquals(2, sealgate.calls(Calls.of("Encrypt").outcome("ThrottlingException")));
    }
}
