package dev.tulle.agent.datapath;

import dev.tulle.agent.http.HttpLimits;
import dev.tulle.agent.http.HttpTable;
import dev.tulle.agent.http.HttpWhen;
import dev.tulle.kernel.BpfMap;
import dev.tulle.kernel.FieldCodec;
import dev.tulle.kernel.RecordCodec;
import dev.tulle.kernel.RecordLayout;
import dev.tulle.kernel.TypedMap;
import java.lang.invoke.MethodHandles;
import java.net.InetAddress;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.ToIntFunction;

/**
 * The records of kernel HTTP, field by field as in {@code bpf/lib/http_types.h}; the codec holds names and sizes equal to
 * the object's BTF. Lists always have as many elements as the array has, so that what was read equals what was written.
 */
final class HttpStructs {
    private static final int NAME_BYTES = HttpLimits.NAME;
    /** TULLE_HTTP_SAMPLE_HEAD: room for a whole request head. */
    private static final int HEAD_BYTES = 1024;

    private static final FieldCodec<PathText> PATH = new FieldCodec<>(
            PathText.class,
            HttpLimits.PATH,
            path -> padded(path.text(), HttpLimits.PATH),
            bytes -> new PathText(text(bytes)));
    private static final FieldCodec<PathMask> MASK = new FieldCodec<>(
            PathMask.class,
            HttpLimits.PATH,
            mask -> {
                byte[] bytes = new byte[HttpLimits.PATH];
                Arrays.fill(bytes, 0, mask.length(), (byte) 0xff);
                return bytes;
            },
            bytes -> new PathMask(text(bytes).length()));
    private static final FieldCodec<ShortText> TEXT = new FieldCodec<>(
            ShortText.class, NAME_BYTES, text -> padded(text.text(), NAME_BYTES), bytes -> new ShortText(text(bytes)));

    private static final FieldCodec<HeadText> HEAD = new FieldCodec<>(
            HeadText.class,
            HEAD_BYTES,
            head -> padded(head.text(), HEAD_BYTES),
            bytes -> new HeadText(new String(bytes, StandardCharsets.ISO_8859_1)));

    private HttpStructs() {}

    /** A path pattern: 64 bytes, which C compares as words. */
    record PathText(String text) {}

    /** Ones for as many bytes as the pattern has. */
    record PathMask(int length) {}

    /** A name or value: 32 bytes, which C compares as words. */
    record ShortText(String text) {}

    record FieldValue(ShortText value, byte name, byte op, byte invert, int length) {
        static final FieldValue NONE = new FieldValue(new ShortText(""), (byte) 0, (byte) 0, (byte) 0, 0);
    }

    record WhenValue(PathText path, PathMask mask, List<FieldValue> field, int methods, byte pathKind, int pathLength) {
        static final WhenValue NONE = new WhenValue(
                new PathText(""), new PathMask(0), full(List.of(), FieldValue.NONE, HttpLimits.FIELDS), 0, (byte) 0, 0);
    }

    record RouteValue(WhenValue when, int firstShare, int shares, byte action, int keep, int timeoutMs, int weight) {
        static final RouteValue NONE = new RouteValue(WhenValue.NONE, 0, 0, (byte) 0, 0, 0, 0);
    }

    record ShareValue(int until, int cluster) {
        static final ShareValue NONE = new ShareValue(0, 0);
    }

    record ClusterValue(int first, int members, int flags) {
        static final ClusterValue NONE = new ClusterValue(0, 0, 0);
    }

    record MemberValue(int pool, int workload) {
        static final MemberValue NONE = new MemberValue(0, 0);
    }

    record RuleValue(WhenValue when, byte verdict) {
        static final RuleValue NONE = new RuleValue(WhenValue.NONE, (byte) 0);
    }

    record NameValue(ShortText word, int length) {
        static final NameValue NONE = new NameValue(new ShortText(""), 0);
    }

    record TableValue(
            int number,
            int service,
            int routes,
            int rules,
            int names,
            byte anyAllow,
            byte toProxy,
            int bodyMax,
            List<NameValue> name,
            List<RouteValue> route,
            List<RuleValue> rule,
            List<ShareValue> share,
            List<ClusterValue> cluster,
            List<MemberValue> member) {
        /** The same under another number. */
        TableValue withNumber(int value) {
            return new TableValue(
                    value, service, routes, rules, names, anyAllow, toProxy, bodyMax, name, route, rule, share, cluster,
                    member);
        }
    }

    record HttpServiceValue(int table) {}

    record SourceKey(int table, int workload) {}

    record PoolKey(int pool, int loop) {}

    record StatKey(int service, int source, int workload, int pool, int code) {}

    record StatValue(long requests, long requestBytes, long responseBytes, long nanos, Buckets bucket) {}

    /** A pool's record in {@code tulle_http_outcomes}; what is not its own is not counted for it. */
    record OutcomesValue(int pool, int errors, int gateway, int local) {}

    /** The room of a request's head, of which the kernel has filled the beginning. */
    record HeadText(String text) {}

    /** What the kernel reports of a sampled request. */
    record SampleValue(
            long ts,
            long nanos,
            long headNanos,
            long responseBytes,
            long requestBytes,
            InetAddress clientAddr,
            InetAddress serverAddr,
            int clientPort,
            int serverPort,
            int service,
            int source,
            int workload,
            int table,
            int route,
            int cluster,
            int code,
            int length,
            HeadText head) {}

    /** Counts of the buckets of the duration, in their order. */
    record Buckets(List<Long> counts) {
        /** As many as there are bounds, and one. */
        static final int COUNT = 20;

        Buckets {
            counts = List.copyOf(counts);
        }
    }

    private static final FieldCodec<Buckets> BUCKETS = new FieldCodec<>(
            Buckets.class,
            Buckets.COUNT * Long.BYTES,
            buckets -> {
                java.nio.ByteBuffer bytes = java.nio.ByteBuffer.allocate(Buckets.COUNT * Long.BYTES)
                        .order(java.nio.ByteOrder.nativeOrder());
                buckets.counts().forEach(bytes::putLong);
                return bytes.array();
            },
            bytes -> {
                java.nio.LongBuffer longs = java.nio.ByteBuffer.wrap(bytes)
                        .order(java.nio.ByteOrder.nativeOrder())
                        .asLongBuffer();
                List<Long> counts = new ArrayList<>();
                while (longs.hasRemaining()) {
                    counts.add(longs.get());
                }
                return new Buckets(counts);
            });

    static <R extends Record> RecordCodec<R> codec(Class<R> type, RecordLayout layout) {
        return RecordCodec.of(
                MethodHandles.lookup(), type, layout, FieldCodec.address(), PATH, MASK, TEXT, BUCKETS, HEAD);
    }

    static <K extends Record, V extends Record> TypedMap<K, V> map(BpfMap map, Class<K> key, Class<V> value) {
        return map.typed(codec(key, map.keyLayout()), codec(value, map.valueLayout()));
    }

    /**
     * A table as the kernel keeps it.
     *
     * @param pools the pool of an endpoint
     * @param workloads the workload id of an endpoint, 0 for none of this node
     */
    static TableValue table(
            int number,
            int service,
            HttpTable table,
            ToIntFunction<HttpTable.Member> pools,
            ToIntFunction<HttpTable.Member> workloads) {
        List<String> names = table.names();
        List<ShareValue> shares = new ArrayList<>();
        List<RouteValue> routes = new ArrayList<>();
        for (HttpTable.Route route : table.routes()) {
            int first = shares.size();
            int until = 0;
            for (HttpTable.Share share : route.shares()) {
                until += share.weight();
                shares.add(new ShareValue(until, share.cluster()));
            }
            routes.add(new RouteValue(
                    when(route.when(), names),
                    first,
                    route.shares().size(),
                    (byte) (route.forwards() ? 1 : 0),
                    route.keep(),
                    route.timeoutMillis(),
                    until));
        }
        List<ClusterValue> clusters = new ArrayList<>();
        List<MemberValue> members = new ArrayList<>();
        for (HttpTable.ClusterPart part : table.clusters()) {
            clusters.add(new ClusterValue(members.size(), part.members().size(), part.leastRequest() ? 1 : 0));
            for (HttpTable.Member member : part.members()) {
                members.add(new MemberValue(pools.applyAsInt(member), workloads.applyAsInt(member)));
            }
        }
        List<RuleValue> rules = table.rules().stream()
                .map(rule -> new RuleValue(when(rule.when(), names), (byte) (rule.allow() ? 1 : 0)))
                .toList();
        return new TableValue(
                number,
                service,
                routes.size(),
                rules.size(),
                names.size(),
                (byte) (table.anyAllow() ? 1 : 0),
                (byte) 0,
                table.bodyMax(),
                full(
                        names.stream()
                                .map(name -> new NameValue(new ShortText(name), name.length()))
                                .toList(),
                        NameValue.NONE,
                        HttpLimits.NAMES),
                full(routes, RouteValue.NONE, HttpLimits.ROUTES),
                full(rules, RuleValue.NONE, HttpLimits.RULES),
                full(shares, ShareValue.NONE, HttpLimits.SHARES),
                full(clusters, ClusterValue.NONE, HttpLimits.CLUSTERS),
                full(members, MemberValue.NONE, HttpLimits.MEMBERS));
    }

    private static WhenValue when(HttpWhen when, List<String> names) {
        List<FieldValue> fields = new ArrayList<>();
        for (HttpWhen.Field field : when.fields()) {
            fields.add(new FieldValue(
                    new ShortText(field.value()),
                    (byte) names.indexOf(field.name()),
                    (byte) (field.present() ? 2 : 1),
                    (byte) (field.inverted() ? 1 : 0),
                    field.value().length()));
        }
        return new WhenValue(
                new PathText(when.path()),
                new PathMask(when.path().length()),
                full(fields, FieldValue.NONE, HttpLimits.FIELDS),
                when.methods() == dev.tulle.agent.http.HttpMethod.ALL ? 0 : when.methods(),
                (byte) when.pathKind().number(),
                when.path().length());
    }

    private static <T> List<T> full(List<T> some, T none, int size) {
        List<T> all = new ArrayList<>(some);
        while (all.size() < size) {
            all.add(none);
        }
        return List.copyOf(all);
    }

    private static byte[] padded(String text, int size) {
        byte[] bytes = text.getBytes(StandardCharsets.ISO_8859_1);
        if (bytes.length > size) {
            throw new IllegalArgumentException(
                    "'" + text + "' has " + bytes.length + " bytes, expected at most " + size);
        }
        return Arrays.copyOf(bytes, size);
    }

    private static String text(byte[] bytes) {
        int end = 0;
        while (end < bytes.length && bytes[end] != 0) {
            end++;
        }
        return new String(bytes, 0, end, StandardCharsets.ISO_8859_1);
    }
}
