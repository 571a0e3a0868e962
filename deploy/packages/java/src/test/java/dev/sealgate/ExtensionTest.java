package dev.sealgate;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assertions.fail;
import static org.junit.platform.engine.discovery.DiscoverySelectors.selectClass;

import java.time.Duration;
import java.util.Arrays;
import java.util.Queue;
import java.util.Set;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.parallel.Execution;
import org.junit.jupiter.api.parallel.ExecutionMode;
import org.junit.platform.engine.TestExecutionResult;
import org.junit.platform.testkit.engine.EngineTestKit;
import org.junit.platform.testkit.engine.Events;

/** The extension, by test classes that JUnit runs within these tests. */
class ExtensionTest {
    /** The processes that those classes saw. */
    private static final Queue<Long> SEEN = new ConcurrentLinkedQueue<>();

    @BeforeEach
    void forget() {
        SEEN.clear();
    }

    private static Events run(Class<?> test) {
        return EngineTestKit.engine("junit-jupiter")
                .configurationParameter("junit.jupiter.execution.parallel.enabled", "true")
                .configurationParameter("junit.jupiter.execution.parallel.config.strategy", "fixed")
                .configurationParameter("junit.jupiter.execution.parallel.config.fixed.parallelism", "2")
                .selectors(selectClass(test))
                .execute()
                .testEvents();
    }

    private static void ended() {
        for (var pid : SEEN) {
            assertTrue(ProcessHandle.of(pid).isEmpty(), () -> "process " + pid + " is still there");
        }
    }

    @ExtendWith(SealgateExtension.class)
    static class Shared {
        @Test
        void one(Sealgate sealgate) {
            SEEN.add(sealgate.pid());
            assertTrue(sealgate.s3().listBuckets().buckets().isEmpty());
            sealgate.s3().createBucket(request -> request.bucket("demo"));
        }

        @Test
        void two(Sealgate sealgate) {
            one(sealgate);
        }

        @Nested
        class Inside {
            @Test
            void three(Sealgate sealgate) {
                one(sealgate);
            }
        }
    }

    @Test
    void testsOfAClassShareAProcessThatIsPutBackAndEndsWithTheClass() {
        run(Shared.class).assertStatistics(it -> it.succeeded(3).failed(0));
        assertEquals(1, Set.copyOf(SEEN).size());
        ended();
    }

    static class Fresh {
        @RegisterExtension
        static final SealgateExtension EXTENSION = SealgateExtension.builder().freshForEachTest().build();

        @Test
        void one(Sealgate sealgate) {
            SEEN.add(sealgate.pid());
        }

        @Test
        void two(Sealgate sealgate) {
            SEEN.add(sealgate.pid());
        }
    }

    @Test
    void aTestHasAProcessOfItsOwnWhereThatIsRequested() {
        run(Fresh.class).assertStatistics(it -> it.succeeded(2).failed(0));
        assertEquals(2, Set.copyOf(SEEN).size());
        ended();
    }

    @Execution(ExecutionMode.CONCURRENT)
    @ExtendWith(SealgateExtension.class)
    static class AtTheSameTime {
        private static final CyclicBarrier BOTH = new CyclicBarrier(2);

        @Test
        void one(Sealgate sealgate) throws Exception {
            BOTH.await(60, TimeUnit.SECONDS);
            SEEN.add(sealgate.pid());
        }

        @Test
        void two(Sealgate sealgate) throws Exception {
            one(sealgate);
        }
    }

    @Test
    void testsThatRunAtTheSameTimeHaveAProcessEach() {
        run(AtTheSameTime.class).assertStatistics(it -> it.succeeded(2).failed(0));
        assertEquals(2, Set.copyOf(SEEN).size());
    }

    static class WithAClock {
        @RegisterExtension
        static final SealgateExtension EXTENSION =
                SealgateExtension.builder().clock("2026-01-02T03:04:05Z").build();

        @Test
        void one(Sealgate sealgate) {
            assertTrue(sealgate.freeze().startsWith("2026-01-02T03:04:05"));
            sealgate.advance(Duration.ofDays(1));
        }

        @Test
        void two(Sealgate sealgate) {
            one(sealgate);
        }
    }

    @Test
    void theClockIsPutBackToTheTimeThatWasGiven() {
        run(WithAClock.class).assertStatistics(it -> it.succeeded(2).failed(0));
    }

    @ExtendWith(SealgateExtension.class)
    static class Failing {
        @Test
        void fails(Sealgate sealgate) {
            sealgate.kms().generateRandom(request -> request.numberOfBytes(1));
            fail("on purpose");
        }
    }

    @Test
    void aTestThatFailsShowsTheEventsAndTheLog() {
        var failed = run(Failing.class).failed().list();
        assertEquals(1, failed.size());
        var result = failed.get(0).getRequiredPayload(TestExecutionResult.class);
        var shown = Arrays.toString(result.getThrowable().orElseThrow().getSuppressed());
        assertTrue(shown.contains("GenerateRandom OK"), shown);
        assertTrue(shown.contains("Sealgate's log"), shown);
        assertNotEquals(-1, shown.indexOf("INFO"), shown);
    }
}
