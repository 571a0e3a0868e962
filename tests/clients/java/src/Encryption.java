import java.util.Arrays;
import software.amazon.awssdk.core.sync.RequestBody;
import software.amazon.awssdk.services.kms.KmsClient;
import software.amazon.awssdk.services.s3.S3Client;
import software.amazon.encryption.s3.S3EncryptionClient;

/** The S3 Encryption Client for Java with a KMS key: the gateway seals what is encrypted already. */
final class Encryption {
    private Encryption() {}

    static byte[] read(S3Client s3, String key) {
        return s3.getObjectAsBytes(get -> get.bucket("encrypted").key(key)).asByteArray();
    }

    public static void main(String[] arguments) throws Exception {
        String key;
        try (KmsClient kms = KmsClient.create()) {
            key = kms.createKey().keyMetadata().arn();
        }
        byte[] large = Checks.random(12_000_000);
        try (S3Client plain = S3Client.create(); S3Client s3 = S3EncryptionClient.builderV4().kmsKeyId(key).build()) {
            plain.createBucket(create -> create.bucket("encrypted"));
            for (var mode : Sdk2.modes(key).entrySet()) {
                String name = mode.getKey();
                s3.putObject(put -> put.bucket("encrypted").key(name).applyMutation(mode.getValue()),
                        RequestBody.fromBytes(Checks.TEXT));
                Checks.sameBytes(name, read(s3, name), Checks.TEXT);
                var raw = plain.getObjectAsBytes(get -> get.bucket("encrypted").key(name));
                boolean clear = Arrays.equals(raw.asByteArray(), 0, 40, Checks.TEXT, 0, 40);
                Checks.same("in clear before the gateway", clear, false);
                Checks.same(name, raw.response().serverSideEncryptionAsString(),
                        name.equals("sse-kms") || name.equals("bucket-key") ? "aws:kms" : "AES256");
                s3.putObject(put -> put.bucket("encrypted").key(name + "-large").applyMutation(mode.getValue()),
                        RequestBody.fromBytes(large));
                Checks.sameBytes(name, read(s3, name + "-large"), large);
                s3.deleteObject(delete -> delete.bucket("encrypted").key(name + "-large"));
            }
        }
    }
}
