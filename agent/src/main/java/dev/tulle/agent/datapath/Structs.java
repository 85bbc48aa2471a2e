package dev.tulle.agent.datapath;

import dev.tulle.kernel.BpfMap;
import dev.tulle.kernel.FieldCodec;
import dev.tulle.kernel.RecordCodec;
import dev.tulle.kernel.RecordLayout;
import dev.tulle.kernel.TypedMap;
import java.lang.invoke.MethodHandles;
import java.net.InetAddress;
import java.nio.ByteBuffer;

/**
 * The records of the kernel's maps, field by field as in {@code bpf/lib/types.h}; the codec holds names and sizes equal to
 * the object's BTF. Ports are host order; addresses are {@link InetAddress}, IPv4 v4-mapped in the kernel.
 */
final class Structs {
    /** What the programs expect in the configuration; they do nothing with another. */
    static final int SCHEMA = 1;

    static final int FLAG_CAPTURE = 1;
    static final int FLAG_SPLICE = 1 << 1;
    static final int FLAG_KERNEL_L4 = 1 << 2;
    static final int FLAG_BIND = 1 << 3;
    static final int FLAG_GUARD = 1 << 4;
    static final int FLAG_DNS = 1 << 5;
    static final int FLAG_LEND = 1 << 6;
    static final int FLAG_ANSWERS = 1 << 7;

    static final byte ROLE_WORKLOAD = 1;
    static final byte ROLE_PROXY = 2;
    static final byte ROLE_AGENT = 3;

    static final byte TCP = 6;
    static final byte UDP = 17;

    static final byte MODE_KERNEL = 1;
    static final byte MODE_PROXY = 2;
    static final byte MODE_REFUSE = 3;
    static final byte MODE_HTTP = 4;
    static final byte MODE_MAYBE_HTTP = 5;

    static final byte CHOICE_RANDOM = 0;
    static final byte CHOICE_HASH = 1;
    static final byte CHOICE_ROUND_ROBIN = 2;
    static final byte CHOICE_STICKY = 3;

    static final byte SOURCE_HOST = 1;
    static final byte SOURCE_OUTSIDE = 2;
    static final byte SOURCE_GUARDED = 3;

    static final int VERDICT_ALLOW = 1;
    static final int VERDICT_DENY = 2;

    static final int PORT_HELD = 1;
    static final int PORT_EVERYWHERE = 1 << 1;
    static final int PORT_ROOT = 1 << 2;

    static final int LISTEN_DECLARED = 0x8000_0000;

    /** Between workloads; others only keep who calls. */
    static final int CONN_DIRECT = 0;

    private static final FieldCodec<Net> NET = new FieldCodec<>(
            Net.class,
            Integer.BYTES,
            net -> ByteBuffer.allocate(Integer.BYTES).putInt(net.value()).array(),
            bytes -> new Net(ByteBuffer.wrap(bytes).getInt()));

    private Structs() {}

    /** An IPv4 address or mask kept in network byte order; the first byte is the number's highest. */
    record Net(int value) {}

    record Config(
            int schema,
            int flags,
            int outboundPolicy,
            int spliceLimit,
            long netns,
            Net rangeNet,
            Net rangeMask,
            Net nodeNet,
            Net nodeMask,
            Net vipNet,
            Net vipMask,
            InetAddress range6,
            InetAddress vip6,
            InetAddress hostAddr,
            InetAddress proxyAddr,
            InetAddress agentAddr,
            InetAddress outbound4,
            InetAddress outbound6,
            InetAddress dns4,
            InetAddress dns6,
            int outbound4Port,
            int outbound6Port,
            int dns4Port,
            int dns6Port,
            int httpSample,
            int callerConns) {
        Config withFlags(int value) {
            return with(schema, value);
        }

        Config withSchema(int value) {
            return with(value, flags);
        }

        private Config with(int newSchema, int newFlags) {
            return new Config(
                    newSchema,
                    newFlags,
                    outboundPolicy,
                    spliceLimit,
                    netns,
                    rangeNet,
                    rangeMask,
                    nodeNet,
                    nodeMask,
                    vipNet,
                    vipMask,
                    range6,
                    vip6,
                    hostAddr,
                    proxyAddr,
                    agentAddr,
                    outbound4,
                    outbound6,
                    dns4,
                    dns6,
                    outbound4Port,
                    outbound6Port,
                    dns4Port,
                    dns6Port,
                    httpSample,
                    callerConns);
        }
    }

    record WorkloadValue(int id, byte role, InetAddress addr4, InetAddress addr6, long lease) {
        /** Of the mesh itself. */
        static WorkloadValue infra(byte role) {
            return new WorkloadValue(0, role, MeshNetwork.none(), MeshNetwork.none(), 0);
        }
    }

    record TenantValue(long lease, int open, int splicing) {}

    record ServiceKey(InetAddress vip, int port, byte proto) {}

    record ServiceValue(int id, int generation, int slots, int reason, byte mode, byte choice, int next, int sticky) {}

    record MemberKey(int service, SockAddr endpoint) {}

    record SlotKey(int service, int generation, int slot) {}

    record EndpointValue(InetAddress addr, int workload, int port) {}

    record SockAddr(InetAddress addr, int port) {}

    record ListenerValue(int workload, int sockets) {}

    record PermitKey(InetAddress dst, int port, byte source) {}

    record DeclaredKey(int workload, int port) {}

    record LentValue(long netns, int workload) {}

    record PortKey(int port, byte proto) {}

    record PortValue(long netns, int flags) {}

    record AccessKey(int dst, int src, int port) {}

    record AccessValue(int verdict, int policy) {}

    record Event(
            long ts,
            long cgroup,
            int workload,
            int pid,
            int type,
            int reason,
            int sport,
            int dport,
            InetAddress src,
            InetAddress dst,
            byte proto,
            byte role,
            String comm,
            long sent,
            long received,
            long nanos,
            int rttUs,
            int retransmits,
            int service,
            int server) {}

    record SocketKey(long netns, InetAddress local, InetAddress remote, int lport, int rport) {}

    record ConnValue(
            long began,
            long sent,
            long received,
            long lease,
            int place,
            int client,
            int server,
            int service,
            int rttUs,
            int retransmits,
            int ended,
            SockAddr dialled,
            int messages,
            int kind,
            int accepted) {}

    record PairKey(int client, int server, int service) {}

    record PairValue(long opened, long closed, long sent, long received) {}

    /** One CPU's part of a workload's counters. */
    record TrafficValue(
            long meshSent,
            long meshReceived,
            long wireSent,
            long wireReceived,
            long wireSentPackets,
            long wireReceivedPackets,
            long opened,
            long accepted) {}

    static <R extends Record> RecordCodec<R> codec(Class<R> type, RecordLayout layout) {
        return RecordCodec.of(MethodHandles.lookup(), type, layout, FieldCodec.address(), NET);
    }

    static <K extends Record, V extends Record> TypedMap<K, V> map(BpfMap map, Class<K> key, Class<V> value) {
        return map.typed(codec(key, map.keyLayout()), codec(value, map.valueLayout()));
    }
}
