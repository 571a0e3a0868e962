import java.io.ByteArrayInputStream;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.URI;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import software.amazon.awssdk.core.sync.RequestBody;
import software.amazon.awssdk.services.kms.KmsClient;
import software.amazon.awssdk.services.s3.S3Client;
import software.amazon.awssdk.services.s3.model.NoSuchKeyException;
import software.amazon.awssdk.services.s3.model.ObjectIdentifier;
import software.amazon.awssdk.services.s3.model.PutObjectRequest;
import software.amazon.awssdk.services.s3.model.S3Exception;
import software.amazon.awssdk.services.s3.model.ServerSideEncryption;
import software.amazon.awssdk.services.s3.presigner.S3Presigner;

/** The AWS SDK for Java 2 with its defaults: everything comes from the environment. */
final class Sdk2 {
    private Sdk2() {}

    /** The encryption of each write, by the mode's name. */
    static Map<String, Consumer<PutObjectRequest.Builder>> modes(String key) {
        Map<String, Consumer<PutObjectRequest.Builder>> modes = new LinkedHashMap<>();
        modes.put("default", put -> {});
        modes.put("sse-s3", put -> put.serverSideEncryption(ServerSideEncryption.AES256));
        modes.put("sse-kms", put -> put.serverSideEncryption(ServerSideEncryption.AWS_KMS).ssekmsKeyId(key));
        modes.put("bucket-key", put -> put.serverSideEncryption(ServerSideEncryption.AWS_KMS).ssekmsKeyId(key)
                .bucketKeyEnabled(true));
        return modes;
    }

    public static void main(String[] arguments) throws Exception {
        String key;
        try (KmsClient kms = KmsClient.create()) {
            key = kms.createKey().keyMetadata().arn();
        }
        try (S3Client s3 = S3Client.create(); S3Presigner signer = S3Presigner.builder().s3Client(s3).build()) {
            s3.createBucket(create -> create.bucket("sse-s3"));
            for (var mode : modes(key).entrySet()) {
                objects(s3, "sse-s3", mode.getKey(), mode.getValue());
                presigned(s3, signer, "sse-s3", mode.getKey(), mode.getValue());
            }
            listings(s3, "sse-s3");
        }
        if (Checks.HOSTED != null) {
            URI hosted = URI.create(Checks.HOSTED);
            try (S3Client s3 = S3Client.builder().endpointOverride(hosted).build()) {
                s3.createBucket(create -> create.bucket("hosted"));
                objects(s3, "hosted", "bucket-key", modes(key).get("bucket-key"));
            }
        }
    }

    static void objects(S3Client s3, String bucket, String name, Consumer<PutObjectRequest.Builder> mode) {
        PutObjectRequest request = PutObjectRequest.builder().bucket(bucket).key(name + "/text").applyMutation(mode)
                .build();
        String sealed = request.serverSideEncryption() == null ? "AES256" : request.serverSideEncryptionAsString();
        var put = s3.putObject(request, RequestBody.fromBytes(Checks.TEXT));
        Checks.same(name, put.serverSideEncryptionAsString(), sealed);
        Checks.same(name, put.bucketKeyEnabled(), request.bucketKeyEnabled());
        Checks.same(name, put.ssekmsKeyId(), request.ssekmsKeyId());
        var got = s3.getObjectAsBytes(get -> get.bucket(bucket).key(name + "/text"));
        Checks.sameBytes(name, got.asByteArray(), Checks.TEXT);
        var some = s3.getObjectAsBytes(get -> get.bucket(bucket).key(name + "/text").range("bytes=16380-40000"));
        Checks.sameBytes(name, some.asByteArray(), Checks.slice(Checks.TEXT, 16380, 40000));
        // A stream of unknown length.
        byte[] large = Checks.random(3_000_000);
        s3.putObject(put2 -> put2.bucket(bucket).key(name + "/stream").applyMutation(mode),
                RequestBody.fromContentProvider(() -> new ByteArrayInputStream(large), "application/octet-stream"));
        Checks.sameBytes(name, read(s3, bucket, name + "/stream"), large);
        try {
            s3.putObject(put3 -> put3.bucket(bucket).key(name + "/stream").ifNoneMatch("*"),
                    RequestBody.fromBytes(large));
            throw new AssertionError("written twice");
        } catch (S3Exception refused) {
            Checks.same(name, refused.statusCode(), 412);
        }
        var copied = s3.copyObject(copy -> copy.sourceBucket(bucket).sourceKey(name + "/text").destinationBucket(bucket)
                .destinationKey(name + "/copy").serverSideEncryption(request.serverSideEncryption())
                .ssekmsKeyId(request.ssekmsKeyId()).bucketKeyEnabled(request.bucketKeyEnabled()));
        Checks.same(name, copied.serverSideEncryptionAsString(), sealed);
        Checks.sameBytes(name, read(s3, bucket, name + "/copy"), Checks.TEXT);
        s3.deleteObject(delete -> delete.bucket(bucket).key(name + "/copy"));
        try {
            s3.headObject(head -> head.bucket(bucket).key(name + "/copy"));
            throw new AssertionError("not deleted");
        } catch (NoSuchKeyException gone) {
            Checks.same(name, gone.statusCode(), 404);
        }
    }

    static byte[] read(S3Client s3, String bucket, String key) {
        return s3.getObjectAsBytes(get -> get.bucket(bucket).key(key)).asByteArray();
    }

    static void presigned(S3Client s3, S3Presigner signer, String bucket, String name,
            Consumer<PutObjectRequest.Builder> mode) throws Exception {
        HttpClient web = HttpClient.newHttpClient();
        var write = signer.presignPutObject(sign -> sign.signatureDuration(Duration.ofMinutes(1))
                .putObjectRequest(put -> put.bucket(bucket).key(name + "/presigned").applyMutation(mode)));
        var body = HttpRequest.BodyPublishers.ofByteArray(Checks.TEXT);
        var request = HttpRequest.newBuilder(write.url().toURI()).PUT(body);
        write.signedHeaders().forEach((header, values) -> {
            if (!header.equalsIgnoreCase("host")) {
                values.forEach(value -> request.header(header, value));
            }
        });
        var answer = web.send(request.build(), HttpResponse.BodyHandlers.ofString());
        Checks.same(name + answer.body(), answer.statusCode(), 200);
        var read = signer.presignGetObject(sign -> sign.signatureDuration(Duration.ofMinutes(1))
                .getObjectRequest(get -> get.bucket(bucket).key(name + "/presigned")));
        var get = HttpRequest.newBuilder(read.url().toURI()).build();
        var fetched = web.send(get, HttpResponse.BodyHandlers.ofByteArray());
        Checks.sameBytes(name, fetched.body(), Checks.TEXT);
        String sealed = s3.headObject(head -> head.bucket(bucket).key(name + "/presigned"))
                .serverSideEncryptionAsString();
        Checks.same(name, sealed, name.startsWith("sse-kms") || name.equals("bucket-key") ? "aws:kms" : "AES256");
    }

    static void listings(S3Client s3, String bucket) {
        long sizes = s3.listObjectsV2Paginator(list -> list.bucket(bucket).maxKeys(3)).contents().stream()
                .mapToLong(each -> each.size()).sum();
        Checks.same("sizes", sizes, 4 * (2L * Checks.TEXT.length + 3_000_000));
        var gone = List.of("default", "sse-kms").stream()
                .map(name -> ObjectIdentifier.builder().key(name + "/presigned").build()).toList();
        var deleted = s3.deleteObjects(delete -> delete.bucket(bucket).delete(these -> these.objects(gone)));
        Checks.same("deleted", deleted.deleted().size(), 2);
    }
}
