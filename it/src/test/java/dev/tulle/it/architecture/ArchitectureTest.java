package dev.tulle.it.architecture;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.library.dependencies.SlicesRuleDefinition.slices;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.tngtech.archunit.base.DescribedPredicate;
import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.domain.JavaMethodCall;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import com.tngtech.archunit.lang.ArchRule;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.jspecify.annotations.NullMarked;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;

/**
 * The directions between modules, and what only one module may touch. Method: every compiled class of the project is
 * read and its dependencies are compared with the tables below; ARCHITECTURE.md explains them.
 */
class ArchitectureTest {
    private static final String ROOT = "dev.tulle.";

    /** For each module, the modules whose classes it may use besides its own. */
    private static final Map<String, List<String>> MAY_USE = mayUse();

    private static final JavaClasses CLASSES = new ClassFileImporter()
            .withImportOption(ImportOption.Predefined.DO_NOT_INCLUDE_TESTS)
            .importPackages("dev.tulle");

    private static Map<String, List<String>> mayUse() {
        Map<String, List<String>> table = new LinkedHashMap<>();
        table.put("common", List.of());
        table.put("identity", List.of("common"));
        table.put("model", List.of("common"));
        table.put("telemetry", List.of("common", "model"));
        table.put("config", List.of("common", "model"));
        table.put("xds", List.of("common", "model", "telemetry"));
        table.put("kernel", List.of("common"));
        table.put("control", List.of("common", "identity", "model", "telemetry", "config", "xds"));
        table.put("agent", List.of("common", "identity", "model", "telemetry", "config", "xds", "kernel"));
        table.put("proxy", List.of("common", "model", "telemetry", "config", "xds"));
        table.put(
                "cli",
                List.of(
                        "common",
                        "identity",
                        "model",
                        "telemetry",
                        "config",
                        "xds",
                        "kernel",
                        "control",
                        "agent",
                        "proxy"));
        return table;
    }

    @TestFactory
    Stream<DynamicTest> aModuleUsesOnlyWhatStandsBelowIt() {
        return MAY_USE.entrySet().stream()
                .map(module -> DynamicTest.dynamicTest(module.getKey(), () -> {
                    String[] forbidden = MAY_USE.keySet().stream()
                            .filter(other -> !other.equals(module.getKey())
                                    && !module.getValue().contains(other))
                            .map(other -> ROOT + other + "..")
                            .toArray(String[]::new);
                    if (forbidden.length > 0) {
                        hold(noClasses()
                                .that()
                                .resideInAPackage(ROOT + module.getKey() + "..")
                                .should()
                                .dependOnClassesThat()
                                .resideInAnyPackage(forbidden));
                    }
                }));
    }

    @Test
    void everyModuleStandsInTheTable() {
        Set<String> found = new TreeSet<>();
        for (JavaClass one : CLASSES) {
            String rest = one.getPackageName().substring(ROOT.length());
            int dot = rest.indexOf('.');
            found.add(dot < 0 ? rest : rest.substring(0, dot));
        }
        found.removeAll(Set.of("testkit", "it", "bench", "samples"));
        assertEquals(new TreeSet<>(MAY_USE.keySet()), found);
    }

    @TestFactory
    Stream<DynamicTest> noPackagesUseEachOtherInACircle() {
        return MAY_USE.keySet().stream()
                .map(module -> DynamicTest.dynamicTest(
                        module,
                        () -> hold(slices().matching(ROOT + module + ".(**)")
                                .should()
                                .beFreeOfCycles())));
    }

    @Test
    void onlyKernelUsesForeignFunctions() {
        hold(noClasses()
                .that()
                .resideOutsideOfPackage(ROOT + "kernel..")
                .should()
                .dependOnClassesThat()
                .resideInAPackage("java.lang.foreign..")
                .because("layouts and lifetimes of native memory are one module's business"));
    }

    @Test
    void protobufAndGrpcStayInsideXds() {
        hold(noClasses()
                .that()
                .resideOutsideOfPackages(ROOT + "xds..", ROOT + "samples..")
                .and()
                // A probe and the demo call programs that speak gRPC.
                .haveNameNotMatching(".*\\.(agent\\.enrol\\.GrpcHealth|cli\\.demo\\.Edge)(\\$.*)?")
                .should()
                .dependOnClassesThat()
                .resideInAnyPackage("io.grpc..", "com.google.protobuf..", "io.envoyproxy..", "istio..")
                .because("the other modules speak in records of the model"));
    }

    @Test
    void onlyTheProxyUsesNetty() {
        hold(noClasses()
                .that()
                .resideOutsideOfPackage(ROOT + "proxy..")
                .should()
                .dependOnClassesThat()
                .resideInAPackage("io.netty.."));
    }

    @Test
    void onlyIdentityReadsAndWritesAsn1() {
        hold(noClasses()
                .that()
                .resideOutsideOfPackage(ROOT + "identity..")
                .should()
                .dependOnClassesThat()
                .resideInAPackage("org.bouncycastle..")
                .because("the other modules speak in certificates and keys of the JDK"));
    }

    @Test
    void onlyTheControlPlaneHoldsTheAuthority() {
        hold(noClasses()
                .that()
                .resideOutsideOfPackages(ROOT + "identity..", ROOT + "control..", ROOT + "cli..")
                .should()
                .dependOnClassesThat()
                .resideInAnyPackage(ROOT + "identity.authority..", ROOT + "identity.rotation..")
                .because("whoever asks for certificates needs no more than identity.request"));
    }

    /** A fixed expression was looked at when it was written; one that a user gave goes to the linear-time library. */
    @Test
    void whatReadsUserInputCompilesOnlyFixedExpressions() {
        hold(noClasses()
                .that()
                .resideInAnyPackage(ROOT + "config..", ROOT + "model..", ROOT + "proxy..", ROOT + "telemetry..")
                .should()
                .callMethodWhere(DescribedPredicate.describe(
                        "java.util.regex.Pattern.compile outside a static initializer",
                        (JavaMethodCall call) -> call.getTargetOwner().isEquivalentTo(Pattern.class)
                                && Set.of("compile", "matches").contains(call.getName())
                                && !call.getOrigin().getName().equals("<clinit>")))
                .because("a hostile expression must not take exponential time: use com.google.re2j"));
    }

    @Test
    void onlyTheCommandLineAndTheAccessLogPrint() {
        hold(noClasses()
                .that()
                .resideOutsideOfPackages(
                        ROOT + "cli..", ROOT + "samples..", ROOT + "bench..", ROOT + "it..", ROOT + "testkit..")
                .and()
                .haveNameNotMatching(".*\\.telemetry\\.AccessLog.*")
                .should()
                .accessField(System.class, "out")
                .because("roles log through System.Logger"));
    }

    @Test
    void everyPackageSaysWhatMayBeNull() {
        Set<String> unmarked = new TreeSet<>();
        for (JavaClass one : CLASSES) {
            boolean generated = one.getSource()
                    .map(source -> source.getUri().toString().contains("generated"))
                    .orElse(false);
            if (!generated
                    && MAY_USE.keySet().stream()
                            .anyMatch(m -> one.getPackageName().startsWith(ROOT + m))
                    && one.getPackage().tryGetAnnotationOfType(NullMarked.class).isEmpty()) {
                unmarked.add(one.getPackageName());
            }
        }
        unmarked.removeIf(name -> name.startsWith(ROOT + "xds.") || name.startsWith("dev.tulle.v1"));
        assertTrue(unmarked.isEmpty(), () -> "packages without @NullMarked in package-info.java: " + unmarked);
    }

    private static void hold(ArchRule rule) {
        rule.allowEmptyShould(true).check(CLASSES);
    }
}
