import com.amazonaws.HttpMethod;
import com.amazonaws.client.builder.AwsClientBuilder.EndpointConfiguration;
import com.amazonaws.services.kms.AWSKMSClientBuilder;
import com.amazonaws.services.kms.model.CreateKeyRequest;
import com.amazonaws.services.s3.AmazonS3;
import com.amazonaws.services.s3.AmazonS3ClientBuilder;
import com.amazonaws.services.s3.model.AmazonS3Exception;
import com.amazonaws.services.s3.model.CopyObjectRequest;
import com.amazonaws.services.s3.model.DeleteObjectsRequest;
import com.amazonaws.services.s3.model.GetObjectRequest;
import com.amazonaws.services.s3.model.ObjectMetadata;
import com.amazonaws.services.s3.model.PutObjectRequest;
import com.amazonaws.services.s3.model.SSEAwsKeyManagementParams;
import com.amazonaws.services.s3.transfer.TransferManager;
import com.amazonaws.services.s3.transfer.TransferManagerBuilder;
import com.amazonaws.util.IOUtils;
import java.io.ByteArrayInputStream;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.util.Date;
import java.util.List;

/** The AWS SDK for Java 1, which reads no endpoint from the environment; the rest are its defaults. */
final class Sdk1 {
    private Sdk1() {}

    static AmazonS3 client(String endpoint) {
        return AmazonS3ClientBuilder.standard()
                .withEndpointConfiguration(new EndpointConfiguration(endpoint, Checks.REGION)).build();
    }

    public static void main(String[] arguments) throws Exception {
        var kms = AWSKMSClientBuilder.standard()
                .withEndpointConfiguration(new EndpointConfiguration(Checks.KMS_ENDPOINT, Checks.REGION)).build();
        String key = kms.createKey(new CreateKeyRequest()).getKeyMetadata().getArn();
        AmazonS3 s3 = client(Checks.ENDPOINT);
        s3.createBucket("sse-s3");
        for (String mode : List.of("default", "sse-s3", "sse-kms", "bucket-key")) {
            objects(s3, "sse-s3", mode, key);
        }
        presigned(s3);
        long sizes = 0;
        for (var page = s3.listObjects("sse-s3", "sse-kms/");; page = s3.listNextBatchOfObjects(page)) {
            sizes += page.getObjectSummaries().stream().mapToLong(each -> each.getSize()).sum();
            if (!page.isTruncated()) {
                break;
            }
        }
        Checks.same("sizes", sizes, 1L * Checks.TEXT.length + 20_000_000);
        var gone = s3.deleteObjects(new DeleteObjectsRequest("sse-s3").withKeys("default/large", "sse-s3/large"));
        Checks.same("deleted", gone.getDeletedObjects().size(), 2);
        if (Checks.HOSTED != null) {
            AmazonS3 hosted = client(Checks.HOSTED);
            hosted.createBucket("hosted");
            objects(hosted, "hosted", "bucket-key", key);
        }
    }

    /** A write in a mode, with the metadata that names it. */
    static PutObjectRequest write(String bucket, String mode, String name, byte[] content, String key) {
        ObjectMetadata metadata = new ObjectMetadata();
        metadata.setContentLength(content.length);
        if (mode.equals("sse-s3")) {
            metadata.setSSEAlgorithm(ObjectMetadata.AES_256_SERVER_SIDE_ENCRYPTION);
        }
        var put = new PutObjectRequest(bucket, mode + name, new ByteArrayInputStream(content), metadata);
        if (mode.equals("sse-kms") || mode.equals("bucket-key")) {
            put.setSSEAwsKeyManagementParams(new SSEAwsKeyManagementParams(key));
        }
        if (mode.equals("bucket-key")) {
            put.setBucketKeyEnabled(true);
        }
        return put;
    }

    static void objects(AmazonS3 s3, String bucket, String mode, String key) throws Exception {
        String sealed = mode.equals("default") || mode.equals("sse-s3") ? "AES256" : "aws:kms";
        var put = s3.putObject(write(bucket, mode, "/text", Checks.TEXT, key));
        Checks.same(mode, put.getSSEAlgorithm(), sealed);
        Checks.same(mode, Boolean.TRUE.equals(put.getBucketKeyEnabled()), mode.equals("bucket-key"));
        Checks.sameBytes(mode, read(s3, new GetObjectRequest(bucket, mode + "/text")), Checks.TEXT);
        byte[] some = read(s3, new GetObjectRequest(bucket, mode + "/text").withRange(16380, 40000));
        Checks.sameBytes(mode, some, Checks.slice(Checks.TEXT, 16380, 40000));
        // Its open range ends at 2^63 - 2.
        byte[] tail = read(s3, new GetObjectRequest(bucket, mode + "/text").withRange(70000));
        Checks.sameBytes(mode, tail, Checks.slice(Checks.TEXT, 70000, Checks.TEXT.length - 1));

        byte[] large = Checks.random(20_000_000);
        TransferManager transfers = TransferManagerBuilder.standard().withS3Client(s3).withShutDownThreadPools(true)
                .build();
        transfers.upload(write(bucket, mode, "/large", large, key)).waitForUploadResult();
        Checks.sameBytes(mode, read(s3, new GetObjectRequest(bucket, mode + "/large")), large);
        var head = s3.getObjectMetadata(bucket, mode + "/large");
        Checks.same(mode, head.getSSEAlgorithm(), sealed);
        Checks.same(mode, head.getETag().endsWith("-4"), true);
        transfers.shutdownNow(false);

        var copy = new CopyObjectRequest(bucket, mode + "/text", bucket, mode + "/copy");
        if (sealed.equals("aws:kms")) {
            copy.setSSEAwsKeyManagementParams(new SSEAwsKeyManagementParams(key));
        }
        Checks.same(mode, s3.copyObject(copy).getSSEAlgorithm(), sealed);
        Checks.sameBytes(mode, read(s3, new GetObjectRequest(bucket, mode + "/copy")), Checks.TEXT);
        s3.deleteObject(bucket, mode + "/copy");
        Checks.same(mode, s3.doesObjectExist(bucket, mode + "/copy"), false);
        try {
            s3.getObject(bucket, mode + "/copy");
            throw new AssertionError("not deleted");
        } catch (AmazonS3Exception missing) {
            Checks.same(mode, missing.getErrorCode(), "NoSuchKey");
        }
    }

    static byte[] read(AmazonS3 s3, GetObjectRequest request) throws Exception {
        try (var object = s3.getObject(request)) {
            return IOUtils.toByteArray(object.getObjectContent());
        }
    }

    static void presigned(AmazonS3 s3) throws Exception {
        HttpClient web = HttpClient.newHttpClient();
        Date soon = new Date(System.currentTimeMillis() + 60_000);
        var write = s3.generatePresignedUrl("sse-s3", "presigned", soon, HttpMethod.PUT);
        var body = HttpRequest.BodyPublishers.ofByteArray(Checks.TEXT);
        var put = HttpRequest.newBuilder(write.toURI()).PUT(body).build();
        Checks.same("presigned", web.send(put, HttpResponse.BodyHandlers.discarding()).statusCode(), 200);
        var read = s3.generatePresignedUrl("sse-s3", "presigned", soon);
        var got = web.send(HttpRequest.newBuilder(read.toURI()).build(), HttpResponse.BodyHandlers.ofByteArray());
        Checks.sameBytes("presigned", got.body(), Checks.TEXT);
    }
}
