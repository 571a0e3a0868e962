// Refused PUTs by Java's java.net.http, and a GET after each. Arguments: the PUT's address, the GET's, how many, by how
// many workers, and the sizes of the bodies.
import java.io.FileInputStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.security.KeyStore;
import java.security.cert.CertificateFactory;
import java.util.ArrayList;
import java.util.concurrent.Callable;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManagerFactory;

public class Refused {
    static SSLContext trust() throws Exception {
        KeyStore store = KeyStore.getInstance(KeyStore.getDefaultType());
        store.load(null);
        try (FileInputStream file = new FileInputStream(System.getenv("AWS_CA_BUNDLE"))) {
            store.setCertificateEntry("ca", CertificateFactory.getInstance("X.509").generateCertificate(file));
        }
        TrustManagerFactory factory = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
        factory.init(store);
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(null, factory.getTrustManagers(), null);
        return context;
    }

    static Void work(HttpClient client, String[] arguments, int worker, int count) throws Exception {
        HttpRequest get = HttpRequest.newBuilder(URI.create(arguments[1])).build();
        for (int n = 0; n < count; n++) {
            int size = Integer.parseInt(arguments[4 + (worker + n) % (arguments.length - 4)]);
            HttpRequest put = HttpRequest.newBuilder(URI.create(arguments[0]))
                .PUT(HttpRequest.BodyPublishers.ofByteArray(new byte[size])).build();
            int status = client.send(put, BodyHandlers.ofString()).statusCode();
            if (status != 403) throw new Exception("PUT: " + status);
            String text = client.send(get, BodyHandlers.ofString()).body();
            if (!text.equals("precious")) throw new Exception("GET: " + text);
        }
        return null;
    }

    public static void main(String[] arguments) throws Exception {
        int workers = Integer.parseInt(arguments[3]);
        int count = Integer.parseInt(arguments[2]) / workers;
        HttpClient client = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).sslContext(trust()).build();
        var pool = Executors.newFixedThreadPool(workers);
        var all = new ArrayList<Future<Void>>();
        for (int worker = 0; worker < workers; worker++) {
            int own = worker;
            all.add(pool.submit((Callable<Void>) () -> work(client, arguments, own, count)));
        }
        for (Future<Void> each : all) each.get();
        System.exit(0);
    }
}
