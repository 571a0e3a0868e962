// The KMS by Java's generated client. Run by tests/clients/grpc/run.

import com.google.protobuf.Any;
import com.google.protobuf.ByteString;
import com.google.rpc.ErrorInfo;
import com.google.rpc.RetryInfo;
import io.grpc.Grpc;
import io.grpc.InsecureChannelCredentials;
import io.grpc.ManagedChannelBuilder;
import io.grpc.Metadata;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.protobuf.StatusProto;
import io.grpc.stub.MetadataUtils;
import java.util.List;
import java.util.Map;
import sealgate.kms.v1.KeyManagementGrpc;
import sealgate.kms.v1.KeyManagementGrpc.KeyManagementBlockingStub;
import sealgate.kms.v1.Kms.CreateKeyRequest;
import sealgate.kms.v1.Kms.DecryptRequest;
import sealgate.kms.v1.Kms.DescribeKeyRequest;
import sealgate.kms.v1.Kms.EncryptRequest;
import sealgate.kms.v1.Kms.ListAliasesRequest;
import sealgate.kms.v1.Kms.ListKeysRequest;

public final class Client {
    private static final Map<String, Object> POLICY = Map.of("methodConfig", List.of(Map.of(
            "name", List.of(Map.of()),
            "retryPolicy", Map.of(
                    "maxAttempts", 5.0, "initialBackoff", "0.01s", "maxBackoff", "0.02s", "backoffMultiplier", 1.0,
                    "retryableStatusCodes", List.of("RESOURCE_EXHAUSTED")))));

    /** A client that sends the token with each call, and calls again by gRPC's own policy if {@code retry}. */
    private static KeyManagementBlockingStub client(String token, boolean retry) {
        ManagedChannelBuilder<?> channel =
                Grpc.newChannelBuilder(System.getenv("ENDPOINT"), InsecureChannelCredentials.create());
        if (retry) {
            channel.defaultServiceConfig(POLICY).enableRetry();
        }
        Metadata metadata = new Metadata();
        metadata.put(Metadata.Key.of("authorization", Metadata.ASCII_STRING_MARSHALLER), "Bearer " + token);
        return KeyManagementGrpc.newBlockingStub(channel.build())
                .withInterceptors(MetadataUtils.newAttachHeadersInterceptor(metadata))
                .withCompression("gzip");
    }

    /** The error of a call, if it has one. */
    private static StatusRuntimeException failure(Runnable call) {
        try {
            call.run();
            return null;
        } catch (StatusRuntimeException error) {
            return error;
        }
    }

    /** A detail of an error with that code. */
    private static <T extends com.google.protobuf.Message> T refused(
            StatusRuntimeException error, Status.Code code, Class<T> kind) throws Exception {
        check(error != null && error.getStatus().getCode() == code, "not refused with " + code + ": " + error);
        for (Any detail : StatusProto.fromThrowable(error).getDetailsList()) {
            if (detail.is(kind)) {
                return detail.unpack(kind);
            }
        }
        throw new AssertionError("no " + kind + " in " + error);
    }

    private static void check(boolean holds, String otherwise) {
        if (!holds) {
            throw new AssertionError(otherwise);
        }
    }

    public static void main(String[] arguments) throws Exception {
        KeyManagementBlockingStub kms = client(System.getenv("GRPC_TOKEN"), false);
        var key = kms.createKey(CreateKeyRequest.newBuilder().setDescription("by Java").build()).getKeyMetadata();
        var sealed = kms.encrypt(EncryptRequest.newBuilder().setKeyId(key.getKeyId())
                .setPlaintext(ByteString.copyFromUtf8("a secret")).putEncryptionContext("purpose", "test").build());
        var opened = kms.decrypt(DecryptRequest.newBuilder().setCiphertextBlob(sealed.getCiphertextBlob())
                .putEncryptionContext("purpose", "test").build());
        check(opened.getPlaintext().toStringUtf8().equals("a secret"), "decrypted to something else");

        var nowhere = DescribeKeyRequest.newBuilder().setKeyId("11111111-2222-3333-4444-555555555555").build();
        var info = refused(failure(() -> kms.describeKey(nowhere)), Status.Code.NOT_FOUND, ErrorInfo.class);
        check(info.getReason().equals("NotFoundException"), info.toString());
        var alt = client(System.getenv("ALT_GRPC_TOKEN"), false);
        var foreign = DescribeKeyRequest.newBuilder().setKeyId(key.getArn()).build();
        refused(failure(() -> alt.describeKey(foreign)), Status.Code.PERMISSION_DENIED, ErrorInfo.class);
        var guess = client("guess", false);
        var listKeys = ListKeysRequest.getDefaultInstance();
        refused(failure(() -> guess.listKeys(listKeys)), Status.Code.UNAUTHENTICATED, ErrorInfo.class);

        var listAliases = ListAliasesRequest.getDefaultInstance();
        StatusRuntimeException error = null;
        while (error == null) {
            error = failure(() -> kms.listAliases(listAliases));
        }
        var delay = refused(error, Status.Code.RESOURCE_EXHAUSTED, RetryInfo.class).getRetryDelay();
        long milliseconds = delay.getSeconds() * 1_000 + delay.getNanos() / 1_000_000;
        check(milliseconds > 0 && milliseconds <= 1_000, delay.toString());
        Thread.sleep(milliseconds);
        kms.listAliases(listAliases);
        var patient = client(System.getenv("GRPC_TOKEN"), true);
        for (int n = 0; n < 5; n++) {
            patient.listAliases(listAliases);
        }
        System.exit(0);
    }
}
