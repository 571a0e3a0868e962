package dev.sealgate;

import java.net.URI;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import java.util.ServiceLoader;
import software.amazon.awssdk.auth.credentials.AwsBasicCredentials;
import software.amazon.awssdk.auth.credentials.AwsCredentialsProvider;
import software.amazon.awssdk.auth.credentials.StaticCredentialsProvider;
import software.amazon.awssdk.core.SdkClient;
import software.amazon.awssdk.http.SdkHttpClient;
import software.amazon.awssdk.http.SdkHttpConfigurationOption;
import software.amazon.awssdk.http.SdkHttpService;
import software.amazon.awssdk.http.TlsTrustManagersProvider;
import software.amazon.awssdk.regions.Region;
import software.amazon.awssdk.services.kms.KmsClient;
import software.amazon.awssdk.services.s3.S3Client;
import software.amazon.awssdk.utils.AttributeMap;

/** Clients of the SDK, made when the first test requests one. */
final class Clients implements AutoCloseable {
    private final Map<String, String> line;
    private final Map<String, SdkClient> made = new HashMap<>();
    private SdkHttpClient http;
    private Trust trust;

    Clients(Map<String, String> line) {
        this.line = line;
    }

    synchronized Trust trust() {
        if (trust == null) {
            trust = new Trust(Path.of(line.get("ca_file")));
        }
        return trust;
    }

    synchronized S3Client s3(boolean alt) {
        var prefix = alt ? "alt_" : "";
        return (S3Client) made.computeIfAbsent(prefix + "s3", name -> S3Client.builder()
                .region(Region.of(line.get("region")))
                .endpointOverride(URI.create(line.get("s3_tls_endpoint")))
                .forcePathStyle(true)
                .credentialsProvider(user(line, prefix))
                .httpClient(http())
                .build());
    }

    synchronized KmsClient kms(boolean alt) {
        var prefix = alt ? "alt_" : "";
        return (KmsClient) made.computeIfAbsent(prefix + "kms", name -> KmsClient.builder()
                .region(Region.of(line.get("region")))
                .endpointOverride(URI.create(line.get("kms_endpoint")))
                .credentialsProvider(user(line, prefix))
                .httpClient(http())
                .build());
    }

    static AwsCredentialsProvider user(Map<String, String> line, String prefix) {
        var id = line.get(prefix + "access_key_id");
        if (id == null || id.isEmpty()) {
            throw new SealgateException("the credentials " + prefix + "access_key_id are not known here");
        }
        var secret = line.get(prefix + "secret_access_key");
        return StaticCredentialsProvider.create(AwsBasicCredentials.create(id, secret));
    }

    /** One of the kind that the project has, whichever that is. */
    private SdkHttpClient http() {
        if (http == null) {
            var managers = trust().managers();
            var service = ServiceLoader.load(SdkHttpService.class).findFirst();
            TlsTrustManagersProvider provider = () -> managers;
            var settings = AttributeMap.builder()
                    .put(SdkHttpConfigurationOption.TLS_TRUST_MANAGERS_PROVIDER, provider)
                    .build();
            http = service
                    .orElseThrow(() -> new SealgateException("the AWS SDK has no HTTP client, such as apache-client"))
                    .createHttpClientBuilder()
                    .buildWithDefaults(settings);
        }
        return http;
    }

    @Override
    public synchronized void close() {
        made.values().forEach(SdkClient::close);
        made.clear();
        if (http != null) {
            http.close();
            http = null;
        }
    }
}
