package dev.sealgate;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.security.cert.CertificateFactory;
import java.util.Map;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManager;
import javax.net.ssl.TrustManagerFactory;

/** Trust in the authority of one Sealgate, and in nobody else. */
final class Trust {
    /** It protects nothing: what is in the store is public. It is the one that Java's own stores have. */
    private static final String PASSWORD = "changeit";

    private final KeyStore store;
    private Path file;

    Trust(Path authority) {
        try (var pem = Files.newInputStream(authority)) {
            store = KeyStore.getInstance("PKCS12");
            store.load(null, null);
            store.setCertificateEntry("sealgate", CertificateFactory.getInstance("X.509").generateCertificate(pem));
        } catch (IOException | GeneralSecurityException error) {
            throw new SealgateException("the authority " + authority + " cannot be read: " + error, error);
        }
    }

    TrustManager[] managers() {
        try {
            var factory = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
            factory.init(store);
            return factory.getTrustManagers();
        } catch (GeneralSecurityException error) {
            throw new SealgateException("this JVM cannot trust an authority: " + error, error);
        }
    }

    SSLContext sslContext() {
        try {
            var context = SSLContext.getInstance("TLS");
            context.init(null, managers(), null);
            return context;
        } catch (GeneralSecurityException error) {
            throw new SealgateException("this JVM has no TLS: " + error, error);
        }
    }

    synchronized Map<String, String> systemProperties() {
        try {
            if (file == null) {
                file = Files.createTempFile("sealgate-", ".p12");
                file.toFile().deleteOnExit();
                try (var out = Files.newOutputStream(file)) {
                    store.store(out, PASSWORD.toCharArray());
                }
            }
        } catch (IOException | GeneralSecurityException error) {
            throw new SealgateException("the trust store cannot be written: " + error, error);
        }
        return Map.of(
                "javax.net.ssl.trustStore", file.toString(),
                "javax.net.ssl.trustStoreType", "PKCS12",
                "javax.net.ssl.trustStorePassword", PASSWORD);
    }
}
