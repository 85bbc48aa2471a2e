package dev.tulle.kernel;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Steps on libbpf's {@code struct bpf_object}, for {@link BpfObject}. The caller owns and closes the object. */
final class NativeObject {
    /** The largest log that every kernel in scope accepts (16 MiB - 1); pages that are not written cost nothing. */
    static final long LOG_SIZE = (1L << 24) - 1;

    private static final Pattern FAILED_PROGRAM =
            Pattern.compile("prog(?:ram)? '([^']+)':? .*(?:failed|error|invalid)", Pattern.CASE_INSENSITIVE);

    private NativeObject() {}

    static MemorySegment open(Path path, List<String> messages) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment name = arena.allocateFrom(path.toString());
            return LibBpfMessages.collect(
                    messages, () -> LibBpf.objectOpen(name, "cannot open the BPF object " + path));
        } catch (BpfException e) {
            String said = String.join(" | ", messages);
            throw said.isEmpty() ? e : new BpfException(e.getMessage() + ": " + said, e.errno(), true);
        }
    }

    static List<MemorySegment> programs(MemorySegment object) {
        List<MemorySegment> found = new ArrayList<>();
        MemorySegment program = LibBpf.nextProgram(object, MemorySegment.NULL);
        while (!program.equals(MemorySegment.NULL)) {
            found.add(program);
            program = LibBpf.nextProgram(object, program);
        }
        return found;
    }

    static List<MemorySegment> maps(MemorySegment object) {
        List<MemorySegment> found = new ArrayList<>();
        MemorySegment map = LibBpf.nextMap(object, MemorySegment.NULL);
        while (!map.equals(MemorySegment.NULL)) {
            found.add(map);
            map = LibBpf.nextMap(object, map);
        }
        return found;
    }

    static MapSpec spec(MemorySegment map, Btf btf) {
        boolean data = LibBpf.mapInternal(map); // sections of global variables: described by a DATASEC, not a struct
        return new MapSpec(
                NativeLibrary.string(LibBpf.mapName(map)),
                LibBpf.mapType(map),
                LibBpf.mapKeySize(map),
                LibBpf.mapValueSize(map),
                LibBpf.mapMaxEntries(map),
                LibBpf.mapFlags(map),
                data ? "" : BpfMap.describe(btf, LibBpf.mapKeyTypeId(map)),
                data ? "" : BpfMap.describe(btf, LibBpf.mapValueTypeId(map)));
    }

    /** Turns a failed load into one refusal; libbpf names the program in its warnings. */
    static BpfLoadException.Refusal refusal(String log, List<String> messages, int errno) {
        String program = "";
        for (String message : messages) {
            Matcher failed = FAILED_PROGRAM.matcher(message);
            if (failed.find()) {
                program = failed.group(1);
                break;
            }
        }
        VerifierLog.Verdict verdict = VerifierLog.classify(log, messages, errno);
        return new BpfLoadException.Refusal(
                program, verdict.cause(), verdict.subject(), verdict.summary(), errno, log, messages);
    }
}
