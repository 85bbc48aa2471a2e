package dev.tulle.agent.identity;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonParser;
import dev.tulle.agent.enrol.EnrolRequest;
import dev.tulle.agent.enrol.Lease;
import dev.tulle.agent.host.Cgroups;
import dev.tulle.common.LocalRefusals;
import dev.tulle.common.SocketAccess;
import dev.tulle.common.pki.SpiffeId;
import io.spiffe.spiffeid.TrustDomain;
import io.spiffe.svid.x509svid.X509Svid;
import io.spiffe.svid.x509svid.X509SvidValidator;
import io.spiffe.workloadapi.DefaultX509Source;
import java.math.BigInteger;
import java.nio.file.Path;
import java.security.cert.X509Certificate;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * A client of the Workload API that is not ours (java-spiffe): this process is the workload. The agent's clock is set
 * forward, so that a certificate which holds is renewed.
 */
class RealClientTest {
    private static final Duration FORWARD = Duration.ofSeconds(40);
    private static final String IDENTITY = "spiffe://cluster.local/ns/default/sa/me";

    @TempDir
    private Path directory = Path.of("");

    private static void until(String what, BooleanSupplier condition) throws InterruptedException {
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(30);
        while (!condition.getAsBoolean()) {
            if (System.nanoTime() > deadline) {
                throw new AssertionError("does not come true: " + what);
            }
            Thread.sleep(20);
        }
    }

    static Lease own(Cgroups cgroups) throws Exception {
        String group = cgroups.groupOf(ProcessHandle.current().pid());
        return new Lease(
                EnrolRequest.parse(JsonParser.parseString("{\"name\":\"me\",\"serviceAccount\":\"me\"}")
                        .getAsJsonObject()),
                1,
                1,
                group,
                cgroups.id(group),
                false,
                Instant.EPOCH,
                Lease.State.RUNNING);
    }

    @Test
    void javaSpiffeGetsACertificateAndItsRenewals() throws Exception {
        Cgroups cgroups = Cgroups.find();
        Path socket = directory.resolve("workload.sock");
        SetClock clock = new SetClock();
        try (TestAuthority authority = new TestAuthority(directory.resolve("authority"), Clock.systemUTC());
                LocalIdentities identities = LocalIdentities.start(
                        authority,
                        SpiffeId.proxy("cluster.local", "n1"),
                        cgroups,
                        directory.resolve("sds.sock"),
                        SocketAccess.owner(),
                        socket,
                        new LocalRefusals(),
                        clock)) {
            identities.leases(List.of(own(cgroups)));
            try (DefaultX509Source source = DefaultX509Source.newSource(DefaultX509Source.X509SourceOptions.builder()
                    .spiffeSocketPath("unix:" + socket)
                    .initTimeout(Duration.ofSeconds(20))
                    .build())) {
                X509Svid first = source.getX509Svid();
                assertEquals(IDENTITY, first.getSpiffeId().toString());
                X509SvidValidator.verifyChain(first.getChain(), source);
                assertEquals(
                        1,
                        source.getBundleForTrustDomain(TrustDomain.parse("cluster.local"))
                                .getX509Authorities()
                                .size());
                BigInteger serial = number(first);
                clock.forward(FORWARD);
                until("it has the renewed one", () -> !number(source.getX509Svid())
                        .equals(serial));
                X509Svid second = source.getX509Svid();
                assertTrue(!second.getPrivateKey().equals(first.getPrivateKey()));
                X509SvidValidator.verifyChain(second.getChain(), source);
            }
        }
    }

    private static BigInteger number(X509Svid svid) {
        X509Certificate leaf = svid.getLeaf();
        return leaf.getSerialNumber();
    }
}
