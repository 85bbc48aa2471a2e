package dev.tulle.kernel;

/**
 * One program of an ELF object, before it is loaded.
 *
 * @param name the C function's name
 * @param section the ELF section, which says kind and hook: {@code cgroup/connect4}
 * @param type the kernel's number, see {@link ProgramType}
 * @param attachType the kernel's number of the hook, see {@link AttachType}; 0 where the kind needs none
 * @param instructions before the kernel rewrites them
 */
public record ProgramSpec(String name, String section, int type, int attachType, long instructions) {}
