package dev.sealgate;

import java.util.Map;
import java.util.function.Function;
import org.junit.jupiter.api.extension.AfterTestExecutionCallback;
import org.junit.jupiter.api.extension.BeforeEachCallback;
import org.junit.jupiter.api.extension.ExtensionContext;
import org.junit.jupiter.api.extension.ExtensionContext.Namespace;
import org.junit.jupiter.api.extension.ParameterContext;
import org.junit.jupiter.api.extension.ParameterResolver;
import org.junit.jupiter.api.parallel.ExecutionMode;
import software.amazon.awssdk.services.kms.KmsClient;
import software.amazon.awssdk.services.s3.S3Client;

/**
 * Starts a Sealgate for the tests of a class, and puts it back to its start before each of them.
 *
 * <p>Methods take a {@link Sealgate}, an {@link S3Client} or a {@link KmsClient} as parameters. Tests that run at the
 * same time have a process each, as all have with {@link Builder#freshForEachTest()}. A test that fails has the last
 * events of the KMS and the end of the log among its suppressed exceptions.
 */
public final class SealgateExtension
        implements BeforeEachCallback, AfterTestExecutionCallback, ParameterResolver {
    private static final Map<Class<?>, Function<Sealgate, ?>> PARAMETERS = Map.of(
            Sealgate.class, Function.identity(), S3Client.class, Sealgate::s3, KmsClient.class, Sealgate::kms);

    private final Builder options;

    /** For {@code @ExtendWith}: the defaults. */
    public SealgateExtension() {
        this(builder());
    }

    private SealgateExtension(Builder options) {
        this.options = options;
    }

    /** For {@code @RegisterExtension}. */
    public static Builder builder() {
        return new Builder();
    }

    /** How the Sealgates of an extension start. */
    public static final class Builder extends Options<Builder> {
        private boolean fresh;

        Builder() {}

        @Override
        Builder self() {
            return this;
        }

        /** Gives each test a process of its own, which takes some 60 ms. */
        public Builder freshForEachTest() {
            fresh = true;
            return this;
        }

        /** Builds it. */
        public SealgateExtension build() {
            return new SealgateExtension(this);
        }
    }

    @Override
    public void beforeEach(ExtensionContext context) {
        of(context).reset();
    }

    @Override
    public void afterTestExecution(ExtensionContext context) {
        context.getExecutionException().ifPresent(error -> error.addSuppressed(report(of(context))));
    }

    private static SealgateException report(Sealgate sealgate) {
        try {
            return new SealgateException(sealgate.report());
        } catch (SealgateException error) {
            return error;
        }
    }

    @Override
    public boolean supportsParameter(ParameterContext parameter, ExtensionContext context) {
        return PARAMETERS.containsKey(parameter.getParameter().getType());
    }

    @Override
    public Object resolveParameter(ParameterContext parameter, ExtensionContext context) {
        return PARAMETERS.get(parameter.getParameter().getType()).apply(of(context));
    }

    /** The one of a test or class. It ends with the context that it is stored in. */
    private Sealgate of(ExtensionContext context) {
        var isOfTest = context.getTestMethod().isPresent()
                && (options.fresh || context.getExecutionMode() == ExecutionMode.CONCURRENT);
        var holder = isOfTest ? context : outermostClass(context);
        var store = holder.getStore(Namespace.create(SealgateExtension.class, this));
        return store.getOrComputeIfAbsent(holder.getUniqueId(), id -> options.launch(), Sealgate.class);
    }

    /** Nested classes have the one of the class around them. */
    private static ExtensionContext outermostClass(ExtensionContext context) {
        var found = context;
        for (var above = context; above != above.getRoot(); above = above.getParent().orElse(above.getRoot())) {
            if (above.getTestClass().isPresent()) {
                found = above;
            }
        }
        return found;
    }
}
