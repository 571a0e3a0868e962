import java.nio.file.Files;
import java.nio.file.Path;
import java.util.function.Consumer;
import software.amazon.awssdk.core.async.AsyncRequestBody;
import software.amazon.awssdk.core.async.AsyncResponseTransformer;
import software.amazon.awssdk.services.kms.KmsClient;
import software.amazon.awssdk.services.s3.S3AsyncClient;
import software.amazon.awssdk.services.s3.model.PutObjectRequest;
import software.amazon.awssdk.transfer.s3.S3TransferManager;

/** The client of AWS's Common Runtime and the transfer manager, which uploads and downloads in parts by itself. */
final class Crt {
    private Crt() {}

    public static void main(String[] arguments) throws Exception {
        String key;
        try (KmsClient kms = KmsClient.create()) {
            key = kms.createKey().keyMetadata().arn();
        }
        try (S3AsyncClient s3 = S3AsyncClient.crtCreate();
                S3TransferManager transfers = S3TransferManager.builder().s3Client(s3).build()) {
            s3.createBucket(create -> create.bucket("crt")).join();
            for (var mode : Sdk2.modes(key).entrySet()) {
                objects(s3, transfers, mode.getKey(), mode.getValue());
            }
        }
    }

    static void objects(S3AsyncClient s3, S3TransferManager transfers, String name,
            Consumer<PutObjectRequest.Builder> mode) throws Exception {
        PutObjectRequest request = PutObjectRequest.builder().bucket("crt").key(name + "/text").applyMutation(mode)
                .build();
        String sealed = request.serverSideEncryption() == null ? "AES256" : request.serverSideEncryptionAsString();
        var put = s3.putObject(request, AsyncRequestBody.fromBytes(Checks.TEXT)).join();
        Checks.same(name, put.serverSideEncryptionAsString(), sealed);
        Checks.same(name, put.bucketKeyEnabled(), request.bucketKeyEnabled());
        var got = s3.getObject(get -> get.bucket("crt").key(name + "/text"), AsyncResponseTransformer.toBytes()).join();
        Checks.sameBytes(name, got.asByteArray(), Checks.TEXT);

        byte[] large = Checks.random(30_000_000);
        Path file = Path.of("large");
        Files.write(file, large);
        transfers.uploadFile(upload -> upload.source(file)
                .putObjectRequest(put2 -> put2.bucket("crt").key(name + "/large").applyMutation(mode)))
                .completionFuture().join();
        var head = s3.headObject(ask -> ask.bucket("crt").key(name + "/large")).join();
        Checks.same(name, head.serverSideEncryptionAsString(), sealed);
        Checks.same(name, head.contentLength(), (long) large.length);
        Checks.same(name + " in parts", head.eTag().contains("-"), true);
        Path back = Path.of("back");
        Files.deleteIfExists(back);
        transfers.downloadFile(download -> download.destination(back)
                .getObjectRequest(get -> get.bucket("crt").key(name + "/large"))).completionFuture().join();
        Checks.sameBytes(name, Files.readAllBytes(back), large);
        transfers.copy(copy -> copy.copyObjectRequest(of -> of.sourceBucket("crt").sourceKey(name + "/large")
                .destinationBucket("crt").destinationKey(name + "/copy")
                .serverSideEncryption(request.serverSideEncryption()).ssekmsKeyId(request.ssekmsKeyId())
                .bucketKeyEnabled(request.bucketKeyEnabled()))).completionFuture().join();
        var copied = s3.getObject(get -> get.bucket("crt").key(name + "/copy"), AsyncResponseTransformer.toBytes())
                .join();
        Checks.sameBytes(name, copied.asByteArray(), large);
        Checks.same(name, copied.response().serverSideEncryptionAsString(), sealed);
        s3.deleteObject(delete -> delete.bucket("crt").key(name + "/copy")).join();
    }
}
