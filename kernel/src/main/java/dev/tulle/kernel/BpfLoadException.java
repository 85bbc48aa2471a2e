package dev.tulle.kernel;

import java.nio.file.Path;
import java.util.List;

/** The kernel or libbpf refused an object. The message is one line; the whole verifier log is kept. */
public final class BpfLoadException extends BpfException {
    private static final long serialVersionUID = 1L;

    private final transient Refusal refusal;

    /**
     * One refused program, or one object that failed before its programs were looked at.
     *
     * @param program its name; "" if the failure is not a program's
     * @param cause the class of the reason
     * @param subject helper, function, field or limit it is about; "" if unknown
     * @param summary one line in the kernel's words
     * @param errno positive error number
     * @param verifierLog everything the verifier said; "" if it said nothing
     * @param messages libbpf's warnings during this attempt
     */
    public record Refusal(
            String program,
            VerifierLog.Cause cause,
            String subject,
            String summary,
            int errno,
            String verifierLog,
            List<String> messages) {
        public Refusal {
            messages = List.copyOf(messages);
        }

        /** One line: program, error name, class, reason. */
        public String line() {
            return (program.isEmpty() ? "object" : "program " + program) + " refused: " + Errno.name(errno) + ": "
                    + cause + ": " + summary;
        }
    }

    BpfLoadException(Path object, Refusal refusal) {
        super(object + ": " + refusal.line(), refusal.errno(), true);
        this.refusal = refusal;
    }

    public Refusal refusal() {
        return refusal;
    }

    public String program() {
        return refusal.program();
    }

    public VerifierLog.Cause reason() {
        return refusal.cause();
    }

    /** The full log of the verifier; "" if the load failed before it. */
    public String verifierLog() {
        return refusal.verifierLog();
    }
}
