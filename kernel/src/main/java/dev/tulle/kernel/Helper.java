package dev.tulle.kernel;

import java.util.Locale;

/** BPF helpers that a program of the mesh may call, with the kernel's numbers; used to probe for them. */
public enum Helper {
    MAP_LOOKUP_ELEM(1),
    KTIME_GET_NS(5),
    GET_PRANDOM_U32(7),
    TAIL_CALL(12),
    GET_CURRENT_PID_TGID(14),
    GET_CURRENT_COMM(16),
    GET_SOCKET_COOKIE(46),
    SETSOCKOPT(49),
    GETSOCKOPT(57),
    SOCK_OPS_CB_FLAGS_SET(59),
    MSG_APPLY_BYTES(61),
    MSG_PULL_DATA(63),
    BIND(64),
    SOCK_HASH_UPDATE(70),
    MSG_REDIRECT_HASH(71),
    GET_CURRENT_CGROUP_ID(80),
    SK_LOOKUP_TCP(84),
    SK_RELEASE(86),
    MSG_PUSH_DATA(90),
    SKC_LOOKUP_TCP(99),
    SK_STORAGE_GET(107),
    PROBE_READ_KERNEL(113),
    GET_NETNS_COOKIE(122),
    GET_CURRENT_ANCESTOR_CGROUP_ID(123),
    SK_ASSIGN(124),
    SK_CGROUP_ID(128),
    SK_ANCESTOR_CGROUP_ID(129),
    RINGBUF_OUTPUT(130),
    RINGBUF_RESERVE(131),
    SKC_TO_TCP_SOCK(137),
    LOOP(181),
    STRNCMP(182);

    private final int number;

    Helper(int number) {
        this.number = number;
    }

    /** The kernel's number. */
    public int number() {
        return number;
    }

    /** As C spells it: {@code bpf_msg_redirect_hash}. */
    public String function() {
        return "bpf_" + name().toLowerCase(Locale.ROOT);
    }
}
