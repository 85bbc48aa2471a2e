package dev.tulle.kernel;

import static dev.tulle.kernel.NativeLibrary.INT;
import static dev.tulle.kernel.NativeLibrary.PTR;
import static dev.tulle.kernel.NativeLibrary.unexpected;

import java.lang.foreign.AddressLayout;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.nio.file.Path;
import java.util.List;

/**
 * Starts a process with chosen descriptors and no others, which the JDK cannot: glibc's posix_spawn (2.34 for the closing
 * of the rest), by hand, each call with its C prototype. Any thread.
 */
final class SpawnCalls {
    /** The first descriptor that is passed on; those before are its standard streams. */
    static final int FIRST = 3;

    private static final int O_WRONLY = 1;
    private static final short POSIX_SPAWN_SETSID = 0x80;
    /** More than glibc's posix_spawn_file_actions_t (80 bytes) and posix_spawnattr_t (336 bytes). */
    private static final int OBJECT_SIZE = 1024;

    private static final AddressLayout ADDRESS = ValueLayout.ADDRESS;

    // int posix_spawnp(pid_t *pid, const char *file, const posix_spawn_file_actions_t *actions,
    // const posix_spawnattr_t *attributes, char *const argv[], char *const envp[]); the error is the result
    private static final MethodHandle SPAWN =
            handle("posix_spawnp", FunctionDescriptor.of(INT, PTR, PTR, PTR, PTR, PTR, PTR));
    // int posix_spawn_file_actions_init(posix_spawn_file_actions_t *actions)
    private static final MethodHandle ACTIONS =
            handle("posix_spawn_file_actions_init", FunctionDescriptor.of(INT, PTR));
    // int posix_spawn_file_actions_destroy(posix_spawn_file_actions_t *actions)
    private static final MethodHandle ACTIONS_END =
            handle("posix_spawn_file_actions_destroy", FunctionDescriptor.of(INT, PTR));
    // int posix_spawn_file_actions_addopen(… *actions, int fd, const char *path, int flags, mode_t mode)
    private static final MethodHandle OPEN =
            handle("posix_spawn_file_actions_addopen", FunctionDescriptor.of(INT, PTR, INT, PTR, INT, INT));
    // int posix_spawn_file_actions_adddup2(… *actions, int fd, int new_fd)
    private static final MethodHandle DUP2 =
            handle("posix_spawn_file_actions_adddup2", FunctionDescriptor.of(INT, PTR, INT, INT));
    // int posix_spawn_file_actions_addclosefrom_np(… *actions, int from)
    private static final MethodHandle CLOSE_FROM =
            handle("posix_spawn_file_actions_addclosefrom_np", FunctionDescriptor.of(INT, PTR, INT));
    // int posix_spawnattr_init(posix_spawnattr_t *attributes)
    private static final MethodHandle ATTRIBUTES = handle("posix_spawnattr_init", FunctionDescriptor.of(INT, PTR));
    // int posix_spawnattr_setflags(posix_spawnattr_t *attributes, short flags)
    private static final MethodHandle FLAGS =
            handle("posix_spawnattr_setflags", FunctionDescriptor.of(INT, PTR, ValueLayout.JAVA_SHORT));

    private SpawnCalls() {}

    private static MethodHandle handle(String name, FunctionDescriptor type) {
        return NativeLibrary.handle(Linker.nativeLinker().defaultLookup(), name, type);
    }

    /**
     * Starts a program in a session of its own, with an empty environment and no output.
     *
     * @param command the program, looked for on the PATH, and its arguments
     * @param input what it reads
     * @param descriptors what it has from {@link #FIRST} on, in this order
     * @return its pid, or -errno
     */
    static int spawn(List<String> command, Path input, List<Integer> descriptors) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment actions = arena.allocate(OBJECT_SIZE, 8);
            MemorySegment attributes = arena.allocate(OBJECT_SIZE, 8);
            MemorySegment pid = arena.allocate(INT);
            int error = (int) ACTIONS.invokeExact(actions);
            if (error != 0) {
                return -error;
            }
            try {
                error = first(
                        describe(arena, actions, input, descriptors), (int) ATTRIBUTES.invokeExact(attributes), (int)
                                FLAGS.invokeExact(attributes, POSIX_SPAWN_SETSID));
                if (error == 0) {
                    error = (int) SPAWN.invokeExact(
                            pid,
                            arena.allocateFrom(command.getFirst()),
                            actions,
                            attributes,
                            strings(arena, command),
                            strings(arena, List.of()));
                }
            } finally {
                var _ = (int) ACTIONS_END.invokeExact(actions);
            }
            return error == 0 ? pid.get(INT, 0) : -error;
        } catch (Throwable t) {
            throw unexpected(t);
        }
    }

    // The actions are done in this order in the new process. The descriptors that are passed on have numbers above all
    // that are made here, so that none takes another's place.
    private static int describe(Arena arena, MemorySegment actions, Path input, List<Integer> descriptors)
            throws Throwable {
        int error = first(
                (int) OPEN.invokeExact(actions, 0, arena.allocateFrom(input.toString()), 0, 0),
                (int) OPEN.invokeExact(actions, 1, arena.allocateFrom("/dev/null"), O_WRONLY, 0),
                (int) DUP2.invokeExact(actions, 1, 2));
        int next = FIRST;
        for (int descriptor : descriptors) {
            error = first(error, (int) DUP2.invokeExact(actions, descriptor, next++));
        }
        return first(error, (int) CLOSE_FROM.invokeExact(actions, next));
    }

    private static int first(int... errors) {
        for (int error : errors) {
            if (error != 0) {
                return error;
            }
        }
        return 0;
    }

    private static MemorySegment strings(Arena arena, List<String> words) {
        MemorySegment array = arena.allocate(ADDRESS, words.size() + 1);
        for (int i = 0; i < words.size(); i++) {
            array.setAtIndex(ADDRESS, i, arena.allocateFrom(words.get(i)));
        }
        return array;
    }
}
