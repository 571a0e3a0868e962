package dev.sealgate;

import static org.junit.jupiter.api.Assertions.assertEquals;

import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import software.amazon.awssdk.core.sync.RequestBody;

@Tag("container")
class UploadInContainerTest {
    @Test
    void anUploadIsOneGenerateDataKey() {
        try (var container = new SealgateContainer(ContainerTest.IMAGE).withQuotaScale(0.001)) {
            container.start();
            var s3 = container.sealgate().s3();
            s3.createBucket(request -> request.bucket("demo"));
            s3.putObject(
                    request -> request.bucket("demo").key("k").serverSideEncryption("aws:kms"),
                    RequestBody.fromString("secret words"));
            assertEquals(1, container.sealgate().calls("GenerateDataKey"));
        }
    }
}
