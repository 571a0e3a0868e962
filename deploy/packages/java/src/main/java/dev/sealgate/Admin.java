package dev.sealgate;

import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.io.IOException;
import java.net.ProxySelector;
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Map;
import java.util.stream.Collectors;

/** An admin port. */
final class Admin {
    /** How long an answer may take. */
    static final Duration PATIENCE = Duration.ofSeconds(30);

    // No proxy of the environment is between a test and its process. HTTP/2 would begin with an upgrade of its own.
    private static final HttpClient HTTP = HttpClient.newBuilder()
            .proxy(ProxySelector.of(null))
            .version(HttpClient.Version.HTTP_1_1)
            .connectTimeout(PATIENCE)
            .build();

    private final String endpoint;
    private final String token;

    Admin(String endpoint, String token) {
        this.endpoint = endpoint;
        this.token = token;
    }

    /** Requests, and returns the JSON of the answer; an empty object if the answer is none. */
    JsonObject request(String method, String path, JsonObject body) {
        var content = body == null ? BodyPublishers.noBody() : BodyPublishers.ofString(body.toString());
        var request = HttpRequest.newBuilder(URI.create(endpoint + path))
                .method(method, content)
                .header("content-type", "application/json")
                .timeout(PATIENCE);
        if (!token.isEmpty()) {
            request.header("authorization", "Bearer " + token);
        }
        try {
            var answer = HTTP.send(request.build(), BodyHandlers.ofString());
            if (answer.statusCode() != 200) {
                throw new SealgateException(
                        method + " " + path + ": " + answer.statusCode() + " " + answer.body().strip());
            }
            var isJson = answer.headers().firstValue("content-type").orElse("").equals("application/json");
            return isJson ? JsonParser.parseString(answer.body()).getAsJsonObject() : new JsonObject();
        } catch (IOException error) {
            throw new SealgateException(method + " " + endpoint + path + ": " + error, error);
        } catch (InterruptedException error) {
            Thread.currentThread().interrupt();
            throw new SealgateException(method + " " + endpoint + path + " was interrupted", error);
        }
    }

    /** A query of the parameters that are not null. */
    static String query(Map<String, ?> parameters) {
        return parameters.entrySet().stream()
                .filter(each -> each.getValue() != null)
                .map(each -> each.getKey() + "=" + encode(each.getValue().toString()))
                .collect(Collectors.joining("&"));
    }

    private static String encode(String value) {
        return URLEncoder.encode(value, StandardCharsets.UTF_8);
    }
}
