package dev.tulle.agent.identity;

import dev.tulle.agent.host.Cgroups;
import dev.tulle.agent.identity.WorkloadGroups.Member;
import dev.tulle.kernel.BpfException;
import dev.tulle.kernel.Errno;
import dev.tulle.kernel.PeerProcess;
import dev.tulle.xds.WorkloadAttestor;
import java.io.IOException;
import java.util.Optional;
import java.util.function.Supplier;

/**
 * Knows a process by the control group that it is in. The connection's own process counts, whoever else got hold of the
 * socket since: it is held by a descriptor, so that its number cannot be another's, and when it has ended nobody is there.
 * Thread-safe.
 */
final class ProcessAttestor implements WorkloadAttestor {
    private static final String NOBODY = "the calling process is in no workload of this mesh";
    private static final String ENDED = "the calling process has ended";

    private final Cgroups cgroups;
    private final Supplier<WorkloadGroups> groups;

    ProcessAttestor(Cgroups cgroups, Supplier<WorkloadGroups> groups) {
        this.cgroups = cgroups;
        this.groups = groups;
    }

    @Override
    public Caller connected(int socket, int uid) {
        try {
            return new Attested(PeerProcess.of(socket), uid);
        } catch (BpfException e) {
            return new Unknown(
                    uid,
                    e.errno() == Errno.ENOPROTOOPT
                            ? "this kernel cannot say which process calls: expected Linux 6.5 or newer"
                            : ENDED);
        }
    }

    /** The workload that a process is in now; why in none otherwise. */
    private Optional<Member> find(PeerProcess process) throws IOException {
        if (process.pid() == 0) {
            return Optional.empty();
        }
        Optional<Member> found = groups.get().holding(cgroups.groupOf(process.pid()), cgroups);
        // Asked last: what was read is this process's only if it lives still.
        return process.isAlive() ? found : Optional.empty();
    }

    /** A process that is held. */
    private final class Attested implements Caller {
        private final PeerProcess process;
        private final String account;
        private boolean closed;

        Attested(PeerProcess process, int uid) {
            this.process = process;
            this.account = account(process, uid);
        }

        private String account(PeerProcess of, int uid) {
            try {
                return find(of).map(member -> "workload " + member.key()).orElse("uid " + uid);
            } catch (IOException e) {
                // It has just ended; the first call says so.
                return "uid " + uid;
            }
        }

        @Override
        public String account() {
            return account;
        }

        @Override
        public synchronized Standing standing() {
            if (closed) {
                return new Standing.Nobody(ENDED);
            }
            try {
                Optional<Member> found = find(process);
                if (found.isPresent()) {
                    return new Standing.Workload(found.get().identity());
                }
                return new Standing.Nobody(process.isAlive() ? NOBODY : ENDED);
            } catch (IOException e) {
                return new Standing.Nobody(process.isAlive() ? NOBODY + ": " + e.getMessage() : ENDED);
            }
        }

        @Override
        public synchronized void close() {
            if (!closed) {
                closed = true;
                process.close();
            }
        }
    }

    /** A process that cannot be held. */
    private record Unknown(int uid, String why) implements Caller {
        @Override
        public String account() {
            return "uid " + uid;
        }

        @Override
        public Standing standing() {
            return new Standing.Nobody(why);
        }

        @Override
        public void close() {}
    }
}
