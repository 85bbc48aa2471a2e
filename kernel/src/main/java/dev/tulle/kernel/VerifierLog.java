package dev.tulle.kernel;

import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * Why the kernel refused a program, read from the verifier's log. Pure: texts in, one cause out. Any thread.
 *
 * <p>The log's last lines say the reason, the last comment before them the C line. Texts differ between kernels, so every
 * cause has several patterns and the worst answer is {@link Cause#OTHER} with the last line that says something.
 */
public final class VerifierLog {
    /** The classes of refusal; a tier is chosen by the class, never by the text. */
    public enum Cause {
        /** A helper this kernel does not have, or not for this kind of program. */
        HELPER,
        /** A kernel function (kfunc) that is missing or not allowed here. */
        KFUNC,
        /** A CO-RE relocation found no such type or field in this kernel. */
        RELOCATION,
        /** Capabilities, lockdown or a security module. */
        PERMISSION,
        /** More than a million instructions walked, or too many jumps to follow. */
        INSTRUCTION_LIMIT,
        /** A loop without a provable end. */
        LOOP,
        /** 512 bytes, or out-of-bounds or uninitialised use. */
        STACK,
        /** A pointer that was not checked for null. */
        NULL_POINTER,
        /** Memory, packet or context access outside what is proven. */
        INVALID_ACCESS,
        /** A register without a value, or of the wrong type for a call. */
        REGISTER,
        /** A socket, ring-buffer record or lock that is not given back. */
        REFERENCE,
        /** A return value that this hook does not allow. */
        RETURN_VALUE,
        /** A GPL helper in a program without a GPL licence. */
        LICENSE,
        /** Program kind or hook unknown to this kernel, or no such combination. */
        PROGRAM_TYPE,
        /** A map that cannot be made or used here. */
        MAP,
        /** Not enough memory, or over the memlock limit. */
        MEMORY,
        /** The object's BTF is refused or missing. */
        BTF,
        /** None of the above. */
        OTHER
    }

    /**
     * A refusal in one line.
     *
     * @param cause the class
     * @param summary the kernel's own words, with the C line where the log has it
     * @param subject the helper, function, field or limit it is about; "" if the log names none
     */
    public record Verdict(Cause cause, String summary, String subject) {}

    private record Rule(Cause cause, Pattern pattern) {}

    private static final List<Rule> RULES = List.of(
            rule(Cause.RELOCATION, "<invalid CO-RE relocation>"),
            rule(Cause.RELOCATION, "invalid func unknown#195896080"),
            rule(Cause.RELOCATION, "failed to (?:resolve|perform) CO-RE relocation"),
            rule(Cause.LICENSE, "cannot call GPL-restricted function from non-GPL compatible program"),
            rule(Cause.KFUNC, "calling kernel function ([\\w.]+) is not allowed"),
            rule(Cause.KFUNC, "kernel function ([\\w.]+) .*not (?:supported|allowed)"),
            rule(Cause.KFUNC, "kernel btf_id \\d+ is not a function"),
            rule(Cause.KFUNC, "extern \\(func ksym\\) '?([\\w.]+)'?.*not found"),
            rule(Cause.KFUNC, "calling kernel function is not supported"),
            rule(Cause.HELPER, "program of this type cannot use helper (\\w+(?:#\\d+)?)"),
            rule(Cause.HELPER, "unknown func (\\w+(?:#\\d+)?)"),
            rule(Cause.HELPER, "invalid func (\\w+(?:#\\d+)?)"),
            rule(Cause.HELPER, "helper call is not allowed in (?:probe|\\w+)"),
            rule(Cause.INSTRUCTION_LIMIT, "BPF program is too large\\. Processed (\\d+) insn"),
            rule(Cause.INSTRUCTION_LIMIT, "The sequence of (\\d+) jumps is too complex"),
            rule(Cause.INSTRUCTION_LIMIT, "the call stack of (\\d+) frames is too deep"),
            rule(Cause.LOOP, "infinite loop detected"),
            rule(Cause.LOOP, "back-edge from insn \\d+"),
            rule(Cause.LOOP, "The reference loop|loop is not bounded"),
            rule(Cause.STACK, "combined stack size of \\d+ calls is (\\d+)\\. Too large"),
            rule(Cause.STACK, "invalid (?:read from|write to|indirect access to|variable-offset.*) ?stack"),
            rule(Cause.STACK, "invalid stack (?:off|type)"),
            rule(Cause.STACK, "invalid indirect read from stack"),
            rule(Cause.STACK, "(?:invalid|attempt to corrupt) .*stack"),
            rule(Cause.REFERENCE, "Unreleased reference id=(\\d+)"),
            rule(
                    Cause.REFERENCE,
                    "bpf_spin_lock is missing|missing bpf_spin_unlock|function calls are not allowed while holding a lock"),
            rule(
                    Cause.REFERENCE,
                    "(?:BPF_EXIT|bpf_exit|tail_call).*(?:would lead to reference leak|bpf_spin_lock-ed|lock)"),
            rule(Cause.RETURN_VALUE, "At program exit the register R0 has"),
            rule(Cause.NULL_POINTER, "invalid mem access '(\\w*or_null\\w*)'"),
            rule(
                    Cause.NULL_POINTER,
                    "R\\d+ (?:pointer arithmetic|bitwise operator .*) on (\\w*or_null\\w*) prohibited"),
            rule(Cause.NULL_POINTER, "type=(\\w*or_null\\w*) expected="),
            rule(Cause.INVALID_ACCESS, "invalid mem access '([\\w*]+)'"),
            rule(Cause.INVALID_ACCESS, "invalid access to (packet|map value|map key|memory|mem)"),
            rule(Cause.INVALID_ACCESS, "invalid bpf_context access (off=-?\\d+ size=\\d+)"),
            rule(Cause.INVALID_ACCESS, "dereference of modified (\\w+) ptr"),
            rule(Cause.INVALID_ACCESS, "math between (\\w+) pointer"),
            rule(
                    Cause.INVALID_ACCESS,
                    "(?:min value is negative|unbounded memory access|unbounded min value|max value is outside)"),
            rule(Cause.INVALID_ACCESS, "pointer arithmetic .*prohibited"),
            rule(Cause.INVALID_ACCESS, "misaligned (?:\\w+ )*access"),
            rule(Cause.INVALID_ACCESS, "cannot (?:write into|access|read|store).*"),
            rule(Cause.INVALID_ACCESS, "(?:write|read) into map forbidden|access beyond struct|only read is supported"),
            rule(Cause.REGISTER, "R(\\d+) !read_ok"),
            rule(Cause.REGISTER, "R\\d+ type=(\\w+) expected="),
            rule(
                    Cause.REGISTER,
                    "R\\d+ (?:leaks addr|is not a scalar|invalid zero-sized|must have zero offset|must be)"),
            rule(Cause.REGISTER, "frame pointer is read only|!read_ok"),
            rule(Cause.PERMISSION, "Couldn't load trivial BPF program"),
            rule(Cause.MAP, "cannot pass map_type (\\d+) into func"),
            rule(Cause.MAP, "(?:map_type|map) .*not (?:supported|compatible)"),
            rule(Cause.MAP, "map '([\\w.]+)': failed to create"),
            rule(Cause.MAP, "Error in bpf_create_map_xattr\\(([\\w.]+)\\)"),
            rule(Cause.INVALID_ACCESS, "unreachable insn|invalid BPF_\\w+|unknown opcode|jump out of range"),
            rule(Cause.PROGRAM_TYPE, "missing BPF prog type, check ELF section name '?([\\w/?.]+)"),
            rule(Cause.PROGRAM_TYPE, "(?:unknown|unrecognized|invalid) (?:program|attach)[ _]type"),
            rule(
                    Cause.BTF,
                    "(?:BTF is required|kernel BTF|Error loading .*BTF|failed to find valid kernel BTF|invalid BTF)"));

    /** Lines that carry no reason: statistics and register dumps. */
    private static final Pattern NOISE = Pattern.compile("^(?:processed \\d+ insns|verification time|stack depth"
            + "|max_states|total_states|peak_states|mark_read|\\d+: (?:R\\d|\\([0-9a-f]{2}\\))|from \\d+ to|; |"
            + "Global function|Validating|func#|Func#|reg type unsupported|last_idx|regs=|parent |arg#).*");

    private static final Pattern SOURCE = Pattern.compile("^; (?<code>.+?)(?: @ (?<file>[\\w./+-]+):(?<line>\\d+))?$");
    private static final int SUMMARY_MAX = 300;
    /** The reason stands at the end; a hundred million characters of walk before it are not worth scanning. */
    private static final int LINES_MAX = 4096;

    private VerifierLog() {}

    private static Rule rule(Cause cause, String regex) {
        return new Rule(cause, Pattern.compile(regex, Pattern.CASE_INSENSITIVE));
    }

    /**
     * Classifies one refusal.
     *
     * @param log the verifier's log, possibly cut off at either end; "" if there is none
     * @param messages libbpf's own warnings, which hold the reason where the program never reached the verifier
     * @param errno positive error number of the refused load
     */
    public static Verdict classify(String log, List<String> messages, int errno) {
        Objects.requireNonNull(log, "log");
        List<String> lines = lastLines(log);
        Verdict fromLog = match(lines, null);
        if (fromLog != null) {
            return fromLog;
        }
        Verdict fromMessages = match(messages, lines);
        if (fromMessages != null && errno == Errno.EPERM && fromMessages.cause == Cause.MAP) {
            return new Verdict(Cause.PERMISSION, fromMessages.summary, fromMessages.subject);
        }
        if (fromMessages != null) {
            return fromMessages;
        }
        String last = lastMeaning(lines);
        String said = last.isEmpty() ? lastMeaning(messages) : withSource(last, lines, lines.size());
        return byErrno(errno, said);
    }

    private static Verdict byErrno(int errno, String said) {
        String tail = said.isEmpty() ? "" : ": " + said;
        return switch (errno) {
            case Errno.EPERM ->
                new Verdict(Cause.PERMISSION, shorten("not permitted (capability, lockdown or limit)" + tail), "");
            case Errno.ENOMEM -> new Verdict(Cause.MEMORY, shorten("out of memory" + tail), "");
            case Errno.E2BIG ->
                new Verdict(Cause.INSTRUCTION_LIMIT, shorten("larger than the kernel's limits" + tail), "");
            case Errno.EINVAL, Errno.EOPNOTSUPP, Errno.ENOTSUPP ->
                said.isEmpty()
                        ? new Verdict(Cause.PROGRAM_TYPE, "this kernel does not know the program's kind or hook", "")
                        : new Verdict(Cause.OTHER, shorten(said), "");
            default -> new Verdict(Cause.OTHER, said.isEmpty() ? "no reason was given" : shorten(said), "");
        };
    }

    /** The last line that a rule matches, with the C line before it: in {@code sources}, or in the lines themselves. */
    private static @Nullable Verdict match(List<String> lines, @Nullable List<String> sources) {
        for (int i = lines.size() - 1; i >= 0; i--) {
            String line = lines.get(i);
            if (line.startsWith("; ")) {
                continue; // C source may quote any of the phrases
            }
            for (Rule rule : RULES) {
                Matcher matcher = rule.pattern.matcher(line);
                if (matcher.find()) {
                    String subject = matcher.groupCount() > 0 && matcher.group(1) != null ? matcher.group(1) : "";
                    String summary =
                            sources == null ? withSource(line, lines, i) : withSource(line, sources, sources.size());
                    return new Verdict(rule.cause, shorten(summary), subject);
                }
            }
        }
        return null;
    }

    private static List<String> lastLines(String log) {
        List<String> lines = new ArrayList<>();
        int end = log.length();
        while (end > 0 && lines.size() < LINES_MAX) {
            int start = log.lastIndexOf('\n', end - 1) + 1;
            String line =
                    log.substring(start, Math.min(end, start + 4 * SUMMARY_MAX)).strip();
            if (!line.isEmpty()) {
                lines.addFirst(line);
            }
            end = start - 1;
        }
        return lines;
    }

    private static String lastMeaning(List<String> lines) {
        for (int i = lines.size() - 1; i >= 0; i--) {
            if (!NOISE.matcher(lines.get(i)).matches()) {
                return lines.get(i);
            }
        }
        return "";
    }

    /** The line of C that was being verified before {@code end}, appended to the reason. */
    private static String withSource(String reason, List<String> lines, int end) {
        for (int i = Math.min(end, lines.size()) - 1; i >= 0; i--) {
            Matcher source = SOURCE.matcher(lines.get(i));
            if (source.matches()) {
                String file = source.group("file");
                String where = file == null ? "" : " (" + file + ":" + source.group("line") + ")";
                return reason + ", at: " + source.group("code") + where;
            }
        }
        return reason;
    }

    private static String shorten(String text) {
        return text.length() <= SUMMARY_MAX ? text : text.substring(0, SUMMARY_MAX - 1) + "…";
    }
}
