package dev.sealgate;

import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import software.amazon.awssdk.regions.Region;
import software.amazon.awssdk.services.s3.S3Client;

/** Looks for a text in what the backend stores. */
final class BackendSearch {
    private BackendSearch() {}

    static void assertLacks(Map<String, String> line, byte[] text) {
        var needles = needles(text);
        var builder = S3Client.builder()
                .region(Region.of(line.get("region")))
                .forcePathStyle(true)
                .credentialsProvider(Clients.user(line, "backend_"))
                .endpointOverride(URI.create(line.get("backend_endpoint")));
        try (var s3 = builder.build()) {
            for (var bucket : s3.listBuckets().buckets()) {
                for (var version : s3.listObjectVersionsPaginator(r -> r.bucket(bucket.name())).versions()) {
                    var got = s3.getObjectAsBytes(
                            r -> r.bucket(bucket.name()).key(version.key()).versionId(version.versionId()));
                    var names = version.key() + " " + got.response().metadata();
                    var stored = text(got.asByteArray()) + text(names.getBytes(StandardCharsets.UTF_8));
                    if (needles.stream().anyMatch(stored::contains)) {
                        throw new AssertionError("the backend has it in " + bucket.name() + "/" + version.key());
                    }
                }
            }
        }
    }

    /** A text as it is, in hex and in base64 at each of its three places. */
    static List<String> needles(byte[] text) {
        var needles = new ArrayList<>(List.of(text(text), HexFormat.of().formatHex(text)));
        for (int shift = 0; shift < 3; shift++) {
            var shifted = new byte[shift + text.length];
            Arrays.fill(shifted, 0, shift, (byte) 'x');
            System.arraycopy(text, 0, shifted, shift, text.length);
            var encoded = Base64.getEncoder().encodeToString(shifted);
            if (encoded.length() > 8) {
                needles.add(encoded.substring(4, encoded.length() - 4));
            }
        }
        return needles;
    }

    /** Bytes as a text that can be searched: a character for each. */
    static String text(byte[] bytes) {
        return new String(bytes, StandardCharsets.ISO_8859_1);
    }
}
